//! Certificates and their keys, from PEM.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// A pair that cannot be used. The cause is for the log; clients are told no more than this.
#[derive(Debug, thiserror::Error)]
#[error("unable to load certificate")]
pub(crate) struct CertificateError(pub(crate) String);

/// Reads a chain and its key, both PEM, and checks that they belong together.
pub(crate) fn load(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, CertificateError> {
    let failed = |path: &Path, why: &dyn std::fmt::Display| CertificateError(format!("{}: {why}", path.display()));
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed(certificate, &error))?;
    if chain.is_empty() {
        return Err(failed(certificate, &"no certificate found"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| failed(key, &error))?;
    let pair =
        CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider()).map_err(|error| failed(key, &error))?;
    Ok(Arc::new(pair))
}

/// Reads a key and the chain for it from one text, and checks that they belong together.
pub(crate) fn from_pem(text: &str) -> Result<Arc<CertifiedKey>, CertificateError> {
    let (chain, key) = parts(text)?;
    let pair = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
    pair.map(Arc::new).map_err(|error| CertificateError(error.to_string()))
}

/// The same for the proof of a name (RFC 8737): a certificate with an extension that nobody but an authority understands,
/// and that may not be used without understanding it. Checking it would refuse it.
pub(crate) fn proof_from_pem(text: &str) -> Result<Arc<CertifiedKey>, CertificateError> {
    let (chain, key) = parts(text)?;
    let key = aws_lc_rs::default_provider().key_provider.load_private_key(key);
    let key = key.map_err(|error| CertificateError(error.to_string()))?;
    Ok(Arc::new(CertifiedKey::new(chain, key)))
}

fn parts(text: &str) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), CertificateError> {
    let failed = |error: rustls::pki_types::pem::Error| CertificateError(error.to_string());
    let chain = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<_, _>>().map_err(failed)?;
    Ok((chain, PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(failed)?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    // spec 11.L.189, 11.L.190, 11.L.191
    #[test]
    fn a_pair_loads_and_anything_else_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let pair = |name: &str| {
            let made = rcgen::generate_simple_self_signed(vec!["example.com".into()]).unwrap();
            let (cert, key) =
                (directory.path().join(format!("{name}.crt")), directory.path().join(format!("{name}.key")));
            fs::write(&cert, made.cert.pem()).unwrap();
            fs::write(&key, made.signing_key.serialize_pem()).unwrap();
            (cert, key)
        };
        let ((cert, key), (_, other_key)) = (pair("one"), pair("two"));
        assert_eq!(load(&cert, &key).unwrap().cert.len(), 1);
        for (cert, key) in [(&key, &cert), (&cert, &other_key), (&cert, &directory.path().join("none"))] {
            assert_eq!(load(cert, key).unwrap_err().to_string(), "unable to load certificate");
        }
    }
}
