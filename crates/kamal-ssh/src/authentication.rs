//! Proves to a host who we are, with the keys OpenSSH would use and in nearly its order (spec 5.5).
//!
//! A server ends the connection after six refused keys (`MaxAuthTries`), so at most five are tried, and those that were
//! asked for by name come before whatever else the agent holds.

mod agent;

use std::{path::Path, sync::Arc, time::Duration};

use agent::Agent;
use kamal_core::ports::TransportErrorKind;
use russh::{
    MethodKind, MethodSet,
    client::{AuthResult, Handle},
    keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey},
};
use tokio::time::timeout;

use crate::{
    client::Client,
    connector::Dialer,
    fault::Cause,
    host_key::describe,
    keyring::{self, Unusable},
    target::Target,
};

/// How many keys are tried on one connection.
const MOST_TRIES: usize = 5;

/// How long a login may take; sshd's own limit (`LoginGraceTime`), since people may have to touch a hardware key.
const LOGIN_LIMIT: Duration = Duration::from_secs(120);

/// Logs in, or says which keys were refused, which could not be used, and what would help.
pub(crate) async fn log_in(
    dialer: &Dialer,
    target: &Target,
    handle: &mut Handle<Client>,
    cause: &Cause,
) -> Result<(), TransportErrorKind> {
    let mut login =
        Login { handle, user: &target.user, refused: Vec::new(), unusable: Vec::new(), allowed: None, done: false };
    let finished = timeout(LOGIN_LIMIT, login.try_all(dialer, target)).await;
    match finished {
        Err(_) => Err(TransportErrorKind::TimedOut(format!("logging in at {}", target.address()))),
        Ok(Err(Over::Accepted)) => Ok(()),
        Ok(_) => Err(login.failure(target, cause)),
    }
}

/// The state of a login.
struct Login<'a> {
    handle: &'a mut Handle<Client>,
    user: &'a str,
    refused: Vec<String>,
    unusable: Vec<String>,
    allowed: Option<MethodSet>,
    /// The server asks for something else after a key it took.
    done: bool,
}

/// Why no further key is tried.
enum Over {
    Accepted,
    Refused,
}

