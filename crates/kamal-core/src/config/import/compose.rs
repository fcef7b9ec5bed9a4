//! From a Compose file to a draft. What is built becomes the app, what else runs its image a role of its own, and images
//! from elsewhere accessories, which keep the names others know them by.

mod accessory;
mod env;
mod health;
mod interpolate;
mod kinds;
mod mounts;
mod options;
mod ports;
mod roles;
mod routes;
mod service;

use super::super::diagnostic::ConfigErrors;
use super::super::source::Span;
use super::super::yaml::{Kind as Yaml, Node, overlay};
use super::marks::Marks;
use super::secrets::{Secrets, from_file};
use super::tree::{Map, Tree};
use super::{Draft, HOST, Input, reader, service_name};
pub(super) use env::contents;
pub(super) use health::seconds;
use interpolate::{Variables, interpolate};
use kinds::{Kind, kinds};
pub(super) use routes::{Label, Route};
use service::Service;

/// What is read, with Compose's ways of writing values.
pub(super) struct Reader<'a> {
    base: reader::Reader<'a>,
    variables: Variables,
    /// What docker calls the volumes.
    volumes: Vec<(String, String)>,
    /// Top-level secrets and configs, by name.
    stores: Vec<(String, Store)>,
}

/// Where a secret or config comes from.
#[derive(Clone, Debug)]
pub(super) enum Store {
    File(String),
    Variable(String),
    Elsewhere,
}

/// How services others must not reach are known to them.
const NETWORKS: &str = "all containers of a host are in one network, `kamal`, and reach each other by name";

/// Makes a draft.
pub(super) fn import(input: &Input<'_>) -> Result<Draft, ConfigErrors> {
    let mut base = reader::Reader::new(input);
    let root = base.yaml(&input.source.text, 0)?;
    let mut reader = Reader { base, variables: Variables::new(), volumes: Vec::new(), stores: Vec::new() };
    if let Some(text) = reader.file(".env") {
        reader.variables = contents(&text).into_iter().collect();
    }
    let project = root.get("name").and_then(|node| reader.text(node)).map(|name| reader.marks().settled(&name));
    let project = project.filter(|name| !name.is_empty()).unwrap_or_else(|| input.project.to_owned());
    reader.top(&root, &project);
    let services = reader.services(&root);
    let kinds = kinds(&services, reader.marks());
    let draft = draft(&mut reader, &service_name(&project), &services, &kinds);
    let head = format!("Made of {} by `kamal import compose`.", input.source.path);
    Ok(reader.base.finish(&head, &draft, &[]))
}

fn draft(reader: &mut Reader<'_>, name: &str, services: &[Service], kinds: &[Kind]) -> Map {
    let of = |kind: &Kind| -> Vec<&Service> {
        services.iter().zip(kinds).filter(|(_, found)| *found == kind).map(|(service, _)| service).collect()
    };
    for (service, kind) in services.iter().zip(kinds) {
        if let Kind::Left(why) = kind {
            reader.note(service.key, service.path(), *why);
        }
    }
    let mut root = Map::default();
    root.put("service", name);
    // Passwords that stand with a database are known when its address is read.
    let mut accessories = Map::default();
    for service in of(&Kind::Accessory) {
        accessories.put(service.name.clone(), accessory::accessory(reader, service));
    }
    let app: Vec<&Service> = of(&Kind::Web).into_iter().chain(of(&Kind::Worker)).collect();
    roles::roles(reader, &app, &of(&Kind::Release), &mut root);
    if app.is_empty() && accessories.is_empty() {
        root.put_with(roles::HOSTS, "servers", vec![HOST]);
    }
    if app.is_empty() {
        root.put("builder", {
            let mut builder = Map::default();
            builder.put("arch", "amd64");
            builder
        });
    }
    root.put_with(
        "Each is started once, before the app, and left alone by deploys: `kamal accessory reboot NAME`. The aliases are the\nnames that others know them by.",
        "accessories",
        accessories,
    );
    root
}

