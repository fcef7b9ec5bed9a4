//! An image as files for `docker load`, holding only what a host lacks: for hosts that cannot reach the registry.
//!
//! Each part but the last is an image without a name, of the layers so far. Whoever loads a part has its layers, and lacks
//! so many less when it is interrupted and asks again. The last part is the image itself. What is left of the parts goes
//! with the next pruning of images without names, of which they have the label.
//!
//! The archive is in both forms there are, over the same files: `index.json`, which engines with containerd's store of
//! images read, and `manifest.json`, which the others do. Both kinds look for each layer among what they have before they
//! look for its file, so a file may be missing. They know a layer by itself and all below it: it is left out only where
//! an image of the host has the same layers up to it.

use std::collections::BTreeSet;
use std::{fs, io};

use bytes::Bytes;
use futures_util::future::ready;
use futures_util::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use serde_json::{Value, json};

use super::digest::{Algorithm, Digest};
use super::facts::{ImageFacts, Layer};
use super::media::OCI_INDEX;
use super::store::Store;

/// Files of a tar begin and end at multiples of this.
const BLOCK: u64 = 512;

/// The end of a tar: two blocks of nothing.
const END: [u8; 1024] = [0; 1024];

/// A part ends with the layer that makes it this large: what is lost when it is interrupted is that layer and less than
/// this before it, while small layers need not be loaded one by one.
const PART: u64 = 16 * 1024 * 1024;

/// The layers a host has, each by its chain: itself and all below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held(BTreeSet<Digest>);

impl Held {
    /// Notes an image of the host by its diff ids, the lowest layer first, as `docker image inspect` tells them in
    /// `{{json .RootFS.Layers}}`.
    pub fn image(&mut self, diff_ids: &[Digest]) {
        self.0.extend(chains(diff_ids));
    }

    /// Whether a layer, with all below it, is there.
    pub(super) fn has(&self, chain: &Digest) -> bool {
        self.0.contains(chain)
    }
}

/// The chain of each layer (OCI image format specification, "Layer `ChainID`").
pub(super) fn chains<'a>(diff_ids: impl IntoIterator<Item = &'a Digest>) -> impl Iterator<Item = Digest> {
    diff_ids.into_iter().scan(None, |below: &mut Option<Digest>, diff_id| {
        let chain = match below {
            None => diff_id.clone(),
            Some(below) => Algorithm::Sha256.of(format!("{below} {diff_id}").as_bytes()),
        };
        *below = Some(chain.clone());
        Some(chain)
    })
}

/// An image for `docker load`, or a part of one.
#[derive(Debug)]
pub struct Archive {
    store: Store,
    files: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    header: Bytes,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Text(Bytes),
    Blob(Digest, u64),
}

impl Archive {
    /// The archives that bring an image under `names` to a host that has what is `held`; blocks while it reads.
    pub(super) fn of(store: &Store, image: &ImageFacts, names: &[String], held: &Held) -> io::Result<Vec<Self>> {
        let manifest = fs::read(store.blob(&image.digest))?;
        let config = fs::read(store.blob(&image.config))?;
        let chains = chains(image.layers.iter().map(|layer| &layer.diff_id));
        let (mut parts, mut lacking, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (number, (layer, chain)) in image.layers.iter().zip(chains).enumerate() {
            if held.has(&chain) || !seen.insert(&layer.digest) {
                continue;
            }
            lacking.push(layer);
            let above = &image.layers[number + 1..];
            if !above.is_empty() && lacking.iter().map(|layer| layer.size).sum::<u64>() >= PART {
                let below = &image.layers[..=number];
                parts.push(Self::unnamed(store, image, &manifest, &config, below, &lacking)?);
                lacking.clear();
            }
        }
        parts.push(Self::new(store, image, manifest, config, names, &lacking)?);
        Ok(parts)
    }

    fn new(
        store: &Store,
        image: &ImageFacts,
        manifest: Vec<u8>,
        config: Vec<u8>,
        names: &[String],
        lacking: &[&Layer],
    ) -> io::Result<Self> {
        let mut files = vec![
            Entry::text("oci-layout", json!({ "imageLayoutVersion": "1.0.0" }).to_string().into_bytes())?,
            Entry::text("index.json", index(image, names).to_string().into_bytes())?,
            Entry::text("manifest.json", legacy(image, names).to_string().into_bytes())?,
            Entry::text(&path(&image.digest), manifest)?,
            Entry::text(&path(&image.config), config)?,
        ];
        for layer in lacking {
            files.push(Entry::blob(&layer.digest, layer.size)?);
        }
        Ok(Self { store: store.clone(), files })
    }

    /// An image of the lowest layers of another.
    fn unnamed(
        store: &Store,
        image: &ImageFacts,
        manifest: &[u8],
        config: &[u8],
        layers: &[Layer],
        lacking: &[&Layer],
    ) -> io::Result<Self> {
        let mut config: Value = serde_json::from_slice(config)?;
        config["rootfs"]["diff_ids"] = layers.iter().map(|layer| json!(layer.diff_id)).collect();
        // It tells of layers that are not in it.
        config.as_object_mut().map(|config| config.remove("history"));
        let config = config.to_string().into_bytes();
        let mut manifest: Value = serde_json::from_slice(manifest)?;
        let config_digest = Algorithm::Sha256.of(&config);
        manifest["config"]["digest"] = json!(config_digest);
        manifest["config"]["size"] = json!(config.len());
        if let Some(all) = manifest["layers"].as_array_mut() {
            all.truncate(layers.len());
        }
        let manifest = manifest.to_string().into_bytes();
        let part = ImageFacts {
            digest: Algorithm::Sha256.of(&manifest),
            manifest_size: manifest.len() as u64,
            config: config_digest,
            config_size: config.len() as u64,
            layers: layers.to_vec(),
            ..image.clone()
        };
        Self::new(store, &part, manifest, config, &[], lacking)
    }

    /// Exactly how many bytes the archive has.
    #[must_use]
    pub fn size(&self) -> u64 {
        let files =
            self.files.iter().map(|file| file.header.len() as u64 + file.content.size().next_multiple_of(BLOCK));
        files.sum::<u64>() + END.len() as u64
    }

    /// The archive, read as it is taken.
    pub fn read(&self) -> BoxStream<'_, io::Result<Bytes>> {
        let end = stream::once(ready(Ok(Bytes::from_static(&END))));
        stream::iter(&self.files).flat_map(|file| self.file(file)).chain(end).boxed()
    }

