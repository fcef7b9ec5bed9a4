//! A service with an image from elsewhere, as an accessory.

use super::super::HOST;
use super::super::tree::{Map, Tree};
use super::env::{Setting, tree};
use super::mounts;
use super::ports::Port;
use super::service::Service;
use super::{Reader, Store, one_or_several};

/// What is meant for the app alone, and is not put on the internet.
const STORES: [&str; 16] = [
    "clickhouse",
    "couchdb",
    "elasticsearch",
    "kafka",
    "mariadb",
    "meilisearch",
    "memcached",
    "mongo",
    "mysql",
    "opensearch",
    "postgres",
    "postgis",
    "rabbitmq",
    "redis",
    "typesense",
    "valkey",
];

/// The accessory.
pub(super) fn accessory(reader: &mut Reader<'_>, service: &Service) -> Map {
    let path = service.path();
    let mut all = Map::default();
    if let Some((name, _)) = &service.container_name {
        all.put("service", reader.marks().settled(name));
    }
    all.put("image", service.image.clone().unwrap_or_default());
    all.put("host", HOST);
    all.put_some("cmd", service.command.clone());
    let mut options = service.options.clone();
    ports(reader, service, &mut all, &mut options);
    let settings: Vec<Setting> =
        service.env.iter().map(|variable| variable.setting(reader, &service.name, &path)).collect();
    all.put("env", tree(&settings));
    all.put("labels", service.labels.clone());
    let mut mounts = service.mounts.clone();
    grants(reader, service, &mut mounts);
    mounts::of_accessory(reader, &path, &mounts, &mut all);
    if let Some(health) = service.health.clone() {
        health.into_options(&mut options);
    }
    logging(&service.logging, &mut options);
    options.put_some("stop-timeout", service.stop_timeout.map(|seconds| seconds.to_string()));
    if let Some(policy) = service.restart.as_deref().filter(|policy| !["always", "unless-stopped"].contains(policy)) {
        options.put("restart", if policy == "false" { "no" } else { policy });
    }
    match service.network_mode.as_ref() {
        Some((mode, _)) if mode == "host" || mode == "none" => all.put("network", mode.clone()),
        Some((mode, span)) if mode != "bridge" && mode != "default" => {
            reader.note(*span, format!("{path}/network_mode"), format!("{mode} cannot be the network of an accessory"));
        }
        _ => {}
    }
    if all.get("network").is_none() {
        let names = [service.name.clone()].into_iter().chain(service.aliases.clone());
        let mut names: Vec<String> = names.collect();
        names.dedup();
        options.put("network-alias", one_or_several(names));
    }
    all.put("options", options);
    if !service.route.hosts.is_empty() {
        let mut proxy = Map::default();
        service.route.clone().into_proxy(reader.marks(), &mut proxy);
        all.put("proxy", proxy);
    }
    all
}

fn is_store(reader: &Reader<'_>, service: &Service) -> bool {
    let image = service.image.as_deref().map(|image| reader.marks().settled(image)).unwrap_or_default();
    let name = image.rsplit('/').next().unwrap_or_default().split(':').next().unwrap_or_default().to_owned();
    STORES.iter().any(|store| name.contains(store))
}

fn ports(reader: &mut Reader<'_>, service: &Service, all: &mut Map, options: &mut Map) {
    let what = format!("{}/ports", service.path());
    let mut published = Vec::new();
    for port in &service.ports {
        let mut port = Port { ..port.clone() };
        if matches!(port.published.as_deref(), Some("80" | "443")) {
            let why = "kamal-proxy has this port: with `proxy/host`, it leads requests for that host to the accessory";
            reader.note(port.span, what.clone(), why);
            continue;
        }
        if port.address.is_none() && is_store(reader, service) {
            port.address = Some("127.0.0.1".to_owned());
            let why = format!(
                "port {} is published on the host itself only; containers reach it by the name {}",
                port.target, service.name
            );
            reader.note(port.span, what.clone(), why);
        }
        published.push(port.spelled());
    }
    match &published[..] {
        [one] => all.put("port", one.clone()),
        several => options.put("publish", several.to_vec()),
    }
}

/// Secrets and configs are files.
fn grants(reader: &mut Reader<'_>, service: &Service, into: &mut Vec<mounts::Mount>) {
    for grant in &service.grants {
        match reader.store(&grant.source) {
            Store::File(file) => {
                let source = Some(if file.starts_with(['/', '.', '~']) { file } else { format!("./{file}") });
                into.push(mounts::Mount {
                    span: grant.span,
                    source,
                    target: grant.target.clone(),
                    options: Some("ro".to_owned()),
                });
            }
            _ => {
                let kind = if grant.secret { "secrets" } else { "configs" };
                let why =
                    format!("no file holds it: put it into one, and name that below `files`, as FILE:{}", grant.target);
                reader.note(grant.span, format!("{}/{kind}/{}", service.path(), grant.source), why);
            }
        }
    }
}

/// Docker's logging, as options.
fn logging(logging: &Map, options: &mut Map) {
    options.put_some("log-driver", logging.get("driver").cloned());
    if let Some(Tree::Map(of_driver)) = logging.get("options") {
        let each = of_driver.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.text()?)));
        options.put("log-opt", each.collect::<Vec<_>>());
    }
}
