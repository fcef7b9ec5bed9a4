//! Proves to a host who we are, with the keys OpenSSH would use and in nearly its order (spec 5.5): those asked for by
//! name come before whatever else the agent holds. Then come answers somebody types.
//!
//! A server ends the connection after six refused keys (`MaxAuthTries`) or fewer. Where OpenSSH gives up then, the
//! other keys are tried on a further connection.

mod agent;
mod interactive;
mod report;

use std::{path::Path, sync::Arc};

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
    trace::{Stage, Trace},
};

/// How many keys are tried on one connection: one fewer than sshd bears, which is left for a typed answer.
const MOST_TRIES: usize = 5;

/// How many connections are made for one login. sshd shuts out addresses that fail more often (`PerSourcePenalties`).
const MOST_CONNECTIONS: usize = 3;

/// How long a login may take, in limits of a connection's start: by default as long as sshd's own limit
/// (`LoginGraceTime`), since people may have to touch a hardware key.
const LOGIN_LIMIT: u32 = 4;

/// What was tried so far, on all connections of one login.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    /// The keys the server refused, with where they come from.
    refused: Vec<String>,
    unusable: Vec<String>,
    connections: usize,
    /// Keys left when no further connection was to be made.
    left: usize,
}

/// How a login ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    In,
    /// There are more keys than the server bears on one connection.
    MoreKeys,
}

/// Logs in, or says which keys were refused, which could not be used, and what would help.
pub(crate) async fn log_in(
    dialer: &Dialer,
    target: &Target,
    handle: &mut Handle<Client>,
    cause: &Cause,
    tried: &mut Tried,
    trace: &Trace,
) -> Result<Login, TransportErrorKind> {
    tried.connections += 1;
    tried.unusable.clear();
    let mut attempt = Attempt { handle, user: &target.user, tried, trace, tries: 0, allowed: None, partly: false };
    match timeout(dialer.options.connect_timeout.saturating_mul(LOGIN_LIMIT), attempt.try_all(dialer, target)).await {
        Err(_) => Err(TransportErrorKind::TimedOut(format!("logging in at {}", target.address()))),
        Ok(Err(Over::Accepted)) => Ok(Login::In),
        Ok(Err(Over::Full)) if attempt.may_call_again() => Ok(Login::MoreKeys),
        Ok(_) => Err(TransportErrorKind::Authentication(attempt.report(target, cause))),
    }
}

/// A login on one connection.
struct Attempt<'a> {
    handle: &'a mut Handle<Client>,
    user: &'a str,
    tried: &'a mut Tried,
    trace: &'a Trace,
    /// How many keys were refused on this connection.
    tries: usize,
    /// What the server would take.
    allowed: Option<MethodSet>,
    /// The server took a key and asks for something else besides.
    partly: bool,
}

/// Why nothing further is tried on this connection.
enum Over {
    Accepted,
    /// The server takes no key.
    Refused,
    /// The server would bear no further key.
    Full,
}

