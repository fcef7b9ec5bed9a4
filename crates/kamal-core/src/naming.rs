//! Every name two places must agree on: containers, folders, filters, images (spec chapter 6). Either tool can take a
//! host over from the other because both spell these alike.

use crate::{
    config::Config,
    name::{ContainerName, Destination, ImageRef, RoleName, Version},
    plan::fnv1a,
};

/// The folder below the login directory in which everything of Kamal's lives.
pub(crate) const RUN_DIRECTORY: &str = ".kamal";
/// The proxy's container.
pub const PROXY_CONTAINER: &str = "kamal-proxy";
/// The docker network containers share.
pub const NETWORK: &str = "kamal";
/// The oldest kamal-proxy Kamal 2.12 works with, and the version it boots (spec 2.10).
pub const PROXY_MINIMUM_VERSION: &str = "v0.9.2";
/// The proxy's repository where none is configured.
pub const PROXY_REPOSITORY: &str = "basecamp/kamal-proxy";
/// The id of the user the proxy runs as in its container.
pub const PROXY_USER: u32 = 1001;
/// How the proxy's container is made where neither `proxy.run` nor Kamal's legacy files say otherwise.
pub const PROXY_DEFAULT_OPTIONS: &str = "--publish 80:80 --publish 443:443 --log-opt max-size=10m";
/// Host folder that is mounted into the proxy.
pub const PROXY_APPS_CONFIG: &str = ".kamal/proxy/apps-config";
/// The same folder inside the proxy's container.
pub const PROXY_APPS_CONFIG_INSIDE: &str = "/home/kamal-proxy/.apps-config";

/// How long a name may be that others look up.
const LABEL: usize = 63;

/// `SERVICE[-DEST]`.
#[must_use]
pub(crate) fn service_with_destination(config: &Config) -> String {
    with_destination(&config.service, config.destination.as_ref())
}

fn with_destination(text: &str, destination: Option<&Destination>) -> String {
    destination.map_or_else(|| text.to_owned(), |destination| format!("{text}-{destination}"))
}

/// `SERVICE-ROLE[-DEST]`: what a role's containers begin with, and its name in kamal-proxy.
#[must_use]
pub fn container_prefix(config: &Config, role: &RoleName) -> String {
    with_destination(&format!("{}-{role}", config.service), config.destination.as_ref())
}

/// `SERVICE-ROLE[-DEST]-VERSION`.
#[must_use]
pub fn container(config: &Config, role: &RoleName, version: &Version) -> ContainerName {
    ContainerName::of_checked(format!("{}-{version}", container_prefix(config, role)))
}

/// The version in a container's name, if it is one of the role's.
#[must_use]
pub fn version_of(config: &Config, role: &RoleName, container: &str) -> Option<Version> {
    container.strip_prefix(&container_prefix(config, role))?.strip_prefix('-').and_then(|version| version.parse().ok())
}

/// `.kamal/apps/SERVICE[-DEST]`.
#[must_use]
pub(crate) fn app_directory(config: &Config) -> String {
    format!("{RUN_DIRECTORY}/apps/{}", service_with_destination(config))
}

/// A role's env file.
#[must_use]
pub fn role_env_file(config: &Config, role: &RoleName) -> String {
    format!("{}/env/roles/{role}.env", app_directory(config))
}

/// The note of a rollout that is under way.
#[must_use]
pub fn rollout_note(config: &Config) -> String {
    format!("{}/rollout", app_directory(config))
}

/// An accessory's env file.
#[must_use]
pub fn accessory_env_file(config: &Config, accessory: &str) -> String {
    format!("{}/{accessory}.env", accessory_env_directory(config))
}

/// The folder of accessories' env files: it has one for each accessory that was booted on the host.
#[must_use]
pub fn accessory_env_directory(config: &Config) -> String {
    format!("{}/env/accessories", app_directory(config))
}

/// Folder of a version's assets, `kind` being `extracted` or `volumes`.
#[must_use]
pub fn assets(config: &Config, kind: &str, role: &RoleName, version: &Version) -> String {
    format!("{}/assets/{kind}/{role}-{version}", app_directory(config))
}

/// The app's folder inside [`PROXY_APPS_CONFIG`].
#[must_use]
pub fn apps_config(config: &Config) -> String {
    format!("{PROXY_APPS_CONFIG}/{}", service_with_destination(config))
}

/// The same folder as the proxy sees it.
#[must_use]
pub fn apps_config_inside(config: &Config) -> String {
    format!("{PROXY_APPS_CONFIG_INSIDE}/{}", service_with_destination(config))
}

/// The folder of a version's error pages as the proxy sees it.
#[must_use]
pub(crate) fn error_pages_inside(config: &Config, version: &Version) -> String {
    format!("{}/error_pages/{version}", apps_config_inside(config))
}

/// What the proxy checks a container of a service as before anybody is led to it.
#[must_use]
pub fn probe(service: &str) -> String {
    format!("{service}-next")
}

/// The container the release command runs in. No version's container has such a name.
#[must_use]
pub(crate) fn release_container(config: &Config, role: &RoleName) -> ContainerName {
    ContainerName::of_checked(format!("{}_release", container_prefix(config, role)))
}

/// The deploy lock's folder (spec chapter 8).
#[must_use]
pub fn lock_directory(config: &Config) -> String {
    format!("{RUN_DIRECTORY}/lock-{}", service_with_destination(config))
}

/// The audit log (spec 6.4).
#[must_use]
pub fn audit_log(config: &Config) -> String {
    format!("{RUN_DIRECTORY}/{}-audit.log", service_with_destination(config))
}

/// `REPOSITORY:VERSION`.
#[must_use]
pub fn image(config: &Config, version: &Version) -> ImageRef {
    ImageRef::of_checked(format!("{}:{version}", config.repository()))
}

