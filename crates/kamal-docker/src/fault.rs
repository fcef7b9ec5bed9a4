//! What docker means by the ways in which it fails.

use kamal_core::{error::StepFault, step::Step};

/// The exit status of a shell that does not find a program.
const NOT_FOUND: i32 = 127;

/// What docker's client says, in lower case, of what its daemon answered.
const ANSWERED: &str = "error response from daemon";

/// What docker, or the registry behind it, says, in lower case, and what that comes to.
const SAYINGS: [(&str, StepFault); 17] = [
    ("no space left on device", StepFault::DiskFull),
    ("disk quota exceeded", StepFault::DiskFull),
    ("cannot connect to the docker daemon", StepFault::DockerMissing),
    ("failed to connect to the docker api", StepFault::DockerMissing),
    ("docker: not found", StepFault::DockerMissing),
    ("docker: command not found", StepFault::DockerMissing),
    ("manifest unknown", StepFault::ImageMissing),
    ("no matching manifest", StepFault::ImageMissing),
    ("no such image", StepFault::ImageMissing),
    ("repository does not exist", StepFault::ImageMissing),
    ("unable to find image", StepFault::ImageMissing),
    (": not found", StepFault::ImageMissing),
    ("unauthorized", StepFault::RegistryRefused),
    ("no basic auth credentials", StepFault::RegistryRefused),
    ("authentication required", StepFault::RegistryRefused),
    ("denied: ", StepFault::RegistryRefused),
    ("daemon: denied", StepFault::RegistryRefused),
];

/// What a step's failure comes to.
pub(crate) fn of(step: &Step, status: i32, printed: &str) -> StepFault {
    let said = printed.to_lowercase();
    let fits = |fault| takes_images(step) || !matches!(fault, StepFault::ImageMissing | StepFault::RegistryRefused);
    let known = SAYINGS.iter().find(|(saying, fault)| fits(*fault) && said.contains(saying)).map(|(_, fault)| *fault);
    match known {
        Some(fault) => fault,
        // Docker ends like that, too, when a container's program is not in its image.
        None if status == NOT_FOUND && !said.contains(ANSWERED) => StepFault::DockerMissing,
        None => StepFault::Other,
    }
}

/// True for steps that may ask a registry for an image.
fn takes_images(step: &Step) -> bool {
    matches!(
        step,
        Step::Login { .. }
            | Step::Pull { .. }
            | Step::LoadImage { .. }
            | Step::RelayLayers { .. }
            | Step::Start(_)
            | Step::DeployService(_)
            | Step::TagLatest { .. }
            | Step::EnsureProxy(_)
            | Step::ReplaceProxy(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_says_is_understood() {
        let load = Step::LoadImage { archive: "a".to_owned() };
        for (status, said, fault) in [
            (
                1,
                "Error response from daemon: manifest for h:5000/app:v9 not found: manifest unknown",
                StepFault::ImageMissing,
            ),
            (
                1,
                "Error response from daemon: failed to resolve reference \"h:5000/app:v9\": h:5000/app:v9: not found",
                StepFault::ImageMissing,
            ),
            (
                1,
                "Error response from daemon: pull access denied for acme/app, repository does not exist or may require \
                 'docker login': denied: requested access to the resource is denied",
                StepFault::ImageMissing,
            ),
            (
                1,
                "Error response from daemon: Get \"https://r/v2/\": unauthorized: bad password",
                StepFault::RegistryRefused,
            ),
            (1, "write /var/lib/docker/tmp/x: no space left on device", StepFault::DiskFull),
            (
                1,
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
                StepFault::DockerMissing,
            ),
            (127, "sh: 1: docker: not found", StepFault::DockerMissing),
            (127, "", StepFault::DockerMissing),
            (
                127,
                "docker: Error response from daemon: failed to create shim task: exec: \"/bin/nothing\": stat /bin/nothing: \
                 no such file or directory: unknown",
                StepFault::Other,
            ),
            (1, "Error: target failed to become healthy", StepFault::Other),
            (1, "", StepFault::Other),
        ] {
            assert_eq!(of(&load, status, said), fault, "{said}");
        }
        let other = Step::Remove { path: "a".to_owned() };
        assert_eq!(of(&other, 1, "rm: a: not found"), StepFault::Other, "it is about no image");
    }
}
