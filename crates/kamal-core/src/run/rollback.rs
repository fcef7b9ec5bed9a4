//! What a rollback changes besides the version: how the containers of that version were made, beside how they would be
//! made now. Names only: values may be secrets.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Cx, ask};
use crate::{
    error::Error,
    name::HostName,
    op::Rollback,
    plan::{Plan, Question},
    query::Query,
    step::{RunSpec, Step},
};

/// A container as docker tells it.
#[derive(Debug, Deserialize)]
pub(super) struct Made {
    #[serde(rename = "Name", default)]
    name: String,
    #[serde(rename = "Config")]
    config: MadeConfig,
    #[serde(rename = "HostConfig")]
    host: HostConfig,
}

#[derive(Debug, Deserialize)]
struct MadeConfig {
    #[serde(rename = "Env", default)]
    env: Option<Vec<String>>,
    #[serde(rename = "Cmd", default)]
    cmd: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct HostConfig {
    #[serde(rename = "Binds", default)]
    binds: Option<Vec<String>>,
    #[serde(rename = "Memory", default)]
    memory: u64,
}

impl Made {
    /// Reads docker's answer, if it is about this container.
    pub(super) fn read(printed: &str, container: &str) -> Option<Self> {
        let made: Self = serde_json::from_str(printed.trim()).ok()?;
        (made.name.trim_start_matches('/') == container).then_some(made)
    }
}

/// A line for each role whose containers would be made otherwise than they were.
pub(super) async fn differences(cx: &Cx<'_>, plan: &Plan, asked: &Rollback) -> Result<Vec<String>, Error> {
    if asked.as_deployed {
        return Ok(vec![
            "Containers are started again as they were deployed, environment and options included.".into(),
        ]);
    }
    let Some(host) = cx.targets.app_hosts.first() else { return Ok(Vec::new()) };
    let specs: Vec<&RunSpec> = plan
        .stages
        .iter()
        .flat_map(crate::plan::Stage::steps)
        .filter(|(of, _)| *of == host)
        .filter_map(|(_, step)| if let Step::Start(spec) = step { Some(&**spec) } else { None })
        .filter(|spec| spec.role.is_some())
        .collect();
    let question = |spec: &&RunSpec| Question {
        host: host.clone(),
        heading: String::new(),
        query: Query::Inspect { container: spec.name.clone() },
    };
    let answers = ask(&cx.fleet, &specs.iter().map(question).collect::<Vec<_>>()).await;
    let mut notes = Vec::new();
    for (spec, answer) in specs.iter().zip(answers) {
        let Ok(captured) = answer.outcome else { continue };
        // A container that is there under another name tells nothing, which is no reason not to go back.
        let Ok(made) = serde_json::from_str::<Made>(captured.stdout.trim()) else { continue };
        let secrets = secrets_of(cx, spec, host);
        let changes = changes(&made, spec, &secrets);
        if !changes.is_empty() {
            let role = spec.role.as_ref().map(ToString::to_string).unwrap_or_default();
            notes
                .push(format!("{role} is made otherwise than it was: {} (--as-deployed keeps it)", changes.join(", ")));
        }
    }
    Ok(notes)
}

/// Names of the secrets a container is given.
pub(super) fn secrets_of(cx: &Cx<'_>, spec: &RunSpec, host: &HostName) -> Vec<String> {
    let config = cx.fleet.config;
    let role = config.roles.iter().find(|role| Some(&role.name) == spec.role.as_ref());
    let placed = role.and_then(|role| Some((role, role.hosts.iter().find(|tagged| tagged.name == *host)?)));
    let secrets = placed.map(|(role, tagged)| config.env_for(role, tagged).secret).unwrap_or_default();
    secrets.into_iter().map(|secret| secret.name).collect()
}

pub(super) fn changes(made: &Made, spec: &RunSpec, secrets: &[String]) -> Vec<String> {
    let was: BTreeMap<&str, &str> = made.config.env.iter().flatten().filter_map(|line| line.split_once('=')).collect();
    let is: BTreeMap<&str, &str> = spec.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // Those every container has of its own.
    let own = |name: &&&str| name.starts_with("KAMAL_");
    let mut found = Vec::new();
    for name in is.keys().filter(|name| !own(name)) {
        match was.get(name) {
            None => found.push(format!("{name} is new")),
            // A `$` is the host's to fill in.
            Some(value) if *value != is[name] && !is[name].contains('$') => {
                found.push(format!("{name} has another value"));
            }
            Some(_) => {}
        }
    }
    found.extend(secrets.iter().filter(|name| !was.contains_key(name.as_str())).map(|name| format!("{name} is new")));
    if let Some(cmd) = &spec.cmd {
        let plain = |text: &str| {
            text.chars().filter(|sign| !sign.is_whitespace() && !"'\"".contains(*sign)).collect::<String>()
        };
        let before = made.config.cmd.clone().unwrap_or_default().concat();
        if plain(cmd) != plain(&before) {
            found.push("the command".to_owned());
        }
    }
    if spec.volumes.len() != made.host.binds.as_ref().map_or(0, Vec::len) {
        found.push("the volumes".to_owned());
    }
    let memory = spec.options.iter().any(|(name, _)| name == "memory");
    if memory != (made.host.memory > 0) {
        found.push("the limit of memory".to_owned());
    }
    found
}
