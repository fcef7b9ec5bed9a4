//! A container registry inside the program, so that a deploy needs no registry account and no registry container.
//!
//! Kamal's local registry runs the image `registry:3` from Docker Hub on the deploying machine and reaches the hosts
//! through a reverse tunnel. This one needs no image at all: it speaks the [OCI distribution API] (version 1.1) over any
//! byte stream, so it can be served on a socket ([`Registry::serve`]) or directly on a channel that a host opened through
//! its SSH connection ([`Registry::serve_connection`]).
//!
//! It asks for no credentials, and accepts any, so `docker login` succeeds. What protects it is where it is served: a
//! loopback address, or the inside of an SSH connection; and on disk the modes of its files.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use kamal_docker::registry::{Policy, Registry};
//!
//! let registry = Registry::open("/home/ann/.local/share/kamal/registry")?;
//! tokio::spawn({
//!     let registry = registry.clone();
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:5000").await?;
//!     async move { registry.serve(listener).await }
//! });
//! // Meanwhile: docker push localhost:5000/app:v1
//! let images = registry.image_facts("app", "v1").await?;
//! println!("{} bytes for {}", images[0].size(), images[0].platform.architecture);
//! registry.gc(Policy { tags: Some(5), ..Policy::default() }).await?;
//! # Ok(())
//! # }
//! ```
//!
//! [OCI distribution API]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md

mod accept;
mod answer;
mod archive;
mod blobs;
mod digest;
mod error;
mod facts;
mod gc;
mod lead;
mod list;
mod manifests;
mod media;
mod names;
mod query;
mod range;
mod referrers;
mod routes;
mod sound;
mod store;
mod tags;
mod uploads;

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task;

pub use self::archive::{Archive, Held};
pub use self::digest::{Digest, DigestError};
pub use self::error::RegistryError;
pub use self::facts::{ImageFacts, Layer};
pub use self::gc::{Freed, Policy};
pub use self::lead::{Lead, Relay};
pub use self::list::{Repository, Tag};
use self::manifests::Reference;
pub use self::media::Platform;
use self::store::Store;

/// A registry whose content lies in a folder of its own.
///
/// Clones share it, and so may several processes: each opens the folder. All methods that are `async` need a tokio
/// runtime; what they do on disk is done beside it.
#[derive(Debug, Clone)]
pub struct Registry {
    store: Store,
    access: Access,
    lead: Lead,
}

/// What clients may do.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Access {
    /// From these repositories; `None` is all of them.
    Pull(Option<Arc<[String]>>),
    PullAndPush,
}

