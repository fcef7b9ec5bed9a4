//! From a deploy.yml of Kamal 1's to one of Kamal 2's: Traefik's settings become the proxy's, and `.env` becomes
//! `.kamal/secrets`. Whatever both have is taken over as it is; ERB stays ERB.

use super::super::diagnostic::ConfigErrors;
use super::super::shape::{Key, keys};
use super::super::source::Span;
use super::super::yaml::{Kind, Node};
use super::comments::Comments;
use super::compose::{Label, Route, seconds};
use super::marks::{Mark, Marks};
use super::reader::Reader;
use super::secrets::from_file;
use super::tree::{Map, Tree};
use super::{Draft, Input, SSL_OF_SEVERAL};

/// Stands in the place of the rest of a tag, so that everything keeps its place.
const FILLER: char = '\u{f8ff}';

/// The port Kamal 1 expects an app on; Kamal 2 expects 80.
const PORT: u64 = 3000;

const TRAEFIK: &str = "there is no Traefik any more: what kamal-proxy can do is said by `proxy`";

/// Makes a draft.
pub(super) fn import(input: &Input<'_>) -> Result<Draft, ConfigErrors> {
    let mut reader = Reader::new(input);
    let text = without_templates(&mut reader, &input.source.text, 0);
    let root = reader.yaml(&text, 0)?;
    let mut base = Import { reader: &mut reader, is_base: true }.root(&root);
    Comments::of(&text).keep(&root, &mut base);
    let mut destinations = Vec::new();
    for (index, (name, source)) in input.stages.iter().enumerate() {
        let text = without_templates(&mut reader, &source.text, index + 1);
        let root = reader.yaml(&text, index + 1)?;
        let mut map = Import { reader: &mut reader, is_base: false }.root(&root);
        Comments::of(&text).keep(&root, &mut map);
        destinations.push((name.clone(), map));
    }
    let head = format!("Made of {} by `kamal import kamal1`.", input.source.path);
    Ok(reader.finish(&head, &base, &destinations))
}

