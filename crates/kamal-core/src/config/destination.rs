//! A destination's file over the base's (spec 2.1): mappings merge, everything else is replaced. Where Kamal does that in
//! silence, or cannot do what was meant, more is known here.

use super::diagnostic::Report;
use super::shape::check::join;
use super::yaml::{Entry, Form, Kind, Map, Node, overlay};

/// What is done to a mapping of the base's, so that the destination's can be laid over it.
type Ready = fn(&mut Map, &mut Map);

/// Where what is done; `*` stands for any name.
const READY: [(&[&str], Ready); 12] = [
    (&["proxy"], proxy),
    (&["servers", "*", "proxy"], proxy),
    (&["accessories", "*", "proxy"], proxy),
    (&["proxy", "run"], run),
    (&["servers", "*", "proxy", "run"], run),
    (&["accessories", "*", "proxy", "run"], run),
    (&["accessories", "*"], |base, over| displace(base, over, &["host", "hosts", "role", "roles", "tag", "tags"])),
    (&["ssh"], |base, over| displace(base, over, &["proxy", "proxy_command"])),
    (&["env"], one_form),
    (&["servers", "*", "env"], one_form),
    (&["accessories", "*", "env"], one_form),
    (&["env", "tags", "*"], one_form),
];

/// Lays a destination's file over the base's.
pub(crate) fn lay_over(mut base: Node, mut over: Node, report: &mut Report<'_>) -> Node {
    warn_of_dropped(&base, &over, "", report);
    for (place, ready) in READY {
        at(&mut base, &mut over, place, ready);
    }
    overlay(base, over)
}

/// The root's `proxy` as a role's is laid over it: what the destination says of the role takes the place of what the base
/// says for all, as far as only one of both may be given.
pub(crate) fn make_way(mut root: Node, own: &Node) -> Node {
    if let (Kind::Map(root), Kind::Map(own)) = (&mut root.kind, &own.kind) {
        let (is_base, is_destination) = (|entry: &Entry| entry.key.file == 0, |entry: &Entry| entry.key.file == 1);
        let mut over: Map =
            own.iter().filter(|(_, e)| is_destination(e)).map(|(k, e)| (k.clone(), e.clone())).collect();
        let mut base: Map = root.iter().filter(|(_, e)| is_base(e)).map(|(k, e)| (k.clone(), e.clone())).collect();
        proxy(&mut base, &mut over);
        root.retain(|key, entry| !is_base(entry) || base.contains_key(key));
    }
    root
}

fn at(base: &mut Node, over: &mut Node, place: &[&str], ready: Ready) {
    let (Kind::Map(base), Kind::Map(over)) = (&mut base.kind, &mut over.kind) else { return };
    let Some((step, rest)) = place.split_first() else { return ready(base, over) };
    for (name, entry) in base.iter_mut().filter(|(name, _)| *step == "*" || name == step) {
        if let Some(over) = over.get_mut(name) {
            at(&mut entry.value, &mut over.value, rest, ready);
        }
    }
}

/// Of keys of which only one may be given, the destination's takes the place of the base's, whichever that is.
fn displace(base: &mut Map, over: &Map, keys: &[&str]) {
    if keys.iter().any(|key| over.contains_key(*key)) {
        base.retain(|key, _| !keys.contains(&key.as_str()) || over.contains_key(key));
    }
}

fn proxy(base: &mut Map, over: &mut Map) {
    displace(base, over, &["host", "hosts", "tls_on_demand_url"]);
    displace(base, over, &["canonical_host", "tls_on_demand_url"]);
    displace(base, over, &["path_prefix", "path_prefixes"]);
}

/// Ports that are not published have no numbers.
fn run(base: &mut Map, over: &mut Map) {
    const PORTS: [&str; 3] = ["http_port", "https_port", "bind_ips"];
    let is_off = |map: &Map| map.get("publish").is_some_and(|publish| publish.value.bool() == Some(false));
    if is_off(over) {
        base.retain(|key, _| !PORTS.contains(&key.as_str()));
    } else if is_off(base) && PORTS.iter().any(|key| over.contains_key(*key)) {
        base.shift_remove("publish");
    }
}

/// An `env` of names alone is all clear: it is written so where the other one is not.
fn one_form(base: &mut Map, over: &mut Map) {
    let has_parts = |map: &Map| ["clear", "secret", "tags"].iter().any(|key| map.contains_key(*key));
    match (has_parts(base), has_parts(over)) {
        (true, false) => all_clear(over),
        (false, true) => all_clear(base),
        _ => {}
    }
}

fn all_clear(env: &mut Map) {
    let Some(key) = env.values().next().map(|entry| entry.key) else { return };
    let value = Node { span: key, kind: Kind::Map(std::mem::take(env)) };
    env.insert("clear".to_owned(), Entry { key, form: Form::Text, value });
}

/// Secrets the base lists and the destination does not: its list takes the place of the whole.
fn warn_of_dropped(base: &Node, over: &Node, path: &str, report: &mut Report<'_>) {
    for (name, entry) in over.map().into_iter().flatten() {
        let Some(old) = base.get(name) else { continue };
        let path = join(path, name);
        let (Some(before), Some(after)) = (old.list(), entry.value.list()) else {
            warn_of_dropped(old, &entry.value, &path, report);
            continue;
        };
        if name != "secret" && path != "builder/secrets" {
            continue;
        }
        let after: Vec<String> = after.iter().filter_map(variable).collect();
        let dropped: Vec<String> = before.iter().filter_map(variable).filter(|name| !after.contains(name)).collect();
        let Some((last, others)) = dropped.split_last() else { continue };
        let names = if others.is_empty() { last.clone() } else { format!("{} and {last}", others.join(", ")) };
        let (file, line) = (report.file(old.span), report.line(old.span));
        report.warn(
            entry.value.span,
            format!("{path}: this list takes the place of the one in {file}, line {line}, and so drops {names}"),
            Some("list them here too if they are still needed".to_owned()),
        );
    }
}

/// The variable of `NAME` or `NAME:KEY`.
fn variable(item: &Node) -> Option<String> {
    Some(item.text()?.split(':').next().unwrap_or_default().to_owned())
}
