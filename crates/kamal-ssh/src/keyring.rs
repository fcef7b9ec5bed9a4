//! Private keys from files and from deploy.yml, read once for all hosts, so that a passphrase is asked for once.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use kamal_core::secret::Secret;
use russh::keys::{self, Certificate, PrivateKey, PublicKey};

use crate::attendant::{QuestionKind, QuestionQueue};

/// How often a passphrase is asked for, as in OpenSSH.
const MOST_PASSPHRASES: usize = 3;

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
    /// Anything else, with what would fix it.
    Because(String),
}

impl Keyring {
    /// The private key in a file, asking for its passphrase if it has one.
    pub(crate) async fn file(&self, path: &Path, desk: &QuestionQueue) -> Result<Arc<PrivateKey>, Unusable> {
        let mut files = self.files.lock().await;
        if let Some(known) = files.get(path) {
            return known.clone();
        }
        let key = open(path, desk).await.map(Arc::new);
        files.insert(path.to_owned(), key.clone());
        key
    }
}

async fn open(path: &Path, desk: &QuestionQueue) -> Result<PrivateKey, Unusable> {
    let wanted = path.to_owned();
    let text = match blocking(move || read(&wanted)).await? {
        Content::Key(key) => return Ok(*key),
        Content::Encrypted(text) => text,
    };
    let shown = path.display();
    for _ in 0..MOST_PASSPHRASES {
        let word = desk.ask(QuestionKind::Passphrase, format!("Enter passphrase for key '{shown}': ")).await;
        let Some(word) = word else {
            return Err(Unusable::Because(format!("it is encrypted; add it to the agent: ssh-add {shown}")));
        };
        let text = text.clone();
        // Deriving a key from a passphrase takes a noticeable part of a second.
        let key = blocking(move || Ok(keys::decode_secret_key(text.expose(), Some(word.expose())).ok())).await?;
        if let Some(key) = key {
            return Ok(key);
        }
    }
    Err(Unusable::Because("the passphrase is wrong".to_owned()))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Unusable> + Send + 'static,
) -> Result<T, Unusable> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Unusable::Because(error.to_string())))
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

/// What a key file holds.
enum Content {
    Key(Box<PrivateKey>),
    Encrypted(Secret),
}

fn read(path: &Path) -> Result<Content, Unusable> {
    let because = |why: String| Unusable::Because(why);
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Secret::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(Unusable::Missing),
        Err(error) => return Err(because(error.to_string())),
    };
    match keys::decode_secret_key(text.expose(), None) {
        Ok(key) => Ok(Content::Key(Box::new(key))),
        Err(keys::Error::KeyIsEncrypted) => Ok(Content::Encrypted(text)),
        Err(_) if PublicKey::from_openssh(text.expose().trim()).is_ok() => {
            Err(because("it is a public key, and the agent does not hold its other half".to_owned()))
        }
        Err(error) => Err(because(format!("it is not a private key ({error})"))),
    }
}
