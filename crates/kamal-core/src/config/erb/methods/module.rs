//! Classes, modules and constants by name.

use super::super::super::build::version::KAMAL;
use super::super::run::Run;
use super::super::template::pieces;
use super::super::value::{Value, is_error};
use super::super::world::Fact;
use super::{
    ANY, Call, Method, Table, block, dotenv, encode, error, file, function, json, path, plain, process, random, regexp,
    time, uri, yaml,
};

/// Modules and classes with methods of their own.
const MODULES: &[(&str, &[Table])] = &[
    ("File", &[file::FILE]),
    ("Dir", &[file::DIR]),
    ("IO", &[process::IO]),
    ("Pathname", &[path::CLASS]),
    ("Time", &[time::TIME_CLASS]),
    ("Date", &[time::DATE_CLASS]),
    ("JSON", &[json::MODULE]),
    ("YAML", &[yaml::MODULE]),
    ("Psych", &[yaml::MODULE]),
    ("Dotenv", &[dotenv::MODULE]),
    ("Dotenv::Parser", &[dotenv::PARSER]),
    ("SecureRandom", &[random::MODULE]),
    ("Random", &[random::MODULE]),
    ("Base64", &[encode::BASE64]),
    ("Digest::MD5", &[encode::DIGEST]),
    ("Digest::SHA1", &[encode::DIGEST]),
    ("Digest::SHA256", &[encode::DIGEST]),
    ("Digest::SHA384", &[encode::DIGEST]),
    ("Digest::SHA512", &[encode::DIGEST]),
    ("Shellwords", &[encode::SHELLWORDS]),
    ("CGI", &[encode::ESCAPES]),
    ("ERB::Util", &[encode::ESCAPES]),
    ("URI", &[uri::MODULE, encode::ESCAPES]),
    ("Open3", &[process::OPEN3]),
    ("Etc", &[process::ETC]),
    ("Socket", &[process::SOCKET]),
    ("Process", &[process::PROCESS]),
    ("Kamal::Utils", &[process::KAMAL]),
    ("Kernel", &[function::METHODS]),
    ("Regexp", &[REGEXP]),
    ("Range", &[RANGE]),
    ("Array", &[ARRAY]),
    ("Hash", &[HASH]),
    ("String", &[STRING]),
    ("Proc", &[PROC]),
    ("Math", &[MATH]),
    ("Integer", &[INTEGER]),
    ("ERB", &[ERB]),
    ("$stdout", &[OUTPUT]),
    ("$stderr", &[OUTPUT]),
    ("STDOUT", &[OUTPUT]),
    ("STDERR", &[OUTPUT]),
];

/// Names that are only compared with: `x.is_a?(Symbol)`.
const CLASSES: [&str; 25] = [
    "Object",
    "BasicObject",
    "Module",
    "Class",
    "Comparable",
    "Enumerable",
    "Numeric",
    "Float",
    "Symbol",
    "NilClass",
    "TrueClass",
    "FalseClass",
    "MatchData",
    "Enumerator",
    "Exception",
    "Digest",
    "Kamal",
    "Process::Status",
    "URI::Generic",
    "URI::HTTP",
    "URI::HTTPS",
    "SystemExit",
    "Errno::ENOENT",
    "Errno::EACCES",
    "StopIteration",
];

/// Exceptions that end in `Error`.
const ERRORS: [&str; 22] = [
    "StandardError",
    "RuntimeError",
    "ArgumentError",
    "KeyError",
    "IndexError",
    "NameError",
    "NoMethodError",
    "TypeError",
    "ZeroDivisionError",
    "RangeError",
    "RegexpError",
    "LoadError",
    "ScriptError",
    "SyntaxError",
    "NotImplementedError",
    "IOError",
    "SystemCallError",
    "JSON::ParserError",
    "JSON::JSONError",
    "Psych::SyntaxError",
    "URI::InvalidURIError",
    "Kamal::ConfigurationError",
];

