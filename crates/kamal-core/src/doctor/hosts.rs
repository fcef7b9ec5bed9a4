//! How checks of hosts judge.

use super::{
    Judgement::{Failed, Ok, Warning},
    Patient, Surveyed,
    checks::Verdict,
};
use crate::{
    config::model::{Proxy, ProxyRun, Ssl},
    error::HostError,
    naming,
    run::fits,
    state::HostState,
    vitals::{Published, Room, Vitals, size},
};

/// A host that was reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'s> {
    pub(super) patient: &'s Patient<'s>,
    pub(super) state: &'s HostState,
    pub(super) vitals: &'s Vitals,
}

/// The oldest Docker that knows all that is asked of it.
const OLDEST_DOCKER: (u64, u64) = (20, 10);
/// Bytes of disk and memory below which a deploy is unlikely to succeed, and below which it is time to know.
const DISK: (u64, u64) = (500_000_000, 3_000_000_000);
const MEMORY: (u64, u64) = (50_000_000, 200_000_000);
/// Seconds clocks may be apart, and seconds from which certificates and logins suffer.
const SKEW: (i64, i64) = (5, 60);
/// Days before the end of a certificate by which it should have been renewed.
const RENEWED: i64 = 14;

impl Seen<'_> {
    /// What the proxy serves on this host.
    fn served(&self) -> impl Iterator<Item = &Proxy> {
        let host = &self.state.host;
        let config = self.patient.config;
        let roles = config.roles.iter().filter(move |role| role.hosts.iter().any(|tagged| tagged.name == *host));
        let accessories = config.accessories.iter().filter(move |accessory| accessory.hosts.contains(host));
        roles.filter_map(|role| role.proxy.as_ref()).chain(accessories.filter_map(|accessory| accessory.proxy.as_ref()))
    }

    /// What clients come to on this host; to roles they come at the load balancer, where there is one.
    fn entered(&self) -> impl Iterator<Item = &Proxy> {
        let elsewhere = self.patient.config.loadbalancer.as_ref().is_some_and(|host| *host != self.state.host);
        let accessories = self.patient.config.accessories.iter().filter(|one| one.hosts.contains(&self.state.host));
        let of_accessories = accessories.filter_map(|accessory| accessory.proxy.as_ref()).filter(move |_| elsewhere);
        self.served().filter(move |_| !elsewhere).chain(of_accessories)
    }

    /// How the proxy's container is to be started.
    fn run(&self) -> Option<&ProxyRun> {
        self.served().find_map(|proxy| proxy.run.as_ref())
    }

    fn has_proxy(&self) -> bool {
        self.patient.targets.proxy_hosts.contains(&self.state.host)
    }
}

pub(super) fn reached(one: &Surveyed) -> Verdict {
    match &one.found {
        Result::Ok((state, _)) => (Ok, format!("logged in as {}", state.machine.user)),
        Err(error @ HostError::Transport(_)) => (Failed, error.to_string()),
        Err(error) => (Failed, format!("reached, but it cannot be asked: {error}")),
    }
}

pub(super) fn docker(seen: &Seen<'_>) -> Option<Verdict> {
    let docker = &seen.vitals.docker;
    Some(match &docker.version {
        Some(version) if is_older(version, OLDEST_DOCKER) => {
            let (major, minor) = OLDEST_DOCKER;
            (Failed, format!("Docker {version}, which is older than {major}.{minor}"))
        }
        Some(version) => (Ok, format!("Docker {version}")),
        None if docker.installed => (Failed, format!("Docker does not answer: {}", docker.complaint)),
        None => (Failed, "there is no Docker".to_owned()),
    })
}

/// Whether a version is older than another. What is no number is none.
fn is_older(version: &str, than: (u64, u64)) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse::<u64>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), minor) => (major, minor.unwrap_or_default()) < than,
        _ => false,
    }
}

