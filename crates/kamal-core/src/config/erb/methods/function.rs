//! Functions: what can be called without a receiver.

use super::super::ast::Place;
use super::super::run::{Found, Run};
use super::super::stop::Stop;
use super::super::value::{Callable, Proc, Value};
use super::{ANY, Call, Method, block, dotenv, error, file, path, plain, process, random, text, uri};

pub(super) const METHODS: &[Method] = &[
    plain("require", 1, 1, |run, call| {
        let name = call.text(0)?;
        if name == "dotenv/load" {
            return dotenv::load_default(run, call.place);
        }
        // What a library defines is known here or not, whether it is required or not; files are read.
        if name.starts_with(['.', '/']) { include(run, &name, call.place) } else { Ok(Value::Bool(true)) }
    }),
    plain("require_relative load", 1, 1, |run, call| include(run, &call.text(0)?, call.place)),
    plain("puts", 0, ANY, |run, call| {
        let mut out = String::new();
        for value in call.values {
            lines(run, value, &mut out, call.place)?;
        }
        run.outside.say(if call.values.is_empty() { "\n" } else { &out });
        Ok(Value::Nil)
    }),
    plain("warn", 0, ANY, |run, call| {
        let (values, _) = call.options(&["uplevel", "category"])?;
        let mut out = String::new();
        for value in values {
            lines(run, value, &mut out, call.place)?;
        }
        run.outside.say(&out);
        Ok(Value::Nil)
    }),
    plain("print", 0, ANY, |run, call| {
        for value in call.values {
            let text = run.print(value, call.place)?;
            run.outside.say(&text);
        }
        Ok(Value::Nil)
    }),
    plain("p pp", 0, ANY, |run, call| {
        for value in call.values {
            run.measure(value, call.place)?;
            run.outside.say(&(value.inspect() + "\n"));
        }
        match call.values {
            [] => Ok(Value::Nil),
            [only] => Ok(only.clone()),
            several => Ok(run.list(several.to_vec())),
        }
    }),
    plain("raise fail", 0, 3, |run, call| {
        let values = if call.keywords { &call.values[..call.values.len() - 1] } else { call.values };
        let stop = error::raised(run, &Call { values, keywords: false, block: None, ..*call })?;
        Err(stop)
    }),
    plain("abort", 0, 1, |_, call| {
        let message = if call.values.is_empty() { "the template ends here: abort".to_owned() } else { call.text(0)? };
        Err(call.raise("SystemExit", message))
    }),
    plain("exit exit!", 0, 1, |_, call| {
        let told = "the template ends here: exit".to_owned();
        Err(Stop::tell(call.place, "SystemExit", "exit".to_owned(), told))
    }),
    plain("format sprintf", 1, ANY, |run, call| {
        text::format(run, &call.text(0)?, &call.values[1..], call.place).map(Value::text)
    }),
    plain("printf", 1, ANY, |run, call| {
        let text = text::format(run, &call.text(0)?, &call.values[1..], call.place)?;
        run.outside.say(&text);
        Ok(Value::Nil)
    }),
    plain("Integer", 1, 3, |_, call| integer(call)),
    plain("Float", 1, 2, |_, call| float(call)),
    plain("String", 1, 1, |run, call| run.print(call.value(0), call.place).map(Value::text)),
    plain("Array", 1, 1, |run, call| {
        let items = super::listed(run, call.value(0), call.place)?;
        if let Value::List(_) = call.value(0) { Ok(call.value(0).clone()) } else { Ok(run.list(items)) }
    }),
    plain("Hash", 1, 1, |run, call| match call.value(0) {
        Value::Map(_) => Ok(call.value(0).clone()),
        Value::Nil => run.map(Vec::new(), call.place).map(Value::Map),
        _ => Err(call.unknown()),
    }),
    plain("Pathname", 1, 1, |_, call| Ok(path::path(&call.text(0)?))),
    plain("URI", 1, 1, uri::parsed),
    plain("rand", 0, 1, random::chosen),
    block("lambda", 0, 0, |run, call| match &call.block {
        Some(block) => match &block.kind {
            Callable::Code(code, scope) => {
                let kind = Callable::Code(code.clone(), scope.clone());
                Ok(Value::Proc(run.kept(Proc { kind, lambda: true, tag: block.tag })))
            }
            _ => Ok(Value::Proc(block.clone())),
        },
        None => Err(call.raise("ArgumentError", "tried to create Proc object without a block")),
    }),
    block("proc", 0, 0, |_, call| match &call.block {
        Some(block) => Ok(Value::Proc(block.clone())),
        None => Err(call.raise("ArgumentError", "tried to create Proc object without a block")),
    }),
    block("loop", 0, 0, |run, call| {
        loop {
            run.step(call.place)?;
            match call.yields(run, &[]) {
                Ok(_) => {}
                Err(Stop::Raise(error)) if &*error.class == "StopIteration" => return Ok(Value::Nil),
                Err(other) => return Err(other),
            }
        }
    }),
    block("catch", 0, 1, |run, call| {
        let tag = call.values.first().cloned().unwrap_or_else(|| Value::text(""));
        match call.yields(run, std::slice::from_ref(&tag)) {
            Err(Stop::Throw(thrown, value)) if thrown.same(&tag) => Ok(value),
            other => other,
        }
    }),
    plain("throw", 1, 2, |_, call| Err(Stop::Throw(call.value(0).clone(), call.value(1).clone()))),
    plain("block_given?", 0, 0, |run, _| Ok(Value::Bool(run.scope.block.borrow().is_some()))),
    plain("method", 1, 1, |run, call| {
        let kind = Callable::Bound(Value::Main, call.name(0)?);
        Ok(Value::Proc(run.callable(kind)))
    }),
    block("open", 1, 3, |run, call| {
        super::call(run, &Call { receiver: &Value::module("File"), block: call.block.clone(), ..*call })
    }),
    plain("binding", 0, 0, |_, _| Ok(Value::Main)),
    plain("__dir__", 0, 0, |_, _| Ok(Value::text("."))),
    plain("__method__", 0, 0, |_, _| Ok(Value::Nil)),
    plain("system", 1, ANY, process::system),
    plain("sleep", 0, 1, |_, call| Ok(call.value(0).clone())),
    plain("srand at_exit trap fork exec spawn gets eval autoload", 0, ANY, |_, call| Err(call.unknown())),
    plain("local_variable_get local_variable_defined? local_variable_set", 1, 2, |run, call| {
        let name = call.name(0)?;
        match call.name {
            "local_variable_get" => run
                .scope
                .get(&name)
                .ok_or_else(|| call.raise("NameError", format!("local variable `{name}' is not defined"))),
            "local_variable_defined?" => Ok(Value::Bool(run.scope.get(&name).is_some())),
            _ => Err(call.unknown()),
        }
    }),
];

