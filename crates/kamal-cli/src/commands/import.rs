//! `kamal import`: a draft of deploy.yml from the file of another tool. What is there already stays as it is.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use kamal_core::config::{
    Source,
    import::{self, Draft, Input, Note, Origin},
};
use serde_json::{Value, json};

use crate::{
    args::{Global, ImportCommand},
    context,
    failure::Failure,
    output,
};

const DEPLOY: &str = "config/deploy.yml";
const SECRETS: &str = ".kamal/secrets";

/// Writes the draft, and tells what it could not take over.
pub(super) fn run(global: &Global, command: &ImportCommand) -> Result<(), Failure> {
    let (origin, args) = command.parts();
    let project = context::project()?;
    let to_stdout = args.output == Path::new("-");
    let (file, text) = read(origin, args.file.as_deref())?;
    let text = text.trim_start_matches('\u{feff}');
    let source = Source::new(file.display().to_string(), text);
    let stages = stages(origin, &file)?;
    // Files are named as seen from the Compose file, else from the project.
    let home = match origin {
        Origin::Compose => file.parent().map(Path::to_owned).unwrap_or_default(),
        Origin::Capistrano | Origin::Kamal1 => PathBuf::new(),
    };
    let name = fs::canonicalize(project.join(&home)).ok();
    let name = name.as_deref().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    let folder = home.strip_prefix(&project).unwrap_or(&home).to_string_lossy().into_owned();
    let read = |path: &str| fs::read_to_string(project.join(path)).ok();
    let input = Input { source: &source, stages: &stages, project: &name, folder: &folder, read: &read };
    let draft = import::import(origin, &input).map_err(Failure::Config)?;
    // What is printed is named as the files that would be written by themselves.
    let output = if to_stdout { Path::new(DEPLOY) } else { &args.output };
    let files = files(&draft, output);
    let added = if to_stdout { Vec::new() } else { write(&files, &draft, args.force)? };
    if global.json {
        output::line(&document(&source, &draft, &files, (!to_stdout).then_some(&added)).to_string());
        return Ok(());
    }
    if to_stdout {
        show(&draft);
    } else {
        files.iter().for_each(|(path, _)| output::line(&format!("Wrote {}", path.display())));
        if !added.is_empty() {
            output::line(&format!("Added to {SECRETS}: {}", added.join(", ")));
        }
    }
    tell(&draft, to_stdout);
    Ok(())
}

/// The drafts, and where they go.
fn files<'d>(draft: &'d Draft, to: &Path) -> Vec<(PathBuf, &'d str)> {
    let destinations = draft.destinations.iter().map(|(name, text)| (of_destination(to, name), text.as_str()));
    std::iter::once((to.to_owned(), draft.deploy.as_str())).chain(destinations).collect()
}

/// All of it for a program; `added` are the secrets' lines that were, where anything was written.
fn document(source: &Source, draft: &Draft, files: &[(PathBuf, &str)], added: Option<&Vec<&str>>) -> Value {
    let file = |(path, content): &(PathBuf, &str)| json!({"path": path.display().to_string(), "content": content});
    let is_added = |name: &str| added.is_some_and(|added| added.contains(&name));
    let secret = |(name, line): &(String, String)| json!({"name": name, "line": line, "added": is_added(name)});
    let note =
        |Note { file, line, what, why, .. }: &Note| json!({"file": file, "line": line, "what": what, "why": why});
    json!({
        "schema": "kamal/import/1",
        "from": source.path,
        "written": added.is_some(),
        "files": files.iter().map(file).collect::<Vec<_>>(),
        "secrets": draft.secrets.iter().map(secret).collect::<Vec<_>>(),
        "notes": draft.notes.iter().map(note).collect::<Vec<_>>(),
    })
}

/// The file that was asked for, or the first of those the tool looks for.
fn read(origin: Origin, asked: Option<&Path>) -> Result<(PathBuf, String), Failure> {
    let usual: &[&str] = match origin {
        Origin::Compose => &["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"],
        Origin::Capistrano => &["config/deploy.rb"],
        Origin::Kamal1 => &["config/deploy.yml"],
    };
    if asked == Some(Path::new("-")) {
        let mut text = String::new();
        let read = io::stdin().read_to_string(&mut text);
        read.map_err(|error| Failure::User(format!("cannot read standard input: {error}")))?;
        return Ok((PathBuf::from("standard input"), text));
    }
    let found = asked.or_else(|| usual.iter().map(Path::new).find(|path| path.exists()));
    let Some(file) = found else {
        return Err(Failure::User(
            format!("there is no {} here: name the file", usual.join(", nor ")).replace(", nor ", " nor "),
        ));
    };
    let text = fs::read_to_string(file);
    let text = text.map_err(|error| Failure::User(format!("cannot read {}: {error}", file.display())))?;
    Ok((file.to_owned(), text))
}

