//! Files and folders, all through the port.

use super::super::ast::Place;
use super::super::paths;
use super::super::run::Run;
use super::super::stop::Stop;
use super::super::value::Value;
use super::super::world::{Fact, FileError};
use super::{ANY, Call, Method, block, plain};

/// Folders in folders, for `**`.
const MAX_FOLDERS: usize = 5_000;

/// `File` itself.
pub(super) const FILE: &[Method] = &[
    plain("read binread", 1, 2, |run, call| {
        call.options(&["encoding", "mode", "external_encoding"])?;
        read(run, &call.text(0)?, call.place).map(Value::text)
    }),
    block("readlines foreach", 1, 2, |run, call| {
        let (_, options) = call.options(&["chomp", "encoding"])?;
        let text = Value::text(read(run, &call.text(0)?, call.place)?);
        let mut pairs = Vec::new();
        pairs.extend(options.get("chomp").map(|chomp| (Value::symbol("chomp"), chomp)));
        let keywords = !pairs.is_empty();
        let mut values = Vec::new();
        if keywords {
            values.push(Value::Map(run.map(pairs, call.place)?));
        }
        let name = if call.name == "foreach" { "each_line" } else { "lines" };
        let block = call.block.clone();
        super::call(run, &Call { place: call.place, receiver: &text, name, values: &values, keywords, block })
    }),
    block("open new", 1, 3, |run, call| {
        let (values, _) = call.options(&["encoding"])?;
        let reads = match values.get(1) {
            Some(Value::Text(mode)) => mode.borrow().starts_with('r') && !mode.borrow().contains('+'),
            None => true,
            Some(_) => false,
        };
        if !reads {
            return Err(call.unknown());
        }
        let stream = Value::Stream(read(run, &call.text(0)?, call.place)?.into());
        if call.block.is_some() { call.yields(run, &[stream]) } else { Ok(stream) }
    }),
    plain("exist? exists?", 1, 1, |run, call| Ok(Value::Bool(run.outside.look(&call.text(0)?).is_some()))),
    plain("file?", 1, 1, |run, call| {
        Ok(Value::Bool(run.outside.look(&call.text(0)?).is_some_and(|found| !found.folder)))
    }),
    plain("directory?", 1, 1, |run, call| {
        Ok(Value::Bool(run.outside.look(&call.text(0)?).is_some_and(|found| found.folder)))
    }),
    plain("readable?", 1, 1, |run, call| {
        let path = call.text(0)?;
        let folder = run.outside.look(&path).is_some_and(|found| found.folder);
        Ok(Value::Bool(folder || run.outside.read_file(&path).is_ok()))
    }),
    plain("executable?", 1, 1, |run, call| {
        Ok(Value::Bool(run.outside.look(&call.text(0)?).is_some_and(|found| found.executable)))
    }),
    plain("size", 1, 1, |run, call| {
        let path = call.text(0)?;
        let found = run.outside.look(&path).ok_or_else(|| missing(&path, "rb_file_s_size", call.place))?;
        Ok(Value::Int(i64::try_from(found.size).unwrap_or(i64::MAX)))
    }),
    plain("size? zero? empty?", 1, 1, |run, call| {
        let size = run.outside.look(&call.text(0)?).map(|found| found.size);
        Ok(match (call.name, size) {
            ("size?", Some(size)) if size > 0 => Value::Int(i64::try_from(size).unwrap_or(i64::MAX)),
            ("size?", _) => Value::Nil,
            (_, size) => Value::Bool(size == Some(0)),
        })
    }),
    plain("join", 0, ANY, |run, call| {
        let mut parts = Vec::new();
        for value in call.values {
            match value {
                Value::List(list) => {
                    for item in list.items() {
                        parts.push(run.print(&item, call.place)?);
                    }
                }
                Value::Text(_) | Value::Path(_) => parts.push(value.print()),
                other => return Err(call.no_conversion(other, "String")),
            }
        }
        Ok(Value::text(paths::join(&parts)))
    }),
    plain("basename", 1, 2, |_, call| {
        let path = call.text(0)?;
        let name = paths::basename(&path);
        Ok(Value::text(if call.values.len() > 1 { paths::without_ending(name, &call.text(1)?) } else { name }))
    }),
    plain("dirname", 1, 1, |_, call| Ok(Value::text(paths::dirname(&call.text(0)?)))),
    plain("extname", 1, 1, |_, call| Ok(Value::text(paths::extname(&call.text(0)?)))),
    plain("split", 1, 1, |run, call| {
        let path = call.text(0)?;
        Ok(run.texts([paths::dirname(&path), paths::basename(&path)]))
    }),
    plain("expand_path absolute_path", 1, 2, |run, call| {
        let folder = if call.value(1).is_nil() { None } else { Some(call.text(1)?) };
        expand(run, &call.text(0)?, folder.as_deref()).map(Value::text)
    }),
    plain("realpath", 1, 1, |run, call| {
        let path = call.text(0)?;
        run.outside.look(&path).ok_or_else(|| missing(&path, "rb_realpath_internal", call.place))?;
        expand(run, &path, None).map(Value::text)
    }),
    plain("absolute_path?", 1, 1, |_, call| Ok(Value::Bool(call.text(0)?.starts_with('/')))),
    plain("fnmatch fnmatch?", 2, 2, |_, call| Ok(Value::Bool(crate::glob::matches(&call.text(0)?, &call.text(1)?)))),
    plain("write mtime ctime stat lstat symlink? delete unlink rename chmod", 1, ANY, |_, call| Err(call.unknown())),
];