pub(super) fn rights(seen: &Seen<'_>) -> Option<Verdict> {
    let user = &seen.state.machine.user;
    let groups = &seen.vitals.groups;
    Some(match groups.iter().find(|group| ["root", "docker"].contains(&group.as_str())) {
        _ if user == "root" => (Ok, "root".to_owned()),
        Some(group) => (Ok, format!("{user} is in the group {group}")),
        None if seen.vitals.docker.version.is_some() => (Ok, format!("Docker answers {user}")),
        None => (Failed, format!("{user} is not in the group docker")),
    })
}

pub(super) fn log_driver(seen: &Seen<'_>) -> Option<Verdict> {
    let driver = seen.vitals.docker.log_driver.as_deref()?;
    // Containers that are told where to log do not mind.
    let told = seen.patient.config.logging.driver.is_some();
    Some(match driver {
        "none" if told => (Ok, "none, but deploy.yml has another".to_owned()),
        "none" => (Failed, "none: nothing is kept".to_owned()),
        "json-file" | "local" | "journald" => (Ok, driver.to_owned()),
        other => (Warning, format!("{other}: logs may be elsewhere")),
    })
}

pub(super) fn disk(seen: &Seen<'_>) -> Option<Verdict> {
    Some(room(seen.vitals.disk?, DISK))
}

pub(super) fn memory(seen: &Seen<'_>) -> Option<Verdict> {
    Some(room(seen.vitals.memory?, MEMORY))
}

fn room(room: Room, (least, little): (u64, u64)) -> Verdict {
    let said = format!("{} of {} free", size(room.free), size(room.total));
    let result = match room.free {
        free if free < least => Failed,
        free if free < little => Warning,
        _ => Ok,
    };
    (result, said)
}

pub(super) fn clock(seen: &Seen<'_>) -> Option<Verdict> {
    let ahead = seen.vitals.now? - seen.patient.at.as_second();
    let result = match ahead.abs() {
        apart if apart > SKEW.1 => Failed,
        apart if apart > SKEW.0 => Warning,
        _ => Ok,
    };
    let said = match ahead {
        0 => "they agree".to_owned(),
        1.. => format!("{ahead} s ahead of this machine's"),
        _ => format!("{} s behind this machine's", -ahead),
    };
    Some((result, said))
}

pub(super) fn ports(seen: &Seen<'_>) -> Option<Verdict> {
    if !seen.has_proxy() || seen.run().is_some_and(|run| !run.publish) {
        return None;
    }
    let (http, https) = seen.run().map_or((80, 443), |run| (run.http_port, run.https_port));
    let owners = |port: u16| {
        let owner = seen.vitals.published.iter().find(|published| published.port == port);
        let listens = seen.vitals.listeners.iter().any(|listener| listener.port == port && !listener.loopback);
        owner.map(|owner| owner.container.clone()).or_else(|| listens.then(|| "a program on the host".to_owned()))
    };
    let mut taken = Vec::new();
    let mut said = Vec::new();
    let runs = seen.state.proxy.as_ref().is_some_and(|proxy| proxy.state.is_current());
    for port in [http, https] {
        match owners(port) {
            None => said.push(format!("{port} is free")),
            Some(owner) if owner == naming::PROXY_CONTAINER => said.push(format!("{port} is ours")),
            // A proxy on the host's network publishes nothing.
            Some(owner) if runs && !seen.vitals.published.iter().any(|published| published.container == owner) => {
                said.push(format!("{port} is ours"));
            }
            Some(owner) => taken.push(format!("{port} is taken by {owner}")),
        }
    }
    Some(if taken.is_empty() { (Ok, said.join(", ")) } else { (Failed, taken.join(", ")) })
}

