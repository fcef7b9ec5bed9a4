//! Keys of a service that are options of `docker run`.

use super::super::super::yaml::{Kind, Node};
use super::super::tree::{Map, Tree};
use super::Reader;

/// How a key's value is written as an option's.
#[derive(Clone, Copy)]
enum Form {
    One,
    /// A switch: `true` alone.
    Switch,
    /// A value each.
    Many,
    /// A mapping, or a list, of `key=value`; the text stands between the two.
    Pairs(&'static str),
}

use Form::{Many, One, Pairs, Switch};

/// Compose's key, docker's option, and how it is written.
const OPTIONS: [(&str, &str, Form); 43] = [
    ("cap_add", "cap-add", Many),
    ("cap_drop", "cap-drop", Many),
    ("cgroup_parent", "cgroup-parent", One),
    ("cpu_count", "cpu-count", One),
    ("cpu_percent", "cpu-percent", One),
    ("cpu_shares", "cpu-shares", One),
    ("cpu_quota", "cpu-quota", One),
    ("cpu_period", "cpu-period", One),
    ("cpus", "cpus", One),
    ("cpuset", "cpuset-cpus", One),
    ("devices", "device", Many),
    ("dns", "dns", Many),
    ("dns_opt", "dns-option", Many),
    ("dns_search", "dns-search", Many),
    ("domainname", "domainname", One),
    ("extra_hosts", "add-host", Pairs(":")),
    ("group_add", "group-add", Many),
    ("hostname", "hostname", One),
    ("init", "init", Switch),
    ("ipc", "ipc", One),
    ("mac_address", "mac-address", One),
    ("mem_limit", "memory", One),
    ("mem_reservation", "memory-reservation", One),
    ("mem_swappiness", "memory-swappiness", One),
    ("memswap_limit", "memory-swap", One),
    ("oom_kill_disable", "oom-kill-disable", Switch),
    ("oom_score_adj", "oom-score-adj", One),
    ("pid", "pid", One),
    ("pids_limit", "pids-limit", One),
    ("platform", "platform", One),
    ("privileged", "privileged", Switch),
    ("read_only", "read-only", Switch),
    ("runtime", "runtime", One),
    ("security_opt", "security-opt", Many),
    ("shm_size", "shm-size", One),
    ("stop_signal", "stop-signal", One),
    ("storage_opt", "storage-opt", Pairs("=")),
    ("sysctls", "sysctl", Pairs("=")),
    ("tmpfs", "tmpfs", Many),
    ("user", "user", One),
    ("userns_mode", "userns", One),
    ("uts", "uts", One),
    ("working_dir", "workdir", One),
];

/// The option a key is, taken over into `options`. Whether it is one.
pub(super) fn take(reader: &mut Reader<'_>, key: &str, node: &Node, options: &mut Map) -> bool {
    let Some((_, option, form)) = OPTIONS.iter().find(|(known, ..)| *known == key) else { return false };
    let value: Option<Tree> = match form {
        One => reader.text(node).map(Tree::from),
        Switch => node.is_truthy().then(|| Tree::from(true)),
        Many => Some(reader.texts(node).into()),
        Pairs(between) => {
            let pairs = reader.pairs(node);
            // What is a list is in docker's form already.
            let pair = |(name, value): (String, Option<String>)| match value {
                Some(value) => format!("{name}{between}{value}"),
                None => name,
            };
            Some(pairs.into_iter().map(|(name, value, _)| pair((name, value))).collect::<Vec<_>>().into())
        }
    };
    options.put_some(*option, value);
    true
}

/// `ulimits`: a number, or a soft and a hard one.
pub(super) fn ulimits(reader: &mut Reader<'_>, node: &Node, options: &mut Map) {
    let mut limits = Vec::new();
    for (name, entry) in node.map().into_iter().flatten() {
        let part = |reader: &mut Reader<'_>, key: &str| entry.value.get(key).and_then(|node| reader.text(node));
        let value = match &entry.value.kind {
            Kind::Map(_) => match (part(reader, "soft"), part(reader, "hard")) {
                (Some(soft), Some(hard)) => Some(format!("{soft}:{hard}")),
                (one, other) => one.or(other),
            },
            _ => reader.text(&entry.value),
        };
        limits.extend(value.map(|value| format!("{name}={value}")));
    }
    options.put("ulimit", limits);
}

/// `deploy/resources`.
pub(super) fn resources(reader: &mut Reader<'_>, node: &Node, options: &mut Map) {
    for (section, key, option) in [
        ("limits", "cpus", "cpus"),
        ("limits", "memory", "memory"),
        ("limits", "pids", "pids-limit"),
        ("reservations", "memory", "memory-reservation"),
    ] {
        let value = node.get(section).and_then(|section| section.get(key)).and_then(|node| reader.text(node));
        options.put_some(option, value.map(|value| if key == "memory" { value.to_lowercase() } else { value }));
    }
    if let Some(node) = node.get("reservations").and_then(|section| section.entry("devices")) {
        reader.note(node.key, "devices", "say it with the option `gpus` of docker, below `options`");
    }
}
