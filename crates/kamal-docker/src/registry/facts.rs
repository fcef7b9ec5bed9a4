//! What an image is, as far as a host has to suit it: learnt from the store, before anything is sent anywhere.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use serde::{Deserialize, Serialize};

use super::archive::{Held, chains};
use super::digest::Digest;
use super::error::RegistryError;
use super::manifests::{self, Reference, Stored};
use super::media::{Manifest, Platform, is_index};
use super::store::{Store, if_found};

/// An image for one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ImageFacts {
    /// The digest of its manifest, by which it is pulled.
    pub digest: Digest,
    /// The type of its manifest.
    pub media_type: String,
    /// Bytes of its manifest.
    pub manifest_size: u64,
    /// The digest of its configuration, which Docker calls the image's ID where it keeps images itself.
    pub config: Digest,
    /// Bytes of its configuration.
    pub config_size: u64,
    /// What it runs on.
    pub platform: Platform,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
}

/// A layer of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Layer {
    /// The digest of the layer as it travels, which is mostly compressed.
    pub digest: Digest,
    /// The digest of its content, as hosts know it.
    pub diff_id: Digest,
    /// Bytes that travel.
    pub size: u64,
    /// About how many bytes its content takes on a host, where that can be told without unpacking it.
    pub unpacked: Option<u64>,
}

impl ImageFacts {
    /// The layers a host lacks that has what is `held`.
    pub fn lacking<'f>(&'f self, held: &'f Held) -> impl Iterator<Item = &'f Layer> {
        let chains = chains(self.layers.iter().map(|layer| &layer.diff_id));
        self.layers.iter().zip(chains).filter(|(_, chain)| !held.has(chain)).map(|(layer, _)| layer)
    }

    /// Bytes of everything that travels to a host that has nothing of it.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.manifest_size + self.config_size + self.layers.iter().map(|layer| layer.size).sum::<u64>()
    }

    /// About how many bytes it takes on a host, where that can be told.
    #[must_use]
    pub fn unpacked(&self) -> Option<u64> {
        self.layers.iter().map(|layer| layer.unpacked).sum()
    }
}

/// The part of an image's configuration that counts here.
#[derive(Debug, Deserialize)]
struct Configuration {
    os: String,
    architecture: String,
    variant: Option<String>,
    rootfs: RootFs,
}

#[derive(Debug, Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<Digest>,
}

/// The images behind a reference, one for each platform; blocks while it reads.
pub(super) fn of(store: &Store, repository: &str, reference: &str) -> Result<Vec<ImageFacts>, RegistryError> {
    let called =
        if reference.contains(':') { format!("{repository}@{reference}") } else { format!("{repository}:{reference}") };
    let unknown = || RegistryError::NoImage(called.clone());
    if !super::names::is_repository(repository) {
        return Err(unknown());
    }
    let parsed = Reference::parse(reference).map_err(|_| unknown())?;
    let find = |reference: &Reference| manifests::find(store, repository, reference).map_err(|e| store.failed(e));
    let stored = find(&parsed)?.ok_or_else(unknown)?;
    let invalid = |problem: String| RegistryError::NotAnImage { image: called.clone(), problem };
    if !is_index(&stored.media_type) {
        return Ok(vec![image(store, &stored, &invalid)?]);
    }
    let index = Manifest::parse(&stored.content).map_err(|error| invalid(error.to_string()))?;
    let mut images = Vec::new();
    for descriptor in index.manifests {
        // Builders put what they have to say about an image beside it, for a platform that is none.
        if descriptor.platform.is_some_and(|platform| platform.os == "unknown") {
            continue;
        }
        let stored = find(&Reference::Digest(descriptor.digest))?.ok_or_else(unknown)?;
        images.push(image(store, &stored, &invalid)?);
    }
    if images.is_empty() { Err(invalid("its index names no image".to_owned())) } else { Ok(images) }
}

fn image(
    store: &Store,
    stored: &Stored,
    invalid: &dyn Fn(String) -> RegistryError,
) -> Result<ImageFacts, RegistryError> {
    let manifest = Manifest::parse(&stored.content).map_err(|error| invalid(error.to_string()))?;
    let config = manifest.config.ok_or_else(|| invalid("its manifest names no configuration".to_owned()))?;
    let content = store.content(&config.digest).map_err(|error| store.failed(error))?;
    let content = content.ok_or_else(|| invalid("its configuration is missing".to_owned()))?;
    let configuration = serde_json::from_slice::<Configuration>(&content)
        .map_err(|error| invalid(format!("its configuration is not an image's: {error}")))?;
    if configuration.rootfs.diff_ids.len() != manifest.layers.len() {
        return Err(invalid("its configuration and its manifest differ in layers".to_owned()));
    }
    for layer in manifest.layers.iter().filter(|layer| !layer.is_foreign()) {
        if !store.holds(&layer.digest, layer.size).map_err(|error| store.failed(error))? {
            return Err(invalid(format!("its layer {} is missing or was damaged; push the image again", layer.digest)));
        }
    }
    let layers = manifest.layers.into_iter().zip(configuration.rootfs.diff_ids).map(|(layer, diff_id)| {
        let unpacked = unpacked(store, &layer.digest, &layer.media_type, layer.size).map_err(|e| store.failed(e))?;
        Ok(Layer { digest: layer.digest, diff_id, size: layer.size, unpacked })
    });
    Ok(ImageFacts {
        digest: stored.digest.clone(),
        media_type: stored.media_type.clone(),
        manifest_size: stored.content.len() as u64,
        config_size: content.len() as u64,
        config: config.digest,
        platform: Platform {
            os: configuration.os,
            architecture: configuration.architecture,
            variant: configuration.variant,
        },
        layers: layers.collect::<Result<_, RegistryError>>()?,
    })
}

/// Bytes of a layer's content: a tar's are its own; gzip writes them at the end, as a number of 32 bits.
fn unpacked(store: &Store, digest: &Digest, media_type: &str, size: u64) -> io::Result<Option<u64>> {
    if media_type.ends_with("tar") {
        return Ok(Some(size));
    }
    if !media_type.ends_with("gzip") {
        return Ok(None);
    }
    let Some(file) = if_found(File::open(store.blob(digest)))? else { return Ok(None) };
    let Some(end) = file.metadata()?.len().checked_sub(4) else { return Ok(None) };
    let mut trailer = [0; 4];
    file.read_exact_at(&mut trailer, end)?;
    // Content of 4 GiB and more begins again at 0. Gzip does not make anything larger by more than a thousandth.
    let mut unpacked = u64::from(u32::from_le_bytes(trailer));
    while unpacked + unpacked / 1000 + 64 < size {
        unpacked += 1 << 32;
    }
    Ok(Some(unpacked))
}
