//! A simulated host as it is seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::Value;

use super::{
    super::{container::SimContainer, exec::Observed},
    SimHost,
};
use crate::{
    name::{ContainerId, HostName, ImageRef},
    naming,
    state::{Container, Deployed, HostState, Image, Machine, ProxyContainer, RouteState},
};

impl SimHost {
    /// The host as it would be observed.
    fn observed(&self, host: &HostName, asked: &Observed, now: Duration) -> HostState {
        let container = |container: &SimContainer| {
            let named = self.images.get(container.image.as_str()) == Some(&container.image_id);
            let image = if named { container.image.to_string() } else { container.image_id[7..19].to_owned() };
            let (id, name) =
                (ContainerId::parse(container.id.as_str()).expect("ids are digits"), container.name.clone());
            let status = format!("{:?}", container.state);
            let networks = self.swarm.networks_of(&name);
            Container { id, name, image, state: container.state, status, role: container.role(), networks }
        };
        let label = |container: &SimContainer, name: &str| container.labels.get(name).cloned().unwrap_or_default();
        let is_app = |container: &&SimContainer| {
            label(container, "service") == asked.service && label(container, "destination") == asked.destination
        };
        let app = [asked.service.as_str(), asked.destination.as_str()].join("-");
        let env_files = format!(".kamal/apps/{}/env/accessories", app.trim_end_matches('-'));
        let was_booted = |service: &str| {
            let name = service.strip_prefix(&asked.service).and_then(|rest| rest.strip_prefix('-'));
            name.is_some_and(|name| self.env_files.contains_key(&format!("{env_files}/{name}.env")))
        };
        let is_accessory = |container: &&SimContainer| {
            let service = label(container, "service");
            asked.accessories.contains(&service) || (container.role().is_none() && was_booted(&service))
        };
        let image = |(reference, id): (&String, &String)| Image {
            id: id.clone(),
            reference: ImageRef::of_checked(reference.as_str()),
            // What a registry calls an image is its id here.
            digests: vec![id.clone()],
        };
        let route = |(service, id): (&String, &String)| RouteState {
            service: service.clone(),
            hosts: self.served.get(service).cloned().unwrap_or_else(|| "*".to_owned()),
            paths: "/".to_owned(),
            owner: None,
            targets: vec![if self.is_led_to_tasks(service) { id.clone() } else { id.chars().take(12).collect() }],
        };
        let mut networks = self.swarm.networks_of(naming::PROXY_CONTAINER);
        networks.extend((!self.proxy_cut_off).then(|| naming::NETWORK.to_owned()));
        let image_of_proxy = ImageRef::of_checked("basecamp/kamal-proxy:v0.9.2");
        let routes = if self.proxy_runs() { self.routes.iter().map(route).collect() } else { Vec::new() };
        HostState {
            host: host.clone(),
            machine: Machine {
                arch: self.arch.clone().unwrap_or_else(|| "amd64".to_owned()),
                user: "root".into(),
                home: "/root".into(),
                emulated: self.emulated.clone(),
                free: self.free,
            },
            docker: self.docker,
            containers: self.containers.iter().filter(is_app).map(container).collect(),
            accessories: self.containers.iter().filter(is_accessory).map(container).collect(),
            images: self.images.iter().map(image).collect(),
            proxy: self.proxy.map(|state| ProxyContainer { image: image_of_proxy, state, networks }),
            routes,
            history: self.history(),
            apps: self.apps(),
            boot_config: self.files.contains_key(".kamal/proxy/options"),
            network: self.network,
            hides_overlay: false,
            rollout: self.rollouts.get(&format!(".kamal/apps/{}/rollout", app.trim_end_matches('-'))).cloned(),
            joined: self.swarm.joined(),
            lock: self.locks.get(&asked.lock).map(|lock| lock.seen(now)),
            logins: self.logins.iter().cloned().collect(),
        }
    }

    /// All it tells of itself.
    pub(in crate::testing) fn told(&self, host: &HostName, asked: &Observed, elapsed: Duration) -> Value {
        let mut told = serde_json::to_value(self.observed(host, asked, elapsed)).unwrap_or_default();
        told["vitals"] = serde_json::to_value(&self.vitals).unwrap_or_default();
        told["made"] = self.containers.iter().map(SimContainer::inspected).collect();
        told
    }

    fn history(&self) -> Vec<Deployed> {
        let lines = self.audit.iter().zip(&self.audited_at);
        let tagged = lines.filter_map(|(line, at)| {
            let image = line.strip_prefix("Tagging ")?.strip_suffix(" as the latest image")?;
            let version = image.rsplit_once(':')?.1.parse().ok()?;
            Some(Deployed { version, at: at.clone(), by: "ann".to_owned() })
        });
        tagged.collect()
    }

    fn apps(&self) -> Vec<String> {
        let names = self.files.keys().filter_map(|path| path.strip_prefix(".kamal/apps/")?.split('/').next());
        names.map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The host as it is to be seen while its docker is away.
    pub(in crate::testing) fn without_docker(&self) -> Self {
        let mut seen = Self { docker: false, network: false, proxy: None, ..self.clone() };
        seen.containers.clear();
        seen.images.clear();
        seen
    }

    /// What matters of it, each under a name: not ids, times, and what is kept for a rollback.
    #[must_use]
    pub fn essence(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        let mut say = |name: String, value: String| drop(all.insert(name, value));
        for container in self.containers.iter().filter(|container| container.runs()) {
            say(format!("container {}", container.name), format!("{} {:?}", container.image, container.env));
        }
        for service in self.routes.keys() {
            let target = self.routed(service).map(|target| target.name.to_string());
            say(format!("route {service}"), format!("{target:?}"));
        }
        for (path, mode) in &self.files {
            say(format!("file {path}"), format!("{mode:o}"));
        }
        for (service, (id, split)) in &self.beside {
            let target = self.containers.iter().find(|found| found.id == *id).map(|found| found.name.to_string());
            // What nobody is led to is of no matter.
            if let Some(percent) = split {
                say(format!("beside {service}"), format!("{percent} % to {target:?}"));
            }
        }
        for (path, rollout) in &self.rollouts {
            say(format!("rollout {path}"), rollout.to_string());
        }
        say("proxy".into(), format!("{:?} {}", self.proxy, self.network));
        say("locks".into(), format!("{:?}", self.locks.keys()));
        say("swarm".into(), format!("{:?} {:?}", self.swarm.member, self.swarm.attached));
        for (name, service) in &self.swarm.services {
            say(format!("service {name}"), format!("{} {}", service.spec.image, service.replicas));
        }
        say("logins".into(), format!("{:?}", self.logins));
        all
    }
}
