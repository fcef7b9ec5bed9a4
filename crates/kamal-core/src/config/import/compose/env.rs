//! `environment` and `env_file`: what may be read by everybody, and what is secret.

use super::super::super::source::Span;
use super::super::super::yaml::Node;
use super::super::tree::{Map, Tree};
use super::super::{secretive, secrets};
use super::Reader;
use crate::secrets::dotenv::{Value, entries};

/// A variable of a service.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    pub(super) name: String,
    /// None where it is passed on from the environment.
    value: Option<String>,
    span: Span,
    /// The env file it stands in.
    file: Option<String>,
}

/// What of a variable goes into a container's `env`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    Clear(String, String),
    Secret(String),
}

/// All variables of a service: those of its env files, and its own over them.
pub(super) fn variables(reader: &mut Reader<'_>, service: &Node, path: &str) -> Vec<Variable> {
    let mut all: Vec<Variable> = Vec::new();
    let mut set = |variable: Variable| match all.iter_mut().find(|known| known.name == variable.name) {
        Some(known) => *known = variable,
        None => all.push(variable),
    };
    if let Some(node) = service.get("env_file") {
        for (file, span) in files(reader, node) {
            match reader.file(&file) {
                Some(text) => {
                    for (name, value) in contents(&text) {
                        set(Variable { name, value: Some(value), span, file: Some(file.clone()) });
                    }
                }
                None => {
                    let why = format!("{file} is not here: name its variables below `env`");
                    reader.note(span, format!("{path}/env_file"), why);
                }
            }
        }
    }
    if let Some(node) = service.get("environment") {
        for (name, value, span) in reader.pairs(node) {
            set(Variable { name, value, span, file: None });
        }
    }
    all
}

/// A path, a list of paths, or of mappings with a path.
fn files(reader: &mut Reader<'_>, node: &Node) -> Vec<(String, Span)> {
    let items = node.list().unwrap_or(std::slice::from_ref(node));
    let path = |item: &Node| {
        let path = reader.text(item.get("path").unwrap_or(item))?;
        Some((path.strip_prefix("./").unwrap_or(&path).to_owned(), item.span))
    };
    items.iter().filter_map(path).collect()
}

/// The variables of an env file.
pub(in super::super) fn contents(text: &str) -> Vec<(String, String)> {
    let value = |value: &Value| match value {
        Value::Literal(secret) | Value::Quoted(secret) | Value::Bare(secret) => Some(secret.expose().to_owned()),
        Value::Exported => None,
    };
    entries(text).iter().filter_map(|entry| Some((entry.key.clone(), value(&entry.value)?))).collect()
}

impl Variable {
    /// Its value, as far as it is in the file.
    pub(super) fn clear(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// What becomes of it.
    pub(super) fn setting(&self, reader: &mut Reader<'_>, owner: &str, path: &str) -> Setting {
        let name = &self.name;
        let Some(value) = &self.value else {
            let source = reader.source_of(name);
            return Setting::Secret(reader.secrets().add(owner, name, "", &source));
        };
        let (is_known, hangs_on_a_secret) = {
            let marks = reader.marks();
            let settled = marks.settled(value);
            let of_secret =
                |variable: &Option<String>| variable.as_ref().is_some_and(|name| secretive::is_secret(name, "?"));
            let hangs = marks.within(value).any(|mark| mark.required || of_secret(&mark.variable));
            (secretive::is_secret(name, &settled), hangs)
        };
        if !is_known && !hangs_on_a_secret {
            return Setting::Clear(name.clone(), value.clone());
        }
        let source = self.source(reader, value, path);
        let own = source == format!("${name}") && reader.marks().within(value).next().is_none();
        Setting::Secret(reader.secrets().add(owner, name, if own { value } else { "" }, &source))
    }

    /// Where a secret is looked up.
    fn source(&self, reader: &mut Reader<'_>, value: &str, path: &str) -> String {
        let name = &self.name;
        if let Some(file) = &self.file {
            let text = reader.file(file).unwrap_or_default();
            return secrets::from_file(name, &reader.local(file), &text);
        }
        let variables: Vec<String> = reader.marks().within(value).filter_map(|mark| mark.variable.clone()).collect();
        let what = format!("{path}/environment/{name}");
        if variables.is_empty() {
            let Some(range) = secretive::password(value) else {
                if reader.secrets().has(name, value) {
                    return format!("${name}");
                }
                reader.note(
                    self.span,
                    what,
                    format!(
                        "a secret stands here in clear, and was not copied: set {name} in the environment, or say in .kamal/secrets where it is"));
                return format!("${name}");
            };
            // The address without its password, which is another's or one of its own.
            let inner = match reader.secrets().of_value(&value[range.clone()]) {
                Some(known) => known.to_owned(),
                None => {
                    let inner = format!("{name}_PASSWORD");
                    reader.note(self.span, what, format!("a password stands here in clear, and was not copied: set {inner} in the environment, or say in .kamal/secrets where it is"));
                    reader.secrets().refer(&inner, &format!("${inner}"));
                    inner
                }
            };
            let plain = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$");
            return format!("\"{}${{{inner}}}{}\"", plain(&value[..range.start]), plain(&value[range.end..]));
        }
        let lost = |variable: &Option<String>| variable.as_ref().is_some_and(|name| !reader.is_known(name));
        if reader.marks().within(value).any(|mark| !mark.fallback.is_empty() && lost(&mark.variable)) {
            reader.note(self.span, what, "secrets have no default: the one that stands here was not copied");
        }
        for variable in &variables {
            let source = reader.source_of(variable);
            if variables.len() > 1 || value.chars().count() > 1 || *name != *variable {
                reader.secrets().refer(variable, &source);
            } else {
                return source;
            }
        }
        secrets::composed(value, reader.marks())
    }
}

/// An `env`: settings in clear by name, and names of secrets.
pub(super) fn tree(settings: &[Setting]) -> Map {
    let (mut clear, mut secret) = (Map::default(), Vec::new());
    for setting in settings {
        match setting {
            Setting::Clear(name, value) => clear.put(name.clone(), Tree::from(value.clone())),
            Setting::Secret(name) => secret.push(name.clone()),
        }
    }
    let mut env = Map::default();
    env.put("clear", clear);
    env.put("secret", secret);
    env
}

/// The settings that all have, and what is left of each.
pub(super) fn shared(all: &[Vec<Setting>]) -> (Vec<Setting>, Vec<Vec<Setting>>) {
    let everywhere = |setting: &&Setting| all.iter().all(|settings| settings.contains(setting));
    let shared: Vec<Setting> = all.first().into_iter().flatten().filter(everywhere).cloned().collect();
    let rest =
        all.iter().map(|settings| settings.iter().filter(|setting| !shared.contains(setting)).cloned().collect());
    let rest = rest.collect();
    (shared, rest)
}
