//! What a recipe's settings are in deploy.yml.

use super::super::reader::Reader;
use super::super::secretive;
use super::super::tree::Tree;
use super::super::{HOST, SSL_OF_SEVERAL};
use super::hosts::{Server, left_out, roles};
use super::shared::{self, APP};
use super::{HOSTS, Map, Recipe, STAGES, Span, texts};

const IN_CLEAR: &str = "a secret stands here in clear, and was not copied: set it in the environment, or say in .kamal/secrets where it is";

/// Settings that are about how Capistrano works, or have been looked at.
const NEEDLESS: [&str; 30] = [
    "application",
    "assets_roles",
    "branch",
    "conditionally_migrate",
    "default_env",
    "deploy_to",
    "format",
    "format_options",
    "keep_assets",
    "keep_releases",
    "linked_dirs",
    "linked_files",
    "local_user",
    "log_level",
    "migration_role",
    "migration_servers",
    "pty",
    "rails_env",
    "rails_assets_groups",
    "repo_url",
    "scm",
    "sidekiq_config",
    "sidekiq_roles",
    "ssh_options",
    "stage",
    "stages",
    "tmp_dir",
    "use_sudo",
    "user",
    "default_stage",
];

/// What is said of settings by the beginning of their names.
const SAID: [(&str, &str); 16] = [
    ("rbenv", "the Ruby is the image's: `FROM ruby:…` in the Dockerfile"),
    ("rvm", "the Ruby is the image's: `FROM ruby:…` in the Dockerfile"),
    ("chruby", "the Ruby is the image's: `FROM ruby:…` in the Dockerfile"),
    ("bundle", "gems are installed by the Dockerfile"),
    ("nvm", "Node is the image's: the Dockerfile installs it"),
    ("npm", "packages are installed by the Dockerfile"),
    ("yarn", "packages are installed by the Dockerfile"),
    ("assets", "assets are built by the Dockerfile"),
    ("passenger", "the image runs a server of its own, puma for one"),
    ("unicorn", "the image runs a server of its own, puma for one"),
    ("puma", "puma's own config/puma.rb says it, in the image"),
    ("nginx", "kamal-proxy takes its place"),
    ("sidekiq", "config/sidekiq.yml says it, or the role's `cmd`"),
    ("whenever", "give a role the command that runs cron, or let the app schedule its jobs"),
    ("slack", "put what tells people of deploys into .kamal/hooks/post-deploy"),
    ("git", "what is built is the commit that is checked out here"),
];

/// `servers`, and how they are reached. With `stages`, each has its own.
pub(super) fn servers(reader: &mut Reader<'_>, recipe: &Recipe, stages: bool, root: &mut Map) {
    if recipe.servers.is_empty() {
        if !stages {
            reader.note(Span::default(), "servers", format!("none was found: {HOST} stands where yours belong"));
        }
        root.put_with(if stages { STAGES } else { HOSTS }, "servers", {
            let mut map = Map::default();
            map.put("web", vec![HOST]);
            map
        });
        if sidekiq(reader, recipe) && !stages {
            let mut servers = Map::default();
            servers.put("web", vec![HOST]);
            servers.put("sidekiq", worker(reader, recipe, "sidekiq", texts(vec![HOST.to_owned()])));
            root.put("servers", servers);
        }
    } else {
        root.put("servers", of_roles(reader, recipe, &[]));
    }
    root.put("proxy", proxy(reader, recipe));
    root.put("ssh", ssh(reader, recipe));
}

/// What a stage has of its own, where all have these roles and secrets.
pub(super) fn stage(
    reader: &mut Reader<'_>,
    all: &Recipe,
    own: &Recipe,
    (roles, secrets): (&[String], &[String]),
    by_stage: bool,
) -> Map {
    let mut root = Map::default();
    if !all.servers.is_empty() {
        root.put("servers", of_roles(reader, all, roles));
    }
    let mut own_proxy = Map::default();
    host(reader, &Recipe { servers: all.servers.clone(), ..own.clone() }, &mut own_proxy);
    root.put("proxy", own_proxy);
    root.put("ssh", ssh(reader, all));
    let mut clear = Map::default();
    let secret = environment(reader, own, &mut clear);
    let mut env = Map::default();
    env.put("clear", clear);
    if !secret.is_empty() {
        // The list of a destination takes the place of the one of all.
        env.put("secret", [secrets, &secret].concat());
    }
    root.put("env", env);
    root.put_some(
        "retain_containers",
        own.settings.text(reader, "keep_releases").and_then(|count| count.parse::<u64>().ok()),
    );
    unused(reader, own, by_stage);
    root
}

