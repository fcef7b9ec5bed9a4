//! Certificates that proxies of several hosts share. One of them orders, and the others ask it; what an authority looks
//! for at one of them, that one asks the others for. All of them have a secret, which the answers are sealed with: who is
//! where a peer is and has not the secret learns nothing.
//!
//! Whose turn it is follows from the names peers know each other by: the first in the order of the alphabet orders at once,
//! each further one when those before it have not for so long.

use std::fs;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use http::HeaderValue;
use tokio::time::timeout;

use super::seal::{Seal, once};
use crate::server::options::Policies;
use crate::server::peers;
use crate::server::target::address::{Address, AddressError};

/// How long each proxy leaves an order to those before it.
const TURN: Duration = Duration::from_secs(10);
/// How long an order of a peer's is waited for.
const ORDER: Duration = Duration::from_secs(600);
/// How long a peer may take to answer.
const LIMIT: Duration = Duration::from_secs(2);
/// Characters of the secret, at least.
const SHORTEST: usize = 32;

/// What a peer is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The certificate for a name, with its key.
    Certificate,
    /// The answer to a challenge over HTTP.
    Answer,
    /// The certificate that answers a challenge in TLS.
    Proof,
}

/// What a peer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// Here it is.
    Have(String),
    /// It is being ordered.
    Ordering,
    /// It was, in vain, and is left alone for a time.
    Failed,
    /// It is not there.
    Nothing,
}

/// The proxies that share the certificates of a service.
#[derive(Debug)]
pub(crate) struct Sharing {
    service: String,
    peers: Vec<Address>,
    /// The name these know this one by.
    name: String,
    seal: Seal,
}

/// A question as it goes to a peer.
#[derive(Debug)]
pub(super) struct Question<'q> {
    pub(super) wanted: Wanted,
    pub(super) name: &'q str,
}

/// Why certificates cannot be shared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SharingError {
    #[error("unable to read the secret of the peers {0}: {1}")]
    Unread(String, std::io::Error),
    #[error("the secret of the peers in {0} should have at least {SHORTEST} characters")]
    Short(String),
    #[error("peers that share certificates need a name each (--peer-name)")]
    Nameless,
    #[error(transparent)]
    Address(#[from] AddressError),
}

impl Sharing {
    /// The proxies that share the certificates of a service, if any do.
    pub(crate) fn of(service: &str, policies: &Policies) -> Result<Option<Self>, SharingError> {
        let file = &policies.peer_secret_file;
        if file.is_empty() || policies.peers.is_empty() {
            return Ok(None);
        }
        if policies.peer_name.is_empty() {
            return Err(SharingError::Nameless);
        }
        let secret = fs::read_to_string(Path::new(file)).map_err(|error| SharingError::Unread(file.clone(), error))?;
        let seal = Some(secret.trim()).filter(|secret| secret.chars().count() >= SHORTEST).and_then(Seal::new);
        let peers = policies.peers.iter().map(|peer| Address::parse(peer)).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(Self {
            service: service.to_owned(),
            peers,
            name: policies.peer_name.clone(),
            seal: seal.ok_or_else(|| SharingError::Short(file.clone()))?,
        }))
    }

    /// What each peer says; nothing where it does not answer, or not with the secret.
    pub(super) async fn ask(&self, wanted: Wanted, name: &str) -> Vec<Option<Told>> {
        join_all(self.peers.iter().map(|peer| self.ask_one(peer, wanted, name))).await
    }

    /// What the first peer has that has it.
    pub(super) async fn find(&self, wanted: Wanted, name: &str) -> Option<String> {
        let mut asked: FuturesUnordered<_> = self.peers.iter().map(|peer| self.ask_one(peer, wanted, name)).collect();
        while let Some(told) = asked.next().await {
            if let Some(Told::Have(found)) = told {
                return Some(found);
            }
        }
        None
    }

    /// Whether an order is left to others, `waited` being how long it has been.
    pub(super) fn is_left(&self, told: &[Option<Told>], waited: Duration) -> bool {
        if told.contains(&Some(Told::Ordering)) {
            return waited < ORDER;
        }
        let before = self
            .peers
            .iter()
            .zip(told)
            .filter(|(peer, told)| peer.as_str() < self.name.as_str() && **told != Some(Told::Failed));
        waited < TURN * u32::try_from(before.count()).unwrap_or(u32::MAX)
    }

    /// The answer to a question, sealed.
    pub(super) fn tell(&self, question: &str, told: &Told) -> Option<String> {
        let (word, found) = match told {
            Told::Have(found) => ("have", found.as_str()),
            Told::Ordering => ("ordering", ""),
            Told::Failed => ("failed", ""),
            Told::Nothing => ("nothing", ""),
        };
        self.seal.close(question, &format!("{word}\n{found}"))
    }

    async fn ask_one(&self, peer: &Address, wanted: Wanted, name: &str) -> Option<Told> {
        let question = format!("{} {} {name} {}", self.service, wanted.word(), once()?);
        let value = HeaderValue::from_str(&question).ok()?;
        let sealed = timeout(LIMIT, peers::ask(peer, &value)).await.ok()??;
        let answer = self.seal.open(&question, &sealed)?;
        let (word, found) = answer.split_once('\n')?;
        Some(match word {
            "have" => Told::Have(found.to_owned()),
            "ordering" => Told::Ordering,
            "failed" => Told::Failed,
            _ => Told::Nothing,
        })
    }
}

