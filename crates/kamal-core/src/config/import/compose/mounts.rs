//! `volumes` of a service: volumes docker keeps, folders and files of the host, and of the project.

use super::super::super::source::Span;
use super::super::super::yaml::Node;
use super::super::tree::{Map, Tree};
use super::Reader;

/// Something mounted into a container.
#[derive(Clone, Debug)]
pub(super) struct Mount {
    pub(super) span: Span,
    /// A volume's name or a path; nothing for one without a name.
    pub(super) source: Option<String>,
    pub(super) target: String,
    pub(super) options: Option<String>,
}

/// What a mount's source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Kept by docker under a name.
    Volume,
    /// A path on the host.
    Host,
    /// A path in the project.
    Project,
    /// Gone with the container.
    Nothing,
}

impl Mount {
    pub(super) fn kind(&self) -> Source {
        match self.source.as_deref() {
            None => Source::Nothing,
            Some(path) if path.starts_with('/') => Source::Host,
            Some(path) if path.starts_with('.') || path.starts_with('~') || path.contains('/') => Source::Project,
            Some(_) => Source::Volume,
        }
    }

    fn behind(&self, source: &str) -> String {
        let options = self.options.as_ref().map(|options| format!(":{options}")).unwrap_or_default();
        format!("{source}:{}{options}", self.target)
    }

    /// As `docker run --volume` takes it.
    pub(super) fn spelled(&self) -> String {
        self.source.as_ref().map_or_else(|| self.target.clone(), |source| self.behind(source))
    }

    /// Whether its source is a file, as far as names tell.
    fn is_file(&self) -> bool {
        let last = |path: &str| path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        let ending = |name: &str| {
            name.trim_start_matches('.').rsplit_once('.').is_some_and(|(_, end)| end != "d" && end.len() < 8)
        };
        !self.source.as_deref().unwrap_or_default().ends_with('/')
            && ending(&last(self.source.as_deref().unwrap_or_default()))
            || ending(&last(&self.target)) && ending(&last(self.source.as_deref().unwrap_or_default()))
    }
}

/// All of a service's mounts; `tmpfs` is an option.
pub(super) fn mounts(reader: &mut Reader<'_>, node: &Node, options: &mut Map) -> Vec<Mount> {
    let mut found = Vec::new();
    for item in node.list().unwrap_or_default() {
        if item.map().is_none() {
            found.extend(reader.text(item).map(|text| short(&text, item.span)));
            continue;
        }
        let part = |reader: &mut Reader<'_>, key: &str| item.get(key).and_then(|node| reader.text(node));
        let Some(target) = part(reader, "target") else { continue };
        if part(reader, "type").as_deref() == Some("tmpfs") {
            options.put("tmpfs", vec![target]);
            continue;
        }
        let read_only = item.get("read_only").is_some_and(Node::is_truthy);
        let source = part(reader, "source");
        found.push(Mount { span: item.span, source, target, options: read_only.then(|| "ro".to_owned()) });
    }
    found
}

fn short(text: &str, span: Span) -> Mount {
    let mut parts = text.splitn(3, ':').map(str::to_owned);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(target), None, _) => Mount { span, source: None, target, options: None },
        (source, target, options) => {
            // What Docker Desktop alone understands.
            let options = options.map(|options| {
                let known =
                    options.split(',').filter(|option| !["cached", "delegated", "consistent", "rw"].contains(option));
                known.collect::<Vec<_>>().join(",")
            });
            Mount { span, source, target: target.unwrap_or_default(), options: options.filter(|all| !all.is_empty()) }
        }
    }
}

/// An accessory's mounts, in the keys deploy.yml has for them.
pub(super) fn of_accessory(reader: &mut Reader<'_>, path: &str, mounts: &[Mount], into: &mut Map) {
    let (mut volumes, mut files, mut directories) = (Vec::new(), Vec::new(), Vec::new());
    for mount in mounts {
        let local = reader.local(mount.source.as_deref().unwrap_or_default());
        match mount.kind() {
            Source::Volume | Source::Host | Source::Nothing => volumes.push(mount.spelled()),
            Source::Project if local.starts_with(['~', '.']) || local.is_empty() => {
                reader.note(
                    mount.span,
                    format!("{path}/volumes"),
                    format!(
                        "{} is outside of the project, or all of it; name a path on the host below `volumes`",
                        mount.spelled()
                    ),
                );
            }
            Source::Project if mount.is_file() => files.push(mount.behind(&local)),
            Source::Project => {
                let why = format!(
                    "the folder {} is made on the host, and is empty there at first: put into it what {} holds",
                    local,
                    mount.source.as_deref().unwrap_or_default()
                );
                reader.note(mount.span, format!("{path}/volumes"), why);
                directories.push(mount.behind(&local));
            }
        }
    }
    into.put("files", files);
    into.put("directories", directories);
    into.put("volumes", volumes);
}

/// What of the app's mounts goes along: the code is in the image.
pub(super) fn of_app(reader: &mut Reader<'_>, path: &str, mounts: &[Mount]) -> Vec<String> {
    let mut volumes = Vec::new();
    for mount in mounts {
        match mount.kind() {
            Source::Volume | Source::Host => volumes.push(mount.spelled()),
            Source::Nothing => {}
            Source::Project => {
                let why = "the app runs what is in its image; for files that are to stay, name a path on the host below `volumes`";
                reader.note(mount.span, format!("{path}/volumes"), format!("{}: {why}", mount.spelled()));
            }
        }
    }
    volumes
}

/// The volumes that are mounted in every one of several containers, and below them what is left of each.
pub(super) fn shared(all: &[Vec<String>]) -> (Vec<String>, Vec<Tree>) {
    let everywhere = |volume: &&String| all.iter().all(|volumes| volumes.contains(volume));
    let shared: Vec<String> = all.first().into_iter().flatten().filter(everywhere).cloned().collect();
    let left = |volumes: &Vec<String>| -> Vec<String> {
        volumes.iter().filter(|volume| !shared.contains(volume)).cloned().collect()
    };
    let rest = all.iter().map(|volumes| left(volumes).into()).collect();
    (shared, rest)
}