/// What all stages have; returns the names of their secrets.
pub(super) fn common(reader: &mut Reader<'_>, recipe: &Recipe, by_stage: bool, root: &mut Map) -> Vec<String> {
    let mut builder = Map::default();
    builder.put_with("What the servers run on.", "arch", "amd64");
    root.put("builder", builder);
    let mut clear = Map::default();
    let mut secret = environment(reader, recipe, &mut clear);
    secret.extend(shared::secrets(reader, recipe, &mut clear));
    secret.dedup();
    let mut env = Map::default();
    env.put("clear", clear);
    env.put("secret", secret.clone());
    root.put("env", env);
    root.put_with(
        "What the old app kept stays where it is; the container's user has to be let in.",
        "volumes",
        if by_stage { Vec::new() } else { shared::kept(reader, recipe) },
    );
    if is_rails(reader, recipe) {
        root.put("asset_path", format!("{APP}/public/assets"));
        let mut release = Map::default();
        release.put("cmd", "bin/rails db:migrate");
        root.put_with("Runs once in the new image before it serves.", "x-release", release);
    }
    root.put_some(
        "retain_containers",
        recipe.settings.text(reader, "keep_releases").and_then(|count| count.parse::<u64>().ok()),
    );
    unused(reader, recipe, by_stage);
    secret
}

fn capfile(reader: &Reader<'_>, plugin: &str) -> bool {
    let text = (reader.input.read)("Capfile").unwrap_or_default();
    text.lines().map(str::trim).any(|line| !line.starts_with('#') && line.contains(plugin))
}

fn is_rails(reader: &mut Reader<'_>, recipe: &Recipe) -> bool {
    let files = recipe.settings.texts(reader, "linked_files");
    capfile(reader, "capistrano/rails")
        || ["rails_env", "migration_role", "conditionally_migrate"]
            .iter()
            .any(|name| recipe.settings.get(name).is_some())
        || files.iter().any(|file| file == "config/master.key" || file == "config/database.yml")
}

fn sidekiq(reader: &Reader<'_>, recipe: &Recipe) -> bool {
    capfile(reader, "capistrano/sidekiq") || recipe.settings.names().any(|(name, _)| name.starts_with("sidekiq"))
}

fn of_roles(reader: &mut Reader<'_>, recipe: &Recipe, common: &[String]) -> Map {
    let sidekiq = sidekiq(reader, recipe);
    let mut servers = Map::default();
    let several = several_users(recipe);
    for server in left_out(&recipe.servers) {
        let why = "nothing runs there: Kamal's proxy is on the hosts of the app, which it serves";
        reader.note(server.span, format!("role web of {}", server.host), why);
    }
    for (name, hosts) in roles(&recipe.servers, sidekiq) {
        let spelled: Vec<String> = hosts.iter().map(|server| spelled(server, several)).collect();
        let hosts_tree = texts(if spelled.is_empty() { vec![HOST.to_owned()] } else { spelled });
        if name == "web" {
            servers.put(name, hosts_tree);
            continue;
        }
        if command(&name, recipe).is_none()
            && !common.contains(&name)
            && let Some(server) = hosts.first()
        {
            reader.note(
                server.span,
                format!("role {name}"),
                format!("which command it runs is not said: set `servers/{name}/cmd`"),
            );
        }
        let role = worker(reader, recipe, &name, hosts_tree);
        servers.put(name, role);
    }
    servers
}

fn worker(reader: &mut Reader<'_>, recipe: &Recipe, name: &str, hosts: Tree) -> Map {
    let mut role = Map::default();
    role.put("hosts", hosts);
    let mut cmd = command(name, recipe).map(str::to_owned);
    if let (Some(cmd), Some(config)) = (&mut cmd, recipe.settings.text(reader, "sidekiq_config")) {
        let config = config.split("/current/").last().unwrap_or_default().to_owned();
        cmd.push_str(&format!(" -C {}", crate::shell::escape::word(&config)));
    }
    role.put_some("cmd", cmd);
    role
}

/// The command of a role that is known by its name.
fn command(name: &str, recipe: &Recipe) -> Option<&'static str> {
    let sidekiq = recipe.settings.names().any(|(name, _)| name.starts_with("sidekiq"));
    match name {
        "sidekiq" => Some("bundle exec sidekiq"),
        "worker" | "workers" | "job" | "jobs" if sidekiq => Some("bundle exec sidekiq"),
        "resque" | "resque_worker" => Some("bundle exec rake resque:work"),
        "delayed_job" => Some("bin/delayed_job run"),
        "good_job" => Some("bundle exec good_job start"),
        "solid_queue" => Some("bin/jobs"),
        _ => None,
    }
}

/// Whether hosts differ in whom to log in as.
fn several_users(recipe: &Recipe) -> bool {
    let mut users: Vec<_> = recipe.servers.iter().map(|server| (&server.user, &server.port)).collect();
    users.dedup();
    users.len() > 1
}

fn spelled(server: &Server, several: bool) -> String {
    let user = server.user.as_ref().filter(|_| several).map(|user| format!("{user}@")).unwrap_or_default();
    let port = server.port.as_ref().filter(|_| several).map(|port| format!(":{port}")).unwrap_or_default();
    format!("{user}{}{port}", server.host)
}

