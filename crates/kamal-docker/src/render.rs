//! Steps as docker commands (spec 9.4 to 9.9, golden vectors 13.1 to 13.5).

use kamal_core::{
    config::model::SecretOr,
    naming,
    ports::{Render, RenderError},
    secret::Secret,
    shell::{
        Text,
        escape::{options, pairs, word},
    },
    step::{CRASH_LOOP, RunSpec, Step},
};

use crate::{login, proxy};

/// Shell text for a step, `None` when it is not one of docker's.
pub(crate) fn step(step: &Step, cx: &Render<'_>) -> Result<Option<Text>, RenderError> {
    Ok(Some(match step {
        Step::Login { registry } => login::text(registry, cx.secrets)?,
        Step::Pull { image, service, held } => pull(image, service.as_deref(), *held).into(),
        Step::CreateNetwork { name } => {
            format!("docker network create {name} >/dev/null 2>&1 || docker network inspect {name} >/dev/null").into()
        }
        Step::EnsureProxy(spec) => proxy::ensure(spec).into(),
        Step::ReplaceProxy(spec) => proxy::replace(spec).into(),
        Step::RemoveProxy => format!(
            "docker container stop {0} >/dev/null 2>&1; \
             docker container prune --force --filter label=org.opencontainers.image.title=kamal-proxy",
            naming::PROXY_CONTAINER
        )
        .into(),
        Step::Rename { from, to } => format!("docker rename {} {}", word(from), word(to)).into(),
        // The id is kept for the step that leads the proxy to it, which would have to look it up otherwise.
        Step::Start(spec) => {
            format!("kamal_cid=$({}) && kamal_started={} && echo \"$kamal_cid\"", run(spec, cx), word(&spec.name))
                .into()
        }
        Step::StartExisting { container } => format!("docker start {}", word(container)).into(),
        Step::Stop { container, timeout } => {
            let timeout = timeout.map(|seconds| format!(" -t {seconds}")).unwrap_or_default();
            format!("docker stop{timeout} {}", word(container)).into()
        }
        Step::AwaitReady { container, timeout, delay } => await_ready(container, *timeout, *delay).into(),
        Step::TagLatest { image, latest } => format!("docker tag {} {}", word(image), word(latest)).into(),
        Step::PruneContainers { service, retain } => prune_containers(service, *retain).into(),
        Step::PruneImages { service, latest } => prune_images(service, latest).into(),
        Step::SyncAssets { prefix, image, path, extracted, volume, current } => {
            assets(prefix, image, path, extracted, volume, current.as_ref()).into()
        }
        _ => return Ok(None),
    }))
}

/// `docker run` for an app's or an accessory's container, its arguments in Kamal's order.
pub(crate) fn run(spec: &RunSpec, cx: &Render<'_>) -> String {
    let mut words = vec!["docker run --detach".to_owned(), format!("--restart {}", spec.restart)];
    words.push(format!("--name {}", word(&spec.name)));
    words.push(format!("--network {}", spec.network));
    if let Some(stem) = &spec.hostname_stem {
        words.push(format!("--hostname {stem}-{}", cx.entropy.hex(12)));
    }
    words.extend(spec.publish.iter().map(|port| format!("--publish {port}")));
    words.extend(pairs("--env", spec.env.iter().map(|(key, text)| (key.as_str(), text.as_str()))));
    words.push(format!("--env-file {}", spec.env_file));
    words.extend(spec.logging.iter().cloned());
    words.extend(spec.volumes.iter().map(|volume| format!("--volume {volume}")));
    words.extend(pairs("--label", spec.labels.iter().map(|(key, text)| (key.as_str(), text.as_str()))));
    words.extend(options(&spec.options));
    words.push(word(&spec.image));
    words.extend(spec.cmd.iter().cloned());
    words.join(" ")
}