/// The text with a mark in the place of each tag of ERB that prints something, and blanks in that of others.
fn without_templates(reader: &mut Reader<'_>, text: &str, file: usize) -> String {
    let text = Marks::cleaned(text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, tag, after)) = rest.find("<%").and_then(|start| {
        let end = start + rest[start..].find("%>")? + 2;
        Some((&rest[..start], &rest[start..end], &rest[end..]))
    }) {
        out.push_str(before);
        let start = out.chars().count();
        let length = tag.chars().count();
        if let Some(code) = tag.strip_prefix("<%=").map(|code| code.trim_end_matches("%>").trim_end_matches('-').trim())
        {
            let mark = Mark { ruby: code.to_owned(), variable: None, fallback: String::new(), required: false };
            out.push_str(&reader.marks.add(mark));
            out.extend(std::iter::repeat_n(FILLER, length - 1));
        } else {
            if !tag.starts_with("<%#") {
                let span = Span { file, start, end: start + length };
                reader.note(span, tag.to_owned(), "Ruby that prints nothing was left out: put it back by hand");
            }
            out.extend(tag.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

struct Import<'r, 'a> {
    reader: &'r mut Reader<'a>,
    /// Not a destination's file.
    is_base: bool,
}

impl Import<'_, '_> {
    fn root(&mut self, root: &Node) -> Map {
        let mut out = Map::default();
        let mut proxy = Map::default();
        let mut route = Route::default();
        let mut drain = None;
        let primary = root.get("primary_role").and_then(Node::text).unwrap_or_else(|| "web".to_owned());
        for (key, entry) in root.map().into_iter().flatten() {
            let node = &entry.value;
            match key.as_str() {
                "traefik" => self.traefik(node, &mut proxy, &mut route),
                "healthcheck" => self.healthcheck(node, &mut proxy, &mut route),
                "labels" => {
                    let labels = self.labels(node, "labels", &mut route);
                    out.put("labels", labels);
                }
                "servers" => {
                    let servers = self.servers(node, &primary, &mut route);
                    out.put("servers", servers);
                }
                "builder" => {
                    let builder = self.builder(node);
                    out.put("builder", builder);
                }
                "stop_wait_time" => drain = Some(self.tree(node)),
                "audit_broadcast_cmd" => {
                    self.note(entry.key, key, "put the command into the hook .kamal/hooks/post-deploy");
                }
                "minimum_version" => self.note(entry.key, key, "it was about Kamal 1"),
                "run_directory" => self.note(entry.key, key, "files on hosts are always below .kamal"),
                key if key.starts_with("x-") || keys::ROOT.iter().any(|known| known.name == key) => {
                    let known = self.known(node, key);
                    out.put(key, known);
                }
                _ => self.note(entry.key, key, "Kamal 2 has no such key"),
            }
        }
        out.put_some("drain_timeout", drain);
        self.proxy(root, &primary, proxy, route, &mut out);
        if self.is_base {
            if out.get("builder").is_none() {
                out.put("builder", arch(Tree::from("amd64")));
                self.note(
                    root.span,
                    "builder",
                    "Kamal 1 built for amd64 and arm64: `builder/arch` is what your servers run on",
                );
            }
            self.secrets(root);
            self.hooks(root);
        }
        out
    }

    fn note(&mut self, span: Span, what: impl Into<String>, why: impl Into<String>) {
        self.reader.note(span, what, why);
    }

    fn text(&self, node: &Node) -> Option<String> {
        self.reader.written(node).map(|text| text.replace(FILLER, ""))
    }

    /// A value as it is.
    fn tree(&self, node: &Node) -> Tree {
        match &node.kind {
            Kind::Null => Tree::Bare("~".to_owned()),
            Kind::List(items) => Tree::List(items.iter().map(|item| self.tree(item)).collect()),
            Kind::Map(map) => {
                let mut out = Map::default();
                for (key, entry) in map {
                    out.keep(key.replace(FILLER, ""), self.tree(&entry.value));
                }
                Tree::Map(out)
            }
            Kind::Text(text) => {
                let text = text.replace(FILLER, "");
                // What a tag prints is a number, or a list, where nothing stands around it.
                let alone = self.reader.marks.within(&text).next().is_some() && !self.is_quoted(node);
                if alone { Tree::Bare(text) } else { Tree::Text(text) }
            }
            _ => Tree::Bare(self.text(node).unwrap_or_default()),
        }
    }

    fn is_quoted(&self, node: &Node) -> bool {
        let sources =
            [self.reader.input.source].into_iter().chain(self.reader.input.stages.iter().map(|(_, source)| source));
        let source = sources.into_iter().nth(node.span.file);
        source
            .and_then(|source| source.text.chars().nth(node.span.start))
            .is_some_and(|c| matches!(c, '"' | '\'' | '|' | '>'))
    }

    /// A section both have, without what Kamal 2 has no key for.
    fn known(&mut self, node: &Node, path: &str) -> Tree {
        let (keys, by_name): (&[Key], bool) = match path {
            "accessories" => (keys::ACCESSORY, true),
            "registry" => (keys::REGISTRY, false),
            "boot" => (keys::BOOT, false),
            "logging" => (keys::LOGGING, false),
            "ssh" => (keys::SSH, false),
            "sshkit" => (keys::SSHKIT, false),
            _ => return self.tree(node),
        };
        let Some(map) = node.map() else { return self.tree(node) };
        if !by_name {
            return self.with_keys(node, keys, path).into();
        }
        let mut out = Map::default();
        for (name, entry) in map {
            out.put(name.clone(), self.with_keys(&entry.value, keys, &format!("{path}/{name}")));
        }
        out.into()
    }

    fn with_keys(&mut self, node: &Node, keys: &[Key], path: &str) -> Map {
        let mut out = Map::default();
        for (key, entry) in node.map().into_iter().flatten() {
            if keys.iter().any(|known| known.name == key) {
                out.keep(key.clone(), self.tree(&entry.value));
            } else {
                self.note(entry.key, format!("{path}/{key}"), "Kamal 2 has no such key");
            }
        }
        out
    }

    fn labels(&mut self, node: &Node, path: &str, route: &mut Route) -> Map {
        let mut out = Map::default();
        for (name, entry) in node.map().into_iter().flatten() {
            let value = self.text(&entry.value).unwrap_or_default();
            match route.label(name, &value) {
                Label::Taken | Label::Needless => {}
                Label::Lost => self.note(entry.key, format!("{path}/{name}"), TRAEFIK),
                Label::Foreign => out.put(name.clone(), self.tree(&entry.value)),
            }
        }
        out
    }

    fn servers(&mut self, node: &Node, primary: &str, route: &mut Route) -> Tree {
        let Some(roles) = node.map() else { return self.tree(node) };
        let mut out = Map::default();
        for (name, entry) in roles {
            let path = format!("servers/{name}");
            let Some(settings) = entry.value.map() else {
                out.keep(name.clone(), self.tree(&entry.value));
                continue;
            };
            let mut role = Map::default();
            for (key, entry) in settings {
                match key.as_str() {
                    "traefik" => {
                        let on = entry.value.is_truthy();
                        if on != (name == primary) {
                            role.put("proxy", on);
                        }
                    }
                    "labels" => {
                        let mut own = Route::default();
                        let labels = self.labels(
                            &entry.value,
                            &format!("{path}/labels"),
                            if name == primary { route } else { &mut own },
                        );
                        role.put("labels", labels);
                        if own.is_known() {
                            let mut proxy = Map::default();
                            own.into_proxy(&self.reader.marks, &mut proxy);
                            role.put("proxy", proxy);
                        }
                    }
                    "options" if entry.value.get("network").is_some() => {
                        let mut options = self.tree(&entry.value);
                        if let Tree::Map(options) = &mut options {
                            options.remove("network");
                        }
                        role.put("options", options);
                        let why = "containers of a role are in the network `kamal`, where the proxy reaches them";
                        self.note(entry.key, format!("{path}/options/network"), why);
                    }
                    key if keys::ROLE.iter().any(|known| known.name == key) => {
                        role.keep(key.to_owned(), self.tree(&entry.value));
                    }
                    key => self.note(entry.key, format!("{path}/{key}"), "Kamal 2 has no such key"),
                }
            }
            out.put(name.clone(), role);
        }
        out.into()
    }

    fn traefik(&mut self, node: &Node, proxy: &mut Map, route: &mut Route) {
        let mut run = Map::default();
        for (key, entry) in node.map().into_iter().flatten() {
            match key.as_str() {
                "host_port" => run.put("http_port", self.tree(&entry.value)),
                "publish" if entry.value.bool() == Some(false) => run.put("publish", false),
                "publish" => {}
                "args" => {
                    let names = entry.value.map().into_iter().flatten();
                    route.tls |=
                        names.into_iter().any(|(name, _)| name.to_ascii_lowercase().contains("certificatesresolvers"));
                    self.note(entry.key, "traefik/args", TRAEFIK);
                }
                key => self.note(entry.key, format!("traefik/{key}"), TRAEFIK),
            }
        }
        proxy.put("run", run);
    }

    fn healthcheck(&mut self, node: &Node, proxy: &mut Map, route: &mut Route) {
        let mut check = Map::default();
        for (key, entry) in node.map().into_iter().flatten() {
            match key.as_str() {
                "path" => check.put("path", self.tree(&entry.value)),
                "interval" => check.put_some("interval", self.text(&entry.value).as_deref().and_then(seconds)),
                // What a label said of the port counts.
                "port" => route.port = route.port.take().or_else(|| self.text(&entry.value)),
                "max_attempts" => self.note(entry.key, "healthcheck/max_attempts", "say with `deploy_timeout` how many seconds a container may take"),
                "cmd" => self.note(entry.key, "healthcheck/cmd", "the proxy asks for `proxy/healthcheck/path`; a role without it may have docker's own check: `options: {health-cmd: …}`"),
                key => self.note(entry.key, format!("healthcheck/{key}"), "Kamal 2 has no such key"),
            }
        }
        proxy.put("healthcheck", check);
    }

    fn proxy(&mut self, root: &Node, primary: &str, mut proxy: Map, mut route: Route, out: &mut Map) {
        if let Some(Tree::Map(given)) = out.remove("proxy") {
            for (key, value) in given.iter() {
                proxy.put(key, value.clone());
            }
        }
        if self.is_base && route.port.is_none() && proxy.get("app_port").is_none() {
            route.port = Some(PORT.to_string());
        }
        if route.tls && route.hosts.is_empty() && self.is_base {
            self.note(root.span, "traefik", "certificates are obtained with `proxy/ssl: true` and `proxy/host`");
        }
        let hosts = match out.get("servers") {
            Some(Tree::List(hosts)) => hosts.len(),
            Some(Tree::Map(roles)) => roles.get(primary).map_or(0, |role| match role {
                Tree::List(hosts) => hosts.len(),
                Tree::Map(role) => match role.get("hosts") {
                    Some(Tree::List(hosts)) => hosts.len(),
                    _ => 0,
                },
                _ => 0,
            }),
            _ => 0,
        };
        if route.tls && hosts > 1 {
            route.tls = false;
            self.note(root.span, "traefik", SSL_OF_SEVERAL);
        }
        let mut all = Map::default();
        route.into_proxy(&self.reader.marks, &mut all);
        for (key, value) in proxy.iter() {
            all.put(key, value.clone());
        }
        out.put("proxy", all);
    }

    fn builder(&mut self, node: &Node) -> Map {
        let mut out = Map::default();
        let part = |section: &str, key: &str| node.get(section)?.get(key).and_then(Node::text);
        let mut arches: Vec<String> = Vec::new();
        for arch in [part("local", "arch"), part("remote", "arch")].into_iter().flatten() {
            if !arches.contains(&arch) {
                arches.push(arch);
            }
        }
        if let Some(arch) = node.get("arch").map(|arch| self.tree(arch)) {
            out.put("arch", arch);
        } else if self.is_base || !arches.is_empty() {
            if arches.is_empty() {
                self.note(node.span, "builder", "Kamal 1 built for amd64 and arm64, or with `multiarch: false` for this machine: `builder/arch` is what your servers run on");
                arches.push("amd64".to_owned());
            }
            out.put("arch", if let [one] = &arches[..] { Tree::from(one.clone()) } else { arches.into() });
        }
        for (key, entry) in node.map().into_iter().flatten() {
            match key.as_str() {
                "multiarch" | "arch" => {}
                "local" if entry.value.map().is_some() => {
                    if let Some(host) = entry.value.entry("host") {
                        self.note(
                            host.key,
                            "builder/local/host",
                            "docker's own settings (DOCKER_HOST, contexts) say where it is",
                        );
                    }
                }
                "remote" if entry.value.map().is_some() => {
                    out.put_some("remote", entry.value.get("host").map(|host| self.tree(host)));
                }
                key if keys::BUILDER.iter().any(|known| known.name == key) => out.put(key, self.tree(&entry.value)),
                key => self.note(entry.key, format!("builder/{key}"), "Kamal 2 has no such key"),
            }
        }
        out
    }

    /// Kamal 1 took secrets from `.env`.
    fn secrets(&mut self, root: &Node) {
        let mut names = Vec::new();
        let mut of_env = |env: Option<&Node>| {
            let list = env.and_then(|env| env.get("secret")).and_then(Node::list).unwrap_or_default();
            names.extend(
                list.iter().filter_map(Node::text).map(|name| name.rsplit(':').next().unwrap_or_default().to_owned()),
            );
        };
        of_env(root.get("env"));
        for section in ["servers", "accessories"] {
            for entry in root.get(section).and_then(Node::map).into_iter().flat_map(|map| map.values()) {
                of_env(entry.value.get("env"));
            }
        }
        let lists = [
            root.get("registry").and_then(|registry| registry.get("username")),
            root.get("registry").and_then(|registry| registry.get("password")),
            root.get("builder").and_then(|builder| builder.get("secrets")),
        ];
        for list in lists.into_iter().flatten().filter_map(Node::list) {
            names.extend(list.iter().filter_map(Node::text));
        }
        let file = (self.reader.input.read)(".env");
        let said = |name: &str| {
            file.as_ref().filter(|text| text.lines().any(|line| line.trim_start().starts_with(&format!("{name}="))))
        };
        for name in names.iter().filter(|name| !name.is_empty()) {
            let source = said(name).map_or_else(|| format!("${name}"), |text| from_file(name, ".env", text));
            self.reader.secrets.add("app", name, "", &source);
        }
        if (self.reader.input.read)(".env.erb").is_some() {
            self.note(
                root.span,
                ".env.erb",
                "there is no `env push` any more: say in .kamal/secrets where each secret is",
            );
        }
    }

    fn hooks(&mut self, root: &Node) {
        for when in ["pre", "post"] {
            let old = format!(".kamal/hooks/{when}-traefik-reboot");
            if (self.reader.input.read)(&old).is_some() {
                self.note(root.span, old, format!("rename it to {when}-proxy-reboot"));
            }
        }
    }
}

fn arch(value: Tree) -> Map {
    let mut builder = Map::default();
    builder.put("arch", value);
    builder
}
