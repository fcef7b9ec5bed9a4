//! Where the certificates of a service come from.

use std::path::PathBuf;

use super::text;
use crate::server::options::ServiceOptions;
use crate::server::tls::automatic::STAGING;

/// Where the certificates of a service come from.
///
/// ```
/// use kamal_proxy::server::{Acme, Tls};
///
/// let own = Tls::files("/etc/tls/chain.pem", "/etc/tls/key.pem");
/// let of_an_authority = Tls::acme(Acme::default().email("admin@example.com"));
/// ```
#[derive(Debug, Clone)]
#[must_use = "it is for the options of a deploy"]
pub struct Tls(Source);

#[derive(Debug, Clone)]
enum Source {
    Files { certificate: PathBuf, key: PathBuf },
    Acme(Acme),
}

impl Tls {
    /// From files in PEM: a chain, and its key. [`Handle::reload`](crate::server::Handle::reload) reads them again.
    pub fn files(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self(Source::Files { certificate: certificate.into(), key: key.into() })
    }

    /// From an authority, for each host of the service, renewed in time.
    pub const fn acme(acme: Acme) -> Self {
        Self(Source::Acme(acme))
    }

    pub(super) fn put_into(self, options: &mut ServiceOptions) {
        options.tls_enabled = true;
        match self.0 {
            Source::Files { certificate, key } => {
                (options.tls_certificate_path, options.tls_private_key_path) = (text(certificate), text(key));
            }
            Source::Acme(acme) => {
                options.acme_directory = acme.directory;
                options.acme_cache_path = acme.folder.map(text).unwrap_or_default();
                options.tls_on_demand_url = acme.on_demand;
                options.policies.acme_email = acme.email;
                (options.policies.acme_eab_kid, options.policies.acme_eab_key_file) = acme.account;
                options.policies.acme_dns_hook = acme.dns_hook;
            }
        }
    }
}

/// An authority that issues certificates by ACME (RFC 8555): Let's Encrypt, unless another is named.
///
/// ```
/// use kamal_proxy::server::Acme;
///
/// let acme = Acme::default().directory("https://acme.example.com/directory").email("admin@example.com");
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "it is for the options of a deploy"]
pub struct Acme {
    directory: String,
    folder: Option<PathBuf>,
    on_demand: String,
    email: String,
    /// The number, and the file of the key.
    account: (String, String),
    dns_hook: String,
}

impl Acme {
    /// The URL of the authority's directory.
    pub fn directory(mut self, url: impl Into<String>) -> Self {
        self.directory = url.into();
        self
    }

    /// Asks Let's Encrypt's staging environment, whose certificates nobody trusts.
    pub fn staging(self) -> Self {
        self.directory(STAGING)
    }

    /// Keeps what is issued in this folder, instead of in that of
    /// [`Builder::certificates`](crate::server::Builder::certificates).
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Gets certificates for any host as the first client asks for it, instead of for hosts of the service, after asking
    /// this URL, or this path of the service, whether the host may have one.
    pub fn on_demand(mut self, url: impl Into<String>) -> Self {
        self.on_demand = url.into();
        self
    }

    /// Where the authority may write to.
    pub fn email(mut self, address: impl Into<String>) -> Self {
        self.email = address.into();
        self
    }

    /// The customer's account, where the authority asks for one: its number, and a file with its key in base64url.
    pub fn external_account(mut self, number: impl Into<String>, key: impl Into<PathBuf>) -> Self {
        self.account = (number.into(), text(key));
        self
    }

    /// Proves hosts in the DNS, which allows wildcards, with a program that is run as
    /// `PROGRAM present|cleanup RECORD VALUE`, in the environment of this process.
    pub fn dns_hook(mut self, program: impl Into<PathBuf>) -> Self {
        self.dns_hook = text(program);
        self
    }
}
