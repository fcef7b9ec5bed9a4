//! Where the certificates of a service come from and where they are kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use super::sharing::Sharing;
use crate::server::options::ServiceOptions;

/// What is asked when the options name no directory.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// Where whoever tries something asks instead; nobody trusts what it issues.
pub(crate) const STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

/// An authority as one service uses it.
#[derive(Debug, Clone)]
pub(crate) struct Authority {
    /// The URL of its directory (RFC 8555, 7.1.1).
    pub(super) directory: String,
    /// The folder of what it issued. Several proxies may share it.
    pub(super) folder: PathBuf,
    /// Where it may write to.
    pub(super) email: Option<String>,
    pub(super) binding: Option<Binding>,
    /// The program that puts records into the DNS; with it, names are proven by DNS-01.
    pub(super) dns_hook: Option<PathBuf>,
    /// Proxies of other hosts that have its certificates too.
    pub(crate) sharing: Option<Arc<Sharing>>,
}

/// The customer's account an ACME account belongs to (RFC 8555, 7.3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binding {
    pub(super) id: String,
    /// A file with the key in base64url, as authorities hand it out.
    pub(super) key: PathBuf,
}

impl Authority {
    /// The authority of a service, if it leaves its certificates to one.
    pub(crate) fn of(options: &ServiceOptions) -> Option<Self> {
        if !options.tls_enabled || options.has_custom_certificate() {
            return None;
        }
        let policies = &options.policies;
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let binding =
            given(&policies.acme_eab_kid).map(|id| Binding { id, key: PathBuf::from(&policies.acme_eab_key_file) });
        Some(Self {
            directory: given(&options.acme_directory).unwrap_or_else(|| LETS_ENCRYPT.into()),
            folder: folder(Path::new(&options.acme_cache_path), &options.acme_directory),
            email: given(&policies.acme_email),
            binding,
            dns_hook: given(&policies.acme_dns_hook).map(PathBuf::from),
            sharing: None,
        })
    }

    /// Whether it can be asked for a certificate for all names below one.
    pub(crate) const fn has_wildcards(&self) -> bool {
        self.dns_hook.is_some()
    }
}

/// The folder below `cache` for a directory as the options have it: Go's name for it.
fn folder(cache: &Path, directory: &str) -> PathBuf {
    let hash = digest(&SHA256, directory.as_bytes());
    cache.join(hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec 8.11
    #[test]
    fn folders_are_those_of_go() {
        let cache = Path::new("/certs");
        let production = "/certs/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let staging = "/certs/67f2750652314251daad76f012141d33c9f7290f4f8ebb0a006a7f02d394a904";
        assert_eq!(folder(cache, ""), Path::new(production));
        assert_eq!(folder(cache, "https://acme-staging-v02.api.letsencrypt.org/directory"), Path::new(staging));
    }

    #[test]
    fn only_for_services_that_leave_it_to_one() {
        let automatic = ServiceOptions { tls_enabled: true, ..ServiceOptions::default() };
        assert_eq!(Authority::of(&automatic).unwrap().directory, LETS_ENCRYPT);
        assert!(Authority::of(&ServiceOptions::default()).is_none());
        let (certificate, key) = ("/c".to_owned(), "/k".to_owned());
        let custom = ServiceOptions { tls_certificate_path: certificate, tls_private_key_path: key, ..automatic };
        assert!(Authority::of(&custom).is_none());
    }
}
