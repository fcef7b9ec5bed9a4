//! Questions as docker commands (spec 9.7, golden vectors 13.1).

use kamal_core::{
    config::Config,
    naming,
    query::{Attach, LogLines, Query},
    shell::{
        Text,
        escape::{options, pairs, word},
    },
};

/// Shell text for a question.
pub(crate) fn text(query: &Query, config: &Config) -> Text {
    match query {
        Query::Details { role } => format!("docker ps {}", naming::role_filters(config, role)),
        Query::Containers => format!("docker container ls --all {}", naming::service_filters(config)),
        Query::Images => format!("docker image ls {}", word(&config.repository())),
        Query::Version { role } => {
            let prefix = naming::container_prefix(config, role);
            format!("{} | while read line; do echo \"${{line#{prefix}-}}\"; done", current(config, role, "{{.Names}}"))
        }
        Query::Logs { role, lines } => {
            let id = lines
                .container
                .as_ref()
                .map_or_else(|| format!("$({})", current(config, role, "{{.ID}}")), |container| word(container));
            format!(
                "id={id}; [ -n \"$id\" ] || {{ echo 'no running container' >&2; exit 1; }}; docker logs \"$id\"{}",
                log_options(lines)
            )
        }
        Query::ProxyDetails => "docker ps --filter 'name=^kamal-proxy$'".to_owned(),
        Query::ProxyLogs(lines) => format!("docker logs kamal-proxy{}", log_options(lines)),
        Query::ProxyRoutes => "docker exec kamal-proxy kamal-proxy list".to_owned(),
        Query::ExecNew { .. } => exec_new(query, config),
        Query::ExecReuse { container, command, extra_env, attach } => {
            let flags = [detach(*attach, "--detach"), interactive(*attach)].concat();
            let env = pairs("--env", extra_env.iter().map(|(key, text)| (key.as_str(), text.as_str())));
            let words = [vec!["docker exec".to_owned()], flags, env, vec![word(container), command.clone()]].concat();
            words.join(" ")
        }
        Query::Audit => {
            format!("tail -n 50 {} 2>/dev/null || echo 'nothing was done here yet'", naming::audit_log(config))
        }
        Query::Accessories => {
            let filters: Vec<String> = config
                .accessories
                .iter()
                .map(|accessory| format!("--filter label=service={}", word(&accessory.service)))
                .collect();
            if filters.is_empty() { ":".to_owned() } else { format!("docker ps --all {}", filters.join(" ")) }
        }
        _ => "echo 'unknown question' >&2; exit 1".to_owned(),
    }
    .into()
}

/// Kamal's way to the container that runs: of the image tagged latest, else the newest (spec chapter 9, CURID).
fn current(config: &Config, role: &str, format: &str) -> String {
    let filters = format!(
        "{} --filter label=role={role} --filter status=running --filter status=restarting",
        naming::service_filters(config)
    );
    let latest = word(&naming::latest_image(config));
    format!(
        "{{ docker ps --latest --format '{format}' {filters} --filter ancestor=$(docker image ls --filter reference={latest} --format '{{{{.ID}}}}'); \
         docker ps --latest --format '{format}' {filters}; }} | head -1"
    )
}

fn log_options(lines: &LogLines) -> String {
    let mut words = Vec::new();
    words.extend(lines.timestamps.then(|| " --timestamps".to_owned()));
    words.extend(lines.since.iter().map(|since| format!(" --since {}", word(since))));
    words.extend(lines.lines.iter().map(|lines| format!(" --tail {lines}")));
    words.extend(lines.follow.then(|| " --follow".to_owned()));
    words.push(" 2>&1".to_owned());
    if let Some(pattern) = &lines.grep {
        let line_buffered = if lines.follow { " --line-buffered" } else { "" };
        let extra = lines.grep_options.iter().map(|options| format!(" {options}")).collect::<String>();
        words.push(format!(" | grep{line_buffered} -e {}{extra}", word(pattern)));
    }
    words.concat()
}

fn exec_new(query: &Query, config: &Config) -> String {
    let Query::ExecNew { role, env, version, command, extra_env, token, attach } = query else { return String::new() };
    let Some(role) = config.role(role) else { return "echo 'unknown role' >&2; exit 1".to_owned() };
    let named =
        |list: &[(String, String)]| pairs("--env", list.iter().map(|(key, text)| (key.as_str(), text.as_str())));
    let mut words = vec!["docker run".to_owned()];
    words.extend(interactive(*attach));
    words.push(if *attach == Attach::Detached { "--detach" } else { "--rm" }.to_owned());
    words.push(format!("--name {}-exec-{version}-{token}", naming::container_prefix(config, &role.name)));
    words.push(format!("--network {}", naming::NETWORK));
    words.extend(named(env));
    words.push(format!("--env-file {}", naming::role_env_file(config, &role.name)));
    words.extend(named(extra_env));
    words.extend(kamal_core::plan::logging(&role.logging));
    words.extend(config.volumes.iter().map(|volume| format!("--volume {volume}")));
    words.extend(options(&role.options));
    words.extend([word(&naming::image(config, version)), command.clone()]);
    words.join(" ")
}

fn detach(attach: Attach, flag: &str) -> Vec<String> {
    (attach == Attach::Detached).then(|| flag.to_owned()).into_iter().collect()
}

fn interactive(attach: Attach) -> Vec<String> {
    match attach {
        Attach::Input => vec!["-i".to_owned()],
        Attach::Terminal => vec!["-it".to_owned()],
        Attach::Output | Attach::Detached => Vec::new(),
    }
}
