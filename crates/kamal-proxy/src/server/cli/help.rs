//! Help texts in cobra's layout (spec 1.6).

use std::fmt::Write;

use super::commands::{Action, Command, ROLLOUT, ROOT};
use super::paths;
use crate::deploy_flags::{self, Flag, Kind};
use crate::server::go_duration::GoDuration;

const ABOUT: &str = "HTTP proxy for zero downtime deployments";

/// The help of the program.
pub(crate) fn root() -> String {
    group(ABOUT, "kamal-proxy", ROOT, &[])
}

/// The help of a command; `path` is its name in full.
pub(crate) fn of(command: &Command, path: &str) -> String {
    if command.action == Action::Group {
        return group(command.about, "kamal-proxy rollout", ROLLOUT, &[]);
    }
    let mut text = format!("{}\n\nUsage:\n  kamal-proxy {path}{} [flags]\n", command.about, command.usage);
    if let Some(alias) = command.alias {
        let _ = write!(text, "\nAliases:\n  {}, {alias}\n", command.name);
    }
    text.push_str(&flags(command.flags, command.name));
    text
}

fn group(about: &str, name: &str, commands: &[Command], own: &[Flag]) -> String {
    let mut text = format!("{about}\n\nUsage:\n  {name} [command]\n\nAvailable Commands:\n");
    for command in commands {
        let _ = writeln!(text, "  {:<11} {}", command.name, command.about);
    }
    text.push_str(&flags(own, name));
    let _ = write!(text, "\nUse \"{name} [command] --help\" for more information about a command.\n");
    text
}

fn flags(flags: &[Flag], name: &str) -> String {
    let mut rows: Vec<(String, String)> = flags.iter().map(row).collect();
    let at = flags.partition_point(|flag| flag.name < "help");
    rows.insert(at, ("  -h, --help".into(), format!("help for {name}")));
    let width = rows.iter().map(|(left, _)| left.len()).max().unwrap_or(0);
    let lines: String = rows.iter().map(|(left, right)| format!("{left:<width$}   {right}\n")).collect();
    format!("\nFlags:\n{lines}")
}

fn row(flag: &Flag) -> (String, String) {
    let (word, default) = match flag.kind {
        Kind::Bool(value) => ("", value.then(|| "true".to_owned())),
        Kind::Int(value) => (" int", (value != 0).then(|| value.to_string())),
        Kind::Seconds(value) => (" duration", (value != 0).then(|| GoDuration::from_secs(value.into()).to_string())),
        Kind::Str("") if flag.name == deploy_flags::TLS_ACME_CACHE_PATH.name => {
            (" string", Some(format!("{:?}", paths::data_dir().join("certs"))))
        }
        Kind::Str(value) => (" string", (!value.is_empty()).then(|| format!("{value:?}"))),
        Kind::List => (" strings", None),
    };
    let default = default.map(|value| format!(" (default {value})")).unwrap_or_default();
    (format!("      --{}{word}", flag.name), format!("{}{default}", flag.help))
}
