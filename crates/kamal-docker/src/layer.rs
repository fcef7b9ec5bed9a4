//! What `docker pull` tells of an image's layers while it fetches them.

use kamal_core::{ports::Layer, step::Step};

/// What a line tells of a layer: `4f4fb700ef54: Pull complete`.
pub(crate) fn of(step: &Step, line: &str) -> Option<Layer> {
    matches!(step, Step::Pull { .. }).then_some(())?;
    let (id, told) = line.split_once(": ")?;
    let is_id = id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let here = match told {
        "Pull complete" | "Already exists" => true,
        "Pulling fs layer" | "Waiting" | "Verifying Checksum" | "Download complete" => false,
        _ => return None,
    };
    is_id.then(|| Layer { id: id.to_owned(), here })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_told_from_everything_else_a_pull_prints() {
        let image = "acme/app:v1".parse().unwrap();
        let pull = Step::Pull { image, service: None, held: false, digest: None };
        for (line, here) in [
            ("4f4fb700ef54: Pulling fs layer", Some(false)),
            ("4f4fb700ef54: Already exists", Some(true)),
            ("4f4fb700ef54: Pull complete", Some(true)),
            ("v1: Pulling from acme/app", None),
            ("Digest: sha256:4f4fb700ef54", None),
            ("Status: Downloaded newer image for acme/app:v1", None),
        ] {
            assert_eq!(of(&pull, line).map(|layer| layer.here), here, "{line}");
        }
        assert_eq!(of(&Step::InstallDocker, "4f4fb700ef54: Pull complete"), None);
    }
}