/// `Dir` itself.
pub(super) const DIR: &[Method] = &[
    plain("pwd getwd", 0, 0, |run, _| Ok(Value::text(run.outside.fact(Fact::Folder)))),
    plain("home", 0, 0, |run, _| Ok(Value::text(run.outside.fact(Fact::Home)))),
    plain("exist?", 1, 1, |run, call| {
        Ok(Value::Bool(run.outside.look(&call.text(0)?).is_some_and(|found| found.folder)))
    }),
    plain("empty?", 1, 1, |run, call| Ok(Value::Bool(names(run, &call.text(0)?, call.place)?.is_empty()))),
    block("children each_child entries", 1, 1, |run, call| {
        let mut found = names(run, &call.text(0)?, call.place)?;
        if call.name == "entries" {
            found.splice(0..0, [".".to_owned(), "..".to_owned()]);
        }
        if call.name != "each_child" {
            return Ok(run.texts(found));
        }
        for name in found {
            call.yields(run, &[Value::text(name)])?;
        }
        Ok(Value::Nil)
    }),
    block("glob []", 1, ANY, |run, call| {
        let (values, options) = call.options(&["base", "sort"])?;
        let base = options.get("base").map(|base| base.print());
        let mut found = Vec::new();
        for value in values {
            for pattern in super::listed(run, value, call.place)? {
                let pattern = run.print(&pattern, call.place)?;
                found.extend(glob(run, &pattern, base.as_deref(), call.place)?);
            }
        }
        if call.block.is_none() {
            return Ok(run.texts(found));
        }
        for path in found {
            call.yields(run, &[Value::text(path)])?;
        }
        Ok(Value::Nil)
    }),
    block("chdir mkdir mktmpdir tmpdir", 0, 2, |_, call| Err(call.unknown())),
];

/// What has been opened to be read.
pub(super) const STREAM: &[Method] = &[
    plain("read", 0, 0, |_, call| Ok(Value::text(stream(call)?))),
    block("each_line readlines each", 0, 1, |run, call| {
        let text = Value::text(stream(call)?);
        let name = if call.name == "readlines" { "lines" } else { "each_line" };
        super::call(run, &Call { receiver: &text, name, block: call.block.clone(), ..*call })
    }),
    plain("close", 0, 0, |_, _| Ok(Value::Nil)),
];

fn stream(call: &Call<'_>) -> Result<String, Stop> {
    if let Value::Stream(text) = call.receiver { Ok(text.to_string()) } else { Err(call.unknown()) }
}

/// A file's text.
pub(super) fn read(run: &mut Run<'_>, path: &str, place: Place) -> Result<String, Stop> {
    run.outside.read_file(path).map_err(|error| failed(path, "rb_sysopen", error, place))
}