impl Attempt<'_> {
    async fn try_all(&mut self, dialer: &Dialer, target: &Target) -> Result<(), Over> {
        match self.try_keys(dialer, target).await {
            Ok(()) => {}
            Err(Over::Refused) if !self.handle.is_closed() => {}
            Err(over) => return Err(over),
        }
        if self.allowed.is_none() {
            // No key at all: ask what the server would take.
            let answer = self.handle.authenticate_none(self.user).await;
            match self.judge(answer, None) {
                Err(Over::Refused) | Ok(()) => {}
                Err(over) => return Err(over),
            }
        }
        interactive::answer(self, dialer, target).await
    }

    async fn try_keys(&mut self, dialer: &Dialer, target: &Target) -> Result<(), Over> {
        let mut agent = match &target.agent {
            Some(socket) => Agent::open(socket).await.unwrap_or_else(|why| {
                self.unusable(why);
                Agent::default()
            }),
            None => Agent::default(),
        };
        // Keys asked for that the agent holds, in the order asked for: no passphrase is needed.
        for path in &target.keys {
            if let Some(named) = keyring::public(path) {
                self.try_agent(&mut agent, target, |key| named.key_data() == key.key_data()).await?;
            }
        }
        if target.keys_named {
            self.try_files(dialer, target, &agent).await?;
            self.try_data(dialer, target).await?;
        }
        if !target.keys_only {
            self.try_agent(&mut agent, target, |_| true).await?;
        }
        if !target.keys_named {
            self.try_files(dialer, target, &agent).await?;
        }
        Ok(())
    }

    async fn try_agent(
        &mut self,
        agent: &mut Agent,
        target: &Target,
        wanted: impl Fn(&PublicKey) -> bool,
    ) -> Result<(), Over> {
        for identity in agent.take(wanted) {
            let hash = self.hash(identity.key().algorithm().is_rsa()).await;
            for (file, certificate) in identity.certificates(target) {
                let name = format!("certificate {:?} ({}, agent)", certificate.key_id(), file.display());
                if self.may_try(&name)? {
                    match agent.certify(self.handle, self.user, &identity, certificate, hash).await {
                        Ok(answer) => self.judge(Ok(answer), Some(name))?,
                        Err(why) => self.unusable(format!("{name}: {why}")),
                    }
                }
            }
            let name = format!("{} (agent: {})", describe(&identity.key()), identity.comment());
            if self.may_try(&name)? {
                match agent.authenticate(self.handle, self.user, &identity, hash).await {
                    Ok(answer) => self.judge(Ok(answer), Some(name))?,
                    Err(why) => self.unusable(format!("{name}: {why}")),
                }
            }
        }
        Ok(())
    }

    async fn try_files(&mut self, dialer: &Dialer, target: &Target, agent: &Agent) -> Result<(), Over> {
        for path in &target.keys {
            if keyring::public(path).is_some_and(|key| agent.has_tried(&key)) {
                continue;
            }
            match dialer.keyring.file(path, &dialer.desk).await {
                Ok(key) => self.try_key(key, Some(path), target, &path.display().to_string()).await?,
                Err(Unusable::Missing) if !target.keys_named => {}
                Err(Unusable::Missing) => self.unusable(format!("{}: no such file", path.display())),
                Err(Unusable::Because(why)) => self.unusable(format!("{}: {why}", path.display())),
            }
        }
        Ok(())
    }

    async fn try_data(&mut self, dialer: &Dialer, target: &Target) -> Result<(), Over> {
        for (index, text) in dialer.options.key_data.iter().enumerate() {
            let name = format!("key_data number {}", index + 1);
            match keyring::data(text) {
                Ok(key) => self.try_key(Arc::new(key), None, target, &name).await?,
                Err(Unusable::Because(why)) => self.unusable(format!("{name}: {why}")),
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
            if self.may_try(&name)? {
                let answer = self.handle.authenticate_openssh_cert(self.user, key.clone(), certificate).await;
                self.judge(answer, Some(name))?;
            }
        }
        let name = format!("{} ({name})", describe(key.public_key()));
        if self.may_try(&name)? {
            let hash = self.hash(key.algorithm().is_rsa()).await;
            let answer = self.handle.authenticate_publickey(self.user, PrivateKeyWithHashAlg::new(key, hash)).await;
            self.judge(answer, Some(name))?;
        }
        Ok(())
    }

    /// Whether a key is still to be tried; an error when not on this connection.
    fn may_try(&mut self, name: &str) -> Result<bool, Over> {
        if self.tried.refused.iter().any(|refused| refused == name) {
            return Ok(false);
        }
        if self.tries < MOST_TRIES {
            return Ok(true);
        }
        self.tried.left += 1;
        Err(Over::Full)
    }

    /// The hash an RSA key signs with: what the server says it takes, or what every server of the last decade takes.
    async fn hash(&self, rsa: bool) -> Option<HashAlg> {
        if !rsa {
            return None;
        }
        self.handle.best_supported_rsa_hash().await.ok().flatten().unwrap_or(Some(HashAlg::Sha512))
    }

    fn judge(&mut self, answer: Result<AuthResult, russh::Error>, key: Option<String>) -> Result<(), Over> {
        let what = key.clone();
        let what = what.as_deref().unwrap_or("no proof at all");
        match answer {
            Ok(AuthResult::Success) => {
                self.trace.note(Stage::Login, || format!("{what}: accepted"));
                Err(Over::Accepted)
            }
            Ok(AuthResult::Failure { remaining_methods, partial_success }) => {
                if let Some(key) = key {
                    if partial_success {
                        self.trace.note(Stage::Login, || format!("{key}: accepted, but the server wants more"));
                    } else {
                        self.trace.note(Stage::Login, || format!("{key}: refused"));
                        self.tried.refused.push(key);
                        self.tries += 1;
                    }
                }
                self.partly = partial_success;
                if remaining_methods.is_empty() {
                    // Not an answer: the connection has ended, as it does after `MaxAuthTries`.
                    return Err(Over::Full);
                }
                let goes_on = remaining_methods.contains(&MethodKind::PublicKey);
                self.allowed = Some(remaining_methods);
                if goes_on { Ok(()) } else { Err(Over::Refused) }
            }
            Err(_) => Err(Over::Full),
        }
    }

    fn unusable(&mut self, why: String) {
        self.trace.note(Stage::Login, || format!("not usable: {why}"));
        self.tried.unusable.push(why);
    }

    /// Another connection is worth it when this one brought anything to light.
    fn may_call_again(&self) -> bool {
        self.tries > 0 && self.tried.connections < MOST_CONNECTIONS
    }
}