/// Waits on the host until a container without a proxy is ready: one round trip instead of one a look (spec 9.6,
/// poller). One that was restarted while it was looked at is looked at again, and one that keeps being restarted is given
/// up.
fn await_ready(container: &str, timeout: u64, delay: u64) -> String {
    let name = word(container);
    let look = format!(
        "docker inspect --format '{{{{.RestartCount}}}} {{{{if .State.Health}}}}{{{{.State.Health.Status}}}}{{{{else}}}}{{{{.State.Status}}}}{{{{end}}}}' {name}"
    );
    format!(
        "(look() {{ s=$({look}) || exit 1; r=${{s%% *}}; s=${{s#* }}; [ \"$r\" -lt {CRASH_LOOP} ] || \
         {{ echo \"container keeps being restarted ($r times, $s)\" >&2; exit 1; }}; }}\n\
         n=0; end=$(($(date +%s) + {timeout})); while :; do n=$((n + 1)); look\n\
         case $s in healthy) exit 0;; running) before=$r; sleep {delay}; look; \
         [ \"$r\" -ne \"$before\" ] || case $s in running|healthy) exit 0;; esac;;\n\
         exited|dead) echo \"container stopped ($s)\" >&2; exit 1;; esac\n\
         left=$((end - $(date +%s))); [ $left -gt 0 ] || {{ echo \"container not ready after {timeout} seconds ($s)\" >&2; exit 1; }}\n\
         [ $n -lt $left ] && sleep $n || sleep $left; done)"
    )
}

/// Pulls an image; one that was not built in this run must say by its label whose it is.
fn pull(image: &str, service: Option<&str>, held: bool) -> String {
    let image = word(image);
    // As Kamal does: a tag that moved must not keep the old image (spec 12.1, 24).
    let forget = if held { format!("docker image rm --force {image} >/dev/null 2>&1; ") } else { String::new() };
    let check = service.map(|service| {
        format!(
            " && {{ docker inspect -f '{{{{ .Config.Labels.service }}}}' {image} | grep -qx {} || \
             {{ echo \"Image {image} is missing the 'service' label\" >&2; (exit 1); }}; }}",
            word(service)
        )
    });
    format!("{forget}docker pull --quiet {image}{}", check.unwrap_or_default())
}

/// Removes the service's stopped containers but the newest few. The images of those that are left are kept for the
/// step that prunes images, which would have to ask for them otherwise.
fn prune_containers(service: &str, retain: u32) -> String {
    format!(
        "kamal_all=$(docker ps --all --no-trunc --filter label=service={service} \
         --format '{{{{.ID}}}} {{{{.State}}}} {{{{.Image}}}}') && \
         {{ kamal_old=$(printf '%s\\n' \"$kamal_all\" | grep -E '^[^ ]+ (created|exited|dead) ' | tail -n +{} | cut -d ' ' -f 1); \
         [ -z \"$kamal_old\" ] || docker rm $kamal_old; }} && \
         kamal_used=$(printf '%s\\n' \"$kamal_all\" | grep -vF \"${{kamal_old:-none}}\" | cut -d ' ' -f 3; :)",
        retain + 1
    )
}

/// Removes the service's images that no container was made from, but the latest: dangling ones by id, others by name.
/// Two questions at most, where Kamal asks three and prunes besides. What Kamal's `grep -w` takes for the latest image stays
/// too: that of other destinations, where there is none here.
fn prune_images(service: &str, latest: &str) -> String {
    format!(
        "kamal_used=${{kamal_used-$(docker container ls -a --no-trunc --format '{{{{.Image}}}}' --filter label=service={service})}}; \
         docker image ls --no-trunc --filter label=service={service} --format '{{{{.Repository}}}}:{{{{.Tag}}}} {{{{.ID}}}}' | while read tag id; do \
         case $tag in {latest}|{latest}-*) continue;; *:'<none>') tag=$id;; esac; \
         printf '%s\\n' \"$kamal_used\" | grep -qxF -e \"$tag\" -e \"${{tag#sha256:}}\" || docker rmi \"$tag\"; done; :",
        latest = word(latest)
    )
}

