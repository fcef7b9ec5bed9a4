//! A service of a Compose file, read.

use super::super::super::source::Span;
use super::super::super::yaml::{Kind, Node};
use super::super::tree::Map;
use super::env::{Variable, variables};
use super::health::{Health, health, seconds};
use super::mounts::{Mount, mounts};
use super::ports::{Port, ports};
use super::routes::{Label, Route};
use super::{Reader, options, quoted};
use crate::name::ImageRef;

/// A service.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) key: Span,
    /// Where the image is built, and the keys of `builder` for it.
    pub(super) build: Option<(String, Map)>,
    pub(super) image: Option<String>,
    pub(super) command: Option<String>,
    pub(super) ports: Vec<Port>,
    pub(super) expose: Vec<String>,
    pub(super) env: Vec<Variable>,
    pub(super) mounts: Vec<Mount>,
    pub(super) labels: Map,
    pub(super) route: Route,
    pub(super) health: Option<Health>,
    pub(super) options: Map,
    pub(super) logging: Map,
    pub(super) container_name: Option<(String, Span)>,
    pub(super) network_mode: Option<(String, Span)>,
    pub(super) profiles: Vec<String>,
    pub(super) restart: Option<String>,
    pub(super) stop_timeout: Option<u64>,
    /// The services it waits for, and for what of them.
    pub(super) depends_on: Vec<(String, String, Span)>,
    pub(super) aliases: Vec<String>,
    /// Names of top-level secrets and configs, where each is mounted, and whether it is a secret.
    pub(super) grants: Vec<Grant>,
}

/// A secret or config given to a service.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) source: String,
    pub(super) target: String,
    pub(super) secret: bool,
    pub(super) span: Span,
}

/// Keys that mean nothing for a container on a host.
const NEEDLESS: [&str; 9] =
    ["annotations", "attach", "develop", "environment", "extends", "pull_policy", "stdin_open", "tty", "env_file"];

impl Service {
    /// Where it stands in messages.
    pub(super) fn path(&self) -> String {
        format!("services/{}", self.name)
    }

    pub(super) fn read(reader: &mut Reader<'_>, name: &str, key: Span, node: &Node) -> Self {
        let path = format!("services/{name}");
        let env = variables(reader, node, &path);
        let mut service = Self {
            name: name.to_owned(),
            key,
            build: None,
            image: None,
            command: None,
            ports: Vec::new(),
            expose: Vec::new(),
            env,
            mounts: Vec::new(),
            labels: Map::default(),
            route: Route::default(),
            health: None,
            options: Map::default(),
            logging: Map::default(),
            container_name: None,
            network_mode: None,
            profiles: Vec::new(),
            restart: None,
            stop_timeout: None,
            depends_on: Vec::new(),
            aliases: Vec::new(),
            grants: Vec::new(),
        };
        for (key, entry) in node.map().into_iter().flatten() {
            service.take(reader, key, entry.key, &entry.value);
        }
        let route = &mut service.route;
        service.env.retain(|variable| !variable.clear().is_some_and(|value| route.variable(&variable.name, value)));
        service.entrypoint(reader, node);
        service
    }

    fn take(&mut self, reader: &mut Reader<'_>, key: &str, span: Span, node: &Node) {
        match key {
            "build" => self.build = Some(self.build(reader, node)),
            "image" => self.image = image(reader, node, &self.path()),
            "command" => self.command = command(reader, node).map(|words| quoted(&words)),
            "ports" => self.ports = ports(reader, node),
            "expose" => self.expose = reader.texts(node),
            "volumes" => self.mounts = mounts(reader, node, &mut self.options),
            "labels" => self.labels(reader, node),
            "healthcheck" => self.health = health(reader, node),
            "container_name" => self.container_name = reader.text(node).map(|name| (name, span)),
            "network_mode" => self.network_mode = reader.text(node).map(|mode| (mode, span)),
            "networks" => {
                for entry in node.map().into_iter().flat_map(|map| map.values()) {
                    let aliases = entry.value.get("aliases").map(|node| reader.texts(node));
                    self.aliases.extend(aliases.into_iter().flatten());
                }
            }
            "profiles" => self.profiles = reader.texts(node),
            "restart" => self.restart = reader.written(node),
            "logging" => self.logging(reader, node),
            "stop_grace_period" => self.stop_timeout = reader.text(node).as_deref().and_then(seconds),
            "depends_on" => self.depends_on = depends_on(reader, node),
            "deploy" => self.deploy(reader, node),
            "scale" => self.replicas(reader, node, span),
            "secrets" | "configs" => self.grants(reader, node, key == "secrets"),
            "ulimits" => options::ulimits(reader, node, &mut self.options),
            "links" => {
                for link in reader.texts(node) {
                    if let Some((service, alias)) = link.split_once(':').filter(|(service, alias)| service != alias) {
                        let why = format!("give {service} the alias {alias} in `networks`, and import again");
                        reader.note(span, format!("{}/links", self.path()), why);
                    }
                }
            }
            "entrypoint" => {}
            key if NEEDLESS.contains(&key) || key.starts_with("x-") => {}
            key => {
                if !options::take(reader, key, node, &mut self.options) {
                    reader.note(span, format!("{}/{key}", self.path()), "deploy.yml has nothing like it");
                }
            }
        }
    }