/// The files of stages, `config/deploy/NAME.rb`, or of destinations, `config/deploy.NAME.yml`, beside the file.
fn stages(origin: Origin, file: &Path) -> Result<Vec<(String, Source)>, Failure> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let (folder, start, end) = match origin {
        Origin::Compose => return Ok(Vec::new()),
        Origin::Capistrano => (folder.join(stem), String::new(), ".rb"),
        Origin::Kamal1 => (folder.to_owned(), format!("{stem}."), ".yml"),
    };
    let listed = if folder == Path::new("") { fs::read_dir(".") } else { fs::read_dir(&folder) };
    let mut names: Vec<String> = listed
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            Some(name.strip_prefix(&start)?.strip_suffix(end)?.to_owned()).filter(|name| !name.is_empty())
        })
        .collect();
    names.sort();
    let source = |name: String| {
        let path = folder.join(format!("{start}{name}{end}"));
        let text = fs::read_to_string(&path);
        let text = text.map_err(|error| Failure::User(format!("cannot read {}: {error}", path.display())))?;
        Ok((name, Source::new(path.display().to_string(), text)))
    };
    names.into_iter().map(source).collect()
}

/// The draft of a destination: `config/deploy.NAME.yml` beside `config/deploy.yml`.
fn of_destination(output: &Path, name: &str) -> PathBuf {
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    output.with_file_name(format!("{stem}.{name}.yml"))
}

fn show(draft: &Draft) {
    output::show(&draft.deploy);
    for (name, text) in &draft.destinations {
        output::show(&format!("\n---\n# config/deploy.{name}.yml\n{text}"));
    }
}

/// Writes the drafts and the lines of secrets that are not there, and returns the names of these.
fn write<'d>(files: &[(PathBuf, &str)], draft: &'d Draft, force: bool) -> Result<Vec<&'d str>, Failure> {
    if let Some((taken, _)) = files.iter().find(|(path, _)| path.exists()).filter(|_| !force) {
        let taken = taken.display();
        return Err(Failure::User(format!(
            "{taken} is there already: --force replaces it, --output PATH writes elsewhere, --output - prints the draft"
        )));
    }
    files.iter().try_for_each(|(path, text)| save(path, text, 0o644))?;
    secrets(draft)
}

/// Adds the lines the secrets file does not have, and returns the names.
fn secrets(draft: &Draft) -> Result<Vec<&str>, Failure> {
    let path = Path::new(SECRETS);
    let mut text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            "# Where each secret comes from. Keep secrets themselves out of git: take them from the environment, a file that\n\
             # is not committed, or a password manager.\n"
                .to_owned()
        }
        Err(error) => return Err(Failure::User(format!("cannot read {SECRETS}: {error}"))),
    };
    let has = |name: &str| {
        text.lines().any(|line| line.trim_start().trim_start_matches("export ").starts_with(&format!("{name}=")))
    };
    let missing: Vec<&(String, String)> = draft.secrets.iter().filter(|(name, _)| !has(name)).collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    for (_, line) in &missing {
        text.push_str(line);
        text.push('\n');
    }
    save(path, &text, 0o600)?;
    Ok(missing.into_iter().map(|(name, _)| name.as_str()).collect())
}

fn save(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let attempt = || -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let is_new = !path.exists();
        fs::write(path, text)?;
        if is_new { fs::set_permissions(path, fs::Permissions::from_mode(mode)) } else { Ok(()) }
    };
    attempt().map_err(|error| Failure::User(format!("cannot write {}: {error}", path.display())))
}

/// What is left for a person to do, on standard error.
fn tell(draft: &Draft, to_stdout: bool) {
    if to_stdout && !draft.secrets.is_empty() {
        output::complain(&format!("Lines for {SECRETS}:"));
        for (_, line) in &draft.secrets {
            output::complain(&format!("  {line}"));
        }
    }
    if !draft.notes.is_empty() {
        output::complain("Not taken over, or not as it was:");
        for note in &draft.notes {
            output::complain(&format!("  {note}"));
        }
    }
}
