//! Performing a command: `run` and `layers` here, every other by asking the server that runs.

#![expect(clippy::disallowed_methods, reason = "what flags leave open is in the program's environment")]

use std::env;

use super::commands::{Action, Command};
use super::flags::Parsed;
use super::run::{RunOptions, run};
use super::{Failed, deploy, layers, list, paths, values};
use crate::server::control::client::call;
use crate::server::control::protocol::{Answer, Pause, Request, RolloutDeploy, RolloutSet, Stop, Watch};
use crate::server::watch::Limits;

/// Does it; the text is for standard output.
pub(crate) fn perform(command: &Command, flags: &Parsed) -> Result<String, Failed> {
    let service = flags.arguments.first().cloned().unwrap_or_default();
    let request = match command.action {
        Action::Run => {
            run(run_options(flags)?)?;
            return Ok(String::new());
        }
        Action::Layers => {
            layers::run(flags)?;
            return Ok(String::new());
        }
        Action::Group => return Ok(String::new()),
        Action::List => Request::List,
        Action::Deploy => Request::Deploy(Box::new(deploy::request(service, flags)?)),
        Action::Leave => Request::Leave { drain_timeout: flags.duration("drain-timeout") },
        Action::Reload => Request::Reload,
        Action::Remove => Request::Remove { service },
        Action::Resume => Request::Resume { service },
        Action::Pause => Request::Pause(Pause {
            service,
            drain_timeout: flags.duration("drain-timeout"),
            max_pause: flags.duration("max-pause"),
        }),
        Action::Stop => Request::Stop(Stop {
            service,
            drain_timeout: flags.duration("drain-timeout"),
            message: flags.str("message"),
        }),
        Action::RolloutDeploy => Request::RolloutDeploy(RolloutDeploy {
            service,
            targets: flags.list("target"),
            readers: flags.list("read-target"),
            deployment: deploy::deployment(flags),
        }),
        Action::RolloutSet => {
            Request::RolloutSet(RolloutSet { service, percentage: flags.int("percent"), allowlist: flags.list("list") })
        }
        Action::RolloutStop => Request::RolloutStop { service },
        Action::Watch => Request::Watch(Watch { service, limits: limits(flags)? }),
    };
    match call(&paths::socket_path(), &request)? {
        Answer::Services(services) => Ok(list::table(&services)),
        Answer::Text(text) => Ok(text + "\n"),
        Answer::Done | Answer::Error(_) | Answer::Unhealthy { .. } => Ok(String::new()),
    }
}

/// What a service that is watched must keep to.
fn limits(flags: &Parsed) -> Result<Limits, Failed> {
    let errors = flags.str("max-errors");
    let percent = errors.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
    Ok(Limits {
        window: flags.duration("for"),
        errors: percent.ok_or_else(|| Failed(format!("max-errors must be a percentage, not {errors:?}")))?,
        latency: flags.duration("max-latency"),
        requests: u64::try_from(flags.int("min-requests")).unwrap_or(0),
    })
}

/// Flags first, then the environment, then the defaults (spec 1.3).
fn run_options(flags: &Parsed) -> Result<RunOptions, Failed> {
    let port = |name: &str, variable: &str| {
        let from_environment = environment(variable).and_then(|text| values::integer(&text).ok());
        let value = from_environment.filter(|_| !flags.is_set(name)).unwrap_or_else(|| flags.int(name));
        u16::try_from(value).map_err(|_| Failed(format!("listen tcp: address {value}: invalid port")))
    };
    let debug = environment("DEBUG").and_then(|text| values::boolean(&text).ok());
    Ok(RunOptions {
        debug: debug.filter(|_| !flags.is_set("debug")).unwrap_or_else(|| flags.bool("debug")),
        http_port: port("http-port", "HTTP_PORT")?,
        https_port: port("https-port", "HTTPS_PORT")?,
        metrics_port: port("metrics-port", "METRICS_PORT")?,
        http3: flags.bool("http3"),
        max_connections: usize::try_from(flags.int("max-connections")).unwrap_or(0),
        takeover: flags.bool("takeover").then(|| flags.duration("takeover-timeout").as_std()),
    })
}

/// The variable with the prefix if it is set at all, else the one without.
fn environment(name: &str) -> Option<String> {
    env::var(format!("KAMAL_PROXY_{name}")).or_else(|_| env::var(name)).ok()
}
