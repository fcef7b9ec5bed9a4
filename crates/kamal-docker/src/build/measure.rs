//! What an image in a registry is made of, asked through buildx, which knows how to reach the registry.

use kamal_core::ports::{BuildError, BuildOrder, Built, Command, ImageLayer, ImageVariant};
use serde_json::Value;

use super::{
    program::must,
    session::{Configuration, How, Session},
};

/// Asks for an image.
pub(super) async fn image(order: &BuildOrder<'_>, image: &str) -> Result<Built, BuildError> {
    let session = Session::open(order).await?;
    let asking = Asking { order, configuration: session.log_in(order, How::Unchecked).await?, session };
    let top = asking.raw(image).await?;
    let mut variants = Vec::new();
    let repository = image.split('@').next().unwrap_or(image);
    // A tag follows the last slash, a port does not.
    let repository = match repository.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => repository,
    };
    for digest in manifests(&top) {
        let name = format!("{repository}@{digest}");
        variants.extend(variant(&asking.raw(&name).await?, &asking.config(&name).await?));
    }
    if top.get("layers").is_some() {
        variants.extend(variant(&top, &asking.config(image).await?));
    }
    Ok(Built { variants, ..Built::default() })
}

struct Asking<'a> {
    order: &'a BuildOrder<'a>,
    session: Session,
    configuration: Configuration,
}

impl Asking<'_> {
    /// A manifest, or an index of some.
    async fn raw(&self, image: &str) -> Result<Value, BuildError> {
        self.ask(["buildx", "imagetools", "inspect", "--raw", image]).await
    }

    /// What a manifest's image is like.
    async fn config(&self, image: &str) -> Result<Value, BuildError> {
        self.ask(["buildx", "imagetools", "inspect", "--format", "{{json .Image}}", image]).await
    }

    async fn ask<const N: usize>(&self, args: [&str; N]) -> Result<Value, BuildError> {
        let mut command = Command::new("docker", args);
        self.session.give(&self.configuration, &mut command);
        let printed = must(self.order, &command).await?;
        serde_json::from_str(&printed).map_err(|error| BuildError::Unfit(format!("`{command}`: {error}")))
    }
}

/// The digests of an index' images; what attests something about one is none.
fn manifests(index: &Value) -> Vec<&str> {
    let all = index.get("manifests").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let images = all.iter().filter(|one| one["platform"]["architecture"] != "unknown");
    images.filter_map(|one| one["digest"].as_str()).collect()
}

/// An image by its manifest and its configuration.
fn variant(manifest: &Value, config: &Value) -> Option<ImageVariant> {
    let packed = manifest["layers"].as_array()?.iter().map(|layer| layer["size"].as_u64());
    let diff_ids = config["rootfs"]["diff_ids"].as_array()?.iter().map(Value::as_str);
    let layers = diff_ids
        .zip(packed)
        .map(|(diff_id, packed)| Some(ImageLayer { diff_id: diff_id?.to_owned(), packed: packed? }));
    Some(ImageVariant { arch: config["architecture"].as_str()?.to_owned(), layers: layers.collect::<Option<_>>()? })
}
