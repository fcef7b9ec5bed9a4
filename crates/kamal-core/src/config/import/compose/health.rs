//! `healthcheck`: a path for the proxy to ask, or docker's own check.

use super::super::super::yaml::Node;
use super::super::tree::Map;
use super::Reader;

/// A service's health check.
#[derive(Clone, Debug)]
pub(super) enum Health {
    /// Turned off.
    Off,
    /// A command.
    Command { line: String, options: Vec<(&'static str, String)> },
}

/// Reads `healthcheck`.
pub(super) fn health(reader: &mut Reader<'_>, node: &Node) -> Option<Health> {
    if node.get("disable").is_some_and(Node::is_truthy) {
        return Some(Health::Off);
    }
    let test = node.get("test")?;
    let line = match test.list() {
        Some(items) => {
            let words: Vec<String> = items.iter().filter_map(|item| reader.text(item)).collect();
            match words.split_first() {
                Some((kind, _)) if kind == "NONE" => return Some(Health::Off),
                Some((kind, rest)) if kind == "CMD-SHELL" => rest.join(" "),
                Some((kind, rest)) if kind == "CMD" => super::quoted(rest),
                _ => super::quoted(&words),
            }
        }
        None => reader.text(test)?,
    };
    let named = [
        ("interval", "health-interval"),
        ("timeout", "health-timeout"),
        ("retries", "health-retries"),
        ("start_period", "health-start-period"),
        ("start_interval", "health-start-interval"),
    ];
    let options = named.iter().filter_map(|(key, option)| Some((*option, reader.text(node.get(key)?)?))).collect();
    Some(Health::Command { line, options })
}

impl Health {
    /// As options of `docker run`.
    pub(super) fn into_options(self, into: &mut Map) {
        match self {
            Self::Off => into.put("no-healthcheck", true),
            Self::Command { line, options } => {
                into.put("health-cmd", for_the_container(&line));
                for (option, value) in options {
                    into.put(option, value);
                }
            }
        }
    }

    /// The port and path of this container the check asks for over HTTP, and how often and how long in seconds.
    pub(super) fn asks(&self) -> Option<HttpCheck> {
        let Self::Command { line, options } = self else { return None };
        let (port, path) = ["http://", "https://"].iter().find_map(|scheme| {
            let rest = &line[line.find(scheme)? + scheme.len()..];
            let end = rest
                .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '|' | ';' | ')'))
                .unwrap_or(rest.len());
            let (authority, path) = rest[..end]
                .split_once('/')
                .map_or((&rest[..end], String::new()), |(authority, path)| (authority, path.to_owned()));
            let (host, port) =
                authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, port.parse().ok()));
            ["localhost", "127.0.0.1", "0.0.0.0", "[::1]"].contains(&host).then(|| (port, format!("/{path}")))
        })?;
        let seconds =
            |name: &str| options.iter().find(|(option, _)| *option == name).and_then(|(_, text)| seconds(text));
        Some(HttpCheck { port, path, interval: seconds("health-interval"), timeout: seconds("health-timeout") })
    }
}

/// `${NAME}` would be the host's, `$NAME` is the container's.
fn for_the_container(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("${") {
        let end = rest[at..].find('}').map(|length| at + length);
        let name = end
            .map(|end| &rest[at + 2..end])
            .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        let (Some(name), Some(end)) = (name, end) else { break };
        let quotes = rest[end + 1..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        out.push_str(&rest[..at]);
        out.push_str(&format!("${name}"));
        if quotes {
            out.push_str("\"\"");
        }
        rest = &rest[end + 1..];
    }
    out + rest
}

/// What a check asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HttpCheck {
    pub(super) port: Option<u64>,
    pub(super) path: String,
    pub(super) interval: Option<u64>,
    pub(super) timeout: Option<u64>,
}

/// `1m30s` in whole seconds, at least one.
pub(in super::super) fn seconds(text: &str) -> Option<u64> {
    let (mut total, mut number) = (0.0, String::new());
    let mut rest = text.trim();
    while let Some(c) = rest.chars().next() {
        if c.is_ascii_digit() || c == '.' {
            number.push(c);
            rest = &rest[1..];
            continue;
        }
        let units = [("ms", 0.001), ("us", 0.000_001), ("ns", 0.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];
        let (unit, factor) = units.iter().find(|(unit, _)| rest.starts_with(unit))?;
        total += number.parse::<f64>().ok()? * factor;
        number.clear();
        rest = &rest[unit.len()..];
    }
    if !number.is_empty() {
        total += number.parse::<f64>().ok()?;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what is too large is as large as can be"
    )]
    Some((total.ceil() as u64).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Option<(Option<u64>, String)> {
        let health = Health::Command { line: line.to_owned(), options: Vec::new() };
        health.asks().map(|asked| (asked.port, asked.path))
    }

    #[test]
    fn the_path_of_a_check_is_found() {
        assert_eq!(asked("curl -f http://localhost:3000/up || exit 1"), Some((Some(3000), "/up".to_owned())));
        assert_eq!(asked("wget -qO- 'http://127.0.0.1/health?full=1'"), Some((None, "/health?full=1".to_owned())));
        assert_eq!(asked("curl -f http://localhost:80"), Some((Some(80), "/".to_owned())));
        assert_eq!(asked("curl http://db:80/x"), None);
        assert_eq!(asked("pg_isready -U app"), None);
    }

    #[test]
    fn durations_are_seconds() {
        for (text, right) in [
            ("30s", Some(30)),
            ("1m30s", Some(90)),
            ("500ms", Some(1)),
            ("1.5s", Some(2)),
            ("10", Some(10)),
            ("x", None),
        ] {
            assert_eq!(seconds(text), right, "{text}");
        }
    }
}
