//! What lies in Capistrano's `shared`: secrets, settings, and what is kept from one release to the next.

use super::super::reader::Reader;
use super::super::secretive;
use super::super::secrets::from_file;
use super::super::tree::Map;
use super::Recipe;
use crate::shell::escape::word;

/// Where the code is in images that Rails' own Dockerfile makes.
pub(super) const APP: &str = "/rails";

/// Folders that images have, or that need not be kept.
const NOT_KEPT: [&str; 11] = [
    "log",
    "tmp",
    "vendor/bundle",
    "vendor/javascript",
    "node_modules",
    ".bundle",
    "public/assets",
    "public/packs",
    "public/vite",
    "bin",
    "public/cache",
];

/// What becomes of a linked file.
enum Linked<'a> {
    /// A secret, by its name, and where it is looked up.
    Secret(&'static str, String),
    /// Variables of the environment.
    Variables,
    /// Part of the image.
    Image(&'a str),
    /// It stays on the host.
    Kept,
}

fn linked(path: &str) -> Linked<'_> {
    let name = path.rsplit('/').next().unwrap_or_default();
    match path {
        "config/secrets.yml" => Linked::Secret("SECRET_KEY_BASE", "$SECRET_KEY_BASE".to_owned()),
        "config/database.yml" => Linked::Secret("DATABASE_URL", "$DATABASE_URL".to_owned()),
        "config/puma.rb" => Linked::Image("put it into the image; puma has to listen on 0.0.0.0"),
        _ if name == "master.key" || path.starts_with("config/credentials/") && name.ends_with(".key") => {
            Linked::Secret("RAILS_MASTER_KEY", format!("$(cat {})", word(path)))
        }
        _ if name.starts_with(".env") => Linked::Variables,
        _ => Linked::Kept,
    }
}

/// Names of secrets for `env`; what of env files is none goes into `clear`.
pub(super) fn secrets(reader: &mut Reader<'_>, recipe: &Recipe, clear: &mut Map) -> Vec<String> {
    let mut names = Vec::new();
    let span = recipe.settings.span("linked_files").unwrap_or_default();
    for path in recipe.settings.texts(reader, "linked_files") {
        let what = format!("linked_files {path}");
        match linked(&path) {
            Linked::Secret(name, source) => {
                names.push(reader.secrets.add("app", name, "", &source));
                if source.starts_with("$(") {
                    continue;
                }
                let why = format!("the app is told of it by {name}: say in .kamal/secrets where that is");
                reader.note(span, what, why);
            }
            Linked::Variables => match (reader.input.read)(&path) {
                Some(text) => {
                    for (name, value) in super::super::compose::contents(&text) {
                        if secretive::is_secret(&name, &value) {
                            names.push(reader.secrets.add("app", &name, "", &from_file(&name, &path, &text)));
                        } else {
                            clear.put(name, value);
                        }
                    }
                }
                None => {
                    let why = "it is not here: name its variables below `env`, and secrets of it in .kamal/secrets";
                    reader.note(span, what, why);
                }
            },
            Linked::Image(why) => reader.note(span, what, why),
            Linked::Kept => {
                let why = "it is mounted from where it is on the host; better put it into the image, or what is secret of it \
                           into .kamal/secrets";
                reader.note(span, what, why);
            }
        }
    }
    names.dedup();
    names
}

/// Files and folders that stay where they are on the host, as volumes.
pub(super) fn kept(reader: &mut Reader<'_>, recipe: &Recipe) -> Vec<String> {
    let name = recipe.settings.text(reader, "application").unwrap_or_else(|| reader.input.project.to_owned());
    let home = recipe.settings.text(reader, "deploy_to").unwrap_or_else(|| format!("/var/www/{name}"));
    let files = recipe.settings.texts(reader, "linked_files");
    let files = files.iter().filter(|path| matches!(linked(path), Linked::Kept));
    let mut volumes: Vec<String> = files.map(|path| format!("{home}/shared/{path}:{APP}/{path}:ro")).collect();
    for folder in recipe.settings.texts(reader, "linked_dirs") {
        let is = |known: &&str| folder == *known || folder.starts_with(&format!("{known}/"));
        let volume = format!("{home}/shared/{folder}:{APP}/{folder}");
        if !NOT_KEPT.iter().any(is) && !volumes.contains(&volume) {
            volumes.push(volume);
        }
    }
    volumes
}
