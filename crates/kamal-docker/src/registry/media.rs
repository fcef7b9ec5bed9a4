//! What manifests are: their media types, and the content they name.
//!
//! OCI image format specification, "Image Manifest" and "Image Index"; Docker's own, older forms differ in names alone.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::digest::Digest;

pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// Whether a manifest of this type names others, one per platform.
pub(super) fn is_index(media_type: &str) -> bool {
    matches!(media_type, OCI_INDEX | DOCKER_INDEX)
}

/// Whether content of this type is a manifest, and lies in a repository as one.
pub(super) fn is_manifest(media_type: &str) -> bool {
    is_index(media_type) || matches!(media_type, OCI_MANIFEST | DOCKER_MANIFEST)
}

/// A manifest or an index, as far as the registry has to understand it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) media_type: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) artifact_type: String,
    pub(super) config: Option<Descriptor>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) layers: Vec<Descriptor>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) manifests: Vec<Descriptor>,
    pub(super) subject: Option<Descriptor>,
    pub(super) annotations: Option<Map<String, Value>>,
}

/// How a manifest names content.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) media_type: String,
    pub(super) digest: Digest,
    #[serde(default)]
    pub(super) size: u64,
    #[serde(default, deserialize_with = "or_default")]
    urls: Vec<String>,
    pub(super) platform: Option<Platform>,
}

/// What an image runs on, in Docker's words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// The operating system, as `linux`.
    #[serde(default)]
    pub os: String,
    /// The processor, as `amd64` or `arm64`.
    #[serde(default)]
    pub architecture: String,
    /// Which of that processor's versions, as `v7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Manifest {
    /// Reads a manifest.
    pub(super) fn parse(content: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(content)
    }

    /// What it is made of, without its subject.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Descriptor> {
        self.config.iter().chain(&self.layers).chain(&self.manifests)
    }

    /// Its kind, for those who look for manifests about another: what it says it is, or else what its configuration is.
    pub(super) fn kind(&self) -> Option<&str> {
        let configuration = self.config.as_ref().map(|config| config.media_type.as_str());
        [Some(self.artifact_type.as_str()), configuration].into_iter().flatten().find(|kind| !kind.is_empty())
    }
}

impl Descriptor {
    /// Whether the content lives elsewhere and need not be pushed: layers of a vendor who forbids passing them on.
    pub(super) fn is_foreign(&self) -> bool {
        !self.urls.is_empty() || self.media_type.contains(".nondistributable.") || self.media_type.contains(".foreign.")
    }
}

/// A list or text that is left out, or is `null`, as Go writes an empty one.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