impl Login<'_> {
    async fn try_all(&mut self, dialer: &Dialer, target: &Target) -> Result<(), Over> {
        let mut agent = match &target.agent {
            Some(socket) => Agent::open(socket).await.unwrap_or_else(|why| {
                self.unusable.push(why);
                Agent::default()
            }),
            None => Agent::default(),
        };
        let named: Vec<PublicKey> = target.keys.iter().filter_map(|path| keyring::public(path)).collect();
        // Keys asked for that the agent holds: no passphrase is needed.
        self.try_agent(&mut agent, |key| named.iter().any(|named| named.key_data() == key.key_data())).await?;
        if target.keys_named {
            self.try_files(dialer, target, &agent).await?;
            self.try_data(dialer, target).await?;
        }
        if !target.keys_only {
            self.try_agent(&mut agent, |_| true).await?;
        }
        if !target.keys_named {
            self.try_files(dialer, target, &agent).await?;
        }
        if self.refused.is_empty() {
            // No key at all: ask what the server would take.
            let answer = self.handle.authenticate_none(self.user).await;
            self.judge(answer, None)?;
        }
        Ok(())
    }

    async fn try_agent(&mut self, agent: &mut Agent, wanted: impl Fn(&PublicKey) -> bool) -> Result<(), Over> {
        for identity in agent.take(wanted) {
            let hash = self.hash(identity.key().algorithm().is_rsa()).await;
            let name = format!("{} (agent: {})", describe(&identity.key()), identity.comment());
            match agent.authenticate(self.handle, self.user, &identity, hash).await {
                Ok(answer) => self.judge(Ok(answer), Some(name))?,
                Err(why) => self.unusable.push(format!("{name}: {why}")),
            }
        }
        Ok(())
    }

    async fn try_files(&mut self, dialer: &Dialer, target: &Target, agent: &Agent) -> Result<(), Over> {
        for path in &target.keys {
            if keyring::public(path).is_some_and(|key| agent.has_tried(&key)) {
                continue;
            }
            match dialer.keyring.file(path, dialer.options.passphrase.as_ref()).await {
                Ok(key) => self.try_key(key, Some(path), target, &path.display().to_string()).await?,
                Err(Unusable::Missing) if !target.keys_named => {}
                Err(Unusable::Missing) => self.unusable.push(format!("{}: no such file", path.display())),
                Err(Unusable::Because(why)) => self.unusable.push(format!("{}: {why}", path.display())),
            }
        }
        Ok(())
    }

    async fn try_data(&mut self, dialer: &Dialer, target: &Target) -> Result<(), Over> {
        for (index, text) in dialer.options.key_data.iter().enumerate() {
            let name = format!("key_data number {}", index + 1);
            match keyring::data(text) {
                Ok(key) => self.try_key(Arc::new(key), None, target, &name).await?,
                Err(Unusable::Because(why)) => self.unusable.push(format!("{name}: {why}")),
                Err(Unusable::Missing) => {}
            }
        }
        Ok(())
    }

    async fn try_key(
        &mut self,
        key: Arc<PrivateKey>,
        path: Option<&Path>,
        target: &Target,
        name: &str,
    ) -> Result<(), Over> {
        for (file, certificate) in keyring::certificates(key.public_key(), path, &target.certificates) {
            let name = format!("certificate {:?} ({})", certificate.key_id(), file.display());
            let answer = self.handle.authenticate_openssh_cert(self.user, key.clone(), certificate).await;
            self.judge(answer, Some(name))?;
        }
        let hash = self.hash(key.algorithm().is_rsa()).await;
        let name = format!("{} ({name})", describe(key.public_key()));
        let answer = self.handle.authenticate_publickey(self.user, PrivateKeyWithHashAlg::new(key, hash)).await;
        self.judge(answer, Some(name))
    }

    /// The hash an RSA key signs with: what the server says it takes, or what every server of the last decade takes.
    async fn hash(&self, rsa: bool) -> Option<HashAlg> {
        if !rsa {
            return None;
        }
        self.handle.best_supported_rsa_hash().await.ok().flatten().unwrap_or(Some(HashAlg::Sha512))
    }

    fn judge(&mut self, answer: Result<AuthResult, russh::Error>, key: Option<String>) -> Result<(), Over> {
        self.refused.extend(key);
        match answer {
            Ok(AuthResult::Success) => Err(Over::Accepted),
            Ok(AuthResult::Failure { remaining_methods, partial_success }) => {
                self.done = partial_success;
                let goes_on = remaining_methods.contains(&MethodKind::PublicKey);
                self.allowed = Some(remaining_methods);
                if goes_on && self.refused.len() < MOST_TRIES { Ok(()) } else { Err(Over::Refused) }
            }
            Err(_) => Err(Over::Refused),
        }
    }

    fn failure(&self, target: &Target, cause: &Cause) -> TransportErrorKind {
        let mut text = if self.refused.is_empty() {
            format!("no usable key for {}@{}", target.user, target.address())
        } else {
            format!("{}@{} refused {}", target.user, target.address(), self.refused.join(", "))
        };
        if self.done {
            text.push_str(
                "; it took the last key but asks for a second proof, which only an agent or a certificate could give",
            );
        }
        if !self.unusable.is_empty() {
            text.push_str("; not usable: ");
            text.push_str(&self.unusable.join(", "));
        }
        if let Some(why) = cause.text() {
            text.push_str("; ");
            text.push_str(&why);
        }
        if let Some(allowed) = self.allowed.as_ref().filter(|allowed| !allowed.is_empty()) {
            let names: Vec<&str> = allowed.iter().map(<&str>::from).collect();
            text.push_str(&format!("; the server takes {}", names.join(", ")));
        }
        text.push_str(&format!(
            "; put the public key into ~{}/.ssh/authorized_keys of the host, or name the right key under ssh/keys, or ssh-add it",
            if target.user == "root" { "root" } else { &target.user }
        ));
        TransportErrorKind::Authentication(text)
    }
}
