//! Every key of deploy.yml as a chapter of the book: tables made of the table the checks go by.

use std::fmt::Write;

use super::super::shape::{Key, Shape};
use super::{ROOT, SECTIONS, Section, example, section_of};

/// Keys that Kamal does not know, or does not know yet.
const OURS: [&str; 9] = [
    "x-proxy",
    "x-release",
    "proxy/client_ip_header",
    "proxy/exclude_metrics_paths",
    "proxy/canonical_host",
    "proxy/tls_on_demand_url",
    "proxy/run/http3",
    "ssh/forward_agent",
    "ssh/known_hosts",
];

/// The chapter, in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut out = "# Every key of deploy.yml\n\n".to_owned();
    out.push_str(
        "`kamal docs NAME` prints a section as YAML with a comment above every key, `kamal docs --schema` what editors complete \
         by. A key is Kamal's, and as in Kamal 2.12, unless it says otherwise.\n",
    );
    for section in [&ROOT].into_iter().chain(SECTIONS) {
        of_section(section, &mut out);
    }
    out
}

fn of_section((name, title, about, place, keys): &Section, out: &mut String) {
    let heading = if name.is_empty() { "The file itself" } else { name };
    let _ = writeln!(out, "\n## {heading}\n");
    let below = if place.is_empty() { String::new() } else { format!(" Below `{}`.", place.join("/")) };
    let _ = writeln!(out, "{title}. {about}{below}");
    if !keys.is_empty() {
        out.push_str("\n| Key | What it does | For example |\n| --- | --- | --- |\n");
        let path = match *place {
            ["servers", "jobs"] => "role",
            place => place.first().copied().unwrap_or_default(),
        };
        rows(keys, path, "", out);
    }
}

/// `path` is the key's among examples, `shown` how it stands in its section.
fn rows(keys: &[Key], path: &str, shown: &str, out: &mut String) {
    for key in keys {
        let path = if path.is_empty() { key.name.to_owned() } else { format!("{path}/{}", key.name) };
        let shown = if shown.is_empty() { key.name.to_owned() } else { format!("{shown}/{}", key.name) };
        let (meaning, default) = parted(key.doc);
        let text = example(&path).or_else(|| example(path.strip_prefix("role/")?)).filter(|text| !text.contains('\n'));
        let text = text.map(|text| format!("`{text}`")).unwrap_or_default();
        let see = section_of(key.shape).map(|name| format!(" See [{name}](#{name}).")).unwrap_or_default();
        let default = if default.is_empty() { default } else { format!(" Default: {default}.") };
        let since = if is_ours(&path) { " Since 0.1 of this project; Kamal has no such key." } else { "" };
        let cell = |text: &str| text.replace('|', "\\|");
        let _ = writeln!(out, "| `{shown}` | {}{default}{see}{since} | {} |", cell(&meaning), cell(&text));
        if let Shape::Section(keys) = key.shape {
            rows(keys, &path, &shown, out);
        }
    }
}

fn is_ours(path: &str) -> bool {
    OURS.iter().any(|ours| path == *ours || path.strip_prefix(ours).is_some_and(|rest| rest.starts_with('/')))
}

/// What a key does, and its default, which stands behind that: `Seconds between groups, default 2.`
fn parted(doc: &str) -> (String, String) {
    let Some((meaning, default)) = doc.rsplit_once(", default ") else { return (doc.to_owned(), String::new()) };
    let default = default.trim_end_matches('.');
    (format!("{meaning}."), default.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::super::shape::keys;
    use super::*;

    #[test]
    fn every_key_has_a_row_of_three_columns() {
        let text = reference();
        for row in text.lines().filter(|line| line.starts_with('|')) {
            assert_eq!(row.replace("\\|", "").matches('|').count(), 4, "{row}");
        }
        for key in keys::ROOT.iter().chain(keys::PROXY).chain(keys::ACCESSORY).chain(keys::X_PROXY) {
            assert!(text.contains(&format!("| `{}` |", key.name)), "{}", key.name);
        }
        assert!(text.contains("| `healthcheck/path` | The path asked for. Default: `/up`. | `/up` |"));
        assert!(text.contains("| `known_hosts` |") && text.contains("| `x-release` |"));
    }

    #[test]
    fn what_is_ours_is_there() {
        let paths: Vec<String> =
            SECTIONS.iter().chain([&ROOT]).flat_map(|(.., place, keys)| all(keys, place)).collect();
        for ours in OURS {
            assert!(paths.iter().any(|path| path == ours), "{ours}");
        }
    }

    fn all(keys: &[Key], place: &[&str]) -> Vec<String> {
        let path = |key: &Key| place.iter().copied().chain([key.name]).collect::<Vec<_>>().join("/");
        let inner = |key: &Key| match key.shape {
            Shape::Section(keys) => all(keys, &[place, &[key.name]].concat()),
            _ => Vec::new(),
        };
        keys.iter().flat_map(|key| [path(key)].into_iter().chain(inner(key))).collect()
    }
}
