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
    step::{RunSpec, Step},
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
/// poller).
fn await_ready(container: &str, timeout: u64, delay: u64) -> String {
    let name = word(container);
    let look = format!(
        "docker inspect --format '{{{{if .State.Health}}}}{{{{.State.Health.Status}}}}{{{{else}}}}{{{{.State.Status}}}}{{{{end}}}}' {name}"
    );
    format!(
        "(n=0; end=$(($(date +%s) + {timeout})); while :; do n=$((n + 1)); s=$({look}) || exit 1\n\
         case $s in healthy) exit 0;; running) sleep {delay}; s=$({look}) || exit 1; case $s in running|healthy) exit 0;; esac;;\n\
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
/// Two questions at most, where Kamal asks three and prunes besides.
fn prune_images(service: &str, latest: &str) -> String {
    format!(
        "kamal_used=${{kamal_used-$(docker container ls -a --no-trunc --format '{{{{.Image}}}}' --filter label=service={service})}}; \
         docker image ls --no-trunc --filter label=service={service} --format '{{{{.Repository}}}}:{{{{.Tag}}}} {{{{.ID}}}}' | while read tag id; do \
         case $tag in {latest}) continue;; *:'<none>') tag=$id;; esac; \
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
