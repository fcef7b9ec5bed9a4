//! The registry on the deploying machine, which makes a registry account needless (spec 2.6): what is built is pushed to
//! it here, and hosts pull from it through their connections.

use std::{net::SocketAddr, sync::Arc};

use async_trait::async_trait;

use super::{Content, TransportError};
use crate::{
    name::{HostName, ImageRef},
    secret::Secret,
    state::Image,
};

/// A registry of one's own. Images stay in it from run to run, so that only what is new is pushed and pulled.
#[async_trait]
pub trait LocalRegistry: Send + Sync + std::fmt::Debug {
    /// Serves it on a port of this machine's loopback, for whoever builds here, until what comes back is dropped. Several
    /// runs on this machine may do so at the same time. Cancelling leaves nothing behind.
    ///
    /// # Errors
    ///
    /// When the port is taken, or its folder cannot be used.
    async fn start(&self, port: u16) -> Result<Arc<dyn Serving>, RegistryError>;
}

/// A registry that is served.
#[async_trait]
pub trait Serving: Send + Sync + std::fmt::Debug {
    /// Makes it reachable on the same port of a host's own loopback until what comes back is dropped. Cancelling leaves
    /// nothing behind.
    ///
    /// # Errors
    ///
    /// When the host does not let it in, or cannot be reached itself.
    async fn reach(&self, host: &HostName, access: Access, sent: Sent) -> Result<Reached, ReachError>;

    /// What a name stands for; `None` where there is nothing of that name.
    ///
    /// # Errors
    ///
    /// When what is in it cannot be read.
    async fn look_up(&self, image: &ImageRef) -> Result<Option<StoredImage>, RegistryError>;

    /// About how many bytes an image takes on a host while it is pulled, the layers it has left out, as for
    /// [`Serving::archives`]; `None` where that cannot be told.
    ///
    /// # Errors
    ///
    /// As [`Serving::archives`].
    async fn room(&self, image: &ImageRef, arch: &str, held: &str) -> Result<Option<u64>, RegistryError>;

    /// An image as `docker load` reads it, in the variant for an architecture, without the layers a host has: what
    /// [`Query::HeldLayers`](crate::query::Query::HeldLayers) printed there. It comes in parts, to be loaded one after the
    /// other, so that whoever is interrupted has what was loaded; the last one has the image's name.
    ///
    /// # Errors
    ///
    /// When there is no such image, or none for that architecture; when it cannot be read.
    async fn archives(&self, image: &ImageRef, arch: &str, held: &str) -> Result<Vec<Box<dyn Content>>, RegistryError>;

    /// An image as one archive, for a host that has these images, if it lacks so little that it comes sooner that way: a
    /// pull goes there and back for each thing it asks. What is not the same here and there does not count as had.
    ///
    /// # Errors
    ///
    /// As [`Serving::archives`].
    async fn difference(
        &self,
        _image: &ImageRef,
        _arch: &str,
        _there: &[Image],
    ) -> Result<Option<Box<dyn Content>>, RegistryError> {
        Ok(None)
    }

    /// Expects one of the hosts that reach it to hand layers on to them all. They are led to it once it shows itself, until
    /// what comes back is dropped. `None` where nobody can be led.
    fn expect(&self, _relay: Relay) -> Option<Arc<dyn Relaying>> {
        None
    }
}

/// A host that hands layers on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Relay {
    /// Where the others find it.
    pub at: SocketAddr,
    /// What they have to know, and by which it shows itself.
    pub token: Secret,
}

impl Relay {
    /// One at an address.
    #[must_use]
    pub fn new(at: SocketAddr, token: Secret) -> Self {
        Self { at, token }
    }
}

/// Hosts that are led to another one for layers.
#[async_trait]
pub trait Relaying: Send + Sync + std::fmt::Debug {
    /// Comes back once that one has shown itself.
    async fn shown(&self);

    /// Leads a host there no more.
    fn leave(&self, host: &HostName);

    /// Whether a host asked for a layer here that it had been led to there for.
    fn came_back(&self, host: &HostName) -> bool;
}

/// What somebody who reaches the registry may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read, and only the repositories of these images: anybody on the host may do so as long as it is reachable.
    Pull(Vec<ImageRef>),
    /// Write too: where images are built.
    Push,
}

/// Told how many bytes a host has been sent through the registry's connections so far.
pub type Sent = Arc<dyn Fn(u64) + Send + Sync>;

/// Keeps the registry reachable until it is dropped.
pub type Reached = Box<dyn std::fmt::Debug + Send + Sync>;

/// An image of the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredImage {
    /// The digest of what the name stands for, as `docker pull` tells it: `sha256:…`.
    pub digest: String,
    /// The architectures it was built for, in Docker's spelling.
    pub arches: Vec<String>,
}

impl StoredImage {
    /// An image by its digest, and the architectures it was built for.
    #[must_use]
    pub fn new(digest: String, arches: Vec<String>) -> Self {
        Self { digest, arches }
    }
}

/// Why the registry is not served, or does not give something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Something else listens on its port of this machine.
    #[error(
        "port {port} of this machine is taken, so the local registry cannot be served there; stop what listens on it \
         (Kamal's own registry: `docker rm --force kamal-docker-registry`), or name another port in registry/server"
    )]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// Its folder cannot be used.
    #[error("the local registry failed: {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Something is wrong with what is in it.
    #[error("{0}")]
    Failed(String),
    /// There is no such image in it.
    #[error("{image} is not in the local registry of this machine; build it here: `kamal build push`")]
    Missing {
        /// The image.
        image: ImageRef,
    },
    /// The image was built for other machines.
    #[error("{image} was not built for {arch}; add it to builder/arch")]
    OtherArchitecture {
        /// The image.
        image: ImageRef,
        /// The architecture.
        arch: String,
    },
}

/// Why a host does not reach the registry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReachError {
    /// The host does not let it in, so that the image has to go another way.
    #[error("{0}")]
    Refused(String),
    /// The host itself cannot be reached.
    #[error(transparent)]
    Transport(#[from] TransportError),
}
