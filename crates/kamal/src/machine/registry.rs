//! The registry on this machine: `kamal-docker`'s, its images in a folder of the user's, reached by hosts through their
//! SSH connections.

mod listener;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt};
use kamal_core::{
    name::{HostName, ImageRef},
    ports::{
        self, Access, Content, LocalRegistry, Pieces, ReachError, Reached, RegistryError, Relaying, Sent, Serving,
        StoredImage,
    },
    state::Image,
};
use kamal_docker::registry::{self, Archive, Digest, Held, ImageFacts, Lead, Registry, Relay};
use kamal_ssh::{Connector, ForwardError, RemoteForward};
use tokio::task::JoinSet;
use tokio_util::io::InspectWriter;

use super::Environment;
use listener::{Listener, Task};

/// What a host lacks is handed to it, and not pulled, up to this size. A pull goes back and forth some ten times, in which
/// time about so much comes over a connection of middling speed; of more, layers had better come side by side.
const LITTLE: u64 = 8 << 20;

/// A registry whose images lie in a folder.
#[derive(Clone, Debug)]
pub struct FolderRegistry {
    folder: PathBuf,
    connector: Option<Arc<Connector>>,
}

impl FolderRegistry {
    /// The registry in a folder, which is made when it is first used. Without connections of our own hosts do not reach it,
    /// and are handed images.
    pub fn new(folder: impl Into<PathBuf>, connector: Option<Arc<Connector>>) -> Self {
        Self { folder: folder.into(), connector }
    }

    /// Where the user's registry is: `kamal/registry` in `$XDG_DATA_HOME`, else in `~/.local/share`.
    #[must_use]
    pub fn folder_of(environment: &Environment, home: &Path) -> PathBuf {
        let data = environment.get("XDG_DATA_HOME").map(PathBuf::from).filter(|data| data.is_absolute());
        data.unwrap_or_else(|| home.join(".local/share")).join("kamal/registry")
    }

    /// The registry itself.
    ///
    /// # Errors
    ///
    /// When the folder cannot be used.
    pub async fn open(&self) -> Result<Registry, RegistryError> {
        self.beside(Registry::open).await
    }

    /// The registry if there is one; nothing is made.
    ///
    /// # Errors
    ///
    /// When the folder cannot be used.
    pub async fn find(&self) -> Result<Option<Registry>, RegistryError> {
        self.beside(Registry::find).await
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce(PathBuf) -> Result<T, registry::RegistryError> + Send + 'static,
    ) -> Result<T, RegistryError> {
        let folder = self.folder.clone();
        let done = tokio::task::spawn_blocking(move || work(folder)).await;
        let elsewhere = |error| RegistryError::Failed(format!("{error}; another folder can be named in XDG_DATA_HOME"));
        done.map_err(|error| failed("cannot open it", io::Error::other(error)))?.map_err(elsewhere)
    }
}

#[async_trait]
impl LocalRegistry for FolderRegistry {
    async fn start(&self, port: u16) -> Result<Arc<dyn Serving>, RegistryError> {
        let registry = self.open().await?;
        let listener = Listener::begin(&registry, port).await?;
        let connector = self.connector.clone();
        Ok(Arc::new(Served { registry, port, connector, leads: Leads::default(), _listener: listener }))
    }
}

/// A registry that is served on this machine.
#[derive(Debug)]
struct Served {
    registry: Registry,
    port: u16,
    connector: Option<Arc<Connector>>,
    leads: Leads,
    _listener: Listener,
}

/// Where the hosts that reach a registry are led for layers.
type Leads = Arc<Mutex<BTreeMap<HostName, Lead>>>;

impl Served {
    /// An image's repository and tag in the registry.
    fn place<'i>(&self, image: &'i ImageRef) -> Option<(&'i str, &'i str)> {
        image
            .strip_prefix(&format!("localhost:{}/", self.port))
            .map(|name| name.rsplit_once(':').unwrap_or((name, "latest")))
    }

    async fn facts(&self, image: &ImageRef) -> Result<Option<Vec<ImageFacts>>, RegistryError> {
        let Some((repository, tag)) = self.place(image) else { return Ok(None) };
        match self.registry.image_facts(repository, tag).await {
            Ok(facts) => Ok(Some(facts)),
            Err(registry::RegistryError::NoImage(_)) => Ok(None),
            Err(error) => Err(translated(&error)),
        }
    }
}

#[async_trait]
impl Serving for Served {
    async fn reach(&self, host: &HostName, access: Access, sent: Sent) -> Result<Reached, ReachError> {
        let Some(connector) = &self.connector else {
            return Err(ReachError::Refused(format!("{host} is not reached over SSH")));
        };
        let registry = match access {
            Access::Push => self.registry.clone(),
            Access::Pull(images) => {
                let named = images.iter().filter_map(|image| self.place(image)).map(|(name, _)| name.to_owned());
                self.registry.read_only_of(named)
            }
        };
        let forward = connector.forward_remote(host, self.port).await.map_err(|error| match error {
            ForwardError::Transport(error) => ReachError::Transport(error),
            refused => ReachError::Refused(refused.to_string()),
        })?;
        let lead = Lead::default();
        self.leads.lock().unwrap_or_else(PoisonError::into_inner).insert(host.clone(), lead.clone());
        Ok(Box::new(Task::of(serve(forward, registry.leading(lead), sent))))
    }

    fn expect(&self, relay: ports::Relay) -> Option<Arc<dyn Relaying>> {
        let relay = Relay::new(relay.at, relay.token.expose());
        let leads = self.leads.lock().unwrap_or_else(PoisonError::into_inner).clone();
        leads.values().for_each(|lead| lead.to(&relay));
        Some(Arc::new(Led { relay, leads }))
    }

