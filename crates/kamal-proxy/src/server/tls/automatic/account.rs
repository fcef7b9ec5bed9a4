//! The account with an authority: the one that is kept, or a new one (RFC 8555, 7.3).

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use instant_acme::{Account, Error, ExternalAccountKey, Key, NewAccount};
use rustls::pki_types::PrivateKeyDer;
use tokio::fs;

use super::authority::Authority;
use super::order::OrderError;
use super::outbound::Outbound;

const NO_SUCH_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// Opens the account; a new one agrees to the authority's terms, as Go's proxy does.
pub(super) async fn open(authority: &Authority, outbound: &Outbound) -> Result<Account, OrderError> {
    let builder = || Account::builder_with_http(Box::new(outbound.clone()));
    if let Some(kept) = authority.account_key().await {
        let key = Key::from_pkcs8_der(kept.clone_key())?;
        match builder().from_key((key, PrivateKeyDer::Pkcs8(kept)), authority.directory.clone()).await {
            Ok((account, _)) => return Ok(account),
            // Of a test authority that forgot everything, or of a proxy that was killed before it had asked.
            Err(Error::Api(problem)) if problem.r#type.as_deref() == Some(NO_SUCH_ACCOUNT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let contact = authority.email.as_ref().map(|email| format!("mailto:{email}"));
    let contact: Vec<&str> = contact.as_deref().into_iter().collect();
    let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let binding = match &authority.binding {
        Some(binding) => Some(ExternalAccountKey::new(binding.id.clone(), &binding_key(&binding.key).await?)),
        None => None,
    };
    let (account, credentials) = builder().create(&new, authority.directory.clone(), binding.as_ref()).await?;
    let credentials = serde_json::to_value(&credentials).map_err(Error::from)?;
    let key = credentials["key_pkcs8"].as_str().and_then(|key| URL_SAFE_NO_PAD.decode(key).ok());
    authority.keep_account_key(&key.ok_or(Error::KeyRejected)?).await?;
    Ok(account)
}

async fn binding_key(path: &Path) -> Result<Vec<u8>, OrderError> {
    let failed = |why: &dyn std::fmt::Display| OrderError::Other(format!("{}: {why}", path.display()));
    let text = fs::read_to_string(path).await.map_err(|error| failed(&error))?;
    URL_SAFE_NO_PAD.decode(text.trim().trim_end_matches('=')).map_err(|error| failed(&error))
}
