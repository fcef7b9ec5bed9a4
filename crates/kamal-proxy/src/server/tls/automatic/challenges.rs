//! The answers to an authority's challenges, for as long as it may ask: over HTTP (RFC 8555, 8.3), in TLS (RFC 8737),
//! in the DNS (RFC 8555, 8.4).
//!
//! The first two are kept in the folder that proxies share as well, since an authority may ask any of them.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use instant_acme::{ChallengeType, KeyAuthorization};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::sign::CertifiedKey;
use tokio::process::Command;
use tokio::time::timeout;

use super::authority::Authority;
use super::order::OrderError;
use super::sharing::Wanted;
use crate::server::tls::certificate;

/// For one run of the DNS hook, which may wait until the record is seen everywhere.
const HOOK_PATIENCE: Duration = Duration::from_secs(300);

/// What is answered at the moment.
#[derive(Debug, Default)]
pub(crate) struct Challenges {
    answers: Mutex<HashMap<String, String>>,
    proofs: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

/// An answer that is given until it is withdrawn.
#[derive(Debug)]
pub(super) enum Answer {
    Http { token: String },
    Tls { name: String },
    Dns { record: String, value: String },
}

impl Challenges {
    /// The answer to a challenge over HTTP.
    pub(crate) async fn answer(&self, authority: &Authority, token: &str) -> Option<String> {
        // What authorities hand out (RFC 8555, 8.1), and the name of a file.
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return None;
        }
        if let Some(answer) = self.own_answer(authority, token).await {
            return Some(answer);
        }
        authority.sharing.as_ref()?.find(Wanted::Answer, token).await
    }

    /// The answer to a challenge that this proxy has begun, or one that shares its folder.
    pub(super) async fn own_answer(&self, authority: &Authority, token: &str) -> Option<String> {
        let own = lock(&self.answers).get(token).cloned();
        if own.is_some() { own } else { authority.answer(token).await }
    }

    /// The certificate that answers a challenge in TLS.
    pub(crate) async fn proof(&self, authority: &Authority, name: &str) -> Option<Arc<CertifiedKey>> {
        let own = lock(&self.proofs).get(name).cloned();
        if own.is_some() {
            return own;
        }
        let kept = match (authority.proof(name).await, &authority.sharing) {
            (None, Some(sharing)) => sharing.find(Wanted::Proof, name).await,
            (kept, _) => kept,
        };
        certificate::proof_from_pem(&kept?).ok()
    }

    /// Begins to answer.
    pub(super) async fn begin(
        &self,
        authority: &Authority,
        kind: &ChallengeType,
        name: &str,
        token: &str,
        key: &KeyAuthorization,
    ) -> Result<Answer, OrderError> {
        match kind {
            ChallengeType::Http01 => {
                lock(&self.answers).insert(token.to_owned(), key.as_str().to_owned());
                authority.keep_answer(token, key.as_str()).await?;
                Ok(Answer::Http { token: token.to_owned() })
            }
            ChallengeType::TlsAlpn01 => {
                let pem = proof(name, key.digest().as_ref())?;
                let pair = certificate::proof_from_pem(&pem).map_err(|error| OrderError::Other(error.0))?;
                lock(&self.proofs).insert(name.to_owned(), pair);
                authority.keep_proof(name, &pem).await?;
                Ok(Answer::Tls { name: name.to_owned() })
            }
            _ => {
                let (record, value) = (format!("_acme-challenge.{name}"), key.dns_value());
                hook(authority, "present", &record, &value).await?;
                Ok(Answer::Dns { record, value })
            }
        }
    }

    pub(super) async fn withdraw(&self, authority: &Authority, answer: Answer) -> Result<(), OrderError> {
        match answer {
            Answer::Http { token } => {
                lock(&self.answers).remove(&token);
                authority.forget_answer(&token).await;
            }
            Answer::Tls { name } => {
                lock(&self.proofs).remove(&name);
                authority.forget_proof(&name).await;
            }
            Answer::Dns { record, value } => hook(authority, "cleanup", &record, &value).await?,
        }
        Ok(())
    }
}

/// A certificate for nobody but the authority, and its key, as PEM (RFC 8737, 3).
fn proof(name: &str, digest: &[u8]) -> Result<String, OrderError> {
    let failed = |error: rcgen::Error| OrderError::Other(error.to_string());
    let mut parameters = CertificateParams::new(vec![name.to_owned()]).map_err(failed)?;
    parameters.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate().map_err(failed)?;
    Ok(key.serialize_pem() + &parameters.self_signed(&key).map_err(failed)?.pem())
}

/// Runs the program that changes the DNS: `HOOK present|cleanup RECORD VALUE`.
async fn hook(authority: &Authority, action: &str, record: &str, value: &str) -> Result<(), OrderError> {
    let program = authority.dns_hook.as_deref().unwrap_or(Path::new(""));
    let failed = |why: &str| OrderError::Other(format!("{} {action} {record}: {why}", program.display()));
    let mut command = Command::new(program);
    command.args([action, record, value]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    match timeout(HOOK_PATIENCE, command.kill_on_drop(true).output()).await {
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(failed(&format!("{}: {}", output.status, said.trim_end())))
        }
        Ok(Err(error)) => Err(failed(&error.to_string())),
        Err(_) => Err(failed("it did not end in time")),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