impl Registry {
    /// Opens the registry in `folder`, which is made when it is missing. Only its owner may read what is in there.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made or written to, or is somebody else's.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, RegistryError> {
        let folder = folder.as_ref();
        let store = Store::open(folder).map_err(|source| RegistryError::Store { folder: folder.to_owned(), source })?;
        Ok(Self { store, access: Access::PullAndPush, lead: Lead::default() })
    }

    /// The registry in `folder`, if there is one. Nothing is made, so that a look changes nothing.
    ///
    /// # Errors
    ///
    /// When the folder is somebody else's, or cannot be looked at.
    pub fn find(folder: impl AsRef<Path>) -> Result<Option<Self>, RegistryError> {
        let folder = folder.as_ref();
        let store = Store::find(folder).map_err(|source| RegistryError::Store { folder: folder.to_owned(), source })?;
        Ok(store.map(|store| Self { store, access: Access::PullAndPush, lead: Lead::default() }))
    }

    /// The same registry for clients that only pull: what would change anything is refused. Hosts are served so, lest one
    /// that was broken into put an image where the others pull theirs from.
    #[must_use]
    pub fn read_only(&self) -> Self {
        Self { access: Access::Pull(None), ..self.clone() }
    }

    /// The same registry for clients that only pull, and from these repositories alone: for hosts that others use as well.
    #[must_use]
    pub fn read_only_of(&self, repositories: impl IntoIterator<Item = String>) -> Self {
        Self { access: Access::Pull(Some(repositories.into_iter().collect())), ..self.clone() }
    }

    /// The same registry for clients that are led elsewhere for layers, when there is somewhere.
    #[must_use]
    pub fn leading(&self, lead: Lead) -> Self {
        Self { lead, ..self.clone() }
    }

    /// The folder, as an absolute path.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.store.root()
    }

    /// Serves every connection `listener` accepts, for as long as the returned future is polled.
    ///
    /// # Errors
    ///
    /// Only when the listener itself fails for good; what goes wrong on one connection ends that connection alone.
    pub async fn serve(&self, listener: TcpListener) -> io::Result<()> {
        loop {
            let (stream, _) = match listener.accept().await {
                Ok(accepted) => accepted,
                // The client gave up between its SYN and our accept.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let registry = self.clone();
            tokio::spawn(async move {
                // A client that vanished in the middle is its own affair; whole blobs are visible, half ones never are.
                let _ = registry.serve_connection(stream).await;
            });
        }
    }

    /// Serves the HTTP/1.1 client at the other end of `stream`, until it hangs up.
    ///
    /// # Errors
    ///
    /// When the client breaks the protocol or vanishes in the middle of a message. The store stays whole: a blob or a tag
    /// appears under its name only when it is complete and its digest was checked.
    pub async fn serve_connection<S>(&self, stream: S) -> Result<(), hyper::Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| async {
            Ok::<_, Infallible>(routes::respond(&self.store, &self.access, &self.lead, request).await)
        });
        http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
    }

    /// What there is, by name of the repository.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub async fn ls(&self) -> Result<Vec<Repository>, RegistryError> {
        self.with_store(list::repositories).await
    }

    /// Removes what the policy does not keep. Pushes and pulls, of other processes as well, go on meanwhile.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read or written.
    pub async fn gc(&self, policy: Policy) -> Result<Freed, RegistryError> {
        self.with_store(move |store| gc::collect(store, &policy)).await
    }

    /// Whether the registry holds this content: a layer, a configuration or a manifest.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub async fn has(&self, digest: &Digest) -> Result<bool, RegistryError> {
        let digest = digest.clone();
        self.with_store(move |store| store.blob(&digest).try_exists()).await
    }

    /// What the images behind a tag or a digest are, one for each platform. The repository is called without the server,
    /// as `org/app`.
    ///
    /// # Errors
    ///
    /// When there is no such image, what is called so is no image that can be run, or the folder cannot be read.
    pub async fn image_facts(&self, repository: &str, reference: &str) -> Result<Vec<ImageFacts>, RegistryError> {
        let (store, repository, reference) = (self.store.clone(), repository.to_owned(), reference.to_owned());
        self.beside(move || facts::of(&store, &repository, &reference)).await
    }

    /// The digest of the manifest a tag stands for, or of the index where it is one for several platforms; `None` where there
    /// is no such tag.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub async fn resolve(&self, repository: &str, tag: &str) -> Result<Option<Digest>, RegistryError> {
        let (repository, tag) = (repository.to_owned(), tag.to_owned());
        let named = names::is_repository(&repository) && matches!(Reference::parse(&tag), Ok(Reference::Tag(_)));
        self.with_store(move |store| if named { store.target(&repository, &tag) } else { Ok(None) }).await
    }

    /// Archives for `docker load`, to be loaded in their order, of one of the images [`Self::image_facts`] tells, under
    /// `names` with server and tag, as `localhost:5000/org/app:v1`. They leave out the layers that are `held`. All but the
    /// last bring layers alone.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub async fn archives(
        &self,
        image: &ImageFacts,
        names: &[String],
        held: &Held,
    ) -> Result<Vec<Archive>, RegistryError> {
        let (image, names, held) = (image.clone(), names.to_owned(), held.clone());
        self.with_store(move |store| Archive::of(store, &image, &names, &held)).await
    }

    async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> io::Result<T> + Send + 'static,
    ) -> Result<T, RegistryError> {
        let store = self.store.clone();
        self.beside(move || work(&store).map_err(|error| store.failed(error))).await
    }

    /// Does what blocks beside the runtime.
    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, RegistryError> + Send + 'static,
    ) -> Result<T, RegistryError> {
        task::spawn_blocking(work).await.unwrap_or_else(|error| Err(self.store.failed(io::Error::other(error))))
    }
}

/// Does what blocks for a request.
async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<io::Error> + Send + 'static,
{
    task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests;
