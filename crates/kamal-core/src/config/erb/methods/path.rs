//! `Pathname`.

use super::super::paths;
use super::super::run::Found;
use super::super::value::Value;
use super::super::world::Fact;
use super::{ANY, Call, Method, block, file, plain};

/// `Pathname` itself.
pub(super) const CLASS: &[Method] = &[
    plain("new", 1, 1, |_, call| Ok(path(&call.text(0)?))),
    plain("pwd getwd", 0, 0, |run, _| Ok(path(&run.outside.fact(Fact::Folder)))),
    plain("glob", 1, 2, |run, call| {
        let (values, options) = call.options(&["base"])?;
        let Some(pattern) = values.first() else { return Err(call.unknown()) };
        let base = options.get("base").map(|base| base.print());
        let found = file::glob(run, &pattern.print(), base.as_deref(), call.place)?;
        Ok(run.list(found.iter().map(|found| path(found)).collect()))
    }),
];

pub(super) const METHODS: &[Method] = &[
    plain("to_s to_path to_str", 0, 0, |_, call| Ok(Value::text(call.subject()?))),
    plain("join + /", 0, ANY, |_, call| {
        let mut found = call.subject()?;
        for index in 0..call.values.len() {
            let part = call.text(index)?;
            found = if part.starts_with('/') { part } else { joined(&found, &part) };
        }
        Ok(path(&found))
    }),
    plain("basename", 0, 1, |_, call| {
        let own = call.subject()?;
        let name = paths::basename(&own);
        Ok(path(if call.values.is_empty() { name } else { paths::without_ending(name, &call.text(0)?) }))
    }),
    plain("dirname parent", 0, 0, |_, call| {
        let own = call.subject()?;
        Ok(path(&if call.name == "parent" && own == "." { "..".to_owned() } else { paths::dirname(&own).to_owned() }))
    }),
    plain("extname", 0, 0, |_, call| Ok(Value::text(paths::extname(&call.subject()?)))),
    plain("expand_path realpath", 0, 1, |run, call| {
        let folder = if call.values.is_empty() { None } else { Some(call.text(0)?) };
        file::expand(run, &call.subject()?, folder.as_deref()).map(|found| path(&found))
    }),
    plain("cleanpath", 0, 0, |_, call| Ok(path(&paths::clean(&call.subject()?)))),
    plain("relative_path_from", 1, 1, |_, call| {
        Ok(path(&paths::relative(&paths::clean(&call.subject()?), &paths::clean(&call.text(0)?))))
    }),
    plain("absolute?", 0, 0, |_, call| Ok(Value::Bool(call.subject()?.starts_with('/')))),
    plain("relative?", 0, 0, |_, call| Ok(Value::Bool(!call.subject()?.starts_with('/')))),
    plain("exist? file? directory? readable? executable? size size? zero? empty?", 0, 0, of_file),
    block("read binread readlines each_line open", 0, 1, of_file),
    plain("sub", 2, 2, |run, call| {
        let changed = run.send(&Value::text(call.subject()?), "sub", call.values, call.place)?;
        Ok(path(&changed.print()))
    }),
    plain("sub_ext", 1, 1, |_, call| {
        let own = call.subject()?;
        let bare = own.strip_suffix(paths::extname(&own)).unwrap_or(&own);
        Ok(path(&format!("{bare}{}", call.text(0)?)))
    }),
    block("children each_child entries", 0, 0, |run, call| {
        let own = call.subject()?;
        let names = file::names(run, &own, call.place)?;
        let paths: Vec<Value> = names.iter().map(|name| path(&joined(&own, name))).collect();
        if call.block.is_none() {
            return if call.name == "entries" { Err(call.unknown()) } else { Ok(run.list(paths)) };
        }
        for path in paths {
            call.yields(run, &[path])?;
        }
        Ok(Value::Nil)
    }),
    block("glob", 1, 1, |run, call| {
        let own = call.subject()?;
        let found = file::glob(run, &call.text(0)?, Some(&own), call.place)?;
        let paths: Vec<Value> = found.iter().map(|found| path(&joined(&own, found))).collect();
        if call.block.is_none() {
            return Ok(run.list(paths));
        }
        for path in paths {
            call.yields(run, &[path])?;
        }
        Ok(Value::Nil)
    }),
];

pub(super) fn path(text: &str) -> Value {
    Value::Path(text.into())
}

/// What `File` answers of such a path.
fn of_file(run: &mut super::Run<'_>, call: &Call<'_>) -> Found {
    let mut values = vec![Value::text(call.subject()?)];
    values.extend(call.values.iter().cloned());
    let name = if call.name == "each_line" { "foreach" } else { call.name };
    let name = if name == "empty?" { "zero?" } else { name };
    let inner = Call {
        place: call.place,
        receiver: &Value::module("File"),
        name,
        values: &values,
        keywords: call.keywords,
        block: call.block.clone(),
    };
    super::call(run, &inner)
}

/// One path behind another, `..` at the beginning of the second taken as far as the first has parts.
fn joined(first: &str, second: &str) -> String {
    let (mut first, mut second) = (first.to_owned(), second);
    loop {
        if let Some(rest) = second.strip_prefix("./") {
            second = rest;
        } else if second == "." {
            return first;
        } else if second == ".." || second.starts_with("../") {
            if matches!(&*first, "." | "..") || first.ends_with("/..") || first == "/" {
                break;
            }
            first = paths::dirname(&first).to_owned();
            second = second.strip_prefix("..").unwrap_or(second).trim_start_matches('/');
            if second.is_empty() {
                return first;
            }
        } else {
            break;
        }
    }
    if first == "." { second.to_owned() } else { paths::join(&[first, second.to_owned()]) }
}