impl<'q> Question<'q> {
    /// A question that came, unless it is none.
    pub(super) fn read(question: &'q str) -> Option<Self> {
        let mut words = question.split(' ');
        let (_, what, name, _) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let wanted = Wanted::ALL.into_iter().find(|wanted| wanted.word() == what)?;
        // Of names of files it is a harmless one.
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || wanted.allows(byte);
        (words.next().is_none() && !name.is_empty() && name.bytes().all(fits)).then_some(Self { wanted, name })
    }
}

impl Wanted {
    const ALL: [Self; 3] = [Self::Certificate, Self::Answer, Self::Proof];

    const fn word(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Answer => "answer",
            Self::Proof => "proof",
        }
    }

    /// Whether what is asked for may have this character, besides letters, digits and hyphens.
    const fn allows(self, byte: u8) -> bool {
        match self {
            Self::Certificate | Self::Proof => matches!(byte, b'.' | b'*'),
            Self::Answer => byte == b'_',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn of(name: &str, secret: &str) -> Result<Option<Sharing>, SharingError> {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("secret");
        fs::write(&file, secret).unwrap();
        let policies = Policies {
            peers: vec!["proxy-1".into(), "proxy-3".into()],
            peer_name: name.into(),
            peer_secret_file: file.display().to_string(),
            ..Policies::default()
        };
        Sharing::of("app", &policies)
    }

    #[test]
    fn the_first_orders_and_each_other_when_those_before_it_have_not() {
        let [first, second, last] = ["proxy-0", "proxy-2", "proxy-4"].map(|name| of(name, SECRET).unwrap().unwrap());
        let (away, nothing) = ([None, None], [Some(Told::Nothing), Some(Told::Nothing)]);
        for told in [&away, &nothing] {
            assert!(!first.is_left(told, Duration::ZERO));
            assert!(second.is_left(told, TURN / 2) && !second.is_left(told, TURN));
            assert!(last.is_left(told, TURN) && !last.is_left(told, TURN * 2));
        }
        let ordering = [None, Some(Told::Ordering)];
        assert!(first.is_left(&ordering, TURN * 5) && !first.is_left(&ordering, ORDER));
        assert!(!second.is_left(&[Some(Told::Failed), None], Duration::ZERO));
        assert!(second.is_left(&[None, Some(Told::Failed)], Duration::ZERO));
    }

    #[test]
    fn what_is_asked_for_is_no_path() {
        let read = |question: &str| Question::read(question).map(|question| question.name.to_owned());
        for name in ["a.example.com", "*.example.com"] {
            assert_eq!(read(&format!("app certificate {name} 1")).as_deref(), Some(name));
        }
        assert_eq!(read("app answer a_B-9 1").as_deref(), Some("a_B-9"));
        for question in [
            "app certificate ../x 1",
            "app certificate acme_account.key 1",
            "app certificate acme_account+key 1",
            "app answer a.example.com 1",
            "app proof  1",
            "app account a 1",
            "app certificate a",
            "app certificate a 1 2",
            "",
        ] {
            assert_eq!(read(question), None, "{question}");
        }
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_none() {
        assert!(of("proxy-2", "short\n").unwrap_err().to_string().ends_with("should have at least 32 characters"));
        assert!(of("", SECRET).unwrap_err().to_string().contains("--peer-name"));
    }
}
