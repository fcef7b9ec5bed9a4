//! One service as requests see it: options, targets, switches.
//!
//! A service never changes. A command makes a changed copy and publishes it in a new routing table, so a request works
//! with one consistent service from beginning to end. What must outlive such a change (the pause switch, the count of
//! requests in flight, the targets) is shared behind an `Arc`.

use std::path::Path;
use std::sync::Arc;

use rustls::sign::CertifiedKey;

use super::balancer::Balancer;
use super::error_pages::{Pages, PagesError};
use super::middleware::{Policy, PolicyError};
use super::observe::log::Log;
use super::observe::metrics::Gauge;
use super::options::{ServiceOptions, TargetOptions};
use super::pause::Pause;
use super::rollout::Split;
use super::surroundings::Variables;
use super::tls::automatic::{Authority, Sharing, SharingError};
use super::tls::certificate::{self, CertificateError};
use super::watch::Watched;

/// A service that is deployed.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) options: Arc<ServiceOptions>,
    pub(crate) target_options: Arc<TargetOptions>,
    pub(crate) assets: Assets,
    pub(crate) active: Arc<Balancer>,
    pub(crate) rollout: Option<Arc<Balancer>>,
    pub(crate) split: Option<Arc<Split>>,
    pub(crate) pause: Arc<Pause>,
    pub(crate) in_flight: Arc<Gauge>,
    pub(crate) watched: Arc<Watched>,
    /// In force; for a service below a path this is what the service at the root of its host has.
    pub(crate) tls: TlsPolicy,
}

/// Whether a service is reached over TLS only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TlsPolicy {
    pub(crate) enabled: bool,
    pub(crate) redirect: bool,
}

/// What a service's options name on disk, read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Assets {
    pub(crate) pages: Option<Arc<Pages>>,
    pub(crate) certificate: Option<Arc<CertifiedKey>>,
    /// Who issues the certificates, where none is given.
    pub(crate) authority: Option<Arc<Authority>>,
    /// `None` where the service asks for nothing of the kind.
    pub(crate) policy: Option<Arc<Policy>>,
}

/// Why what a service's options name cannot be used: certificates, error pages, users, networks, rates, redirects.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct AssetsError(Box<Unusable>);

impl<E: Into<Unusable>> From<E> for AssetsError {
    fn from(error: E) -> Self {
        Self(Box::new(error.into()))
    }
}

#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("automatic TLS does not support wildcards")]
    AutomaticWildcard,
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    Sharing(#[from] SharingError),
    #[error(transparent)]
    Pages(#[from] PagesError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl Assets {
    /// Reads the files; causes go to the log.
    pub(crate) fn load(
        service: &str,
        options: &ServiceOptions,
        variables: &Variables,
        log: &Log,
    ) -> Result<Self, AssetsError> {
        let policy = Policy::new(&options.policies, variables)?.map(Arc::new);
        let mut assets = Self { policy, ..Self::default() };
        if options.tls_enabled && options.has_custom_certificate() {
            let (certificate, key) =
                (Path::new(&options.tls_certificate_path), Path::new(&options.tls_private_key_path));
            let loaded = certificate::load(certificate, key).inspect_err(|error| {
                log.error("Error loading TLS certificate", &[("error", error.0.as_str().into())]);
            })?;
            assets.certificate = Some(loaded);
        } else if let Some(mut authority) = Authority::of(options) {
            if !authority.has_wildcards() && options.hosts.iter().any(|host| host.contains('*')) {
                return Err(Unusable::AutomaticWildcard.into());
            }
            authority.sharing = Sharing::of(service, &options.policies)?.map(Arc::new);
            assets.authority = Some(Arc::new(authority));
        }
        if !options.error_page_path.is_empty() {
            let pages = Pages::load(Path::new(&options.error_page_path)).inspect_err(|error| {
                log.error("Failed to parse error page templates", &[("error", error.0.as_str().into())]);
            })?;
            assets.pages = Some(Arc::new(pages));
        }
        Ok(assets)
    }
}

impl Service {
    /// The policy of a service that owns `/`.
    pub(crate) fn own_tls(&self) -> TlsPolicy {
        TlsPolicy { enabled: self.options.tls_enabled, redirect: self.options.tls_redirect }
    }

    /// The sets of targets that are in use.
    pub(crate) fn sets(&self) -> impl Iterator<Item = &Arc<Balancer>> {
        std::iter::once(&self.active).chain(&self.rollout)
    }

    /// Whether requests for this path, as the target sees it, stay out of the metrics.
    pub(crate) fn excludes_from_metrics(&self, path: &str) -> bool {
        self.options.exclude_metrics_paths.iter().any(|excluded| excluded == path)
    }
}
