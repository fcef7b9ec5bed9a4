//! `kamal registry ls` and `gc`: the registry on this machine, of which no deploy.yml has to know.

use std::time::Duration;

use kamal::machine::{FolderRegistry, Freed, ImageRegistry, Policy};
use serde_json::json;

use crate::{
    args::{Global, registry::GcArgs},
    context,
    failure::Failure,
    output,
};

/// How long ago something was needed by a build or a deploy that may still be at work with it. Whoever collects by hand
/// wants what was pushed earlier today to go.
const AT_WORK: Duration = Duration::from_secs(60 * 60);

/// Lists the images.
pub(super) async fn list(global: &Global) -> Result<(), Failure> {
    let place = place();
    let repositories = match found(&place).await? {
        Some(registry) => registry.ls().await.map_err(|error| Failure::User(error.to_string()))?,
        None => Vec::new(),
    };
    if global.json {
        output::line(
            &json!({ "schema": "kamal/registry/1", "folder": place.folder(), "repositories": repositories })
                .to_string(),
        );
        return Ok(());
    }
    if repositories.is_empty() {
        output::line(&format!("The registry in {} is empty", place.folder().display()));
    }
    for repository in repositories {
        for tag in repository.tags {
            let age = tag.pushed.elapsed().unwrap_or_default();
            let (name, size) = (&repository.name, megabytes(tag.size));
            output::line(&format!("{name}:{}  {size}  pushed {} ago  {}", tag.name, ago(age), tag.digest));
        }
    }
    Ok(())
}

/// Removes what is old.
pub(super) async fn collect(global: &Global, args: &GcArgs) -> Result<(), Failure> {
    let policy = Policy { tags: args.keep, grace: AT_WORK, ..Policy::default() };
    let freed = match found(&place()).await? {
        Some(registry) => registry.gc(policy).await.map_err(|error| Failure::User(error.to_string()))?,
        None => Freed::default(),
    };
    if global.json {
        let told = json!({
            "schema": "kamal/registry-gc/1", "tags": freed.tags, "manifests": freed.manifests, "blobs": freed.blobs,
            "uploads": freed.uploads, "bytes": freed.bytes,
        });
        output::line(&told.to_string());
        return Ok(());
    }
    freed.tags.iter().for_each(|tag| output::line(&format!("Removed {tag}")));
    output::line(&format!("Freed {} in {} files", megabytes(freed.bytes), freed.blobs + freed.uploads));
    Ok(())
}

fn place() -> FolderRegistry {
    let environment = context::environment();
    let folder = FolderRegistry::folder_of(&environment, &environment.home());
    FolderRegistry::new(folder, None)
}

/// The registry, if anything was ever put into one.
async fn found(place: &FolderRegistry) -> Result<Option<ImageRegistry>, Failure> {
    place.find().await.map_err(|error| Failure::User(error.to_string()))
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

/// How long something is, in the largest unit that fits.
fn ago(time: Duration) -> String {
    let seconds = time.as_secs();
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_are_for_people() {
        assert_eq!(megabytes(1_960_000), "1.9 MB");
        for (seconds, told) in
            [(1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (7_300, "2 hours"), (90_000, "1 day")]
        {
            assert_eq!(ago(Duration::from_secs(seconds)), told);
        }
    }
}
