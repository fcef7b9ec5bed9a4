//! Whether a host is who it says: its key or certificate against known_hosts (spec 5.5: new keys are accepted and
//! recorded, changed keys refused).

use std::time::{SystemTime, UNIX_EPOCH};

use kamal_core::ports::TransportErrorKind;
use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey, PublicKeyOrCertificate};

use crate::{
    known_hosts::{self, KnownHosts, Verdict},
    target::Target,
};

/// What is known about one host's key.
#[derive(Debug)]
pub(crate) struct HostKeyCheck {
    known: KnownHosts,
    target: Target,
}

impl HostKeyCheck {
    /// Reads the host's known_hosts files. Blocks.
    pub(crate) fn load(target: Target) -> Result<Self, TransportErrorKind> {
        let known =
            KnownHosts::load(&target.known_hosts).map_err(|error| TransportErrorKind::Client(error.to_string()))?;
        Ok(Self { known, target })
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
    pub(crate) fn check(&self, shown: &PublicKeyOrCertificate) -> Result<(), TransportErrorKind> {
        match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.check_key(key),
            PublicKeyOrCertificate::Certificate(certificate) => self.check_certificate(certificate),
        }
    }

    fn check_key(&self, key: &PublicKey) -> Result<(), TransportErrorKind> {
        let Target { key_name, key_port: port, .. } = &self.target;
        let name = known_hosts::name(key_name, *port);
        match self.known.check(key_name, *port, key) {
            Verdict::Known => Ok(()),
            Verdict::Unknown if self.target.accept_new => {
                // As in OpenSSH, a folder that cannot be written (a build machine's home, often) stops nobody.
                if let Some(file) = self.target.known_hosts.first() {
                    let _ = known_hosts::record(file, key_name, *port, key);
                }
                Ok(())
            }
            Verdict::Unknown => Err(TransportErrorKind::HostKeyUnknown(format!(
                "{name} shows {}; compare it with the host's own and add it to {}, or accept new hosts",
                describe(key),
                self.target
                    .known_hosts
                    .first()
                    .map_or_else(|| "a known_hosts file".to_owned(), |file| file.display().to_string()),
            ))),
            Verdict::Changed(place, old) => Err(TransportErrorKind::HostKeyChanged(format!(
                "{name} shows {} but {place} has {}; somebody may be in between; if the host was rebuilt: ssh-keygen -f {} -R '{name}'",
                describe(key),
                describe(&old),
                place.file.display(),
            ))),
            Verdict::Revoked(place) => Err(TransportErrorKind::HostKeyChanged(format!(
                "{name} shows {}, which {place} revokes",
                describe(key)
            ))),
        }
    }

    fn check_certificate(&self, certificate: &Certificate) -> Result<(), TransportErrorKind> {
        let Target { key_name, key_port: port, .. } = &self.target;
        let refused = |why: &str| {
            TransportErrorKind::HostKeyUnknown(format!(
                "{}'s host certificate {:?} {why}",
                known_hosts::name(key_name, *port),
                certificate.key_id()
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
            return Err(refused(&format!("is for {}", certificate.valid_principals().join(", "))));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        certificate
            .validate_at(now, &trusted)
            .map_err(|_| refused("has expired, or is signed by none of the @cert-authority keys in known_hosts"))
    }
}

/// A key, for people.
pub(crate) fn describe(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256))
}
