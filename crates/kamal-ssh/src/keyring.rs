//! Private keys from files and from deploy.yml, read once for all hosts, so that a passphrase is asked for once.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use kamal_core::secret::Secret;
use russh::keys::{self, Certificate, PrivateKey, PublicKey};

use crate::options::Passphrase;

/// The keys read so far.
#[derive(Debug, Default)]
pub(crate) struct Keyring {
    files: tokio::sync::Mutex<HashMap<PathBuf, Result<Arc<PrivateKey>, Unusable>>>,
}

/// Why a key cannot be used.
#[derive(Clone, Debug)]
pub(crate) enum Unusable {
    /// There is no such file.
    Missing,
    /// Anything else, with what would mend it.
    Because(String),
}

impl Keyring {
    /// The private key in a file, asking for its passphrase if it has one.
    pub(crate) async fn file(&self, path: &Path, passphrase: Option<&Passphrase>) -> Result<Arc<PrivateKey>, Unusable> {
        let mut files = self.files.lock().await;
        if let Some(known) = files.get(path) {
            return known.clone();
        }
        let (wanted, passphrase) = (path.to_owned(), passphrase.cloned());
        // Deriving a key from a passphrase takes a noticeable part of a second.
        let key = tokio::task::spawn_blocking(move || read(&wanted, passphrase.as_ref()))
            .await
            .unwrap_or_else(|error| Err(Unusable::Because(error.to_string())))
            .map(Arc::new);
        files.insert(path.to_owned(), key.clone());
        key
    }
}

/// The private key in a text.
pub(crate) fn data(text: &Secret) -> Result<PrivateKey, Unusable> {
    keys::decode_secret_key(text.expose(), None).map_err(|error| match error {
        keys::Error::KeyIsEncrypted => Unusable::Because("it is encrypted; store it without a passphrase".to_owned()),
        error => Unusable::Because(format!("it is not a private key ({error})")),
    })
}

/// The public key that belongs to a private key file, if that can be told without its passphrase.
pub(crate) fn public(path: &Path) -> Option<PublicKey> {
    let text = std::fs::read_to_string(beside(path, ".pub")).or_else(|_| std::fs::read_to_string(path)).ok()?;
    PublicKey::from_openssh(text.trim())
        .ok()
        .or_else(|| PrivateKey::from_openssh(&text).ok().map(|key| key.public_key().clone()))
}

/// The certificates for a key: beside its file, and among those named by `CertificateFile`.
pub(crate) fn certificates(key: &PublicKey, file: Option<&Path>, named: &[PathBuf]) -> Vec<(PathBuf, Certificate)> {
    let own = file.map(|file| beside(file, "-cert.pub"));
    own.iter()
        .chain(named)
        .filter_map(|path| {
            let text = std::fs::read_to_string(path).ok()?;
            Some((path.clone(), Certificate::from_openssh(text.trim()).ok()?))
        })
        .filter(|(_, certificate)| certificate.public_key() == key.key_data())
        .collect()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn read(path: &Path, passphrase: Option<&Passphrase>) -> Result<PrivateKey, Unusable> {
    let because = |why: String| Unusable::Because(why);
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Secret::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(Unusable::Missing),
        Err(error) => return Err(because(error.to_string())),
    };
    match keys::decode_secret_key(text.expose(), None) {
        Ok(key) => Ok(key),
        Err(keys::Error::KeyIsEncrypted) => {
            let shown = path.display().to_string();
            let word = passphrase
                .and_then(|passphrase| passphrase.ask(&shown))
                .ok_or_else(|| because(format!("it is encrypted; add it to the agent: ssh-add {shown}")))?;
            keys::decode_secret_key(text.expose(), Some(word.expose()))
                .map_err(|_| because("the passphrase is wrong".to_owned()))
        }
        Err(_) if PublicKey::from_openssh(text.expose().trim()).is_ok() => {
            Err(because("it is a public key, and the agent does not hold its other half".to_owned()))
        }
        Err(error) => Err(because(format!("it is not a private key ({error})"))),
    }
}