fn failed(path: &str, function: &str, error: FileError, place: Place) -> Stop {
    match error {
        FileError::Missing => missing(path, function, place),
        FileError::Folder => {
            let message = format!("Is a directory @ io_fread - {path}");
            Stop::tell(place, "Errno::EISDIR", message, format!("cannot read {path}: it is a directory"))
        }
        FileError::Other(why) => Stop::tell(place, "IOError", why.clone(), format!("cannot read {path}: {why}")),
    }
}

fn missing(path: &str, function: &str, place: Place) -> Stop {
    let message = format!("No such file or directory @ {function} - {path}");
    Stop::tell(place, "Errno::ENOENT", message, format!("cannot read {path}: No such file or directory"))
}

/// The names in a folder, in order.
pub(super) fn names(run: &mut Run<'_>, folder: &str, place: Place) -> Result<Vec<String>, Stop> {
    let mut names = run.outside.list(folder).map_err(|error| failed(folder, "dir_initialize", error, place))?;
    names.sort();
    Ok(names)
}

/// A path from the project's folder, or another.
pub(super) fn expand(run: &mut Run<'_>, path: &str, folder: Option<&str>) -> Result<String, Stop> {
    let (project, home) = (run.outside.fact(Fact::Folder), run.outside.fact(Fact::Home));
    let folder = folder.map_or_else(|| project.clone(), |folder| paths::expand(folder, &project, &home));
    Ok(paths::expand(path, &folder, &home))
}

/// The paths a pattern fits.
pub(super) fn glob(run: &mut Run<'_>, pattern: &str, base: Option<&str>, place: Place) -> Result<Vec<String>, Stop> {
    let mut found = Vec::new();
    for pattern in crate::glob::alternatives(pattern) {
        let (absolute, rest) = match pattern.strip_prefix('/') {
            Some(rest) => ("/", rest),
            None => ("", &*pattern),
        };
        let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
        let mut walk = Walk { run, base: base.unwrap_or(""), place, folders: 0, found: Vec::new() };
        walk.below(absolute, &parts)?;
        let mut paths = walk.found;
        paths.sort();
        paths.dedup();
        found.extend(paths);
    }
    Ok(found)
}

struct Walk<'r, 'o> {
    run: &'r mut Run<'o>,
    base: &'r str,
    place: Place,
    folders: usize,
    found: Vec<String>,
}

impl Walk<'_, '_> {
    fn real(&self, path: &str) -> String {
        match (self.base.is_empty(), path.is_empty()) {
            (true, true) => ".".to_owned(),
            (true, false) => path.to_owned(),
            (false, true) => self.base.to_owned(),
            (false, false) => paths::join(&[self.base.to_owned(), path.to_owned()]),
        }
    }

    fn below(&mut self, folder: &str, parts: &[&str]) -> Result<(), Stop> {
        let Some((part, rest)) = parts.split_first() else { return Ok(()) };
        let inside = |name: &str| {
            if folder.is_empty() { name.to_owned() } else { paths::join(&[folder.to_owned(), name.to_owned()]) }
        };
        if *part == "**" && !rest.is_empty() {
            self.below(folder, rest)?;
        } else if !part.contains(['*', '?', '[', '\\']) {
            return self.one(inside(part), rest);
        }
        self.folders += 1;
        if self.folders > MAX_FOLDERS {
            return Err(Stop::limit(self.place, "too many folders for a pattern"));
        }
        self.run.step(self.place)?;
        let real = self.real(folder);
        let mut names = self.run.outside.list(&real).unwrap_or_default();
        names.sort();
        for name in names {
            let path = inside(&name);
            if *part == "**" && !rest.is_empty() {
                let real = self.real(&path);
                if !name.starts_with('.') && self.run.outside.look(&real).is_some_and(|found| found.folder) {
                    self.below(&path, parts)?;
                }
            } else if crate::glob::matches(part, &name) {
                self.one(path, rest)?;
            }
        }
        Ok(())
    }

    fn one(&mut self, path: String, rest: &[&str]) -> Result<(), Stop> {
        if !rest.is_empty() {
            return self.below(&path, rest);
        }
        if self.run.outside.look(&self.real(&path)).is_some() {
            self.found.push(path);
        }
        Ok(())
    }
}
