//! An accessory's `files` and `directories` (spec 2.11).

use super::super::diagnostic::Report;
use super::super::model::AccessoryPath;
use super::super::shape::check::{at, join};
use super::super::yaml::{Kind, Node};
use super::options::text;

/// Reads `files`, and warns of keys that everybody on the host could read.
pub(crate) fn files(node: &Node, path: &str, report: &mut Report<'_>) -> Vec<AccessoryPath> {
    let found = read_all(node, "files", path, report);
    for (item, file) in &found {
        let name = file.local.rsplit('/').next().unwrap_or_default();
        // A key is for its owner, and in a mount that is read-only the container cannot see to that itself.
        let open = file.mode.as_deref().is_none_or(|mode| is_octal(mode) && !mode.ends_with('0'));
        let read_only = file.options.iter().any(|options| options.split(',').any(|option| option == "ro"));
        if open && read_only && looks_like_a_key(name) {
            let mode =
                file.mode.as_deref().map_or_else(|| "the mode it has here".to_owned(), |mode| format!("mode {mode}"));
            let message = format!("{name} looks like a private key, is mounted read-only and gets {mode}");
            let help = format!("write {{local: {}, remote: {}, mode: \"0400\", options: ro}}", file.local, file.remote);
            report.warn(item.span, at(&join(path, "files"), &message), Some(help));
        }
    }
    found.into_iter().map(|(_, file)| file).collect()
}

/// Reads `directories`.
pub(crate) fn directories(node: &Node, path: &str, report: &mut Report<'_>) -> Vec<AccessoryPath> {
    read_all(node, "directories", path, report).into_iter().map(|(_, directory)| directory).collect()
}

/// Two things cannot be mounted at one path: docker refuses to make such a container.
pub(crate) fn check_targets(accessory: &Node, path: &str, report: &mut Report<'_>) {
    let mut known: Vec<(String, String)> = Vec::new();
    for key in ["volumes", "files", "directories"] {
        let items = accessory.get(key).and_then(Node::list).unwrap_or_default();
        for (index, item) in items.iter().enumerate() {
            let target = match item.map() {
                Some(_) => text(item, "remote"),
                None => item.text().and_then(|text| text.split(':').nth(1).map(str::to_owned)),
            };
            let Some(target) = target.map(|target| target.trim_end_matches('/').to_owned()) else { continue };
            let place = join(&join(path, key), &index.to_string());
            match known.iter().find(|(_, known)| *known == target) {
                Some((first, _)) => {
                    report.error(item.span, at(&place, &format!("{target} is mounted already, by {first}")));
                }
                None => known.push((place, target)),
            }
        }
    }
}

fn looks_like_a_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let stem = name.strip_suffix(".erb").unwrap_or(&name);
    let private = stem.starts_with("id_") && !stem.ends_with(".pub");
    let ending = [".key", ".p12", ".pfx", ".jks", ".ppk"].iter().any(|ending| stem.ends_with(ending));
    private || ending || stem.ends_with(".pem") && (stem.contains("key") || stem.contains("priv"))
}

fn read_all<'n>(node: &'n Node, key: &str, path: &str, report: &mut Report<'_>) -> Vec<(&'n Node, AccessoryPath)> {
    let path = join(path, key);
    let items = node.get(key).and_then(Node::list).unwrap_or_default();
    let mut read = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let path = join(&path, &index.to_string());
        if let Some(mode) = item.get("mode") {
            check_mode(mode, &join(&path, "mode"), report);
        }
        if let Some(owner) = item.get("owner") {
            check_owner(owner, &join(&path, "owner"), report);
        }
        match read_one(item) {
            Some(found) => read.push((item, found)),
            None if matches!(item.kind, Kind::Map(_)) || item.text().is_some() => {
                report.error(item.span, at(&path, "should name both ends, `local:remote`"));
            }
            None => {}
        }
    }
    read
}

fn read_one(item: &Node) -> Option<AccessoryPath> {
    if item.map().is_some() {
        return Some(AccessoryPath {
            local: text(item, "local").filter(|local| !local.trim().is_empty())?,
            remote: text(item, "remote").filter(|remote| !remote.trim().is_empty())?,
            mode: text(item, "mode"),
            owner: text(item, "owner"),
            options: text(item, "options").filter(|options| !options.trim().is_empty()),
        });
    }
    let all = item.text()?;
    let mut parts = all.splitn(3, ':');
    let (local, remote) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let options = parts.next().map(str::to_owned).filter(|options| !options.is_empty());
    (!local.is_empty() && !remote.is_empty()).then_some(AccessoryPath {
        local,
        remote,
        mode: None,
        owner: None,
        options,
    })
}

/// What `chmod` takes. An octal number without quotes is another number to YAML: 0640 would become mode 416.
fn check_mode(node: &Node, path: &str, report: &mut Report<'_>) {
    let Some(mode) = node.text() else { return };
    if let Some(written) = report.spelling(node).map(str::to_owned) {
        let help = format!("write \"{written}\", in quotes");
        let message =
            format!("should be in quotes: without them {written} is the number {mode}, which is another mode");
        return report.error_with(node.span, at(path, &message), Some(help));
    }
    if !is_octal(&mode) && !mode.split(',').all(is_clause) {
        let help = Some("write it as \"0640\" or u=rw,g=r".to_owned());
        report.error_with(node.span, at(path, &format!("should be a mode, not {mode}")), help);
    }
}

/// What `chown` takes. `1000:50` without quotes is a number to base 60 to YAML.
fn check_owner(node: &Node, path: &str, report: &mut Report<'_>) {
    let Some(owner) = node.text() else { return };
    if let Some(written) = report.spelling(node).map(str::to_owned) {
        let help = format!("write \"{written}\", in quotes");
        let message = format!("should be in quotes: without them {written} is the number {owner}");
        report.error_with(node.span, at(path, &message), Some(help));
    } else if owner.trim().is_empty() || owner.starts_with('-') || owner.contains(char::is_whitespace) {
        let help = Some("write it as user:group".to_owned());
        report.error_with(node.span, at(path, &format!("should be an owner, not {owner:?}")), help);
    }
}

fn is_octal(mode: &str) -> bool {
    let is_number = (1..=5).contains(&mode.len()) && mode.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    is_number && u32::from_str_radix(mode, 8).is_ok_and(|mode| mode <= 0o7777)
}

/// `u=rw`, `go-w`, `+x`, `u+r-x`.
fn is_clause(clause: &str) -> bool {
    let rest = clause.trim_start_matches(['u', 'g', 'o', 'a']);
    rest.strip_prefix(['=', '+', '-']).is_some_and(|rights| rights.chars().all(|c| "rwxXstugo=+-".contains(c)))
}