    fn file<'a>(&'a self, file: &'a Entry) -> BoxStream<'a, io::Result<Bytes>> {
        let content = match &file.content {
            Content::Text(text) => stream::once(ready(Ok(text.clone()))).boxed(),
            Content::Blob(digest, size) => stream::once(self.blob(digest, *size)).try_flatten().boxed(),
        };
        let size = file.content.size();
        let padding = usize::try_from(size.next_multiple_of(BLOCK) - size).unwrap_or_default();
        let padding = stream::once(ready(Ok(Bytes::from_static(&END[..padding]))));
        stream::once(ready(Ok(file.header.clone()))).chain(content).chain(padding).boxed()
    }

    async fn blob(
        &self,
        digest: &Digest,
        size: u64,
    ) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>> {
        let blob = tokio::fs::File::open(self.store.blob(digest)).await?.into_std().await;
        let found = blob.metadata()?.len();
        if found != size {
            return Err(io::Error::other(format!("the layer {digest} has {found} bytes, its manifest says {size}")));
        }
        self.store.stream(digest, blob, size)
    }
}

impl Entry {
    fn text(name: &str, text: Vec<u8>) -> io::Result<Self> {
        Self::new(name, Content::Text(text.into()))
    }

    fn blob(digest: &Digest, size: u64) -> io::Result<Self> {
        Self::new(&path(digest), Content::Blob(digest.clone(), size))
    }

    fn new(name: &str, content: Content) -> io::Result<Self> {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.size());
        header.set_mode(0o644);
        // Without its content, which comes from a file later; with more than one block when the name is long.
        let mut builder = tar::Builder::new(Vec::new());
        builder.append_data(&mut header, name, io::empty())?;
        Ok(Self { header: builder.get_ref().clone().into(), content })
    }
}

impl Content {
    fn size(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Blob(_, size) => *size,
        }
    }
}

fn path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}

/// The list of images as containerd reads it: the same manifest under each name.
fn index(image: &ImageFacts, names: &[String]) -> Value {
    let mut descriptor = json!({
        "mediaType": image.media_type, "digest": image.digest, "size": image.manifest_size, "platform": image.platform,
    });
    let mut named = names
        .iter()
        .map(|name| {
            let tag = name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
            descriptor["annotations"] =
                json!({ "io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag });
            descriptor.clone()
        })
        .collect::<Vec<_>>();
    if named.is_empty() {
        named.push(descriptor);
    }
    json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": named })
}

/// The list of images as `docker save` has written it from the beginning.
fn legacy(image: &ImageFacts, names: &[String]) -> Value {
    let layers = image.layers.iter().map(|layer| path(&layer.digest)).collect::<Vec<_>>();
    json!([{ "Config": path(&image.config), "RepoTags": names, "Layers": layers }])
}
