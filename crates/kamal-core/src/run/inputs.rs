//! What an operation needs of the project: its hooks, error pages, and files of accessories. Read before anything is
//! changed, so that a missing file is found then.

use std::borrow::Cow;

use super::{Cx, hooks, needs};
use crate::{
    config::model::{Accessory, AccessoryPath},
    error::{Error, MissingSecret},
    event::{EventKind, Tone},
    op::Op,
    secret::Secret,
    step::Blob,
};

/// What was found in the project.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    /// Names of the hooks that are there.
    pub(crate) hooks: Hooks,
    /// Error pages, name and content.
    pub(crate) error_pages: Vec<(String, Blob)>,
    /// Files of the accessories the operation is about.
    pub(crate) accessory_files: Vec<AccessoryFile>,
}

/// Hooks that are there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Hooks(pub(crate) Vec<String>);

impl Hooks {
    /// True when the hook is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|hook| hook == name)
    }
}

/// A file of an accessory's, read from the project.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AccessoryFile {
    /// The accessory.
    pub accessory: String,
    /// Its path in the project, as deploy.yml has it.
    pub local: String,
    /// Its path below that, when that is a folder.
    pub below: Option<String>,
    /// Its content.
    pub content: Blob,
    /// Its mode in the project.
    pub mode: u32,
}

impl Inputs {
    pub(crate) async fn gather(cx: &Cx<'_>, op: &Op) -> Result<Self, Error> {
        let hooks = hooks::present(cx).await;
        needs::look_up(cx, op, &hooks).await?;
        Ok(Self {
            hooks,
            error_pages: if op.needs_error_pages() { error_pages(cx).await? } else { Vec::new() },
            accessory_files: accessory_files(cx, op).await?,
        })
    }
}

/// The error pages of the project, name and content.
async fn error_pages(cx: &Cx<'_>) -> Result<Vec<(String, Blob)>, Error> {
    let Some(folder) = &cx.fleet.config.error_pages_path else { return Ok(Vec::new()) };
    let mut pages = Vec::new();
    for name in cx.fleet.world.local.list(folder).await {
        let bytes = name.as_bytes();
        let is_page = bytes.len() == 8 && matches!(bytes[0], b'4' | b'5') && name.ends_with(".html");
        if is_page {
            let content = cx.fleet.world.local.read(&format!("{folder}/{name}")).await?;
            pages.push((name, content.into()));
        }
    }
    Ok(pages)
}

async fn accessory_files(cx: &Cx<'_>, op: &Op) -> Result<Vec<AccessoryFile>, Error> {
    let mut files = Vec::new();
    for accessory in op.uploads_of(cx.fleet.config) {
        for file in &accessory.files {
            for below in paths(cx, &file.local).await {
                let path = below.as_ref().map_or_else(|| file.local.clone(), |below| format!("{}/{below}", file.local));
                let mut content = cx.fleet.world.local.read(&path).await?;
                let mode = cx.fleet.world.local.mode(&path).await?;
                // Kamal takes any name that ends so for a template (spec 2.11).
                if path.ends_with("erb") {
                    let text = rendered(cx, accessory, &path, &content).await?;
                    warn_of_readers(cx, &path, octal(file).unwrap_or(mode), &text);
                    content = text.into_bytes();
                }
                let (accessory, local) = (accessory.name.clone(), file.local.clone());
                files.push(AccessoryFile { accessory, local, below, content: content.into(), mode });
            }
        }
    }
    Ok(files)
}

/// The files a path stands for: itself, or all that is in the folder of that name.
async fn paths(cx: &Cx<'_>, path: &str) -> Vec<Option<String>> {
    let local = &cx.fleet.world.local;
    match local.tree(path).await {
        Some(inside) => inside.into_iter().map(Some).collect(),
        None => vec![None],
    }
}

/// The mode that is given for a file, as a number: `u=rw,go=` and its like are none.
pub(crate) fn octal(file: &AccessoryPath) -> Option<u32> {
    file.mode.as_deref().and_then(|mode| u32::from_str_radix(mode, 8).ok())
}

/// An accessory's file is often readable to all of the host, since the container's user has to read it; who puts a secret
/// into one should know.
fn warn_of_readers(cx: &Cx<'_>, path: &str, mode: u32, text: &str) {
    if mode & 0o007 != 0 && matches!(cx.fleet.world.redactor.text(text), Cow::Owned(_)) {
        let text = format!(
            "{path} holds a secret and every user of the host can read it; give it a `mode`, 0600 if it can be"
        );
        cx.fleet.emit(EventKind::tell(Tone::Warning, text));
    }
}

/// A template among an accessory's files, rendered with the accessory's environment.
async fn rendered(cx: &Cx<'_>, accessory: &Accessory, path: &str, template: &[u8]) -> Result<String, Error> {
    let keyring = cx.fleet.keyring();
    let clear = accessory.env.clear.iter().map(|(name, value)| Ok((name.clone(), Secret::new(value.as_str()))));
    let needed_by = || vec![format!("accessories/{}/files: {path}", accessory.name)];
    let secret = accessory.env.secret.iter().map(|secret| {
        let missing =
            |error| Error::Secrets(vec![MissingSecret { key: secret.key.clone(), needed_by: needed_by(), error }]);
        Ok((secret.name.clone(), keyring.get(&secret.key).map_err(missing)?))
    });
    let variables: Vec<(String, Secret)> = clear.chain(secret).collect::<Result<_, Error>>()?;
    let template = String::from_utf8_lossy(template);
    let rendering = cx.fleet.world.templates.render(path, &template, &variables);
    let rendered = cx.fleet.cancel.guard(rendering).await.ok_or(Error::Cancelled)?;
    rendered.map_err(|source| Error::Template { accessory: accessory.name.clone(), path: path.to_owned(), source })
}