fn ssh(reader: &mut Reader<'_>, recipe: &Recipe) -> Map {
    let options = recipe.settings.pairs(reader, "ssh_options");
    let option = |name: &str| options.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let (mut user, mut port) = (recipe.settings.text(reader, "user").or_else(|| option("user")), option("port"));
    if !several_users(recipe)
        && let Some(server) = recipe.servers.first()
    {
        user = server.user.clone().or(user);
        port = server.port.clone().or(port);
    }
    let mut ssh = Map::default();
    if let Some(user) = user.filter(|user| user != "root") {
        if let Some(server) = recipe.servers.first() {
            reader.note(
                server.span,
                "user",
                format!("{user} has to be in the group `docker` on the host, or may use sudo without a password"),
            );
        }
        ssh.put("user", user);
    }
    ssh.put_some("port", port.and_then(|port| port.parse::<u64>().ok()));
    if option("forward_agent").as_deref() == Some("true")
        && let Some(span) = recipe.settings.span("ssh_options")
    {
        reader.note(span, "forward_agent", "the code is not fetched on the host, so the agent is not needed there");
    }
    let keys = match recipe.settings.get("ssh_options") {
        Some(super::Datum::Map(pairs)) => pairs.iter().find(|(key, _)| *key == super::Datum::Symbol("keys".to_owned())),
        _ => None,
    };
    if let Some((_, keys)) = keys {
        ssh.put("keys", recipe.settings.each(reader, keys, 0));
    }
    ssh
}

fn proxy(reader: &mut Reader<'_>, recipe: &Recipe) -> Map {
    let mut proxy = Map::default();
    host(reader, recipe, &mut proxy);
    proxy.put_with("The port the app listens on in its container, on 0.0.0.0.", "app_port", 3000);
    let mut check = Map::default();
    check.put("path", "/up");
    proxy.put_with(
        "The proxy asks for this path until it is answered with 200. Rails has it since 7.1.",
        "healthcheck",
        check,
    );
    proxy
}

/// What nginx answered to.
fn host(reader: &mut Reader<'_>, recipe: &Recipe, proxy: &mut Map) {
    let mut names = Vec::new();
    for setting in ["nginx_server_name", "nginx_domains", "server_name", "domain"] {
        let found = recipe.settings.texts(reader, setting);
        names.extend(found.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned));
    }
    names.dedup();
    match &names[..] {
        [] => {}
        [name] => proxy.put("host", name.clone()),
        names => proxy.put("hosts", names.to_vec()),
    }
    let hosts = roles(&recipe.servers, false).first().map_or(0, |(_, hosts)| hosts.len());
    if !names.is_empty() && recipe.settings.text(reader, "nginx_use_ssl").as_deref() == Some("true") {
        if hosts < 2 {
            proxy.put("ssl", true);
        } else if let Some(span) = recipe.settings.span("nginx_use_ssl") {
            reader.note(span, "nginx_use_ssl", SSL_OF_SEVERAL);
        }
    }
}

/// Puts variables among those in clear, and returns the names of those that are secrets.
fn environment(reader: &mut Reader<'_>, recipe: &Recipe, clear: &mut Map) -> Vec<String> {
    let env = recipe.settings.text(reader, "rails_env");
    clear.put_some("RAILS_ENV", env);
    let mut secret = Vec::new();
    let span = recipe.settings.span("default_env").unwrap_or_default();
    for (name, value) in recipe.settings.pairs(reader, "default_env") {
        if ["PATH", "NODENV_VERSION", "RBENV_VERSION"].contains(&name.to_uppercase().as_str()) {
            continue;
        }
        if secretive::is_secret(&name, &reader.marks.settled(&value)) {
            reader.note(span, format!("default_env {name}"), IN_CLEAR);
            secret.push(reader.secrets.add("app", &name, "", &format!("${name}")));
            continue;
        }
        clear.put(name, value);
    }
    for (setting, name) in [("puma_workers", "WEB_CONCURRENCY"), ("puma_threads", "RAILS_MAX_THREADS")] {
        let value = recipe.settings.texts(reader, setting).pop();
        clear.put_some(name, value);
    }
    secret
}

/// Settings nothing was made of.
fn unused(reader: &mut Reader<'_>, recipe: &Recipe, by_stage: bool) {
    let taken = [
        "puma_workers",
        "puma_threads",
        "nginx_server_name",
        "nginx_domains",
        "nginx_use_ssl",
        "server_name",
        "domain",
    ];
    for (name, span) in recipe.settings.names() {
        if NEEDLESS.contains(&name) || taken.contains(&name) {
            continue;
        }
        let said = SAID.iter().find(|(start, _)| name.starts_with(start)).map(|(_, why)| *why);
        reader.note(span, name.to_owned(), said.unwrap_or("deploy.yml has nothing like it"));
    }
    for name in ["deploy_to", "rails_env", "application", "keep_releases"] {
        let unknown = recipe.settings.get(name).is_some() && recipe.settings.text(reader, name).is_none();
        let unknown = unknown && !(by_stage && name == "deploy_to");
        if let (true, Some(span)) = (unknown, recipe.settings.span(name)) {
            reader.note(span, name, "only running the recipe would tell its value");
        }
    }
}
