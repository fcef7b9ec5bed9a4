//! Whether a host is who it says: its key or certificate against known_hosts (spec 5.5), or against the keys the project
//! pins. New keys are accepted, asked about or refused; changed keys are always refused.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use kamal_core::ports::TransportErrorKind;
use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey, PublicKeyOrCertificate};

use crate::{
    attendant::{Answer, Question, QuestionKind, QuestionQueue},
    displayable::displayable,
    fault::Fault,
    known_hosts::{self, KnownHosts, Verdict},
    target::Target,
};

/// What becomes of a host whose key is not known (`StrictHostKeyChecking`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnknownHosts {
    /// Refused.
    Refuse,
    /// Somebody at a terminal decides; without one it is refused.
    Ask,
    /// Accepted and written down.
    Accept,
}

/// Keys somebody accepted in this run, by the host's name in known_hosts: files may not be writable.
#[derive(Debug, Default)]
pub(crate) struct Accepted(Mutex<Vec<(String, PublicKey)>>);

impl Accepted {
    fn holds(&self, name: &str, key: &PublicKey) -> bool {
        let accepted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.iter().any(|(known, accepted)| known == name && accepted.key_data() == key.key_data())
    }
}

/// What is known about one host's key.
#[derive(Debug)]
pub(crate) struct HostKeyCheck {
    known: KnownHosts,
    target: Target,
    accepted: Arc<Accepted>,
}

impl HostKeyCheck {
    /// Reads the host's known_hosts files, or its pins. Blocks.
    pub(crate) fn load(target: Target, accepted: Arc<Accepted>) -> Result<Self, TransportErrorKind> {
        let known = if target.pins.is_empty() {
            KnownHosts::load(&target.known_hosts)
        } else {
            KnownHosts::pinned(&target.pins)
        };
        let known = known.map_err(|error| TransportErrorKind::Client(error.to_string()))?;
        Ok(Self { known, target, accepted })
    }

    /// Algorithms in the order to offer them: first those by which the host is known.
    pub(crate) fn order(&self, supported: &[Algorithm]) -> Vec<Algorithm> {
        let known = self.known.algorithms(&self.target.key_name, self.target.key_port);
        let is_known = |algorithm: &&Algorithm| {
            known.iter().any(|known| {
                known == *algorithm
                    || (matches!(known, Algorithm::Rsa { .. }) && matches!(algorithm, Algorithm::Rsa { .. }))
            })
        };
        let (mut first, rest): (Vec<_>, Vec<_>) = supported.iter().partition(is_known);
        first.extend(rest);
        first.into_iter().cloned().collect()
    }

    /// True when a certificate could prove the host.
    pub(crate) fn trusts_authorities(&self) -> bool {
        self.known.authorities(&self.target.key_name, self.target.key_port).next().is_some()
    }

    /// Judges what the host shows.
    pub(crate) fn check(&self, shown: &PublicKeyOrCertificate) -> Result<(), Fault> {
        match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.check_key(key),
            PublicKeyOrCertificate::Certificate(certificate) => {
                self.check_certificate(certificate).map_err(Fault::HostKey)
            }
        }
    }

    fn check_key(&self, key: &PublicKey) -> Result<(), Fault> {
        let Target { key_name, key_port: port, .. } = &self.target;
        let name = self.target.known_name();
        match self.known.check(key_name, *port, key) {
            Verdict::Known => Ok(()),
            Verdict::Unknown if self.accepted.holds(&name, key) => Ok(()),
            Verdict::Unknown => match self.target.unknown_hosts {
                UnknownHosts::Accept => {
                    // As in OpenSSH, a folder that cannot be written (a build machine's home, often) stops nobody.
                    let _ = self.target.record(key);
                    Ok(())
                }
                // Not while the host waits: it is called again once somebody has decided.
                UnknownHosts::Ask => Err(Fault::UnknownHost(Box::new(key.clone()))),
                UnknownHosts::Refuse => Err(Fault::HostKey(unknown(&self.target, key))),
            },
            Verdict::Changed(place, old) => {
                let fix = if self.target.pins.is_empty() {
                    format!("ssh-keygen -f {} -R '{name}'", place.file.display())
                } else {
                    "replace the line".to_owned()
                };
                Err(Fault::HostKey(TransportErrorKind::HostKeyChanged(format!(
                    "{name} shows {} but {place} has {}; somebody may be in between; if the host was rebuilt: {fix}",
                    describe(key),
                    describe(&old),
                ))))
            }
            Verdict::Revoked(place) => Err(Fault::HostKey(TransportErrorKind::HostKeyChanged(format!(
                "{name} shows {}, which {place} revokes",
                describe(key)
            )))),
        }
    }

    fn check_certificate(&self, certificate: &Certificate) -> Result<(), TransportErrorKind> {
        let Target { key_name, key_port: port, .. } = &self.target;
        let refused = |why: &str| {
            TransportErrorKind::HostKeyUnknown(format!(
                "{}'s host certificate {:?} {why}",
                known_hosts::name(key_name, *port),
                displayable(certificate.key_id())
            ))
        };
        let subject = PublicKey::from(certificate.public_key().clone());
        if let Verdict::Revoked(place) = self.known.check(key_name, *port, &subject) {
            return Err(refused(&format!("is for a key that {place} revokes")));
        }
        let trusted: Vec<_> =
            self.known.authorities(key_name, *port).map(|key| key.fingerprint(HashAlg::Sha256)).collect();
        if !certificate.cert_type().is_host() {
            return Err(refused("is a user's"));
        }
        let named = certificate.valid_principals().iter().any(|name| name.eq_ignore_ascii_case(key_name));
        if !named && !certificate.valid_principals().is_empty() {
            return Err(refused(&format!("is for {}", displayable(&certificate.valid_principals().join(", ")))));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        certificate
            .validate_at(now, &trusted)
            .map_err(|_| refused("has expired, or is signed by none of the @cert-authority keys in known_hosts"))
    }
}