    /// What replaces the image's entrypoint is an option, and the words behind its first go before the command's.
    fn entrypoint(&mut self, reader: &mut Reader<'_>, node: &Node) {
        let Some(words) = node.get("entrypoint").and_then(|node| command(reader, node)) else { return };
        let Some((program, rest)) = words.split_first() else { return };
        self.options.put("entrypoint", program.clone());
        let all: Vec<String> =
            [quoted(rest)].into_iter().chain(self.command.take()).filter(|text| !text.is_empty()).collect();
        self.command = (!all.is_empty()).then(|| all.join(" "));
    }

    fn build(&self, reader: &mut Reader<'_>, node: &Node) -> (String, Map) {
        let part = |reader: &mut Reader<'_>, key: &str| node.get(key).and_then(|node| reader.text(node));
        let context = if node.map().is_some() { part(reader, "context") } else { reader.text(node) };
        let context = context.unwrap_or_else(|| ".".to_owned());
        let context = if context.contains("://") { context } else { reader.local(&context) };
        let mut builder = Map::default();
        let whole = context.is_empty();
        if !whole {
            builder.put_with(
                "Without a context, what is built is the commit, not the work tree.",
                "context",
                context.clone(),
            );
        }
        let dockerfile = part(reader, "dockerfile");
        let below = |file: String| if whole { file } else { format!("{context}/{file}") };
        let is_usual = |file: &String| file == "Dockerfile" || file == "./Dockerfile";
        builder.put_some(
            "dockerfile",
            dockerfile.or_else(|| (!whole).then(|| "Dockerfile".to_owned())).map(below).filter(|file| !is_usual(file)),
        );
        builder.put_some("target", part(reader, "target"));
        let mut args = Map::default();
        for (name, value, span) in node.get("args").map(|node| reader.pairs(node)).into_iter().flatten() {
            match value {
                Some(value) => args.put(name, value),
                None => reader.note(
                    span,
                    format!("{}/build/args/{name}", self.path()),
                    "it has no value here: give it one below `builder/args`",
                ),
            }
        }
        builder.put("args", args);
        for (key, entry) in node.map().into_iter().flatten() {
            let what = format!("{}/build/{key}", self.path());
            match key.as_str() {
                "context" | "dockerfile" | "target" | "args" | "tags" | "pull" | "no_cache" => {}
                "platforms" => {
                    let platforms = reader.texts(&entry.value);
                    let arches: Vec<String> = platforms.iter().filter_map(|platform| arch(platform)).collect();
                    builder.put("arch", arches);
                }
                "secrets" => reader.note(
                    entry.key,
                    what,
                    "name them below `builder/secrets`, and say in .kamal/secrets where they are",
                ),
                "ssh" => builder.put_some("ssh", reader.texts(&entry.value).first().cloned()),
                "cache_from" | "cache_to" => {
                    reader.note(entry.key, what, "say where the cache is kept with `builder/cache`");
                }
                key if key.starts_with("x-") => {}
                _ => reader.note(entry.key, what, "`builder` has nothing like it"),
            }
        }
        let id = format!("{context} {:?} {:?}", builder.get("dockerfile"), builder.get("target"));
        (id, builder)
    }

