//! Steps as docker commands (spec 9.4 to 9.9, golden vectors 13.1 to 13.5).

use kamal_core::{
    name::ContainerName,
    naming,
    ports::{Render, RenderError},
    shell::{
        Text,
        escape::{options, pairs, word},
    },
    step::{Attachment, CRASH_LOOP, RunSpec, Step},
};

use crate::{hub, login, network, proxy, relay, rename, services, swarm};

/// Shell text for a step, `None` when it is not one of docker's.
pub(crate) fn step(step: &Step, cx: &Render<'_>) -> Result<Option<Text>, RenderError> {
    Ok(Some(match step {
        Step::Login { registry, place } => login::text(registry, cx.secrets, place.as_ref())?,
        Step::Logout { registry } => {
            let server = registry.server.iter().map(|server| format!(" {}", word(server))).collect::<String>();
            format!("docker logout{server}").into()
        }
        Step::InstallDocker => INSTALL.into(),
        Step::Pull { image, service, held, digest } => pull(image, service.as_deref(), *held, digest.as_deref()).into(),
        Step::RelayLayers { at, image, token } => relay::start(at, image, token.as_ref()),
        Step::LoadImage { archive } => {
            let archive = word(archive);
            format!("docker load --quiet --input {archive}; s=$?; rm -f {archive}; (exit $s)").into()
        }
        Step::RemoveImage { image } => format!("docker image rm --force {}", word(image)).into(),
        Step::RemoveUnusedImages { service } => {
            format!("docker image prune --all --force --filter label=service={}", word(service)).into()
        }
        Step::CreateNetwork { name, local } => network::create(name, *local).into(),
        Step::ConnectNetwork { network, container, aliases } => network::connect(network, container, aliases).into(),
        Step::DisconnectNetwork { network, container } => network::disconnect(network, container).into(),
        Step::InitSwarm { address } => swarm::init(address).into(),
        Step::JoinSwarm { at, address, token, .. } => swarm::join(at, address, token.as_ref()),
        Step::CreateOverlay { name, encrypted } => swarm::create_overlay(name, *encrypted).into(),
        Step::DemoteNode { node } => format!("docker node demote {}", word(node)).into(),
        Step::LabelNode { address, add, remove, .. } => services::label(address, add, remove).into(),
        Step::DeployService(spec) => services::deploy(spec, cx)?,
        Step::RollBackService { service, timeout } => services::roll_back(service, *timeout).into(),
        Step::ScaleService { service, replicas, timeout } => services::scale(service, *replicas, *timeout).into(),
        Step::RemoveService { service } => services::remove(service).into(),
        Step::LeaveSwarm { last } => swarm::leave(*last).into(),
        Step::RemoveNode { node } => swarm::remove_node(node).into(),
        Step::EnsureProxy(spec) => proxy::ensure(spec).into(),
        Step::ReplaceProxy(spec) => proxy::replace(spec).into(),
        Step::StartProxy => format!("docker container start {}", naming::PROXY_CONTAINER).into(),
        Step::StopProxy => format!(
            "! docker container inspect {proxy} >/dev/null 2>&1 || docker container stop {proxy}",
            proxy = naming::PROXY_CONTAINER
        )
        .into(),
        Step::RemoveProxy => format!("docker container prune --force --filter {}", titled("kamal-proxy")).into(),
        Step::RemoveProxyImage => format!("docker image prune --all --force --filter {}", titled("kamal-proxy")).into(),
        Step::CheckProxy => proxy::check().into(),
        Step::RemoveTraefik => format!(
            "docker container stop traefik >/dev/null 2>&1; docker container prune --force --filter {traefik} && \
             docker image prune --all --force --filter {traefik}",
            traefik = titled("Traefik")
        )
        .into(),
        Step::Rename { from, to } => rename::text(from, to).into(),
        Step::Start(spec) => start(spec, cx).into(),
        Step::RunOnce { run: spec, timeout } => run_once(&spec.name, *timeout, &run(spec, cx)).into(),
        Step::StartExisting { container, .. } => format!("docker start {}", word(container)).into(),
        Step::Unpause { container } => format!("docker unpause {}", word(container)).into(),
        Step::Stop { container, timeout, tolerant } => {
            let stop = format!("docker stop{} {}", stop_timeout(*timeout), word(container));
            if *tolerant { stop.into() } else { format!("{stop} || {}", runs_no_more(container)).into() }
        }
        Step::RemoveContainer { container } => {
            let name = word(container);
            format!("! docker container inspect {name} >/dev/null 2>&1 || docker container rm {name}").into()
        }
        Step::RemoveStopped { labels } => format!(
            "docker container prune --force {}",
            filters(labels.iter().map(|(name, value)| (name.as_str(), value.as_str())))
        )
        .into(),
        Step::AwaitReady { container, timeout, delay } => await_ready(container, *timeout, *delay).into(),
        Step::TagLatest { image, latest } => format!("docker tag {} {}", word(image), word(latest)).into(),
        Step::PruneContainers { service, destination, retain } => {
            prune_containers(service, destination.as_deref().unwrap_or_default(), *retain).into()
        }
        Step::PruneImages { service, latest } => prune_images(service, latest).into(),
        Step::SyncAssets { prefix, image, path, extracted, volume, current } => {
            assets(prefix, image, path, extracted, volume, current.as_ref()).into()
        }
        _ => return Ok(None),
    }))
}