pub(super) fn dns(seen: &Seen<'_>) -> Option<Verdict> {
    let names: Vec<&String> =
        seen.entered().flat_map(|proxy| &proxy.hosts).filter(|name| !name.contains('*')).collect();
    if names.is_empty() {
        return None;
    }
    let known = seen.vitals.names.get(seen.state.host.as_str());
    let own: Vec<&String> = seen.vitals.addresses.iter().chain(known.into_iter().flatten()).collect();
    let (mut ok, mut odd) = (Vec::new(), Vec::new());
    for name in names {
        match seen.vitals.names.get(name).map(Vec::as_slice) {
            None | Some([]) => odd.push(format!("{name} has no address")),
            Some(found)
                if found.iter().any(|address| own.contains(&address) || seen.state.host.as_str() == address) =>
            {
                ok.push(format!("{name} leads here"));
            }
            Some(found) => odd.push(format!("{name} leads to {}", found.join(", "))),
        }
    }
    Some(if odd.is_empty() { (Ok, ok.join(", ")) } else { (Warning, odd.join(", ")) })
}

pub(super) fn certificates(seen: &Seen<'_>) -> Option<Verdict> {
    if seen.entered().all(|proxy| proxy.ssl == Ssl::Off) {
        return None;
    }
    let now = seen.patient.at.as_second();
    let all = &seen.vitals.certificates;
    let left = |days: i64| if days < 0 { "has ended".to_owned() } else { format!("is good for {days} days") };
    let said: Vec<String> =
        all.iter().map(|one| format!("that of {} {}", one.host, left(one.days_left(now)))).collect();
    Some(match all.iter().map(|one| one.days_left(now)).min() {
        None if seen.state.routes.is_empty() => (Ok, "none yet: nothing is deployed".to_owned()),
        None => (Warning, "the proxy holds none for what it serves".to_owned()),
        Some(days) if days < 0 => (Failed, said.join(", ")),
        Some(days) if days < RENEWED => (Warning, said.join(", ")),
        Some(_) => (Ok, said.join(", ")),
    })
}

pub(super) fn published(seen: &Seen<'_>) -> Option<Verdict> {
    let open = |published: &&Published| published.is_for_all() && published.container != naming::PROXY_CONTAINER;
    let mut all: Vec<String> = seen
        .vitals
        .published
        .iter()
        .filter(open)
        .map(|published| format!("{} publishes {}", published.container, published.port))
        .collect();
    all.sort();
    all.dedup();
    if all.is_empty() {
        return Some((Ok, "nothing but the proxy".to_owned()));
    }
    let past = seen.vitals.firewall.iter().map(|name| format!("; {name} does not keep anybody out"));
    Some((Warning, format!("{}{}", all.join(", "), past.collect::<String>())))
}

pub(super) fn architecture(seen: &Seen<'_>) -> Option<Verdict> {
    let (arch, built) = (&seen.state.machine.arch, &seen.patient.config.builder.arches);
    let is_app = seen.patient.targets.app_hosts.contains(&seen.state.host);
    (is_app && !arch.is_empty()).then(|| {
        let built_for = if built.is_empty() { "the builder's own".to_owned() } else { built.join(" and ") };
        let fits = fits(&seen.state.machine, built);
        (if fits { Ok } else { Failed }, format!("the host is {arch}, the image is built for {built_for}"))
    })
}

pub(super) fn registry(seen: &Seen<'_>) -> Option<Verdict> {
    let registry = &seen.patient.config.registry;
    seen.vitals.docker.version.as_ref()?;
    if !registry.needs_login() {
        return None;
    }
    let server = registry.server.as_deref().unwrap_or("Docker Hub");
    Some(match seen.vitals.logged_in {
        true => (Ok, format!("logged in to {server}")),
        false => (Warning, format!("not logged in to {server}")),
    })
}

pub(super) fn proxy(seen: &Seen<'_>) -> Option<Verdict> {
    seen.vitals.docker.version.as_ref()?;
    if !seen.has_proxy() {
        return None;
    }
    let deployed = !seen.state.history.is_empty();
    Some(match &seen.state.proxy {
        Some(proxy) if proxy.state.is_current() => (Ok, format!("{} runs", proxy.image)),
        Some(proxy) => (if deployed { Failed } else { Warning }, format!("{} is {}", proxy.image, proxy.state.word())),
        None if deployed => (Failed, "there is none, though something was deployed".to_owned()),
        None => (Ok, "none yet: nothing is deployed".to_owned()),
    })
}
