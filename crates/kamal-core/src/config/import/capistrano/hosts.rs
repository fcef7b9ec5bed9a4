//! The servers of a recipe, and the roles they have.

use super::{Datum, Span};

/// A server.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) user: Option<String>,
    pub(super) port: Option<String>,
    pub(super) roles: Vec<String>,
    pub(super) span: Span,
}

/// Roles whose processes the image runs by itself.
const OF_THE_APP: [&str; 2] = ["app", "web"];

/// Roles without a process of their own.
const WITHOUT_PROCESS: [&str; 4] = ["db", "all", "migration", "assets"];

impl Server {
    /// `server "user@host:port", user: …, roles: …`.
    pub(super) fn of_server(spelled: &str, options: Option<&Datum>, span: Span) -> Self {
        let mut server = Self::spelled(spelled, span);
        let Some(Datum::Map(options)) = options else { return server };
        for (key, value) in options {
            let Datum::Symbol(key) = key else { continue };
            match key.as_str() {
                "user" => server.user = word(value).or(server.user),
                "port" => server.port = word(value).or(server.port),
                "roles" | "role" => server.roles = words(value),
                "ssh_options" => {
                    let Datum::Map(options) = value else { continue };
                    for (key, value) in options {
                        match key {
                            Datum::Symbol(key) if key == "user" => server.user = word(value).or(server.user),
                            Datum::Symbol(key) if key == "port" => server.port = word(value).or(server.port),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        server
    }

    fn spelled(text: &str, span: Span) -> Self {
        let (user, host) = text.split_once('@').map_or((None, text), |(user, host)| (Some(user.to_owned()), host));
        let (host, port) =
            match host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit())) {
                Some((host, port)) => (host, Some(port.to_owned())),
                None => (host, None),
            };
        Self { host: host.to_owned(), user, port, roles: Vec::new(), span }
    }
}

/// `role :app, %w{user@host …}`.
pub(super) fn add_role(servers: &mut Vec<Server>, role: &str, hosts: &Datum, span: Span) {
    let mut found = Vec::new();
    for text in words(hosts) {
        let mut server = Server::spelled(&text, span);
        server.roles.push(role.to_owned());
        found.push(server);
    }
    merge(servers, &found);
}

/// A server named twice is one with the roles of both.
pub(super) fn merge(into: &mut Vec<Server>, from: &[Server]) {
    for server in from {
        match into.iter_mut().find(|known| known.host == server.host) {
            Some(known) => {
                known.user = server.user.clone().or(known.user.take());
                known.port = server.port.clone().or(known.port.take());
                known.roles.extend(
                    server.roles.iter().filter(|role| !known.roles.contains(role)).cloned().collect::<Vec<_>>(),
                );
            }
            None => into.push(server.clone()),
        }
    }
}

/// The roles of deploy.yml and the hosts of each, `web` first. `sidekiq` says that the app's hosts run workers as well
/// unless hosts of their own do.
pub(super) fn roles(servers: &[Server], sidekiq: bool) -> Vec<(String, Vec<&Server>)> {
    let having = |role: &str| -> Vec<&Server> {
        servers.iter().filter(|server| server.roles.iter().any(|own| own == role)).collect()
    };
    let of_app = OF_THE_APP.iter().map(|role| having(role)).find(|found| !found.is_empty());
    let web = of_app.unwrap_or_else(|| {
        let bare: Vec<&Server> = servers.iter().filter(|server| server.roles.is_empty()).collect();
        if bare.is_empty() { servers.iter().collect() } else { bare }
    });
    let mut roles = vec![("web".to_owned(), web.clone())];
    for role in servers.iter().flat_map(|server| &server.roles) {
        let known = OF_THE_APP.contains(&role.as_str()) || WITHOUT_PROCESS.contains(&role.as_str());
        if !known && !roles.iter().any(|(name, _)| name == role) {
            roles.push((role.clone(), having(role)));
        }
    }
    let works = |name: &str| ["sidekiq", "worker", "workers", "job", "jobs"].contains(&name);
    if sidekiq && !roles.iter().any(|(name, _)| works(name)) && !servers.is_empty() {
        roles.push(("sidekiq".to_owned(), web));
    }
    roles
}

/// Servers of `web` alone, where `app` has others: those that stood in front of the app.
pub(super) fn left_out(servers: &[Server]) -> impl Iterator<Item = &Server> {
    let of_app = servers.iter().any(|server| server.roles.iter().any(|role| role == "app"));
    servers
        .iter()
        .filter(move |server| of_app && !server.roles.is_empty() && server.roles.iter().all(|role| role == "web"))
}

/// A word, where it is written out.
fn word(value: &Datum) -> Option<String> {
    match value {
        Datum::Symbol(text) => Some(text.clone()),
        Datum::Int(number) => Some(number.to_string()),
        Datum::Text(parts) => parts.iter().map(word).collect(),
        Datum::Variable(_, Some(default)) => word(default),
        _ => None,
    }
}

/// The words of a list, or one alone.
pub(super) fn words(value: &Datum) -> Vec<String> {
    match value {
        Datum::List(items) => items.iter().flat_map(words).collect(),
        value => word(value).into_iter().collect(),
    }
}