/// A value's lines as `puts` prints them.
fn lines(run: &mut Run<'_>, value: &Value, out: &mut String, place: Place) -> Result<(), Stop> {
    run.measure(value, place)?;
    if let Value::List(list) = value {
        for item in list.items() {
            lines(run, &item, out, place)?;
        }
        return Ok(());
    }
    out.push_str(&value.print());
    if !out.ends_with('\n') {
        out.push('\n');
    }
    Ok(())
}

/// Runs a file of Ruby.
fn include(run: &mut Run<'_>, name: &str, place: Place) -> Found {
    let path = if name.ends_with(".rb") { name.to_owned() } else { format!("{name}.rb") };
    let source = file::read(run, &path, place)?;
    run.include(&source, place)?;
    Ok(Value::Bool(true))
}

fn integer(call: &Call<'_>) -> Found {
    let (values, options) = call.options(&["exception"])?;
    let quiet = options.get("exception").is_some_and(|exception| !exception.truthy());
    let invalid = |call: &Call<'_>| {
        if quiet {
            return Ok(Value::Nil);
        }
        let message = format!("invalid value for Integer(): {}", call.value(0).inspect());
        Err(call.raise("ArgumentError", message))
    };
    match call.value(0) {
        Value::Int(_) => Ok(call.value(0).clone()),
        Value::Float(value) if value.abs() < 9e15 => Ok(Value::Int(super::number::whole(*value))),
        Value::Text(text) => {
            let base = match values.get(1) {
                Some(Value::Int(base)) => u32::try_from(*base).ok().filter(|base| (2..=36).contains(base)),
                _ => None,
            };
            whole(text.borrow().trim(), base).map_or_else(|| invalid(call), |value| Ok(Value::Int(value)))
        }
        _ if quiet => Ok(Value::Nil),
        Value::Nil => Err(call.raise("TypeError", "can't convert nil into Integer")),
        other => Err(call.raise("TypeError", format!("can't convert {} into Integer", other.class()))),
    }
}

/// A text that is a number and nothing else.
fn whole(text: &str, base: Option<u32>) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_lowercase();
    let prefix = |prefix: &str| lower.strip_prefix(prefix);
    let (digits, base) = match base {
        Some(16) => (prefix("0x").unwrap_or(&lower), 16),
        Some(2) => (prefix("0b").unwrap_or(&lower), 2),
        Some(base) => (lower.as_str(), base),
        None => match (prefix("0x"), prefix("0b"), prefix("0o"), prefix("0")) {
            (Some(rest), ..) => (rest, 16),
            (_, Some(rest), ..) => (rest, 2),
            (_, _, Some(rest), _) => (rest, 8),
            (_, _, _, Some(rest)) if !rest.is_empty() => (rest, 8),
            _ => (lower.as_str(), 10),
        },
    };
    let odd = digits.starts_with(['_', '+', '-']) || digits.ends_with('_') || digits.contains("__");
    if odd { None } else { i64::from_str_radix(&format!("{sign}{}", digits.replace('_', "")), base).ok() }
}

fn float(call: &Call<'_>) -> Found {
    let (_, options) = call.options(&["exception"])?;
    let quiet = options.get("exception").is_some_and(|exception| !exception.truthy());
    match call.value(0) {
        Value::Int(_) | Value::Float(_) => Ok(Value::Float(call.value(0).number().unwrap_or_default())),
        Value::Text(text) => {
            let text = text.borrow();
            let plain = text.trim().replace('_', "");
            let digits = plain.starts_with(|c: char| c.is_ascii_digit() || "+-".contains(c)) && !plain.ends_with('.');
            match plain.parse() {
                Ok(value) if digits => Ok(Value::Float(value)),
                _ if quiet => Ok(Value::Nil),
                _ => {
                    Err(call.raise("ArgumentError", format!("invalid value for Float(): {}", call.value(0).inspect())))
                }
            }
        }
        _ if quiet => Ok(Value::Nil),
        Value::Nil => Err(call.raise("TypeError", "can't convert nil into Float")),
        other => Err(call.raise("TypeError", format!("can't convert {} into Float", other.class()))),
    }
}
