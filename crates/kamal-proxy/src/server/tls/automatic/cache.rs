//! What an authority issued, on disk, in the files of Go's autocert (spec 8.11), so that a restart needs no authority,
//! several proxies may share a folder, and either proxy goes on with the other's certificates.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::{fs, task};

use super::authority::Authority;

const ACCOUNT: &str = "acme_account+key";
/// What autocert called it once.
const LEGACY_ACCOUNT: &str = "acme_account.key";
const LINE: usize = 64;

impl Authority {
    /// The key and the chain that were kept for a name, as PEM.
    pub(super) async fn kept(&self, name: &str) -> Option<String> {
        read(&self.certificate_file(name)).await
    }

    /// Whether anything is kept for a name; then nobody has to be asked whether it may have a certificate.
    pub(super) async fn keeps(&self, name: &str) -> bool {
        let file = self.certificate_file(name);
        let mut rsa = file.clone().into_os_string();
        rsa.push("+rsa");
        fs::try_exists(&file).await.unwrap_or(false) || fs::try_exists(rsa).await.unwrap_or(false)
    }

    pub(super) async fn keep(&self, name: &str, pem: &str) -> io::Result<()> {
        write(self.certificate_file(name), pem.to_owned()).await
    }

    /// The key of the account, in PKCS #8.
    pub(super) async fn account_key(&self) -> Option<PrivatePkcs8KeyDer<'static>> {
        for file in [ACCOUNT, LEGACY_ACCOUNT] {
            let Some(pem) = read(&self.folder.join(file)).await else { continue };
            match PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()? {
                PrivateKeyDer::Pkcs8(key) => return Some(key),
                PrivateKeyDer::Sec1(key) => {
                    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
                    let pair = EcdsaKeyPair::from_private_key_der(algorithm, key.secret_sec1_der()).ok()?;
                    return Some(pair.to_pkcs8v1().ok()?.as_ref().to_vec().into());
                }
                _ => return None,
            }
        }
        None
    }

    pub(super) async fn keep_account_key(&self, key: &[u8]) -> io::Result<()> {
        write(self.folder.join(ACCOUNT), pem("PRIVATE KEY", key)).await
    }

    /// The answer to a challenge over HTTP that another proxy has begun.
    pub(super) async fn answer(&self, token: &str) -> Option<String> {
        read(&self.answer_file(token)).await
    }

    pub(super) async fn keep_answer(&self, token: &str, answer: &str) -> io::Result<()> {
        write(self.answer_file(token), answer.to_owned()).await
    }

    pub(super) async fn forget_answer(&self, token: &str) {
        // One that stays does no harm: it is worth nothing without its order.
        let _ = fs::remove_file(self.answer_file(token)).await;
    }

    /// The certificate that answers a challenge over TLS which another proxy has begun, as PEM.
    pub(super) async fn proof(&self, name: &str) -> Option<String> {
        read(&self.proof_file(name)).await
    }

    pub(super) async fn keep_proof(&self, name: &str, pem: &str) -> io::Result<()> {
        write(self.proof_file(name), pem.to_owned()).await
    }

    pub(super) async fn forget_proof(&self, name: &str) {
        // As with answers.
        let _ = fs::remove_file(self.proof_file(name)).await;
    }

    fn certificate_file(&self, name: &str) -> PathBuf {
        // Autocert has no name for this one.
        self.folder.join(name.replacen('*', "_", 1))
    }

    fn answer_file(&self, token: &str) -> PathBuf {
        self.folder.join(format!("{token}+http-01"))
    }

    fn proof_file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}+token"))
    }
}

async fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).await.ok()
}

/// Puts a file in place as a whole, for nobody else to read.
async fn write(path: PathBuf, text: String) -> io::Result<()> {
    let write = move || {
        let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
        if !folder.exists() {
            use std::os::unix::fs::DirBuilderExt;
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        // Made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        Ok(())
    };
    task::spawn_blocking(write).await.map_err(io::Error::other)?
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: String =
        text.as_bytes().chunks(LINE).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect();
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::server::options::ServiceOptions;

    fn authority(cache: &Path) -> Authority {
        let acme_cache_path = cache.join("certs").display().to_string();
        Authority::of(&ServiceOptions { tls_enabled: true, acme_cache_path, ..ServiceOptions::default() }).unwrap()
    }

    #[tokio::test]
    async fn what_is_kept_is_found_again_and_private() {
        let home = tempfile::tempdir().unwrap();
        let authority = authority(home.path());
        assert!(!authority.keeps("a.example.com").await);
        authority.keep("a.example.com", "pem").await.unwrap();
        assert_eq!(authority.kept("a.example.com").await.as_deref(), Some("pem"));
        assert!(authority.keeps("a.example.com").await);
        authority.keep("*.example.com", "wild").await.unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&authority.folder), mode(&authority.folder.join("_.example.com"))), (0o700, 0o600));
    }

    #[tokio::test]
    async fn the_key_of_an_account_is_read_in_both_forms() {
        let home = tempfile::tempdir().unwrap();
        let authority = authority(home.path());
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let pkcs8 = pair.to_pkcs8v1().unwrap();
        authority.keep_account_key(pkcs8.as_ref()).await.unwrap();
        assert_eq!(authority.account_key().await.unwrap().secret_pkcs8_der(), pkcs8.as_ref());

        use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der};
        let sec1: EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().unwrap();
        std::fs::write(authority.folder.join(ACCOUNT), pem("EC PRIVATE KEY", sec1.as_ref())).unwrap();
        let read = authority.account_key().await.unwrap();
        let again = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, read.secret_pkcs8_der()).unwrap();
        use aws_lc_rs::signature::KeyPair;
        assert_eq!(again.public_key().as_ref(), pair.public_key().as_ref());
    }
}
