//! Questions as docker commands (spec 9.7, golden vectors 13.1).

use kamal_core::{
    config::{
        Config,
        model::{Accessory, Role},
    },
    naming,
    ports::Entropy,
    query::{Attach, ExecNew, LogLines, Query},
    shell::{
        Text,
        escape::{options, pairs, word},
    },
};

use crate::{
    post_mortem,
    render::{IMPLICIT_LOGGING, filters},
    survey, swarm,
};

/// Shell text for a question.
pub(crate) fn text(query: &Query, config: &Config, entropy: &dyn Entropy) -> Text {
    let labels = |role| {
        let labels = naming::labels(config, role);
        filters(labels.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    };
    match query {
        Query::Details { role } => format!("docker ps {}", labels(Some(role))),
        Query::Orphans { containers } => {
            let names = containers.iter().map(|name| format!("--filter {}", word(&format!("name=^{name}$"))));
            format!("docker ps {}", names.collect::<Vec<_>>().join(" "))
        }
        Query::Containers => format!("docker container ls --all {}", labels(None)),
        Query::Images => format!("docker image ls {}", word(&config.repository())),
        Query::Logs { container, lines } => logs(container, lines),
        Query::ProxyDetails => format!("docker ps --filter 'name=^{}$'", naming::PROXY_CONTAINER),
        Query::ProxyRoutes => "docker exec kamal-proxy kamal-proxy list".to_owned(),
        Query::ProxyBootConfig => crate::proxy::boot_config(),
        Query::AccessoryDetails { service } => {
            format!("docker ps --filter {}", word(&format!("label=service={service}")))
        }
        Query::ExecNew(exec) => exec_new(exec, config, &entropy.hex(6)),
        Query::ExecAccessory { accessory, volumes, command, attach } => {
            let found = config.accessories.iter().find(|known| known.name == *accessory);
            found.map_or_else(
                || format!("echo 'there is no accessory '{} >&2; exit 1", word(accessory)),
                |accessory| exec_accessory(config, accessory, volumes, &command.shell(), *attach),
            )
        }
        Query::ExecReuse { container, command, env, attach } => {
            let mut words = vec!["docker exec".to_owned()];
            words.extend((*attach == Attach::Detached).then(|| "--detach".to_owned()));
            words.extend(interactive(*attach));
            words.extend(named(env));
            words.extend([word(container), command.shell()]);
            words.join(" ")
        }
        Query::Shell { command } => {
            command.as_ref().map(kamal_core::command_line::CommandLine::shell).unwrap_or_default()
        }
        Query::Audit => {
            let log = word(&naming::audit_log(config));
            format!("tail -n 50 {log} 2>/dev/null || echo 'nothing was done here yet'")
        }
        Query::Survey => survey::text(config),
        Query::ProbeHosts { to } => swarm::probe(to),
        Query::HeldLayers => "docker image ls --all --quiet --no-trunc | sort -u | xargs docker image inspect \
                              --format '{{json .RootFS.Layers}}' 2>/dev/null; :"
            .to_owned(),
        Query::SwarmToken { manager } => swarm::token(*manager),
        Query::DockerConfig => crate::login::READ.to_owned(),
        Query::PostMortem { container, probe, stop } => post_mortem::text(container, probe.as_ref(), *stop),
        Query::Inspect { container } => {
            format!("docker container inspect --format '{{{{json .}}}}' {}", word(container))
        }
        _ => "echo 'unknown question' >&2; exit 1".to_owned(),
    }
    .into()
}

/// A log. That nothing in it matches is no failure.
fn logs(container: &str, lines: &LogLines) -> String {
    let mut text = format!("docker logs {}", word(container));
    if lines.timestamps {
        text.push_str(" --timestamps");
    }
    text.extend(lines.since.iter().map(|since| format!(" --since {}", word(since))));
    text.extend(lines.lines.iter().map(|lines| format!(" --tail {lines}")));
    if lines.follow {
        text.push_str(" --follow");
    }
    text.push_str(" 2>&1");
    let Some(pattern) = &lines.grep else { return text };
    let line_buffered = if lines.follow { " --line-buffered" } else { "" };
    let extra = lines.grep_options.iter().map(|options| format!(" {options}")).collect::<String>();
    format!(
        "docker container inspect {} >/dev/null && {text} | {{ grep{line_buffered} -e {}{extra}; [ $? -lt 2 ]; }}",
        word(container),
        word(pattern)
    )
}

fn exec_new(exec: &ExecNew, config: &Config, token: &str) -> String {
    let ExecNew { role, role_env, version, command, env, attach } = exec;
    let Some(role) = config.role(role) else { return "echo 'unknown role' >&2; exit 1".to_owned() };
    let mut words = vec!["docker run".to_owned()];
    words.extend(interactive(*attach));
    words.push(if *attach == Attach::Detached { "--detach" } else { "--rm" }.to_owned());
    let name = format!("{}-exec-{version}-{token}", naming::container_prefix(config, &role.name));
    words.push(format!("--name {}", word(&name)));
    words.push(format!("--network {}", word(reaching(config, naming::NETWORK))));
    words.extend(named(role_env));
    words.push(format!("--env-file {}", word(&naming::role_env_file(config, &role.name))));
    words.extend(named(env));
    words.extend(logging(role));
    words.extend(config.volumes.iter().map(|volume| format!("--volume {volume}")));
    words.extend(options(&role.options));
    words.extend([word(&naming::image(config, version)), command.shell()]);
    words.join(" ")
}

/// Options for the log. The size that is set where deploy.yml sets nothing is left out where the host's default driver does
/// not know it: what the command prints is shown as it comes, so that there is no second try as for a container that serves.
fn logging(role: &Role) -> Vec<String> {
    let words = kamal_core::plan::logging(&role.logging);
    if words != [IMPLICIT_LOGGING] {
        return words;
    }
    let driver = "docker info --format '{{.LoggingDriver}}' 2>/dev/null";
    let has_own = role.options.iter().any(|(name, _)| name == "log-driver");
    let known = format!("$(case $({driver}) in json-file|local) echo {IMPLICIT_LOGGING};; esac)");
    if has_own { Vec::new() } else { vec![known] }
}

/// The network of a container of its own that is to reach what the others do: the one over all hosts, where there is one.
fn reaching<'c>(config: &'c Config, own: &'c str) -> &'c str {
    let joined = config.cluster.as_ref().filter(|_| !naming::is_no_network(own));
    joined.map_or(own, |cluster| cluster.network.as_str())
}

fn exec_accessory(config: &Config, accessory: &Accessory, volumes: &[String], command: &str, attach: Attach) -> String {
    let env: Vec<(String, String)> = accessory.env.clear.clone().into_iter().collect();
    let mut words = vec!["docker run".to_owned()];
    words.extend(interactive(attach));
    words.push("--rm".to_owned());
    words.push(format!("--network {}", word(reaching(config, &accessory.network))));
    words.extend(named(&env));
    words.push(format!("--env-file {}", word(&naming::accessory_env_file(config, &accessory.name))));
    words.extend(volumes.iter().map(|volume| format!("--volume {volume}")));
    words.extend(options(&accessory.options));
    words.extend([word(&accessory.image), command.to_owned()]);
    words.join(" ")
}

fn named(list: &[(String, String)]) -> Vec<String> {
    pairs("--env", list.iter().map(|(key, text)| (key.as_str(), text.as_str())))
}

fn interactive(attach: Attach) -> Vec<String> {
    match attach {
        Attach::Input => vec!["-i".to_owned()],
        Attach::Terminal => vec!["-it".to_owned()],
        Attach::Output | Attach::Detached => Vec::new(),
    }
}