/// What is installed where docker is missing, by the script Docker publishes. A login that is put into a group counts
/// from its next login on.
const INSTALL: &str = "(docker -v >/dev/null 2>&1 && exit 0\n\
    [ \"$(id -u)\" -eq 0 ] || sudo -nl usermod >/dev/null 2>&1 || {\n\
    echo \"Docker is not installed and can't be without root access or passwordless sudo. \\\n\
Install Docker manually: https://docs.docker.com/engine/install/\" >&2; exit 1; }\n\
    s=$(curl -fsSL https://get.docker.com || wget -qO - https://get.docker.com)\n\
    [ -n \"$s\" ] && printf '%s\\n' \"$s\" | sh || {\n\
    echo \"Docker is not installed and its installer could not be fetched or failed with curl and wget. \\\n\
Install Docker manually: https://docs.docker.com/engine/install/\" >&2; exit 1; }\n\
    [ \"$(id -u)\" -eq 0 ] || id -nG | grep -qw docker || sudo -n usermod -aG docker \"$(id -un)\")";

/// The filter by which images and containers of a program are told.
fn titled(title: &str) -> String {
    format!("label=org.opencontainers.image.title={title}")
}

/// `--filter label=…` for each label.
pub(crate) fn filters<'l>(labels: impl Iterator<Item = (&'l str, &'l str)>) -> String {
    labels
        .map(|(name, value)| format!("--filter {}", word(&format!("label={name}={value}"))))
        .collect::<Vec<_>>()
        .join(" ")
}

/// `-t` of a stop.
pub(crate) fn stop_timeout(seconds: Option<u64>) -> String {
    seconds.map(|seconds| format!(" -t {seconds}")).unwrap_or_default()
}

/// Succeeds when a container is gone or stopped, and docker says so.
fn runs_no_more(container: &ContainerName) -> String {
    let filter = word(&format!("name=^{container}$"));
    format!("{{ kamal_up=$(docker container ls --quiet --filter {filter}) && [ -z \"$kamal_up\" ]; }}")
}

/// Starts a container. Its id is kept for the step that leads the proxy to it, which would have to look it up otherwise.
fn start(spec: &RunSpec, cx: &Render<'_>) -> String {
    let name = word(&spec.name);
    let keep = format!("kamal_started={name} && echo \"$kamal_cid\"");
    let make = |spec: &RunSpec| format!("kamal_cid=$({})", run(spec, cx));
    if spec.logging != [IMPLICIT_LOGGING] {
        return format!("{} && {keep}", make(spec));
    }
    let plain = RunSpec { logging: Vec::new(), ..spec.clone() };
    format!("{} && {keep}", with_size_or_without(&make(spec), &make(&plain), &format!(".kamal/start-{name}.log")))
}