impl Reader<'_> {
    /// A scalar with its variables marked.
    pub(super) fn text(&mut self, node: &Node) -> Option<String> {
        let written = self.base.written(node)?;
        if let Some(text) = interpolate(&written, &self.variables, &mut self.base.marks) {
            return Some(text);
        }
        self.note(node.span, written.clone(), "this `${` is not closed, and taken as it stands");
        Some(Marks::cleaned(&written))
    }

    /// A scalar as it is written.
    pub(super) fn written(&self, node: &Node) -> Option<String> {
        self.base.written(node)
    }

    /// A list of scalars, or one of them alone.
    pub(super) fn texts(&mut self, node: &Node) -> Vec<String> {
        let items = node.list().unwrap_or(std::slice::from_ref(node));
        items.iter().filter_map(|item| self.text(item)).collect()
    }

    /// `NAME: value`, or a list of `NAME=value` and `NAME`.
    pub(super) fn pairs(&mut self, node: &Node) -> Vec<(String, Option<String>, Span)> {
        match &node.kind {
            Yaml::Map(map) => {
                map.iter().map(|(name, entry)| (name.clone(), self.text(&entry.value), entry.key)).collect()
            }
            Yaml::List(items) => {
                let split = |text: String| match text.split_once('=') {
                    Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                    None => (text, None),
                };
                let pair = |item: &Node| {
                    let (name, value) = split(self.text(item)?);
                    Some((name, value, item.span))
                };
                items.iter().filter_map(pair).collect()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn note(&mut self, span: Span, what: impl Into<String>, why: impl Into<String>) {
        self.base.note(span, what, why);
    }

    pub(super) fn marks(&self) -> &Marks {
        &self.base.marks
    }

    pub(super) fn secrets(&mut self) -> &mut Secrets {
        &mut self.base.secrets
    }

    /// The text of another file, as a service names it.
    pub(super) fn file(&self, path: &str) -> Option<String> {
        (self.base.input.read)(&self.local(path))
    }

    /// A path of a service's as it is in the project; what is outside of that begins with `..`.
    pub(super) fn local(&self, path: &str) -> String {
        if path.starts_with(['/', '~']) {
            return path.to_owned();
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in self.base.input.folder.split('/').chain(path.split('/')) {
            match part {
                "" | "." => {}
                ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        parts.join("/")
    }

    /// Where a variable of the environment is looked up: Compose looks into `.env`, too.
    pub(super) fn source_of(&self, name: &str) -> String {
        match self.file(".env") {
            Some(text) if self.variables.contains_key(name) => from_file(name, &self.local(".env"), &text),
            _ => format!("${name}"),
        }
    }

    /// Whether `.env` has a variable.
    pub(super) fn is_known(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// What docker calls a volume, which keeps what Compose put into it.
    pub(super) fn volume<'v>(&'v self, name: &'v str) -> &'v str {
        self.volumes.iter().find(|(known, _)| known == name).map_or(name, |(_, name)| name)
    }

    pub(super) fn store(&self, name: &str) -> Store {
        self.stores.iter().find(|(known, _)| known == name).map_or(Store::Elsewhere, |(_, store)| store.clone())
    }

    /// What stands beside the services.
    fn top(&mut self, root: &Node, project: &str) {
        let prefix: String =
            project.to_lowercase().chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).collect();
        for (key, entry) in root.map().into_iter().flatten() {
            match key.as_str() {
                "volumes" => self.volumes(&entry.value, &prefix),
                "secrets" | "configs" => self.stores(&entry.value),
                "networks" if entry.value.map().is_some_and(|map| map.len() > 1) => {
                    self.note(entry.key, "networks", NETWORKS);
                }
                "include" => {
                    self.note(entry.key, "include", "import the included files as well, and put the drafts together");
                }
                "services" | "name" | "version" | "networks" => {}
                key if key.starts_with("x-") => {}
                key => self.note(entry.key, key, "this is no key of a Compose file"),
            }
        }
    }

    fn volumes(&mut self, node: &Node, prefix: &str) {
        for (name, entry) in node.map().into_iter().flatten() {
            let external = entry.value.get("external").is_some_and(Node::is_truthy);
            let own = entry.value.get("name").and_then(|node| self.text(node));
            let full = own.unwrap_or_else(|| if external { name.clone() } else { format!("{prefix}_{name}") });
            if let Some(options) = entry
                .value
                .entry("driver_opts")
                .or_else(|| entry.value.entry("driver").filter(|driver| driver.value.string() != Some("local")))
            {
                let why = format!("make the volume on each host first: docker volume create … {full}");
                self.note(options.key, format!("volumes/{name}"), why);
            }
            self.volumes.push((name.clone(), full));
        }
    }

    fn stores(&mut self, node: &Node) {
        for (name, entry) in node.map().into_iter().flatten() {
            let mut part = |key: &str| entry.value.get(key).and_then(|node| self.text(node));
            let store = match (part("file"), part("environment")) {
                (Some(file), _) => Store::File(file.strip_prefix("./").unwrap_or(&file).to_owned()),
                (None, Some(variable)) => Store::Variable(variable),
                (None, None) => Store::Elsewhere,
            };
            self.stores.push((name.clone(), store));
        }
    }

    fn services(&mut self, root: &Node) -> Vec<Service> {
        let all = root.get("services").and_then(Node::map).cloned().unwrap_or_default();
        if all.is_empty() {
            self.note(root.span, "services", "there are none");
        }
        let mut services = Vec::new();
        for (name, entry) in &all {
            let node = self.extended(&all, name, &entry.value, 0);
            if node.map().is_some() {
                services.push(Service::read(self, name, entry.key, &node));
            }
        }
        for service in &mut services {
            for mount in &mut service.mounts {
                if mount.kind() == mounts::Source::Volume {
                    mount.source = mount.source.take().map(|name| self.volume(&name).to_owned());
                }
            }
        }
        services
    }

    /// A service laid over the one it extends.
    fn extended(&mut self, all: &super::super::yaml::Map, name: &str, node: &Node, depth: usize) -> Node {
        let Some(extends) = node.entry("extends") else { return node.clone() };
        let base = extends.value.get("service").unwrap_or(&extends.value).text().unwrap_or_default();
        let elsewhere = extends.value.get("file").is_some();
        match all.get(&base) {
            Some(entry) if !elsewhere && depth < 10 => {
                let base = self.extended(all, &base, &entry.value, depth + 1);
                overlay(base, node.clone())
            }
            _ => {
                self.note(
                    extends.key,
                    format!("services/{name}/extends"),
                    "what it extends is not in this file: `docker compose config` prints the whole, import that",
                );
                node.clone()
            }
        }
    }
}

/// A list, or the one text in it.
pub(super) fn one_or_several(mut texts: Vec<String>) -> Tree {
    if texts.len() == 1 { Tree::from(texts.remove(0)) } else { texts.into() }
}

/// Words as a shell takes them. Marks need no quotes of their own.
pub(super) fn quoted(words: &[String]) -> String {
    let bare =
        |c: char| c.is_ascii_alphanumeric() || "_-./:=@,+%".contains(c) || (0xE000..=0xF8FF).contains(&u32::from(c));
    let quoted = |word: &String| {
        if !word.is_empty() && word.chars().all(bare) {
            word.clone()
        } else if word.contains(['"', '$', '`', '\\', '!']) {
            crate::shell::escape::word(word)
        } else {
            format!("\"{word}\"")
        }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}
