//! Images that are handed to a host through its connection, without a registry.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::FutureExt;

use super::Cx;
use crate::{
    error::{Error, HostError},
    fleet::Fleet,
    name::{HostName, ImageRef},
    plan::HostWork,
    state::HostState,
    step::Step,
};

/// Where the archive lies on the host until it is loaded.
const ARCHIVE: &str = ".kamal/proxy/image.tar";

/// An image of the proxy that is brought along and handed to hosts without a registry.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProxyImage {
    /// Its name.
    pub reference: ImageRef,
    /// The architecture it is for, in Docker's spelling.
    pub arch: String,
    /// What `docker load` reads, made when a host needs it.
    pub archive: Archive,
}

impl ProxyImage {
    /// An image by its name, the architecture it is for, and what `docker load` reads.
    pub fn new(reference: ImageRef, arch: impl Into<String>, archive: Archive) -> Self {
        Self { reference, arch: arch.into(), archive }
    }
}

/// Makes an image's archive: megabytes most runs have no use for.
#[derive(Clone)]
pub struct Archive(Arc<dyn Fn() -> Result<Vec<u8>, ArchiveError> + Send + Sync>);

/// Why an image's archive cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ArchiveError(pub(crate) String);

impl ArchiveError {
    /// An error in words, which say what is missing.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl Archive {
    /// Wraps a function.
    pub fn new(make: impl Fn() -> Result<Vec<u8>, ArchiveError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Archive")
    }
}

/// Hands the proxy's image to hosts that are about to make its container and lack it.
pub(super) async fn proxy(cx: &Cx<'_>, states: &[HostState], works: &[HostWork]) -> Result<(), Error> {
    let Some(image) = &cx.proxy_image else { return Ok(()) };
    let mut hosts = BTreeSet::new();
    for (host, step) in works.iter().flat_map(|work| work.steps.iter().map(move |step| (&work.host, step))) {
        let (Step::EnsureProxy(spec) | Step::ReplaceProxy(spec)) = step else { continue };
        let state = states.iter().find(|state| state.host == *host);
        let lacks = state.is_some_and(|state| !state.has_image(&image.reference));
        if spec.image.as_ref() == Some(&image.reference) && lacks {
            hosts.insert(host.clone());
        }
    }
    let hosts: Vec<HostName> = hosts.into_iter().collect();
    cx.fleet.on(&hosts, |host| hand(&cx.fleet, host, image).boxed()).await.map(drop)
}

/// Hands the image to a host: two round trips.
async fn hand(fleet: &Fleet<'_>, host: &HostName, image: &ProxyImage) -> Result<(), HostError> {
    let archive = (image.archive.0)().map_err(|source| HostError::Archive { host: host.clone(), source })?;
    fleet.upload(host, &archive, ARCHIVE, 0o600).await?;
    fleet.run(host, "load", &[Step::LoadImage { archive: ARCHIVE.to_owned() }], &mut |_, _| {}).await
}