/// Runs a container to its end and shows what it prints. It is waited for and stopped from outside: a program that is the
/// first of its container need not heed a signal that is passed on to it.
fn run_once(name: &str, timeout: u64, run: &str) -> String {
    let name = word(name);
    format!(
        "({{ docker stop {name}; docker rm --force {name}; }} >/dev/null 2>&1\n\
         {run} >/dev/null || exit\n\
         docker logs --follow {name} & kamal_logs=$!\n\
         kamal_s=$(timeout {timeout} docker wait {name}) || {{ docker stop {name} >/dev/null; kamal_s=124; \
         echo 'stopped: it took longer than {timeout} seconds' >&2; }}\n\
         wait $kamal_logs; docker rm --force {name} >/dev/null; exit \"$kamal_s\")"
    )
}

/// What Kamal sets where no logging is configured.
pub(crate) const IMPLICIT_LOGGING: &str = "--log-opt max-size=\"10m\"";

/// Shell text that makes a container whose log has a size, or one whose log has none: not every log driver knows sizes, and
/// where the host's default driver does not, docker makes no container and says so, in words that depend on the driver.
pub(crate) fn with_size_or_without(with: &str, without: &str, said: &str) -> String {
    format!(
        "kamal_s=0; {{ {with}; }} 2>{said} || {{ kamal_s=$?; ! grep -q max-size {said} || \
         {{ kamal_s=0; {{ {without}; }} 2>{said} || kamal_s=$?; }}; }}\n\
         [ ! -s {said} ] || cat {said} >&2; rm -f {said}; (exit $kamal_s)"
    )
}

/// `docker run` for an app's or an accessory's container, its arguments in Kamal's order.
///
/// One that is on a second network is made, put on it, and started then, as `docker run` takes only one before docker 25;
/// so it finds the others from its first moment on.
pub(crate) fn run(spec: &RunSpec, cx: &Render<'_>) -> String {
    let Some(Attachment { network, aliases }) = &spec.overlay else { return make("docker run --detach", spec, cx) };
    let attach = network::attach(network, "\"$kamal_made\"", aliases);
    format!(
        "{{ kamal_made=$({}) && {attach} && docker start \"$kamal_made\" >/dev/null && echo \"$kamal_made\"; }}",
        make("docker create", spec, cx)
    )
}