/// Asks whether a host never seen before is the right one, and writes down a key that is accepted.
pub(crate) async fn ask(
    desk: &QuestionQueue,
    accepted: &Accepted,
    target: &Target,
    key: &PublicKey,
) -> Result<(), TransportErrorKind> {
    let (name, fingerprint) = (target.known_name(), key.fingerprint(HashAlg::Sha256).to_string());
    let question = |text: String| Question { text, kind: QuestionKind::HostKey };
    let mut text = format!(
        "The authenticity of host '{name}' can't be established.\n{} key fingerprint is {fingerprint}.\n\
         Are you sure you want to continue connecting (yes/no/[fingerprint])? ",
        key.algorithm()
    );
    loop {
        let answer = match desk.ask_unless(|| accepted.holds(&name, key), question(text)).await {
            Answer::Settled => return Ok(()),
            Answer::Nobody => return Err(unknown(target, key)),
            Answer::Given(answer) => answer,
        };
        match answer.expose().trim() {
            answer if answer.eq_ignore_ascii_case("yes") || answer == fingerprint => break,
            answer if answer.eq_ignore_ascii_case("no") => {
                return Err(TransportErrorKind::HostKeyUnknown(format!("{name} shows {}, declined", describe(key))));
            }
            _ => text = "Please type 'yes', 'no' or the fingerprint: ".to_owned(),
        }
    }
    accepted.0.lock().unwrap_or_else(PoisonError::into_inner).push((name.clone(), key.clone()));
    match target.record(key) {
        Ok(Some(file)) => {
            desk.warn(&format!("Permanently added '{name}' ({}) to {}.", key.algorithm(), file.display()));
        }
        Ok(None) => {}
        Err(error) => desk.warn(&format!("the key of '{name}' could not be written down: {error}")),
    }
    Ok(())
}

fn unknown(target: &Target, key: &PublicKey) -> TransportErrorKind {
    let line = known_hosts::line(&target.key_name, target.key_port, key).unwrap_or_default();
    let fix = if target.pins.is_empty() {
        let file = target.known_hosts.first();
        let file = file.map_or_else(|| "a known_hosts file".to_owned(), |file| file.display().to_string());
        format!(
            "compare it with the host's own and add the line to {file} or to x-ssh/known_hosts of deploy.yml, or accept \
             new hosts: x-ssh: {{known_hosts: accept-new}}"
        )
    } else {
        "compare it with the host's own and add the line to x-ssh/known_hosts of deploy.yml, which alone counts"
            .to_owned()
    };
    TransportErrorKind::HostKeyUnknown(format!(
        "{} shows {}; {fix}; the line: {}",
        target.known_name(),
        describe(key),
        line.trim_end()
    ))
}

/// A key, for people.
pub(crate) fn describe(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256))
}

/// What a host shows, for people.
pub(crate) fn describe_shown(shown: &PublicKeyOrCertificate) -> String {
    match shown {
        PublicKeyOrCertificate::PublicKey { key, .. } => describe(key),
        PublicKeyOrCertificate::Certificate(certificate) => {
            format!("certificate {:?}", displayable(certificate.key_id()))
        }
    }
}