    async fn look_up(&self, image: &ImageRef) -> Result<Option<StoredImage>, RegistryError> {
        let Some(facts) = self.facts(image).await? else { return Ok(None) };
        let Some((repository, tag)) = self.place(image) else { return Ok(None) };
        let digest = self.registry.resolve(repository, tag).await.map_err(|error| translated(&error))?;
        let arches = facts.into_iter().map(|facts| facts.platform.architecture).collect();
        Ok(digest.map(|digest| StoredImage::new(digest.to_string(), arches)))
    }

    async fn room(&self, image: &ImageRef, arch: &str, held: &str) -> Result<Option<u64>, RegistryError> {
        let facts = self.facts(image).await?.unwrap_or_default();
        let Some(facts) = facts.iter().find(|facts| facts.platform.architecture == arch) else { return Ok(None) };
        let held = layers(held);
        // A layer lies there packed until it is unpacked.
        let lacking = facts.lacking(&held).map(|layer| layer.unpacked.map(|unpacked| layer.size + unpacked));
        Ok(lacking.sum())
    }

    async fn archives(&self, image: &ImageRef, arch: &str, held: &str) -> Result<Vec<Box<dyn Content>>, RegistryError> {
        let facts = self.facts(image).await?.ok_or_else(|| RegistryError::Missing { image: image.clone() })?;
        let of_arch = facts.iter().find(|facts| facts.platform.architecture == arch);
        let other = || RegistryError::OtherArchitecture { image: image.clone(), arch: arch.to_owned() };
        let facts = of_arch.ok_or_else(other)?;
        let archives = self.registry.archives(facts, &[image.to_string()], &layers(held)).await;
        let archives = archives.map_err(|error| translated(&error))?;
        Ok(archives.into_iter().map(|archive| Box::new(Part(archive)) as Box<dyn Content>).collect())
    }

    async fn difference(
        &self,
        image: &ImageRef,
        arch: &str,
        there: &[Image],
    ) -> Result<Option<Box<dyn Content>>, RegistryError> {
        let facts = self.facts(image).await?.unwrap_or_default();
        let Some(facts) = facts.iter().find(|facts| facts.platform.architecture == arch) else { return Ok(None) };
        let mut held = Held::default();
        for image in there {
            let (known, named) = (self.facts(&image.reference).await?, self.look_up(&image.reference).await?);
            // An image's id is the digest of its configuration, of its manifest, or of the index it is in.
            let same = |facts: &&ImageFacts| {
                let by_name = named.as_ref().is_some_and(|named| named.digest == image.id);
                facts.platform.architecture == arch
                    && (by_name || [&facts.config, &facts.digest].iter().any(|digest| digest.to_string() == image.id))
            };
            for facts in known.iter().flatten().filter(same) {
                held.image(&facts.layers.iter().map(|layer| layer.diff_id.clone()).collect::<Vec<_>>());
            }
        }
        if facts.lacking(&held).count() == facts.layers.len() {
            // A first version: layers come side by side.
            return Ok(None);
        }
        let archives = self.registry.archives(facts, &[image.to_string()], &held).await;
        let mut archives = archives.map_err(|error| translated(&error))?;
        let last = archives.pop().filter(|last| archives.is_empty() && last.size() <= LITTLE);
        Ok(last.map(|archive| Box::new(Part(archive)) as Box<dyn Content>))
    }
}

/// Hosts that are led to one of them, until this is dropped.
#[derive(Debug)]
struct Led {
    relay: Relay,
    leads: BTreeMap<HostName, Lead>,
}

#[async_trait]
impl Relaying for Led {
    async fn shown(&self) {
        self.relay.shown().await;
    }

    fn leave(&self, host: &HostName) {
        self.leads.get(host).into_iter().for_each(Lead::end);
    }

    fn came_back(&self, host: &HostName) -> bool {
        self.leads.get(host).is_some_and(Lead::came_back)
    }
}

impl Drop for Led {
    fn drop(&mut self) {
        self.leads.values().for_each(Lead::end);
    }
}

/// An archive on its way to a host.
#[derive(Debug)]
struct Part(Archive);

impl Content for Part {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read(&self) -> Pieces<'_> {
        self.0.read().map_ok(Vec::from).boxed()
    }
}

/// Serves the connections to a host's port, and tells how much went to it.
async fn serve(mut forward: RemoteForward, registry: Registry, sent: Sent) {
    let mut connections = JoinSet::new();
    let total = Arc::new(AtomicU64::new(0));
    while let Some(stream) = forward.accept().await {
        let (registry, sent, total) = (registry.clone(), sent.clone(), total.clone());
        let stream = InspectWriter::new(stream, move |bytes| {
            let bytes = bytes.len() as u64;
            sent(total.fetch_add(bytes, Ordering::Relaxed) + bytes);
        });
        connections.spawn(async move {
            // Whoever vanished in the middle comes again, or its command says what it lacks.
            let _ = registry.serve_connection(stream).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

/// The layers of a host's images, as it printed them.
fn layers(printed: &str) -> Held {
    let mut held = Held::default();
    for line in printed.lines() {
        // An image of no layers is `null`.
        if let Ok(layers) = serde_json::from_str::<Vec<Digest>>(line) {
            held.image(&layers);
        }
    }
    held
}

fn translated(error: &registry::RegistryError) -> RegistryError {
    RegistryError::Failed(error.to_string())
}

fn failed(what: &str, source: io::Error) -> RegistryError {
    RegistryError::Io { what: what.to_owned(), source }
}
