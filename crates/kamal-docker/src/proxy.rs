//! The proxy's container: started where it is missing, and replaced by a new one (spec 2.10, 9.5).

mod reboot;

use kamal_core::{
    naming,
    shell::escape::{options, word},
    step::ProxyContainerSpec,
};

pub(crate) use self::reboot::replace;
use crate::render::with_size_or_without;

/// Where a container is made: which network it is in, and what it is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A container with a network of its own, whose ports are published.
    Own,
    /// One that shares the network of the container it takes over from, which the shell's `$mode` names.
    Shared,
    /// One for a moment, beside the one whose ports are published. The shell's `$publish` is what it needs of that.
    Bridge,
}

/// Where docker's words about the log's size are kept for a moment.
const SAID: &str = ".kamal/proxy/start.log";

/// Starts the proxy's container, creating it when it is not there.
pub(crate) fn ensure(spec: &ProxyContainerSpec) -> String {
    format!(
        "mkdir -p {}; docker container start kamal-proxy >/dev/null 2>&1 || {{ {}; }}",
        naming::PROXY_APPS_CONFIG,
        made(spec, "docker run --detach --name kamal-proxy", Place::Own)
    )
}

/// Fails unless the proxy runs and reaches the network of the containers it leads to.
pub(crate) fn check() -> String {
    format!(
        "case $(docker container inspect --format '{{{{.State.Running}}}} {{{{.HostConfig.NetworkMode}}}} \
         {{{{range $name, $_ := .NetworkSettings.Networks}}}}{{{{$name}}}} {{{{end}}}}' {proxy} 2>/dev/null) in \
         'true host '*|'true container:'*|'true '*' {network} '*) ;;\n\
         'true '*) echo '{proxy} is not on the network {network} any more; `docker network connect {network} {proxy}` or `kamal proxy reboot`' >&2; (exit 1);;\n\
         *) echo '{proxy} does not run any more; see `kamal proxy logs`' >&2; docker logs --tail 10 {proxy} >&2; (exit 1);; esac",
        proxy = naming::PROXY_CONTAINER,
        network = naming::NETWORK,
    )
}

/// Whether docker limits the log where nothing is configured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Log {
    Limited,
    Unlimited,
}

/// Makes the container.
fn made(spec: &ProxyContainerSpec, verb: &str, place: Place) -> String {
    let (limited, unlimited) = (command(spec, verb, place, Log::Limited), command(spec, verb, place, Log::Unlimited));
    with_size_or_without(&limited, &unlimited, SAID)
}

/// The command that makes the container. Without `proxy.run` Kamal's legacy files on the host have their say.
fn command(spec: &ProxyContainerSpec, verb: &str, place: Place, log: Log) -> String {
    let (volume, apps) = (format!("{}-config", naming::PROXY_CONTAINER), naming::PROXY_APPS_CONFIG);
    let (network, restart) = match place {
        Place::Own => (naming::NETWORK, "unless-stopped"),
        Place::Shared => ("\"$mode\"", "unless-stopped"),
        Place::Bridge => (naming::NETWORK, "no $publish"),
    };
    let base = format!(
        "{verb} --network {network} --restart {restart} \
         --volume {volume}:/home/kamal-proxy/.config/kamal-proxy --volume $PWD/{apps}:{}",
        naming::PROXY_APPS_CONFIG_INSIDE
    );
    match &spec.run {
        Some(run) => {
            let mut words = vec![base];
            if run.publish && place == Place::Own {
                let bind = |ip: &String| if ip.contains(':') { format!("[{ip}]:") } else { format!("{ip}:") };
                let ips: Vec<String> =
                    if run.bind_ips.is_empty() { vec![String::new()] } else { run.bind_ips.iter().map(bind).collect() };
                for ip in ips {
                    words.push(format!("--publish {ip}{}:80 --publish {ip}{}:443", run.http_port, run.https_port));
                    words.extend(run.http3.then(|| format!("--publish {ip}{}:443/udp", run.https_port)));
                }
            }
            let limit = run.log_max_size.iter().filter(|_| log == Log::Limited);
            words.extend(limit.map(|size| format!("--log-opt {}", word(&format!("max-size={size}")))));
            words.extend(run.metrics_port.iter().map(|port| format!("--expose={port}")));
            let mut given = run.options.clone();
            given.retain(|(name, _)| place == Place::Own || !name.starts_with("publish"));
            words.extend(options(&given));
            let registry = run.registry.iter().map(|registry| format!("{registry}/")).collect::<String>();
            let configured = format!("{registry}{}:{}", run.repository, run.version);
            words.push(spec.image.as_ref().map_or(configured, ToString::to_string));
            words.push("kamal-proxy run".to_owned());
            words.extend(run.debug.then(|| "--debug".to_owned()));
            words.extend(run.http3.then(|| "--http3".to_owned()));
            words.extend(run.metrics_port.iter().map(|port| format!("--metrics-port \"{port}\"")));
            words.extend((place == Place::Shared).then(|| "--takeover".to_owned()));
            words.join(" ")
        }
        None => {
            let image = spec.image.as_ref().map_or_else(
                || format!("{}:{}", naming::PROXY_REPOSITORY, naming::PROXY_MINIMUM_VERSION),
                ToString::to_string,
            );
            let (command, takeover) = match place {
                Place::Own | Place::Bridge => ("", ""),
                Place::Shared => ("kamal-proxy run", " --takeover"),
            };
            // Ports are published by whoever owns the network.
            let mut filter = if place == Place::Own { "" } else { " | sed 's/--publish[= ][^ ]*//g'" }.to_owned();
            if log == Log::Unlimited {
                filter.push_str(" | sed 's/--log-opt[= ]max-size=[^ ]*//g'");
            }
            format!("{}{takeover} | xargs {base}", legacy(&image, &filter, command))
        }
    }
}

