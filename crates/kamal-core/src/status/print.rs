//! A fleet on one screen.

use std::fmt::{Display, Formatter, Result};

use super::{Health, Host, Service, Status};
use crate::{name::HostName, table::table, vitals::size};

/// A certificate that ends within so many days is marked.
const SOON: i64 = 14;

impl Display for Health {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.pad(match self {
            Self::Serving => "serving",
            Self::Running => "running",
            Self::NotServing => "not serving",
            Self::Unhealthy => "unhealthy",
            Self::Restarting => "restarting",
            Self::Stopped => "stopped",
            Self::Missing => "missing",
        })
    }
}

impl Display for Status {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let destination = self.destination.iter().map(|name| format!(" ({name})")).collect::<String>();
        let versions = match &self.versions[..] {
            [] => "nothing runs".to_owned(),
            [one] => one.to_string(),
            several => format!("{} versions at once", several.len()),
        };
        let reached = self.hosts.iter().filter(|host| host.error.is_none()).count();
        let health = if self.healthy { "healthy" } else { "not healthy" };
        writeln!(f, "{}{destination}: {versions}, {health}, {reached} of {} hosts", self.service, self.hosts.len())?;
        if let Some(lock) = &self.lock {
            writeln!(f, "Locked on {}: {}", lock.host, lock.details.replace('\n', ", "))?;
        }
        self.services.iter().try_for_each(|service| writeln!(f, "{service}"))?;
        for rollout in &self.rollouts {
            let hosts = rollout.hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ");
            writeln!(f, "Rollout of {} under way: {} % on {hosts}", shortened(&rollout.version), rollout.percent)?;
        }
        writeln!(f)?;
        write!(f, "{}", table(&["HOST", "WHAT", "HEALTH", "VERSION", "DEPLOYED", "STATE"], &self.running()))?;
        let proxies: Vec<_> = self.hosts.iter().flat_map(routes).collect();
        if !proxies.is_empty() {
            write!(f, "\n{}", table(&["HOST", "PROXY", "HOSTS", "PATHS", "LEADS TO"], &proxies))?;
        }
        write!(f, "\n{}", table(&["HOST", "DISK FREE", "MEMORY FREE", "CERTIFICATES"], &self.vitals()))?;
        self.remarks(f)
    }
}

impl Display for Service {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { role, wanted, running, lost, .. } = self;
        write!(f, "{role}: {running} of {wanted} tasks run")?;
        let missing = wanted.saturating_sub(*running);
        if missing > 0 {
            let (count, verb) = if missing == 1 { ("one".to_owned(), "is") } else { (missing.to_string(), "are") };
            write!(f, "; {count} {verb} being started")?;
        }
        let names = lost.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ");
        let (verb, elsewhere) =
            (if lost.len() == 1 { "is" } else { "are" }, if missing > 0 { " elsewhere since" } else { ";" });
        if lost.is_empty() { Ok(()) } else { write!(f, "{elsewhere} {names} {verb} down") }
    }
}

impl Status {
    fn running(&self) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        for host in &self.hosts {
            let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            if host.roles.is_empty() && host.accessories.is_empty() && host.error.is_some() {
                rows.push(vec![host.host.to_string(), "-".to_owned(), "not reached".to_owned()]);
            }
            for role in &host.roles {
                let version = role.version.as_ref().map_or_else(|| "-".to_owned(), |version| shortened(version));
                let since = match (&role.since, &role.by) {
                    (Some(since), Some(by)) => format!("{since} by {by}"),
                    _ => "-".to_owned(),
                };
                rows.push(vec![
                    host.host.to_string(),
                    role.role.to_string(),
                    role.health.to_string(),
                    version,
                    since,
                    text(&role.state),
                ]);
            }
            for accessory in &host.accessories {
                rows.push(vec![
                    host.host.to_string(),
                    accessory.accessory.clone(),
                    accessory.health.to_string(),
                    text(&accessory.image),
                    "-".to_owned(),
                    text(&accessory.state),
                ]);
            }
        }
        rows
    }

    fn vitals(&self) -> Vec<Vec<String>> {
        let row = |host: &Host| {
            let room = |room: Option<crate::vitals::Room>| {
                room.map_or_else(|| "-".to_owned(), |room| format!("{} ({} %)", size(room.free), room.free_percent()))
            };
            let certificate = |found: &super::Certificate| {
                let mark = if found.days_left < SOON { "!" } else { "" };
                format!("{} {} days{mark}", found.host, found.days_left)
            };
            let certificates: Vec<String> = host.certificates.iter().map(certificate).collect();
            let certificates = if certificates.is_empty() { "-".to_owned() } else { certificates.join(", ") };
            vec![host.host.to_string(), room(host.disk), room(host.memory), certificates]
        };
        self.hosts.iter().map(row).collect()
    }

    /// What is not as it should be, and what was done last.
    fn remarks(&self, f: &mut Formatter<'_>) -> Result {
        for host in &self.hosts {
            let roles = host.roles.iter().map(|role| (role.role.to_string(), &role.drift));
            let accessories = host.accessories.iter().map(|accessory| (accessory.accessory.clone(), &accessory.drift));
            let drifted = roles.chain(accessories).filter(|(_, drift)| !drift.is_empty());
            let mut lines: Vec<String> = host.error.iter().cloned().collect();
            lines.extend(
                drifted.map(|(name, drift)| {
                    format!("{name} on {} differs from deploy.yml: {}", host.host, drift.join(", "))
                }),
            );
            lines.extend(
                host.orphans
                    .iter()
                    .map(|name| format!("{name} on {} runs, but deploy.yml has no place for it there", host.host)),
            );
            lines.iter().try_for_each(|line| write!(f, "\n! {line}"))?;
            if !lines.is_empty() {
                writeln!(f)?;
            }
        }
        let last = self.hosts.iter().find(|host| !host.audit.is_empty());
        let Some(last) = last else { return Ok(()) };
        writeln!(f, "\nLast done on {}:", last.host)?;
        last.audit.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// What the proxy of a host leads where.
fn routes(host: &Host) -> Vec<Vec<String>> {
    let Some(proxy) = &host.proxy else { return Vec::new() };
    let first = format!("{} {}", proxy.image.rsplit_once(':').map_or("", |(_, tag)| tag), proxy.state.word());
    let row = |route: &super::Route| {
        vec![host.host.to_string(), first.clone(), route.hosts.clone(), route.paths.clone(), route.target.clone()]
    };
    if proxy.routes.is_empty() {
        return vec![vec![host.host.to_string(), first, "-".to_owned(), "-".to_owned(), "nothing".to_owned()]];
    }
    proxy.routes.iter().map(row).collect()
}

/// Enough of a version to tell it from others; commits are long.
fn shortened(version: &str) -> String {
    let is_commit = version.len() == 40 && version.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_commit { version[..12].to_owned() } else { version.to_owned() }
}
