//! Images that are handed to a host through its connection, without a registry.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::FutureExt;

use super::Cx;
use crate::{
    error::{Error, HostError},
    fleet::Fleet,
    name::{HostName, ImageRef},
    plan::HostWork,
    ports::Content,
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
    /// What `docker load` reads, found out when a host needs it.
    pub archive: Archive,
}

impl ProxyImage {
    /// An image by its name, the architecture it is for, and what `docker load` reads.
    pub fn new(reference: ImageRef, arch: impl Into<String>, archive: Archive) -> Self {
        Self { reference, arch: arch.into(), archive }
    }
}

/// The images of the proxy that are brought along, one for each architecture at most.
#[derive(Clone, Debug, Default)]
pub struct ProxyImages(Vec<ProxyImage>);

impl ProxyImages {
    /// Adds an image, in place of one for the same architecture.
    pub fn add(&mut self, image: ProxyImage) {
        self.0.retain(|other| other.arch != image.arch);
        self.0.push(image);
    }

    /// The image that a host runs; `None` where its architecture is another, or cannot be told.
    #[must_use]
    pub fn of(&self, host: &HostState) -> Option<&ProxyImage> {
        self.0.iter().find(|image| image.arch == host.machine.arch)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &ProxyImage> {
        self.0.iter()
    }
}

/// Makes an image's archive, which most runs have no use for.
#[derive(Clone)]
pub struct Archive(Arc<dyn Fn() -> Result<Arc<dyn Content>, ArchiveError> + Send + Sync>);

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
    /// Wraps a function, which is asked once for every host. What it gives is read while it goes, so that megabytes for
    /// fifty hosts are not in memory fifty times.
    pub fn new(make: impl Fn() -> Result<Arc<dyn Content>, ArchiveError> + Send + Sync + 'static) -> Self {
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
    let mut lacking: BTreeMap<HostName, &ProxyImage> = BTreeMap::new();
    for (host, step) in works.iter().flat_map(|work| work.steps.iter().map(move |step| (&work.host, step))) {
        let (Step::EnsureProxy(spec) | Step::ReplaceProxy(spec)) = step else { continue };
        let Some(state) = states.iter().find(|state| state.host == *host) else { continue };
        let Some(image) = cx.proxy_images.of(state) else { continue };
        if spec.image.as_ref() == Some(&image.reference) && !state.has_image(&image.reference) {
            lacking.insert(host.clone(), image);
        }
    }
    let hosts: Vec<HostName> = lacking.keys().cloned().collect();
    let hand_over = async |host| match lacking.get(host) {
        Some(image) => hand(&cx.fleet, host, image).await,
        None => Ok(()),
    };
    cx.fleet.on(&hosts, |host| hand_over(host).boxed()).await.map(drop)
}

/// Hands the image to a host: two round trips.
pub(super) async fn hand(fleet: &Fleet<'_>, host: &HostName, image: &ProxyImage) -> Result<(), HostError> {
    let archive = (image.archive.0)().map_err(|source| HostError::Archive { host: host.clone(), source })?;
    fleet.upload_content(host, &*archive, ARCHIVE, 0o600).await?;
    fleet.run(host, "load", &[Step::LoadImage { archive: ARCHIVE.to_owned() }], &mut |_, _| {}).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(name: &str, arch: &str) -> ProxyImage {
        let archive = Archive::new(|| Err(ArchiveError::new("it is not looked at")));
        ProxyImage::new(ImageRef::parse(name).expect("a name"), arch, archive)
    }

    #[test]
    fn a_host_gets_the_image_of_its_architecture_or_none() {
        let mut images = ProxyImages::default();
        for (name, arch) in [("proxy:old", "arm64"), ("proxy:amd", "amd64"), ("proxy:arm", "arm64")] {
            images.add(image(name, arch));
        }
        let of = |arch: &str| {
            let mut state = HostState::new(HostName::parse("1.1.1.1").expect("a host"));
            state.machine.arch = arch.to_owned();
            images.of(&state).map(|image| image.reference.to_string())
        };
        assert_eq!(of("amd64").as_deref(), Some("proxy:amd"));
        assert_eq!(of("arm64").as_deref(), Some("proxy:arm"));
        assert_eq!(of("riscv64"), None);
        assert_eq!(of(""), None);
    }
}