/// How the proxy would be made from Kamal's legacy files.
pub(crate) fn boot_config() -> String {
    legacy(&format!("{}:{}", naming::PROXY_REPOSITORY, naming::PROXY_MINIMUM_VERSION), "", "")
}

/// What Kamal's legacy files come to: options, image and command, each with what holds where its file is not there.
fn legacy(image: &str, filter: &str, command: &str) -> String {
    let (repository, version) = image.rsplit_once(':').unwrap_or((image, "latest"));
    format!(
        "echo $({{ cat .kamal/proxy/options 2> /dev/null || echo \"{}\"; }}{filter}) \
         $(cat .kamal/proxy/image 2> /dev/null || echo \"{repository}\"):$(cat .kamal/proxy/image_version 2> /dev/null || echo \"{version}\") \
         $(cat .kamal/proxy/run_command 2> /dev/null || echo \"{command}\")",
        naming::PROXY_DEFAULT_OPTIONS
    )
}

#[cfg(test)]
mod tests {
    use kamal_core::config::model::{OptionValue, ProxyRun};

    use super::*;

    #[test]
    fn only_the_container_that_stays_publishes() {
        let spec = ProxyContainerSpec { run: None, image: None };
        let own = command(&spec, "docker run", Place::Own, Log::Limited);
        assert!(own.contains("--publish 80:80") && own.contains("--network kamal ") && !own.contains("takeover"));
        let shared = command(&spec, "docker run", Place::Shared, Log::Limited);
        assert!(shared.contains("sed 's/--publish") && shared.contains("--network \"$mode\""), "{shared}");
        assert!(shared.contains("echo \"kamal-proxy run\") --takeover | xargs"), "{shared}");
        let bridge = command(&spec, "docker run", Place::Bridge, Log::Limited);
        assert!(bridge.contains("sed 's/--publish") && !bridge.contains("takeover"), "{bridge}");
        assert!(bridge.contains("--network kamal --restart no $publish --volume"), "{bridge}");
    }

    #[test]
    fn wherever_it_is_made_it_can_do_without_a_size_for_its_log() {
        let spec = ProxyContainerSpec { run: None, image: None };
        for place in [Place::Own, Place::Shared, Place::Bridge] {
            let made = made(&spec, "docker run", place);
            assert!(made.contains("grep -q max-size") && made.contains("sed 's/--log-opt[= ]max-size"), "{made}");
        }
    }

    #[test]
    fn nor_do_options_publish_elsewhere() {
        let option = |name: &str, value: &str| (name.to_owned(), OptionValue::One(value.to_owned()));
        let run = ProxyRun {
            http_port: 8080,
            https_port: 8443,
            bind_ips: vec!["10.0.0.1".to_owned()],
            publish: true,
            metrics_port: None,
            debug: false,
            http3: true,
            log_max_size: None,
            registry: None,
            repository: "kamal-proxy".to_owned(),
            version: "v1".to_owned(),
            image_chosen: true,
            options: vec![option("publish", "9090:9090"), option("memory", "1g")],
        };
        let spec = ProxyContainerSpec { run: Some(run), image: None };
        let own = command(&spec, "docker run", Place::Own, Log::Limited);
        assert!(
            own.contains("--publish 10.0.0.1:8080:80 --publish 10.0.0.1:8443:443 --publish 10.0.0.1:8443:443/udp"),
            "{own}"
        );
        assert!(own.contains("kamal-proxy run --http3"), "{own}");
        assert!(own.contains("--publish \"9090:9090\" --memory \"1g\""), "{own}");
        for place in [Place::Shared, Place::Bridge] {
            let other = command(&spec, "docker run", place, Log::Limited);
            assert!(!other.contains("--publish") && other.contains("--memory \"1g\""), "{other}");
        }
    }
}
