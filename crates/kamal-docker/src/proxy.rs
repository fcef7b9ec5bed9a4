//! The proxy's container: started where it is missing, and replaced by a new one (spec 2.10, 9.5).

use kamal_core::{naming, shell::escape::options, step::ProxyContainerSpec};

/// How often a new proxy is looked at before it counts as one that does not answer; at least every fifth of a second.
const LOOKS: u32 = 100;

/// Where a container is made: which network it is in, and whether it takes over from another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A container with a network of its own, whose ports are published.
    Own,
    /// One that shares the network of the container it takes over from, which the shell's `$mode` names.
    Shared,
}

/// Starts the proxy's container, creating it when it is not there.
pub(crate) fn ensure(spec: &ProxyContainerSpec) -> String {
    let run = made(spec, "docker run --detach --name kamal-proxy", Place::Own);
    format!("mkdir -p {}; docker container start kamal-proxy >/dev/null 2>&1 || {run}", naming::PROXY_APPS_CONFIG)
}

/// Puts a new container in the place of the old one.
///
/// Where the old one's network outlives it (the host's, or that of a third container), the new one takes over its
/// sockets and nobody notices. A container with published ports cannot hand them on: docker takes network and ports away
/// when it ends. There the new container is made, and its image fetched, before the old one stops, so that no more than
/// stopping and starting lies between them, and an image or an option that is wrong leaves the old one serving.
pub(crate) fn replace(spec: &ProxyContainerSpec) -> String {
    let take_over = made(spec, "docker run --detach --name kamal-proxy", Place::Shared);
    let create = made(spec, "docker create --name kamal-proxy_next", Place::Own);
    format!(
        "(mkdir -p {apps}\n\
         answers() {{ n=0; until docker exec kamal-proxy kamal-proxy list >/dev/null 2>&1; do \
         n=$((n + 1)); [ $n -lt {LOOKS} ] || return 1; sleep 0.2 2>/dev/null || sleep 1; done; }}\n\
         mode=$(docker inspect --format '{{{{.HostConfig.NetworkMode}}}}' kamal-proxy 2>/dev/null)\n\
         case $mode in host|container:*) docker exec kamal-proxy kamal-proxy run --help 2>/dev/null | \
         grep -q -e --takeover || mode=;; *) mode=;; esac\n\
         if [ -n \"$mode\" ]; then\n\
         docker rename kamal-proxy kamal-proxy_replaced && docker update --restart no kamal-proxy_replaced >/dev/null || exit 1\n\
         if ! {{ {take_over} && answers; }}; then\n\
         docker logs --tail 20 kamal-proxy >&2; docker rm --force kamal-proxy >/dev/null 2>&1\n\
         docker rename kamal-proxy_replaced kamal-proxy; docker update --restart unless-stopped kamal-proxy >/dev/null\n\
         echo 'the new proxy did not take over; the old one goes on serving' >&2; exit 1; fi\n\
         docker wait kamal-proxy_replaced >/dev/null; docker rm kamal-proxy_replaced >/dev/null\n\
         else\n\
         docker rm --force kamal-proxy_next >/dev/null 2>&1\n\
         {create} >/dev/null || exit 1\n\
         docker container stop kamal-proxy >/dev/null 2>&1; docker container rm --force kamal-proxy >/dev/null 2>&1\n\
         docker rename kamal-proxy_next kamal-proxy && docker start kamal-proxy || exit 1\n\
         answers || {{ docker logs --tail 20 kamal-proxy >&2; exit 1; }}\n\
         fi\n\
         docker container prune --force --filter label=org.opencontainers.image.title=kamal-proxy)",
        apps = naming::PROXY_APPS_CONFIG,
    )
}

/// The command that makes the container. Without `proxy.run` Kamal's legacy files on the host have their say.
fn made(spec: &ProxyContainerSpec, verb: &str, place: Place) -> String {
    let (volume, apps) = (format!("{}-config", naming::PROXY_CONTAINER), naming::PROXY_APPS_CONFIG);
    let network = if place == Place::Shared { "\"$mode\"" } else { naming::NETWORK };
    let base = format!(
        "{verb} --network {network} --restart unless-stopped \
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
                }
            }
            words.extend(run.log_max_size.iter().map(|size| format!("--log-opt max-size={size}")));
            words.extend(run.metrics_port.iter().map(|port| format!("--expose={port}")));
            words.extend(options(&run.options));
            let registry = run.registry.iter().map(|registry| format!("{registry}/")).collect::<String>();
            let configured = format!("{registry}{}:{}", run.repository, run.version);
            words.push(spec.image.as_ref().map_or(configured, ToString::to_string));
            words.push("kamal-proxy run".to_owned());
            words.extend(run.debug.then(|| "--debug".to_owned()));
            words.extend(run.metrics_port.iter().map(|port| format!("--metrics-port \"{port}\"")));
            words.extend((place == Place::Shared).then(|| "--takeover".to_owned()));
            words.join(" ")
        }
        None => {
            let image = spec.image.as_ref().map_or_else(
                || format!("{}:{}", naming::PROXY_REPOSITORY, naming::PROXY_MINIMUM_VERSION),
                ToString::to_string,
            );
            let (repository, version) = image.rsplit_once(':').unwrap_or((&image, "latest"));
            // Ports are published by whoever owns the network.
            let (filter, command, takeover) = match place {
                Place::Own => ("", "", ""),
                Place::Shared => (" | sed 's/--publish[= ][^ ]*//g'", "kamal-proxy run", " --takeover"),
            };
            format!(
                "echo $({{ cat .kamal/proxy/options 2> /dev/null || echo \"--publish 80:80 --publish 443:443 --log-opt max-size=10m\"; }}{filter}) \
                 $(cat .kamal/proxy/image 2> /dev/null || echo \"{repository}\"):$(cat .kamal/proxy/image_version 2> /dev/null || echo \"{version}\") \
                 $(cat .kamal/proxy/run_command 2> /dev/null || echo \"{command}\"){takeover} | xargs {base}"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_takes_over_publishes_nothing() {
        let spec = ProxyContainerSpec { run: None, image: None };
        let own = made(&spec, "docker run", Place::Own);
        assert!(own.contains("--publish 80:80") && own.contains("--network kamal ") && !own.contains("takeover"));
        let shared = made(&spec, "docker run", Place::Shared);
        assert!(shared.contains("sed 's/--publish") && shared.contains("--network \"$mode\""), "{shared}");
        assert!(shared.contains("echo \"kamal-proxy run\") --takeover | xargs"), "{shared}");
    }
}