/// The tables of a module.
pub(super) fn tables(name: &str) -> Vec<Table> {
    let own = MODULES.iter().find(|(module, _)| *module == name);
    let mut tables = own.map(|(_, tables)| tables.to_vec()).unwrap_or_default();
    if is_error(name) {
        tables.push(error::CLASS);
    }
    tables.push(COMMON);
    tables
}

/// All tables of modules.
pub(super) fn all() -> impl Iterator<Item = Table> {
    MODULES.iter().flat_map(|(_, tables)| tables.iter().copied()).chain([error::CLASS])
}

/// The value of a constant.
pub(in super::super) fn constant(run: &mut Run<'_>, name: &str) -> Option<Value> {
    Some(match name {
        "ENV" => Value::Env,
        "RUBY_ENGINE" => Value::text("ruby"),
        "RUBY_VERSION" | "RUBY_ENGINE_VERSION" => Value::text(version(run)),
        "RUBY_PLATFORM" => Value::text(run.outside.fact(Fact::Platform)),
        "RbConfig::CONFIG" => config(run)?,
        "Float::INFINITY" => Value::Float(f64::INFINITY),
        "Float::NAN" => Value::Float(f64::NAN),
        "Math::PI" => Value::Float(std::f64::consts::PI),
        "Math::E" => Value::Float(std::f64::consts::E),
        "File::SEPARATOR" | "File::Separator" => Value::text("/"),
        "Process::CLOCK_MONOTONIC" | "Process::CLOCK_REALTIME" | "Regexp::IGNORECASE" => Value::Int(1),
        "Regexp::EXTENDED" => Value::Int(2),
        "Regexp::MULTILINE" => Value::Int(4),
        "Kamal::VERSION" => Value::text(KAMAL),
        name if is_module(name) => Value::module(name),
        _ => return None,
    })
}

/// Whether a constant is known, and means here what it means in Ruby. What version of Ruby there is a ruby knows
/// better.
pub(in super::super) fn is_constant(name: &str) -> bool {
    const VALUES: [&str; 13] = [
        "ENV",
        "Float::INFINITY",
        "Float::NAN",
        "Math::PI",
        "Math::E",
        "File::SEPARATOR",
        "File::Separator",
        "Process::CLOCK_MONOTONIC",
        "Process::CLOCK_REALTIME",
        "Regexp::IGNORECASE",
        "Regexp::EXTENDED",
        "Regexp::MULTILINE",
        "Kamal::VERSION",
    ];
    VALUES.contains(&name) || is_module(name)
}

/// Whether a constant is known not to be there: Kamal does not load the app, nor what it is made of.
pub(in super::super) fn is_of_the_app(name: &str) -> bool {
    const ROOTS: [&str; 7] =
        ["Rails", "ActiveRecord", "ActiveModel", "ActionController", "ActiveJob", "ApplicationRecord", "Sidekiq"];
    name.split("::").next().is_some_and(|root| ROOTS.contains(&root))
}

fn is_module(name: &str) -> bool {
    MODULES.iter().any(|(module, _)| *module == name && !module.starts_with('$'))
        || CLASSES.contains(&name)
        || ERRORS.contains(&name)
}

/// What `RbConfig` says of the machine; what it says of a Ruby is not here.
fn config(run: &mut Run<'_>) -> Option<Value> {
    let platform = run.outside.fact(Fact::Platform);
    let (cpu, os) = platform.split_once('-').unwrap_or((&platform, ""));
    let pairs = [("host_cpu", cpu), ("host_os", os), ("target_cpu", cpu), ("target_os", os), ("arch", &*platform)];
    let pairs = pairs.map(|(name, value)| (Value::text(name), Value::text(value)));
    run.map(pairs.into(), (0, 1)).ok().map(Value::Map)
}

