//! `Dotenv`, which reads `.env` files into the environment, by the grammar that secrets files have too.

use super::super::ast::Place;
use super::super::run::{Found, Run};
use super::super::stop::Stop;
use super::super::value::Value;
use super::super::world::{Complaints, FileError};
use super::{ANY, Call, Method, Options, file, plain};
use crate::secret::Secret;
use crate::secrets::dotenv::{self, entries};
use crate::secrets::{
    expand::{Command, expand},
    line_breaks,
};

/// `Dotenv` itself.
pub(super) const MODULE: &[Method] = &[
    plain("load load!", 0, ANY, |run, call| {
        let (files, options) = files(run, call)?;
        load(run, &files, Mode::of(&options, options.is_set("overwrite"), call.name.ends_with('!')), true, call.place)
    }),
    plain("overload overload! overwrite overwrite!", 0, ANY, |run, call| {
        let (files, options) = files(run, call)?;
        load(run, &files, Mode::of(&options, true, call.name.ends_with('!')), true, call.place)
    }),
    plain("parse", 0, ANY, |run, call| {
        let (files, options) = files(run, call)?;
        load(run, &files, Mode::of(&options, options.is_set("overwrite"), false), false, call.place)
    }),
    plain("require_keys", 0, ANY, |run, call| {
        let mut missing = Vec::new();
        for value in call.values {
            for name in super::listed(run, value, call.place)? {
                let name = name.print();
                if run.outside.env(&name).is_none() {
                    missing.push(name);
                }
            }
        }
        if missing.is_empty() {
            return Ok(Value::Nil);
        }
        let message = format!("Missing required configuration key: {}", missing.join(", "));
        Err(call.raise("Dotenv::MissingKeysError", message))
    }),
];

/// `Dotenv::Parser` itself.
pub(super) const PARSER: &[Method] = &[plain("call", 1, 2, |run, call| {
    let (_, options) = call.options(&["overwrite"])?;
    let found = read(run, "the text", &call.text(0)?, options.is_set("overwrite"), call.place)?;
    let pairs = found.into_iter().map(|(name, value)| (Value::text(name), Value::text(value))).collect();
    run.map(pairs, call.place).map(Value::Map)
})];

/// How files are read.
#[derive(Clone, Copy)]
struct Mode {
    /// What they say counts more than what is set already.
    overwrite: bool,
    /// A file that is not there is an error.
    strict: bool,
}

impl Mode {
    fn of(options: &Options, overwrite: bool, strict: bool) -> Self {
        let strict = strict || options.get("ignore").is_some_and(|ignore| !ignore.truthy());
        Self { overwrite, strict }
    }
}

/// Reads `.env`, as requiring `dotenv/load` does.
pub(super) fn load_default(run: &mut Run<'_>, place: Place) -> Found {
    load(run, &[".env".to_owned()], Mode { overwrite: false, strict: false }, true, place)
}

fn files(run: &mut Run<'_>, call: &Call<'_>) -> Result<(Vec<String>, Options), Stop> {
    let (values, options) = call.options(&["overwrite", "ignore"])?;
    let mut files = Vec::new();
    for value in values {
        for path in super::listed(run, value, call.place)? {
            files.extend((!path.is_nil()).then(|| path.print()));
        }
    }
    if values.is_empty() {
        files.push(".env".to_owned());
    }
    Ok((files, options))
}

fn load(run: &mut Run<'_>, files: &[String], mode: Mode, set: bool, place: Place) -> Found {
    let mut files = files.to_vec();
    if mode.overwrite {
        // The first named has the last word.
        files.reverse();
    }
    let mut all = Vec::new();
    for path in files {
        let path = file::expand(run, &path, None)?;
        let text = match run.outside.read_file(&path) {
            Ok(text) => text,
            Err(FileError::Missing | FileError::Folder) if !mode.strict => continue,
            Err(_) => file::read(run, &path, place)?,
        };
        let found = read(run, &path, &text, mode.overwrite, place)?;
        if set {
            for (name, value) in &found {
                if mode.overwrite || run.outside.env(name).is_none() {
                    run.outside.set_env(name, Some(value));
                }
            }
        }
        all.extend(found);
    }
    let pairs = all.into_iter().map(|(name, value)| (Value::text(name), Value::text(value))).collect();
    run.map(pairs, place).map(Value::Map)
}

/// The variables of one file.
fn read(
    run: &mut Run<'_>,
    path: &str,
    text: &str,
    overwrite: bool,
    place: Place,
) -> Result<Vec<(String, String)>, Stop> {
    let mut found: Vec<(String, String)> = Vec::new();
    for entry in entries(text) {
        run.step(place)?;
        let set = |name: &str, found: &[(String, String)]| {
            found.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        let value = match (&entry.value, run.outside.env(&entry.key)) {
            (_, Some(value)) if !overwrite => value,
            (dotenv::Value::Exported, _) => {
                if set(&entry.key, &found).is_none() {
                    let message = format!("Line {} of {path} has an unset variable: {}", entry.line, entry.key);
                    return Err(Stop::raise(place, "Dotenv::FormatError", message));
                }
                continue;
            }
            (dotenv::Value::Literal(text), _) => text.expose().to_owned(),
            (dotenv::Value::Quoted(text) | dotenv::Value::Bare(text), _) => {
                let text = if let dotenv::Value::Quoted(_) = entry.value {
                    let mode = set("DOTENV_LINEBREAK_MODE", &found);
                    let mode = mode.or_else(|| run.outside.env("DOTENV_LINEBREAK_MODE")).unwrap_or_default();
                    line_breaks(text.expose(), &mode)
                } else {
                    text.expose().to_owned().into()
                };
                let outside = run.outside;
                let variable =
                    |name: &str| Ok(Secret::new(set(name, &found).or_else(|| outside.env(name)).unwrap_or_default()));
                let command = |command: Command<'_>| {
                    let answer = outside.run(command.filled, Complaints::Shown);
                    let answer = answer.map_err(|error| Stop::raise(place, error.class(), error.to_string()))?;
                    Ok(Secret::new(answer.printed.trim_end_matches(['\n', '\r'])))
                };
                let quoted = matches!(entry.value, dotenv::Value::Quoted(_));
                let value = expand(&text, quoted, &mut { variable }, &mut { command })?;
                value.to_string()
            }
        };
        found.push((entry.key, value));
    }
    Ok(found)
}