/// The command that makes a container.
fn make(verb: &str, spec: &RunSpec, cx: &Render<'_>) -> String {
    let mut words = vec![verb.to_owned(), format!("--restart {}", word(&spec.restart))];
    words.push(format!("--name {}", word(&spec.name)));
    words.push(format!("--network {}", word(&spec.network)));
    if let Some(stem) = &spec.hostname_stem {
        words.push(format!("--hostname {}", word(&format!("{stem}-{}", cx.entropy.hex(12)))));
    }
    words.extend(spec.publish.iter().map(|port| format!("--publish {port}")));
    words.extend(pairs("--env", spec.env.iter().map(|(key, text)| (key.as_str(), text.as_str()))));
    words.push(format!("--env-file {}", word(&spec.env_file)));
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
fn pull(image: &str, service: Option<&str>, held: bool, digest: Option<&str>) -> String {
    let name = word(image);
    // As Kamal does: a tag that moved must not keep the old image (spec 12.1, point 24).
    let forget = if held { format!("docker image rm --force {name} >/dev/null 2>&1; ") } else { String::new() };
    let check = service.map(|service| {
        format!(
            " && {{ docker inspect -f '{{{{ .Config.Labels.service }}}}' {name} | grep -qx {} || \
             {{ echo \"Image \"{name}\" is missing the 'service' label\" >&2; (exit 1); }}; }}",
            word(service)
        )
    });
    let pull = digest.map_or_else(|| format!("docker pull --quiet {name}"), |digest| pinned(image, digest));
    format!("{forget}{pull}{}", check.unwrap_or_default())
}

/// Pulls what an image's name stood for when it was built, and gives it that name where the name has moved. Docker tells the
/// digest when it is not quiet.
fn pinned(image: &str, digest: &str) -> String {
    let repository = image.rsplit_once(':').map_or(image, |(repository, _)| repository);
    let (name, by_digest, digest) = (word(image), word(&format!("{repository}@{digest}")), word(digest));
    format!(
        "kamal_pulled=$(docker pull {name}) && case $kamal_pulled in *\"Digest: \"{digest}*) echo {name};; \
         *) echo 'the tag of '{name}' has moved since it was built; what was built is taken, '{digest} >&2\n\
         docker pull --quiet {by_digest} && docker tag {by_digest} {name} ||\n\
         {{ echo 'what was built is not in the registry any more; build it again' >&2; (exit 1); }};; esac"
    )
}

/// Removes the stopped containers of the service at a destination but the newest few. The images of all that are left
/// are kept for the step that prunes images, which would have to ask for them otherwise.
fn prune_containers(service: &str, destination: &str, retain: u32) -> String {
    format!(
        "kamal_all=$(docker ps --all --no-trunc --filter label=service={} \
         --format '{{{{.ID}}}} {{{{.State}}}} {{{{.Image}}}} {{{{.Label \"destination\"}}}}') && \
         {{ kamal_old=$(printf '%s\\n' \"$kamal_all\" | grep -E {} | tail -n +{} | cut -d ' ' -f 1); \
         [ -z \"$kamal_old\" ] || docker rm $kamal_old; }} && \
         kamal_used=$(printf '%s\\n' \"$kamal_all\" | grep -vF \"${{kamal_old:-none}}\" | cut -d ' ' -f 3; :)",
        word(service),
        word(&format!("^[^ ]+ (created|exited|dead) [^ ]+ {destination}$")),
        retain + 1
    )
}

/// Removes the service's images that no container was made from, but the latest of every destination: dangling ones by
/// id, others by name; without `--all` docker 29 keeps silent about dangling ones. Two questions at most, where Kamal
/// asks three and prunes besides.
fn prune_images(service: &str, latest: &str) -> String {
    format!(
        "kamal_used=${{kamal_used-$(docker container ls -a --no-trunc --format '{{{{.Image}}}}' --filter label=service={service})}}; \
         docker image ls --all --no-trunc --filter label=service={service} --format '{{{{.Repository}}}}:{{{{.Tag}}}} {{{{.ID}}}}' | while read tag id; do \
         short=${{tag#docker.io/}}; case $short in {latest}|{latest}-*) continue;; *:'<none>') tag=$id short=$id;; esac; \
         printf '%s\\n' \"$kamal_used\" | sed 's|^docker\\.io/||; s|^index\\.docker\\.io/||; s|@sha256:.*||' | grep -qxF -e \"$short\" -e \"${{short#sha256:}}\" || \
         docker rmi \"$tag\"; done; :",
        service = word(service),
        latest = word(hub::short(latest))
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
    let container = word(&format!("{prefix}-assets"));
    let (from, extracted, volume) = (word(&format!("{prefix}-assets:{path}/.")), word(extracted), word(volume));
    let mut text = format!(
        "mkdir -p {extracted} {volume} && {{ docker container rm {container} >/dev/null 2>&1; :; }} && \
         docker container create --name {container} {} >/dev/null && \
         docker container cp -L {from} {extracted} && docker container rm {container} >/dev/null && \
         cp -rnT {extracted} {volume}",
        word(image)
    );
    if let Some((old_extracted, old_volume)) = current {
        let (old_extracted, old_volume) = (word(old_extracted), word(old_volume));
        // Pages rendered by one version may ask the other one for its assets while both serve.
        text.push_str(&format!(
            " && {{ [ ! -d {old_volume} ] || cp -rnT {extracted} {old_volume}; [ ! -d {old_extracted} ] || cp -rnT {old_extracted} {volume}; :; }}"
        ));
    }
    text
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
    fn what_has_to_stop_has_stopped_or_is_gone_and_docker_says_so() {
        let text = runs_no_more(&"app-web-1".parse().unwrap());
        assert!(with_docker("exit 0", &text).status.success(), "it is not among what runs");
        assert!(!with_docker("echo 0123456789ab", &text).status.success(), "it runs still");
        assert!(!with_docker("exit 1", &text).status.success(), "docker does not answer");
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
    fn a_log_driver_that_knows_no_size_is_given_none() {
        for said in [
            "unknown log opt 'max-size' for syslog log driver",
            "unknown log opt 'max-size' for journald log driver",
            "\\\"max-size\\\" is not a valid option for the gcplogs driver",
        ] {
            let docker = format!("case $* in *max-size*) echo \"docker: {said}\" >&2; exit 125;; esac; echo made");
            let text = with_size_or_without("c=$(docker run --log-opt max-size=10m)", "c=$(docker run)", "said");
            let output = with_docker(&docker, &format!("{text} && echo \"$c\""));
            assert_eq!(String::from_utf8_lossy(&output.stdout), "made\n", "{said}: {output:?}");
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        }
        let taken = "echo 'docker: the name is in use' >&2; exit 125";
        let output = with_docker(taken, &with_size_or_without("docker run max-size", "docker run", "said"));
        assert_eq!((output.status.code(), &*output.stderr), (Some(125), &b"docker: the name is in use\n"[..]));
    }

    #[test]
    fn latest_images_of_all_destinations_are_kept() {
        // Docker 29 lists what has no name only with `--all`.
        let images = "case $2$3 in ls--all) echo 'hub/app:latest sha256:1'; echo 'hub/app:latest-staging sha256:2'; \
                      echo 'hub/app:v1 sha256:3'; echo 'hub/app:v2 sha256:4'; echo 'hub/app:<none> sha256:5';; esac\n\
                      case $1 in rmi) echo \"removed $2\";; esac";
        // With Docker Hub's server in front docker prints containers' images as they were asked for, and images without it.
        for server in ["", "docker.io/", "index.docker.io/"] {
            let prune = prune_images("app", &format!("{server}hub/app:latest"));
            let output = with_docker(images, &format!("kamal_used={server}hub/app:v2; {prune}"));
            assert_eq!(String::from_utf8_lossy(&output.stdout), "removed hub/app:v1\nremoved sha256:5\n", "{server}");
        }
    }

    fn once() -> String {
        run_once("app-web_release", 7, "docker run --detach hub/app:1 bin/migrate")
    }

    #[test]
    fn what_runs_once_is_shown_and_its_status_is_the_steps() {
        let docker = |status: &str| {
            format!("case $1 in logs) echo migrating; echo oops >&2;; wait) {status};; *) echo \"$@\" >>calls;; esac")
        };
        let well = with_docker(&docker("echo 0"), &format!("{}; echo ended $?; cat calls", once()));
        let said = String::from_utf8_lossy(&well.stdout).into_owned();
        assert!(said.starts_with("migrating\nended 0\nstop app-web_release\nrm --force app-web_release\n"), "{said}");
        assert_eq!(String::from_utf8_lossy(&well.stderr), "oops\n");
        let badly = with_docker(&docker("echo 3"), &format!("{}; echo ended $?", once()));
        assert_eq!(String::from_utf8_lossy(&badly.stdout), "migrating\nended 3\n");
        let late = with_docker(&docker("exit 124"), &format!("{}; echo ended $?", once()));
        assert_eq!(String::from_utf8_lossy(&late.stdout), "migrating\nended 124\n");
        assert!(String::from_utf8_lossy(&late.stderr).contains("longer than 7 seconds"));
        let none = with_docker("case $1 in run) exit 125;; esac", &format!("{}; echo ended $?", once()));
        assert_eq!(String::from_utf8_lossy(&none.stdout), "ended 125\n");
    }
}