/// The version of Ruby the project asks for, else a recent one: there is no Ruby to have one.
fn version(run: &mut Run<'_>) -> String {
    let first = |text: String| text.lines().next().map(|line| line.trim().trim_start_matches("ruby-").to_owned());
    let own = run.outside.read_file(".ruby-version").ok().and_then(first);
    let tools = || {
        let text = run.outside.read_file(".tool-versions").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("ruby "))?;
        Some(line.trim().to_owned())
    };
    let number = |version: &String| version.starts_with(|c: char| c.is_ascii_digit());
    own.or_else(tools).filter(number).unwrap_or_else(|| "3.4.7".to_owned())
}

/// What every module answers to.
pub(super) const COMMON: &[Method] = &[
    plain("name to_s", 0, 0, |_, call| Ok(Value::text(call.receiver.print()))),
    plain("< <=", 1, 1, |_, call| match (call.receiver, call.value(0)) {
        (Value::Module(own), Value::Module(other)) => {
            let below = super::super::value::ancestors(own).contains(&&**other);
            Ok(Value::Bool(below || call.name == "<=" && own == other))
        }
        _ => Err(call.unknown()),
    }),
    plain("new", 0, ANY, |_, call| Err(call.unknown())),
];

/// Standard output and error.
pub(super) const OUTPUT: &[Method] = &[
    plain("puts print << write p printf", 0, ANY, |run, call| match call.name {
        "<<" => {
            let text = run.print(call.value(0), call.place)?;
            run.outside.say(&text);
            Ok(call.receiver.clone())
        }
        "write" => {
            let text = run.print(call.value(0), call.place)?;
            run.outside.say(&text);
            Ok(Value::count(text.len()))
        }
        _ => function(run, &Call { receiver: &Value::Main, block: None, ..*call }),
    }),
    plain("flush sync", 0, 0, |_, call| Ok(call.receiver.clone())),
    plain("sync=", 1, 1, |_, call| Ok(call.value(0).clone())),
    plain("tty? isatty", 0, 0, |_, _| Ok(Value::Bool(false))),
];

const REGEXP: &[Method] = &[
    plain("new compile", 1, 2, |run, call| match call.value(0) {
        Value::Regexp(_) => Ok(call.value(0).clone()),
        _ => {
            let flags = match call.value(1) {
                Value::Nil | Value::Bool(false) => "",
                Value::Int(1) | Value::Bool(true) => "i",
                Value::Int(2) => "x",
                Value::Int(4) => "m",
                _ => return Err(call.unknown()),
            };
            run.regexp(&call.text(0)?, flags, call.place).map(Value::Regexp)
        }
    }),
    plain("escape quote", 1, 1, |_, call| Ok(Value::text(regexp::escaped(&call.name(0)?)))),
    plain("last_match", 0, 1, |run, call| {
        let Some(found) = run.last_match.clone() else { return Ok(Value::Nil) };
        if call.values.is_empty() {
            return Ok(Value::Match(found));
        }
        Ok(Value::or_nil(found.text(call.size(0)?)))
    }),
    plain("union", 0, ANY, |run, call| {
        let mut sources = Vec::new();
        for value in call.values {
            for part in super::listed(run, value, call.place)? {
                sources.push(match &part {
                    Value::Regexp(regexp) => regexp.print(),
                    other => regexp::escaped(&other.print()),
                });
            }
        }
        run.regexp(&sources.join("|"), "", call.place).map(Value::Regexp)
    }),
];

const ARRAY: &[Method] = &[
    block("new", 0, 2, |run, call| {
        let count = match call.value(0) {
            Value::Nil => 0,
            Value::List(list) => {
                let items = list.items();
                return Ok(run.list(items));
            }
            _ => call.size(0)?,
        };
        let mut items = Vec::new();
        for index in 0..count {
            run.step(call.place)?;
            let item =
                if call.block.is_some() { call.yields(run, &[Value::count(index)])? } else { call.value(1).clone() };
            items.push(item);
        }
        Ok(run.list(items))
    }),
    plain("[]", 0, ANY, |run, call| Ok(run.list(call.values.to_vec()))),
    plain("wrap", 1, 1, |run, call| match call.value(0) {
        Value::List(_) => Ok(call.value(0).clone()),
        Value::Nil => Ok(run.list(Vec::new())),
        other => Ok(run.list(vec![other.clone()])),
    }),
];