    fn labels(&mut self, reader: &mut Reader<'_>, node: &Node) {
        for (name, value, span) in reader.pairs(node) {
            let value = value.unwrap_or_default();
            let what = format!("{}/labels/{name}", self.path());
            match self.route.label(&name, &value) {
                Label::Taken | Label::Needless => {}
                Label::Lost => {
                    reader.note(span, what, "kamal-proxy is told of routes by `proxy`, which has nothing like it");
                }
                Label::Foreign if ["service", "role", "destination"].contains(&name.as_str()) => {
                    reader.note(span, what, "containers have a label of this name already");
                }
                Label::Foreign if name.starts_with("com.docker.compose") => {}
                Label::Foreign => self.labels.put(name, value),
            }
        }
    }

    fn logging(&mut self, reader: &mut Reader<'_>, node: &Node) {
        self.logging.put_some("driver", node.get("driver").and_then(|node| reader.text(node)));
        let mut options = Map::default();
        for (name, value, _) in node.get("options").map(|node| reader.pairs(node)).into_iter().flatten() {
            options.put_some(name, value);
        }
        self.logging.put("options", options);
    }

    fn deploy(&mut self, reader: &mut Reader<'_>, node: &Node) {
        for (key, entry) in node.map().into_iter().flatten() {
            match key.as_str() {
                "resources" => options::resources(reader, &entry.value, &mut self.options),
                "replicas" => self.replicas(reader, &entry.value, entry.key),
                "labels" => self.labels(reader, &entry.value),
                "mode" | "endpoint_mode" | "restart_policy" => {}
                key => reader.note(
                    entry.key,
                    format!("{}/deploy/{key}", self.path()),
                    "hosts are named below `servers`, and `boot` says how many change at a time; with `x-cluster: {run: services}` Docker's swarm \
                     does both",
                ),
            }
        }
    }

    fn replicas(&self, reader: &mut Reader<'_>, node: &Node, span: Span) {
        if reader.text(node).is_some_and(|count| count != "1" && count != "0") {
            let why = "a host runs one container of each role: give the role more hosts, or the app more processes; with several hosts \
                 `x-cluster: {run: services}` has `replicas`";
            reader.note(span, format!("{}/replicas", self.path()), why);
        }
    }

    fn grants(&mut self, reader: &mut Reader<'_>, node: &Node, secret: bool) {
        for item in node.list().unwrap_or_default() {
            let part = |reader: &mut Reader<'_>, key: &str| item.get(key).and_then(|node| reader.text(node));
            let source = if item.map().is_some() { part(reader, "source") } else { reader.text(item) };
            let Some(source) = source else { continue };
            let folder = if secret { "/run/secrets/" } else { "/" };
            let target = part(reader, "target").unwrap_or_else(|| source.clone());
            let target = if target.starts_with('/') { target } else { format!("{folder}{target}") };
            self.grants.push(Grant { source, target, secret, span: item.span });
        }
    }
}

/// The words of `command` or `entrypoint`, in either form.
fn command(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<String>> {
    if let Kind::List(items) = &node.kind {
        return Some(items.iter().filter_map(|item| reader.text(item)).collect());
    }
    let line = reader.text(node)?;
    crate::shell::split(&line).or_else(|| Some(line.split_whitespace().map(str::to_owned).collect()))
}

/// The image; without its tag where a variable without a value is that.
fn image(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<String> {
    let image = reader.text(node)?;
    let settled = reader.marks().settled(&image);
    if settled.ends_with(':') {
        let why = "nothing says which tag: name it, or set the variable when the file is loaded";
        reader.note(node.span, format!("{path}/image"), why);
        let (name, _) = image.rsplit_once(':')?;
        return Some(name.to_owned());
    }
    ImageRef::parse(settled.as_str()).is_ok().then_some(image)
}

fn depends_on(reader: &mut Reader<'_>, node: &Node) -> Vec<(String, String, Span)> {
    match &node.kind {
        Kind::Map(map) => {
            let condition = |node: &Node| node.get("condition").and_then(Node::text).unwrap_or_default();
            map.iter().map(|(name, entry)| (name.clone(), condition(&entry.value), entry.key)).collect()
        }
        _ => reader.texts(node).into_iter().map(|name| (name, String::new(), node.span)).collect(),
    }
}

/// `linux/arm64/v8` is `arm64`.
pub(super) fn arch(platform: &str) -> Option<String> {
    platform.split('/').nth(1).filter(|arch| ["amd64", "arm64"].contains(arch)).map(str::to_owned)
}
