//! The commands and their flags (spec 1.2 to 1.7).

use super::layers;
use crate::deploy_flags::{self as deploy, Flag, Kind};
use crate::server::switches::PATIENCE;

/// What a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Run,
    Deploy,
    Layers,
    Leave,
    Reload,
    Remove,
    List,
    Pause,
    Stop,
    Resume,
    RolloutDeploy,
    RolloutSet,
    RolloutStop,
    Watch,
    /// Only shows which commands it has.
    Group,
}

/// One command.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) alias: Option<&'static str>,
    /// What is shown behind the name.
    pub(crate) usage: &'static str,
    pub(crate) about: &'static str,
    pub(crate) action: Action,
    pub(crate) flags: &'static [Flag],
}

const SERVICE: &str = " <service>";

const fn command(name: &'static str, usage: &'static str, about: &'static str, action: Action) -> Command {
    Command { name, alias: None, usage, about, action, flags: &[] }
}

/// The commands of the program, by name.
pub(crate) const ROOT: &[Command] = &[
    Command { flags: deploy::ALL, ..command("deploy", SERVICE, "Deploy a target host", Action::Deploy) },
    Command { flags: LEAVE, ..command("leave", "", "Send clients to another server, before a stop", Action::Leave) },
    Command { alias: Some("ls"), ..command("list", "", "List the services currently running", Action::List) },
    Command { flags: PAUSE, ..command("pause", SERVICE, "Pause a service", Action::Pause) },
    command("reload", "", "Read certificates, error pages and users again", Action::Reload),
    Command { alias: Some("rm"), ..command("remove", SERVICE, "Remove the service", Action::Remove) },
    command("resume", SERVICE, "Resume a service", Action::Resume),
    command("rollout", "", "Control rollout to new targets", Action::Group),
    Command { flags: RUN, ..command("run", "", "Run the server", Action::Run) },
    Command { flags: STOP, ..command("stop", SERVICE, "Stop a service", Action::Stop) },
    Command { flags: WATCH, ..command("watch", SERVICE, "Watch how a service answers", Action::Watch) },
];

/// Commands for other programs, of which help says nothing.
const HIDDEN: &[Command] =
    &[Command { flags: layers::FLAGS, ..command("layers", "", "Hand layers on to other hosts", Action::Layers) }];

/// The commands of `rollout`.
pub(crate) const ROLLOUT: &[Command] = &[
    Command { flags: ROLLOUT_DEPLOY, ..command("deploy", SERVICE, "Deploy the rollout target", Action::RolloutDeploy) },
    Command { flags: ROLLOUT_SET, ..command("set", SERVICE, "Set traffic split for rollout", Action::RolloutSet) },
    command("stop", SERVICE, "Stops rollout of a service", Action::RolloutStop),
];

const fn flag(name: &'static str, kind: Kind, help: &'static str) -> Flag {
    Flag { name, kind, help }
}

const SECONDS_30: Kind = Kind::Seconds(PATIENCE);
const DRAIN: &str = "How long to allow in-flight requests to complete";

const RUN: &[Flag] = &[
    flag("debug", Kind::Bool(false), "Include debugging logs"),
    flag("http-port", Kind::Int(80), "Port to serve HTTP traffic on"),
    flag("http3", Kind::Bool(false), "Enable HTTP/3"),
    flag("https-port", Kind::Int(443), "Port to serve HTTPS traffic on"),
    flag("max-connections", Kind::Int(0), "Close client connections beyond this number (default zero for any number)"),
    flag("metrics-port", Kind::Int(0), "Publish metrics on the specified port (default zero to disable)"),
    flag("takeover", Kind::Bool(false), "Take over from the server that is running, if there is one, without downtime"),
    flag(
        "takeover-timeout",
        SECONDS_30,
        "With --takeover, how long the other server may take to finish requests and connections",
    ),
];

const LEAVE: &[Flag] = &[flag(
    "drain-timeout",
    SECONDS_30,
    "How long to wait for clients to finish requests and to connect anew, which leads them elsewhere",
)];

const PAUSE: &[Flag] = &[
    flag("drain-timeout", SECONDS_30, DRAIN),
    flag("max-pause", SECONDS_30, "How long to enqueue requests before shedding load"),
];

const STOP: &[Flag] = &[
    flag("drain-timeout", SECONDS_30, DRAIN),
    flag("message", Kind::Str(""), "Message to display to clients while stopped"),
];

const WATCH: &[Flag] = &[
    flag("for", SECONDS_30, "How long to watch"),
    flag("max-errors", Kind::Str("1"), "Percentage of requests that may be answered with a 5xx"),
    flag("max-latency", Kind::Seconds(0), "Time within which 95 % of requests must be answered (default zero for any)"),
    flag("min-requests", Kind::Int(20), "Number of requests below which nothing is concluded"),
];

const ROLLOUT_DEPLOY: &[Flag] = &[deploy::DEPLOY_TIMEOUT, deploy::DRAIN_TIMEOUT, deploy::READ_TARGET, deploy::TARGET];

const ROLLOUT_SET: &[Flag] = &[
    flag("list", Kind::List, "Rollout to specific values"),
    flag("percent", Kind::Int(0), "Percentage of traffic to send to the new target"),
];

/// The command some arguments name, how it is called in full, and the arguments without its name.
pub(crate) fn find(arguments: &[String]) -> Option<(&'static Command, &'static str, Vec<String>)> {
    let word = first_word(arguments)?;
    let command = named(ROOT, &arguments[word]).or_else(|| named(HIDDEN, &arguments[word]))?;
    let mut rest = arguments.to_vec();
    rest.remove(word);
    if command.action != Action::Group {
        return Some((command, command.name, rest));
    }
    match first_word(&rest).and_then(|at| Some((at, named(ROLLOUT, &rest[at])?))) {
        Some((at, sub)) => {
            rest.remove(at);
            let path = match sub.action {
                Action::RolloutDeploy => "rollout deploy",
                Action::RolloutSet => "rollout set",
                _ => "rollout stop",
            };
            Some((sub, path, rest))
        }
        None => Some((command, command.name, rest)),
    }
}

fn first_word(arguments: &[String]) -> Option<usize> {
    arguments.iter().position(|argument| !argument.starts_with('-'))
}

fn named(commands: &'static [Command], word: &str) -> Option<&'static Command> {
    commands.iter().find(|command| command.name == word || command.alias == Some(word))
}

/// Commands somebody who typed this may have meant.
pub(crate) fn suggestions(word: &str) -> Vec<&'static str> {
    let lower = word.to_lowercase();
    let near = |name: &&str| distance(&lower, name) <= 2 || name.starts_with(&lower);
    ROOT.iter().map(|command| command.name).filter(near).collect()
}

/// The number of single-letter edits between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, c) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, d) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(c != *d)).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}