const RANGE: &[Method] = &[plain("new", 2, 3, |_, call| {
    let plain = |value: &Value| matches!(value, Value::Nil | Value::Int(_) | Value::Float(_) | Value::Text(_));
    if !plain(call.value(0)) || !plain(call.value(1)) {
        return Err(call.unknown());
    }
    let (first, last) = (call.value(0).clone(), call.value(1).clone());
    let range = super::super::value::Range { first, last, exclusive: call.value(2).truthy() };
    Ok(Value::Range(std::rc::Rc::new(range)))
})];

const HASH: &[Method] = &[
    block("new", 0, 1, |run, call| {
        let map = run.map(Vec::new(), call.place)?;
        map.set_fallback(call.value(0).clone(), call.block.clone());
        Ok(Value::Map(map))
    }),
    plain("[]", 1, 1, |run, call| run.send(call.value(0), "to_h", &[], call.place)),
];

const STRING: &[Method] = &[plain("new", 0, 1, |_, call| {
    let text = if call.values.is_empty() { String::new() } else { call.text(0)? };
    Ok(Value::text(text))
})];

const PROC: &[Method] = &[block("new", 0, 0, |_, call| match &call.block {
    Some(block) => Ok(Value::Proc(block.clone())),
    None => Err(call.raise("ArgumentError", "tried to create Proc object without a block")),
})];

const MATH: &[Method] = &[plain("sqrt log log2 log10 exp sin cos tan hypot cbrt pow", 1, 2, |_, call| {
    let (Some(value), other) = (call.value(0).number(), call.value(1).number()) else {
        return Err(call.no_conversion(call.value(0), "Float"));
    };
    Ok(Value::Float(match (call.name, other) {
        ("sqrt", None) if value >= 0.0 => value.sqrt(),
        ("log", None) => value.ln(),
        ("log", Some(base)) => value.log(base),
        ("log2", None) => value.log2(),
        ("log10", None) => value.log10(),
        ("exp", None) => value.exp(),
        ("cbrt", None) => value.cbrt(),
        ("hypot", Some(other)) => value.hypot(other),
        _ => return Err(call.unknown()),
    }))
})];

const INTEGER: &[Method] = &[plain("sqrt", 1, 1, |_, call| {
    let value = u64::try_from(call.int(0)?)
        .map_err(|_| call.raise("Math::DomainError", "Numerical argument is out of domain"))?;
    Ok(Value::Int(i64::try_from(value.isqrt()).unwrap_or(i64::MAX)))
})];

/// Templates in templates.
const ERB: &[Method] = &[plain("new", 1, 2, |_, call| {
    let (_, options) = call.options(&["trim_mode"])?;
    let trims = matches!(options.get("trim_mode"), Some(Value::Text(mode)) if *mode.borrow() == "-");
    let text = call.text(0)?;
    // `-%>` is understood with the trim mode `-` alone.
    if !trims && (text.contains("-%>") || text.contains("<%-")) {
        return Err(call.unknown());
    }
    Ok(Value::Template(text.into()))
})];

/// A template in a template.
pub(super) const TEMPLATE: &[Method] = &[plain("result", 0, 1, |run, call| {
    let Value::Template(text) = call.receiver else { return Err(call.unknown()) };
    let pieces = pieces(text).map_err(|_| call.raise("SyntaxError", "an ERB tag is never closed"))?;
    run.nested(&pieces, call.place).map(Value::text)
})];
