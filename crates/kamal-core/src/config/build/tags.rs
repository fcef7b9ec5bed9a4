//! Tags that nothing answers to. Kamal takes them in silence (spec 2.8); they are most often slips.

use super::super::diagnostic::Report;
use super::super::model::Config;
use super::super::shape::suggest::did_you_mean;
use super::super::yaml::Node;

/// Warns of hosts' tags that neither `env.tags` nor an accessory knows, and of accessories' tags that no host has.
pub(crate) fn check(root: &Node, config: &Config, report: &mut Report<'_>) {
    let accessories = root.get("accessories").and_then(Node::map).into_iter().flatten();
    let wanted = texts(accessories.flat_map(|(_, entry)| {
        entry.value.get("tag").into_iter().chain(entry.value.get("tags").and_then(Node::list).into_iter().flatten())
    }));
    let given = texts(of_hosts(root));
    for (tag, name) in &given {
        let known = || config.env_tags.keys().chain(wanted.iter().map(|(_, name)| name)).map(String::as_str);
        if !known().any(|known| known == name) {
            let help = did_you_mean(name, known())
                .unwrap_or_else(|| format!("define it below env: tags: {name}, or remove it"));
            report.warn(tag.span, format!("nothing is defined for the tag `{name}`"), Some(help));
        }
    }
    for (tag, name) in &wanted {
        let given = || given.iter().map(|(_, name)| name.as_str());
        if !given().any(|given| given == name) {
            let help = did_you_mean(name, given()).unwrap_or_else(|| format!("give it to a host: - HOST: {name}"));
            report.warn(tag.span, format!("no host has the tag `{name}`"), Some(help));
        }
    }
}

/// The tags of all hosts, as they are written.
fn of_hosts(root: &Node) -> impl Iterator<Item = &Node> {
    let servers = root.get("servers");
    let roles = servers.and_then(Node::map).into_iter().flatten().map(|(_, entry)| &entry.value);
    let hosts = roles
        .chain(servers)
        .flat_map(|role| role.list().or_else(|| role.get("hosts").and_then(Node::list)).unwrap_or_default());
    hosts
        .filter_map(Node::map)
        .flatten()
        .flat_map(|(_, entry)| entry.value.list().unwrap_or_else(|| std::slice::from_ref(&entry.value)))
}

fn texts<'n>(nodes: impl Iterator<Item = &'n Node>) -> Vec<(&'n Node, String)> {
    nodes.filter_map(|node| Some((node, node.text()?))).collect()
}
