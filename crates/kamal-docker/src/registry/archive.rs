//! An image as a file for `docker load`, holding only what a host lacks: for hosts that cannot reach the registry.
//!
//! The archive is in both forms there are, over the same files: `index.json`, which engines with containerd's store of
//! images read, and `manifest.json`, which the others do. Both kinds look for each layer among what they have before they
//! look for its file, so a file may be missing. They know a layer by itself and all below it: it is left out only where
//! an image of the host has the same layers up to it.

use std::collections::BTreeSet;
use std::{fs, io};

use serde_json::{Value, json};
use tokio::io::{AsyncWrite, AsyncWriteExt, copy};

use super::digest::{Algorithm, Digest};
use super::facts::ImageFacts;
use super::media::OCI_INDEX;
use super::store::Store;

/// Files of a tar begin and end at multiples of this.
const BLOCK: u64 = 512;

/// The end of a tar: two blocks of nothing.
const END: [u8; 1024] = [0; 1024];

/// The layers a host has, each by its chain: itself and all below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held(BTreeSet<Digest>);

impl Held {
    /// Notes an image of the host by its diff ids, the lowest layer first, as `docker image inspect` tells them in
    /// `{{json .RootFS.Layers}}`.
    pub fn image(&mut self, diff_ids: &[Digest]) {
        self.0.extend(chains(diff_ids));
    }
}

/// The chain of each layer (OCI image format specification, "Layer `ChainID`").
fn chains<'a>(diff_ids: impl IntoIterator<Item = &'a Digest>) -> impl Iterator<Item = Digest> {
    diff_ids.into_iter().scan(None, |below: &mut Option<Digest>, diff_id| {
        let chain = match below {
            None => diff_id.clone(),
            Some(below) => Algorithm::Sha256.of(format!("{below} {diff_id}").as_bytes()),
        };
        *below = Some(chain.clone());
        Some(chain)
    })
}

/// An image for `docker load`.
#[derive(Debug)]
pub struct Archive {
    store: Store,
    files: Vec<Entry>,
    omitted: usize,
}

#[derive(Debug)]
struct Entry {
    header: Vec<u8>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Text(Vec<u8>),
    Blob(Digest, u64),
}

impl Archive {
    /// The archive of an image under `names` for a host that has what is `held`; blocks while it reads.
    pub(super) fn of(store: &Store, image: &ImageFacts, names: &[String], held: &Held) -> io::Result<Self> {
        let manifest = fs::read(store.blob(&image.digest))?;
        let config = fs::read(store.blob(&image.config))?;
        let mut files = vec![
            Entry::text("oci-layout", json!({ "imageLayoutVersion": "1.0.0" }).to_string().into_bytes())?,
            Entry::text("index.json", index(image, names).to_string().into_bytes())?,
            Entry::text("manifest.json", legacy(image, names).to_string().into_bytes())?,
            Entry::text(&path(&image.digest), manifest)?,
            Entry::text(&path(&image.config), config)?,
        ];
        let (mut seen, mut omitted) = (BTreeSet::new(), 0);
        for (layer, chain) in image.layers.iter().zip(chains(image.layers.iter().map(|layer| &layer.diff_id))) {
            if held.0.contains(&chain) {
                omitted += 1;
            } else if seen.insert(&layer.digest) {
                files.push(Entry::blob(&layer.digest, layer.size)?);
            }
        }
        Ok(Self { store: store.clone(), files, omitted })
    }

    /// How many layers are left out, because the host has them.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// Exactly how many bytes the archive has.
    #[must_use]
    pub fn size(&self) -> u64 {
        let files =
            self.files.iter().map(|file| file.header.len() as u64 + file.content.size().next_multiple_of(BLOCK));
        files.sum::<u64>() + END.len() as u64
    }

    /// Writes the archive.
    ///
    /// # Errors
    ///
    /// When a layer cannot be read, or `out` not be written.
    pub async fn write(&self, out: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        for file in &self.files {
            out.write_all(&file.header).await?;
            match &file.content {
                Content::Text(text) => out.write_all(text).await?,
                Content::Blob(digest, size) => {
                    let mut blob = tokio::fs::File::open(self.store.blob(digest)).await?;
                    let copied = copy(&mut blob, out).await?;
                    if copied != *size {
                        let problem = format!("the layer {digest} has {copied} bytes, its manifest says {size}");
                        return Err(io::Error::other(problem));
                    }
                }
            }
            let size = file.content.size();
            let padding = usize::try_from(size.next_multiple_of(BLOCK) - size).unwrap_or_default();
            out.write_all(&END[..padding]).await?;
        }
        out.write_all(&END).await?;
        out.flush().await
    }
}

impl Entry {
    fn text(name: &str, text: Vec<u8>) -> io::Result<Self> {
        Self::new(name, Content::Text(text))
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
        Ok(Self { header: builder.get_ref().clone(), content })
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