fn assets(
    prefix: &str,
    image: &str,
    path: &str,
    extracted: &str,
    volume: &str,
    current: Option<&(String, String)>,
) -> String {
    let container = format!("{prefix}-assets");
    let mut text = format!(
        "mkdir -p {extracted} {volume} && {{ docker container rm {container} >/dev/null 2>&1; :; }} && \
         docker container create --name {container} {} >/dev/null && \
         docker container cp -L {container}:{path}/. {extracted} && docker container rm {container} >/dev/null && \
         cp -rnT {extracted} {volume}",
        word(image)
    );
    if let Some((old_extracted, old_volume)) = current {
        // Pages rendered by one version may ask the other one for its assets while both serve.
        text.push_str(&format!(
            " && {{ [ ! -d {old_volume} ] || cp -rnT {extracted} {old_volume}; [ ! -d {old_extracted} ] || cp -rnT {old_extracted} {volume}; :; }}"
        ));
    }
    text
}

/// The registry's user and password as the host's docker will see them.
pub(crate) fn literal_or_secret(value: &SecretOr, cx: &dyn kamal_core::ports::Secrets) -> Result<Secret, RenderError> {
    match value {
        SecretOr::Literal(text) => Ok(Secret::new(text.as_str())),
        SecretOr::Secret(key) => cx.get(key).map_err(RenderError::Secret),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Command, Output};

    use super::*;

    /// Runs a shell text with a `docker` that runs another.
    fn with_docker(docker: &str, text: &str) -> Output {
        let folder = tempfile::tempdir().unwrap();
        for (name, script) in [("docker", docker), ("sleep", "exec /bin/sleep 0.0$1")] {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap_or_default());
        Command::new("sh").args(["-c", text]).current_dir(folder.path()).env("PATH", path).output().unwrap()
    }

    /// The answers docker gives one after another, the last again and again.
    fn answers(lines: &[&str]) -> String {
        format!(
            "echo x >>looks; set -- {}; n=$(wc -l <looks)\n[ $n -le $# ] || n=$#\nshift $((n - 1)); echo \"$1\"",
            lines.iter().map(|line| format!("'{line}'")).collect::<Vec<_>>().join(" ")
        )
    }

    #[test]
    fn a_container_is_ready_when_it_ran_for_the_delay() {
        for ready in [&["0 running", "0 running"][..], &["0 healthy"], &["0 starting", "0 healthy"], &["1 running"]] {
            let output = with_docker(&answers(ready), &await_ready("app-jobs-1", 30, 1));
            assert!(output.status.success(), "{ready:?}: {output:?}");
        }
        // It was restarted meanwhile, which is no running for the delay.
        let output = with_docker(&answers(&["0 running", "1 running", "1 exited"]), &await_ready("app-jobs-1", 30, 1));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "container stopped (exited)\n");
    }

    #[test]
    fn a_container_that_keeps_being_restarted_is_given_up() {
        let looks = ["0 running", "2 restarting", "4 running", "5 restarting"];
        let output = with_docker(&answers(&looks), &await_ready("app-jobs-1", 600, 1));
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said, "container keeps being restarted (5 times, restarting)\n");
        let gone = with_docker("exit 1", &await_ready("app-jobs-1", 600, 1));
        assert_eq!(gone.status.code(), Some(1));
    }

    #[test]
    fn latest_images_of_all_destinations_are_kept() {
        let images = "case $2 in ls) echo 'hub/app:latest sha256:1'; echo 'hub/app:latest-staging sha256:2'; \
                      echo 'hub/app:v1 sha256:3'; echo 'hub/app:v2 sha256:4'; echo 'hub/app:<none> sha256:5';; esac\n\
                      case $1 in rmi) echo \"removed $2\";; esac";
        let output = with_docker(images, &format!("kamal_used=hub/app:v2; {}", prune_images("app", "hub/app:latest")));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "removed hub/app:v1\nremoved sha256:5\n");
    }
}