/// `latest`, or `latest-DEST`.
#[must_use]
pub(crate) fn latest_tag(config: &Config) -> Version {
    Version::of_checked(with_destination("latest", config.destination.as_ref()))
}

/// `REPOSITORY:latest[-DEST]`.
#[must_use]
pub fn latest_image(config: &Config) -> ImageRef {
    ImageRef::of_checked(format!("{}:{}", config.repository(), latest_tag(config)))
}

/// The labels that tell a role's containers from all others, in Kamal's order; without a role, those of the service. Without
/// a destination its label is empty, not missing.
#[must_use]
pub fn labels(config: &Config, role: Option<&RoleName>) -> Vec<(String, String)> {
    let destination = config.destination.as_deref().unwrap_or_default();
    let mut labels =
        vec![("service".to_owned(), config.service.to_string()), ("destination".to_owned(), destination.to_owned())];
    labels.extend(role.map(|role| ("role".to_owned(), role.to_string())));
    labels
}

/// The folder of a role's certificate below [`apps_config`].
#[must_use]
pub fn role_certificate(role: &RoleName) -> String {
    format!("tls/{role}")
}

/// The folder of an accessory's certificate below [`apps_config`]: each has its own, and no role has it.
#[must_use]
pub fn accessory_certificate(accessory: &str) -> String {
    format!("tls/accessories/{accessory}")
}

/// The folder of what `x-proxy` has written for a service of the proxy, below [`apps_config`].
#[must_use]
pub fn policies(service: &str) -> String {
    format!("policies/{service}")
}

/// The network over all hosts where `x-cluster` names none: `kamal-SERVICE[-DEST]`.
#[must_use]
pub(crate) fn overlay(config: &Config) -> String {
    format!("{NETWORK}-{}", service_with_destination(config))
}

/// The service of the swarm a role runs as: `SERVICE[-DEST]_ROLE`, which is a stack and a name in it.
#[must_use]
pub fn swarm_service(config: &Config, role: &RoleName) -> ContainerName {
    ContainerName::of_checked(format!("{}_{role}", service_with_destination(config)))
}

/// What a service of the swarm is found by on the network over all hosts: the addresses of all its containers.
#[must_use]
pub fn tasks_of(service: &str) -> String {
    format!("tasks.{service}")
}

/// The label of the hosts a role's containers may be on.
#[must_use]
pub(crate) fn node_label(config: &Config, role: &RoleName) -> String {
    format!("kamal.{}.{role}", service_with_destination(config))
}

/// True for what `--network` takes that is none other containers could be on as well.
#[must_use]
pub fn is_no_network(network: &str) -> bool {
    matches!(network, "host" | "none") || network.starts_with("container:")
}

/// The name under which what there is once on each host answers on the network over all of them. Hosts that are not
/// the same have names that are not.
#[must_use]
pub fn on_host(what: &str, host: &str) -> String {
    let mut name = format!("{what}-");
    for c in host.to_ascii_lowercase().chars() {
        match c {
            '.' => name.push('-'),
            '-' => name.push_str("--"),
            '_' => name.push_str("__"),
            c if c.is_ascii_alphanumeric() => name.push(c),
            _ => name.push('_'),
        }
    }
    if name.len() > LABEL {
        let digest = format!("-{:016x}", fnv1a(name.as_bytes()));
        name.truncate(LABEL - digest.len());
        name.push_str(&digest);
    }
    name
}

/// A container's hostname before its random part: 51 characters of the host at most. What cannot stand in a hostname is
/// a hyphen, and none stands at an end.
#[must_use]
pub fn hostname_stem(host: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let ends = ['-', '_', '.'];
    let whole: String = host.chars().map(fit).collect();
    let stem: String = whole.trim_start_matches(ends).chars().take(51).collect();
    let stem = stem.trim_end_matches(ends);
    if stem.is_empty() { "host".to_owned() } else { stem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostnames_are_cut_like_kamals() {
        assert_eq!(
            hostname_stem("this-hostname-is-really-unacceptably-long-to-be-honest.example.com"),
            "this-hostname-is-really-unacceptably-long-to-be-hon"
        );
        assert_eq!(
            hostname_stem("this-hostname-with-random-part-is-too-long.example.com"),
            "this-hostname-with-random-part-is-too-long.example"
        );
    }

    #[test]
    fn what_is_once_on_each_host_has_a_name_for_each() {
        assert_eq!(on_host("web", "10.77.3.2"), "web-10-77-3-2");
        let hosts = ["a.b", "a-b", "a_b", "a:b", "a.-b", "a--b", "[::1]:22"];
        let names: std::collections::BTreeSet<String> = hosts.iter().map(|host| on_host("web", host)).collect();
        assert_eq!(names.len(), hosts.len(), "{names:?}");
        let long = [format!("{}.a", "x".repeat(80)), format!("{}.b", "x".repeat(80))].map(|host| on_host("web", &host));
        assert!(long[0] != long[1] && long.iter().all(|name| name.len() == LABEL), "{long:?}");
    }

    #[test]
    fn hostnames_begin_and_end_with_a_letter_or_digit() {
        let cut_at = |sign: &str| format!("{}{sign}b.example", "a".repeat(50));
        for sign in ["-", "_", ".", "._-"] {
            assert_eq!(hostname_stem(&cut_at(sign)), "a".repeat(50));
        }
        assert_eq!(hostname_stem("[2001:db8::1]"), "2001-db8--1");
        assert_eq!(hostname_stem("[::1]:2322"), "1--2322");
        assert_eq!(hostname_stem("me@app.example:2222"), "me-app.example-2222");
        assert_eq!(hostname_stem("_app_"), "app");
        assert_eq!(hostname_stem("::"), "host");
    }
}
