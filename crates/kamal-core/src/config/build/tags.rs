//! Tags of hosts that nothing answers to. Kamal takes them in silence (spec 2.8); they are most often slips.

use super::super::diagnostic::Report;
use super::super::model::Config;
use super::super::shape::suggest::did_you_mean;
use super::super::yaml::Node;

/// Warns of tags that neither `env.tags` nor an accessory knows.
pub(crate) fn check(root: &Node, config: &Config, report: &mut Report<'_>) {
    let mut known: Vec<String> = config.env_tags.keys().cloned().collect();
    for (_, entry) in root.get("accessories").and_then(Node::map).into_iter().flatten() {
        known.extend(entry.value.get("tag").and_then(Node::text));
        known.extend(entry.value.get("tags").and_then(Node::list).unwrap_or_default().iter().filter_map(Node::text));
    }
    let Some(servers) = root.get("servers") else { return };
    let roles = servers.map().into_iter().flatten().map(|(_, entry)| &entry.value);
    for role in roles.chain([servers]) {
        let hosts = role.list().or_else(|| role.get("hosts").and_then(Node::list)).unwrap_or_default();
        for (_, entry) in hosts.iter().filter_map(Node::map).flatten() {
            let one = std::slice::from_ref(&entry.value);
            for tag in entry.value.list().unwrap_or(one) {
                let Some(name) = tag.text().filter(|name| !known.contains(name)) else { continue };
                let help = did_you_mean(&name, known.iter().map(String::as_str))
                    .unwrap_or_else(|| format!("define it below env: tags: {name}, or remove it"));
                report.warn(tag.span, format!("nothing is defined for the tag `{name}`"), Some(help));
            }
        }
    }
}
