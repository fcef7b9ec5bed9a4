//! Reading flags as pflag does: long flags only, mixed with arguments in any order (spec 1.1).

use std::collections::HashMap;

use super::values;
use crate::deploy_flags::{Flag, Kind};
use crate::server::go_duration::GoDuration;

#[derive(Debug, Clone)]
enum Value {
    Bool(bool),
    Int(i64),
    Duration(GoDuration),
    Str(String),
    List(Vec<String>),
}

/// What a command was given.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) arguments: Vec<String>,
    pub(crate) help: bool,
    values: HashMap<&'static str, Value>,
    defaults: &'static [Flag],
}

/// Reads all arguments of a command; the error is what the user is told.
pub(crate) fn parse(flags: &'static [Flag], arguments: &[String]) -> Result<Parsed, String> {
    let mut parsed = Parsed { arguments: Vec::new(), help: false, values: HashMap::new(), defaults: flags };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            parsed.arguments.extend(rest.cloned());
            break;
        }
        let Some(text) = argument.strip_prefix("--") else {
            if let Some(short) = argument.strip_prefix('-').filter(|short| !short.is_empty()) {
                if short.starts_with('h') {
                    parsed.help = true;
                    continue;
                }
                let first: String = short.chars().take(1).collect();
                return Err(format!("unknown shorthand flag: '{first}' in -{short}"));
            }
            parsed.arguments.push(argument.clone());
            continue;
        };
        let (name, attached) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        if name.is_empty() || name.starts_with('-') {
            return Err(format!("bad flag syntax: {argument}"));
        }
        if name == "help" {
            parsed.help = true;
            continue;
        }
        let flag = flags.iter().find(|flag| flag.name == name).ok_or_else(|| format!("unknown flag: --{name}"))?;
        let value = match (attached, flag.kind) {
            (Some(value), _) => value,
            (None, Kind::Bool(_)) => "true".to_owned(),
            (None, _) => rest.next().cloned().ok_or_else(|| format!("flag needs an argument: --{name}"))?,
        };
        parsed.set(flag, &value).map_err(|why| format!("invalid argument {value:?} for \"--{name}\" flag: {why}"))?;
    }
    Ok(parsed)
}

impl Parsed {
    fn set(&mut self, flag: &Flag, text: &str) -> Result<(), String> {
        let value = match flag.kind {
            Kind::Bool(_) => Value::Bool(values::boolean(text)?),
            Kind::Int(_) => Value::Int(values::integer(text)?),
            Kind::Seconds(_) => Value::Duration(text.parse().map_err(|error| format!("{error}"))?),
            Kind::Str(_) => Value::Str(text.to_owned()),
            Kind::List => {
                // Each occurrence adds to the list.
                let mut list = self.list(flag.name);
                list.extend(values::list(text)?);
                Value::List(list)
            }
        };
        self.values.insert(flag.name, value);
        Ok(())
    }

    /// Whether a flag was given at all, whatever its value.
    pub(crate) fn is_set(&self, flag: impl AsRef<str>) -> bool {
        self.values.contains_key(flag.as_ref())
    }

    pub(crate) fn bool(&self, flag: impl AsRef<str>) -> bool {
        match (self.values.get(flag.as_ref()), self.default(flag.as_ref())) {
            (Some(Value::Bool(value)), _) => *value,
            (_, Some(Kind::Bool(value))) => value,
            _ => false,
        }
    }

    pub(crate) fn int(&self, flag: impl AsRef<str>) -> i64 {
        match (self.values.get(flag.as_ref()), self.default(flag.as_ref())) {
            (Some(Value::Int(value)), _) => *value,
            (_, Some(Kind::Int(value))) => value,
            _ => 0,
        }
    }

    pub(crate) fn duration(&self, flag: impl AsRef<str>) -> GoDuration {
        match (self.values.get(flag.as_ref()), self.default(flag.as_ref())) {
            (Some(Value::Duration(value)), _) => *value,
            (_, Some(Kind::Seconds(value))) => GoDuration::from_secs(value.into()),
            _ => GoDuration::default(),
        }
    }

    pub(crate) fn str(&self, flag: impl AsRef<str>) -> String {
        match (self.values.get(flag.as_ref()), self.default(flag.as_ref())) {
            (Some(Value::Str(value)), _) => value.clone(),
            (_, Some(Kind::Str(value))) => value.to_owned(),
            _ => String::new(),
        }
    }

    pub(crate) fn list(&self, flag: impl AsRef<str>) -> Vec<String> {
        match self.values.get(flag.as_ref()) {
            Some(Value::List(list)) => list.clone(),
            _ => Vec::new(),
        }
    }

    fn default(&self, name: &str) -> Option<Kind> {
        self.defaults.iter().find(|flag| flag.name == name).map(|flag| flag.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &[Flag] = &[
        Flag { name: "on", kind: Kind::Bool(true), help: "" },
        Flag { name: "count", kind: Kind::Int(7), help: "" },
        Flag { name: "host", kind: Kind::List, help: "" },
    ];

    fn parsed(line: &str) -> Parsed {
        parse(FLAGS, &line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn flags_and_arguments_mix() {
        let all = parsed("a --host x,y b --on=false --host=z --count 0x10 -- --host");
        assert_eq!(all.arguments, ["a", "b", "--host"]);
        assert_eq!(
            (all.bool("on"), all.int("count"), all.list("host")),
            (false, 16, vec!["x".into(), "y".into(), "z".into()])
        );
        let none = parsed("--on -");
        assert_eq!((none.bool("on"), none.int("count"), none.arguments), (true, 7, vec!["-".into()]));
        assert_eq!(parse(FLAGS, &["-x".into()]).unwrap_err(), "unknown shorthand flag: 'x' in -x");
    }
}
