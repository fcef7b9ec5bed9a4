//! Programs, and what the machine is called.

use super::super::run::{Found, Run};
use super::super::stop::Stop;
use super::super::value::Value;
use super::super::world::{Complaints, Fact};
use super::{ANY, Call, Method, block, encode, plain};

/// `Open3` itself.
pub(super) const OPEN3: &[Method] = &[plain("capture2 capture2e capture3", 1, ANY, |run, call| {
    let command = command(run, call, call.values)?;
    let both = call.name == "capture2e";
    let line = if both { format!("{{ {command}\n}} 2>&1") } else { command };
    let kept = if call.name == "capture3" { Complaints::Kept } else { Complaints::Shown };
    let answer = run.command(&line, kept, call.place)?;
    let mut found = vec![Value::text(answer.printed)];
    if call.name == "capture3" {
        found.push(Value::text(answer.complaints));
    }
    found.push(Value::Status(answer.status));
    Ok(run.list(found))
})];

/// `IO` itself.
pub(super) const IO: &[Method] = &[
    block("popen", 1, 2, |run, call| {
        if matches!(call.values.get(1), Some(Value::Text(mode)) if !mode.borrow().starts_with('r')) {
            return Err(call.unknown());
        }
        let words = super::listed(run, call.value(0), call.place)?;
        let command = command(run, call, &words)?;
        let answer = run.command(&command, Complaints::Shown, call.place)?;
        let stream = Value::Stream(answer.printed.into());
        if call.block.is_some() { call.yields(run, &[stream]) } else { Ok(stream) }
    }),
    block("read readlines foreach", 1, 2, |run, call| {
        super::call(run, &Call { receiver: &Value::module("File"), block: call.block.clone(), ..*call })
    }),
];

/// How a command ended.
pub(super) const STATUS: &[Method] = &[
    plain("success?", 0, 0, |_, call| Ok(Value::Bool(status(call)? == 0))),
    plain("exitstatus to_i", 0, 0, |_, call| {
        let status = status(call)?;
        Ok(Value::Int((if call.name == "to_i" { status << 8 } else { status }).into()))
    }),
    plain("exited?", 0, 0, |_, call| Ok(Value::Bool(status(call)? < 128))),
    plain("signaled?", 0, 0, |_, call| Ok(Value::Bool(status(call)? > 128))),
    plain("pid", 0, 0, |_, call| Err(call.unknown())),
];

/// `Etc` itself.
pub(super) const ETC: &[Method] = &[
    plain("getlogin", 0, 0, |run, _| Ok(Value::text(run.outside.fact(Fact::User)))),
    plain("nprocessors", 0, 0, |run, _| Ok(Value::Int(run.outside.fact(Fact::Processors).parse().unwrap_or(1)))),
    plain("getpwuid getpwnam uname", 0, 1, |_, call| Err(call.unknown())),
];

/// `Socket` itself.
pub(super) const SOCKET: &[Method] =
    &[plain("gethostname", 0, 0, |run, _| Ok(Value::text(run.outside.fact(Fact::Host))))];

/// `Process` itself.
pub(super) const PROCESS: &[Method] = &[
    plain("clock_gettime", 1, 2, |run, _| Ok(Value::Float(run.outside.now().timestamp().as_second() as f64))),
    plain("pid uid euid ppid last_status", 0, 0, |run, call| match (call.name, run.last_status) {
        ("last_status", Some(status)) => Ok(Value::Status(status)),
        ("last_status", None) => Ok(Value::Nil),
        _ => Err(call.unknown()),
    }),
];

/// `Kamal::Utils` itself.
pub(super) const KAMAL: &[Method] = &[
    plain("docker_arch", 0, 0, |run, call| {
        let question = run.outside.fact(Fact::ArchitectureQuestion);
        let answer = run.command(&question, Complaints::Shown, call.place)?;
        let arch = match answer.printed.trim() {
            arch if arch.contains("aarch64") => "arm64",
            arch if arch.contains("x86_64") => "amd64",
            other => other,
        };
        Ok(Value::text(arch))
    }),
    plain("redacted sensitive", 1, 1, |_, call| Ok(call.value(0).clone())),
];

/// `system`: whether the program ended well, nil when there is none. What it prints is shown.
pub(super) fn system(run: &mut Run<'_>, call: &Call<'_>) -> Found {
    let (values, options) = call.options(&["exception", "out", "err"])?;
    let mut line = command(run, call, values)?;
    for (name, redirection) in [("out", ">"), ("err", "2>")] {
        if let Some(target) = options.get(name) {
            let target = match target {
                Value::Text(path) => encode::shell_escaped(&path.borrow()),
                _ => return Err(call.unknown()),
            };
            line = format!("{{ {line}\n}} {redirection}{target}");
        }
    }
    match run.command(&line, Complaints::Shown, call.place) {
        Ok(answer) => {
            run.outside.say(&answer.printed);
            if answer.status != 0 && options.is_set("exception") {
                let message = format!("Command failed with exit {}: {line}", answer.status);
                return Err(call.raise("RuntimeError", message));
            }
            Ok(Value::Bool(answer.status == 0))
        }
        Err(Stop::Raise(error)) if options.is_set("exception") => Err(Stop::Raise(error)),
        Err(Stop::Raise(_)) => {
            run.last_status = Some(127);
            Ok(Value::Nil)
        }
        Err(other) => Err(other),
    }
}

/// A command line: one text as it is, several as one word each, variables before them.
fn command(run: &mut Run<'_>, call: &Call<'_>, values: &[Value]) -> Result<String, Stop> {
    let mut variables = String::new();
    let mut words = Vec::new();
    for (index, value) in values.iter().enumerate() {
        match value {
            Value::Map(map) if index == 0 => {
                for (name, value) in map.pairs() {
                    variables.push_str(&format!("{}={} ", name.print(), encode::shell_escaped(&value.print())));
                }
            }
            Value::Text(_) | Value::Path(_) => words.push(run.print(value, call.place)?),
            other if other.is_nil() => return Err(call.no_conversion(other, "String")),
            _ => return Err(call.unknown()),
        }
    }
    let line = match &words[..] {
        [only] if values.len() == 1 || !variables.is_empty() => only.clone(),
        _ => words.iter().map(|word| encode::shell_escaped(word)).collect::<Vec<_>>().join(" "),
    };
    Ok(variables + &line)
}

fn status(call: &Call<'_>) -> Result<i32, Stop> {
    if let Value::Status(status) = call.receiver { Ok(*status) } else { Err(call.unknown()) }
}
