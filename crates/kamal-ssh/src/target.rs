//! All that is known about a host before it is called: the host string, the options, ssh config and OpenSSH's
//! defaults, in this order.

use std::{path::PathBuf, time::Duration};

use kamal_core::ports::TransportErrorKind;

use crate::{
    destination::Destination,
    options::Options,
    ssh_config::{self, Asked, Proxy, Settings, Tokens, home_path},
};

/// One host to call.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The address or name to call.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The name and port its key is known by.
    pub(crate) key_name: String,
    pub(crate) key_port: u16,
    pub(crate) user: String,
    pub(crate) route: Route,
    /// Private key files, in the order they are tried.
    pub(crate) keys: Vec<PathBuf>,
    /// Whether those were asked for by name, rather than being OpenSSH's defaults, which need not exist.
    pub(crate) keys_named: bool,
    pub(crate) keys_only: bool,
    /// Certificates for these keys, besides those that stand beside them.
    pub(crate) certificates: Vec<PathBuf>,
    pub(crate) agent: Option<PathBuf>,
    pub(crate) forward_agent: bool,
    pub(crate) known_hosts: Vec<PathBuf>,
    pub(crate) accept_new: bool,
    pub(crate) connect_timeout: Duration,
}

/// The way to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Direct,
    /// Over these hosts, the first hop first.
    Jump(Vec<Destination>),
    /// Through a local command.
    Command(String),
}

/// What a host is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// It is deployed to: the options hold for it.
    Goal,
    /// It is passed on the way: only its own name and ssh config say how.
    Hop,
}

/// OpenSSH's default key files, in its order.
const DEFAULT_KEYS: [&str; 3] = ["id_rsa", "id_ecdsa", "id_ed25519"];

/// Who Kamal logs in as unless told otherwise.
const DEFAULT_USER: &str = "root";

impl Target {
    /// Puts together what is known about a host. Reads the configuration files, so it blocks.
    pub(crate) fn resolve(options: &Options, to: &Destination, part: Part) -> Result<Self, TransportErrorKind> {
        let goal = part == Part::Goal;
        let user = to.user.clone().or_else(|| options.user.clone().filter(|_| goal));
        let asked =
            Asked { host: &to.host, user: user.as_deref(), local_user: &options.local_user, home: &options.home };
        let files: Vec<PathBuf> = options.config_files.iter().map(|file| home_path(file, &options.home)).collect();
        let settings = ssh_config::read(&files, asked)?;
        let user = user.or_else(|| settings.user.clone()).unwrap_or_else(|| DEFAULT_USER.to_owned());
        let port = to.port.or(options.port.filter(|_| goal)).or(settings.port).unwrap_or(22);
        let mut tokens = Tokens {
            asked: &to.host,
            host: &to.host,
            port,
            user: &user,
            local_user: &options.local_user,
            home: &options.home,
        };
        let host = settings.host_name.as_deref().map_or_else(|| to.host.clone(), |name| tokens.expand(name));
        tokens.host = &host;
        let (keys, keys_named) = keys(options, &settings, &tokens);
        Ok(Self {
            port,
            key_name: settings.host_key_alias.clone().unwrap_or_else(|| host.clone()),
            // A key under an alias is known without a port.
            key_port: if settings.host_key_alias.is_some() { 22 } else { port },
            user: user.clone(),
            route: route(options, &settings, &tokens, part)?,
            keys,
            keys_named,
            keys_only: options.keys_only.or(settings.identities_only).unwrap_or(false),
            certificates: settings.certificate_files.iter().map(|file| tokens.path(file)).collect(),
            agent: agent(options, &settings, &tokens),
            forward_agent: goal && (options.forward_agent || settings.forward_agent.unwrap_or(false)),
            known_hosts: known_hosts(options, &settings, &tokens),
            accept_new: settings.accept_new.flatten().unwrap_or(options.accept_new),
            connect_timeout: settings.connect_timeout.flatten().unwrap_or(options.connect_timeout),
            host,
        })
    }

    /// The address, for people.
    pub(crate) fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

fn route(options: &Options, settings: &Settings, tokens: &Tokens<'_>, part: Part) -> Result<Route, TransportErrorKind> {
    let asked = match (&options.proxy_command, &options.proxy_jump) {
        _ if part == Part::Hop => None,
        (Some(command), _) => Some(Proxy::Command(command.clone())),
        (None, Some(jump)) => Some(Proxy::Jump(jump.clone())),
        (None, None) => None,
    };
    let by_options = asked.is_some();
    match asked.or_else(|| settings.proxy.clone()) {
        None | Some(Proxy::None) => Ok(Route::Direct),
        Some(Proxy::Command(command)) => Ok(Route::Command(tokens.expand(&command))),
        Some(Proxy::Jump(hops)) => {
            let mut hops = hops.split(',').map(Destination::parse).collect::<Result<Vec<_>, _>>()?;
            for hop in &mut hops {
                // Kamal's `ssh/proxy` without a user means root, whatever ssh config says.
                if by_options && hop.user.is_none() {
                    hop.user = Some(DEFAULT_USER.to_owned());
                }
            }
            Ok(Route::Jump(hops))
        }
    }
}

fn keys(options: &Options, settings: &Settings, tokens: &Tokens<'_>) -> (Vec<PathBuf>, bool) {
    if !options.keys.is_empty() || !options.key_data.is_empty() {
        return (options.keys.iter().map(|path| home_path(path, &options.home)).collect(), true);
    }
    if !settings.identity_files.is_empty() {
        return (settings.identity_files.iter().map(|file| tokens.path(file)).collect(), true);
    }
    (DEFAULT_KEYS.iter().map(|name| options.home.join(".ssh").join(name)).collect(), false)
}

fn agent(options: &Options, settings: &Settings, tokens: &Tokens<'_>) -> Option<PathBuf> {
    match settings.identity_agent.as_deref() {
        Some(none) if none.eq_ignore_ascii_case("none") => None,
        None | Some("SSH_AUTH_SOCK" | "$SSH_AUTH_SOCK" | "${SSH_AUTH_SOCK}") => options.agent.clone(),
        Some(path) => Some(tokens.path(path)),
    }
}

fn known_hosts(options: &Options, settings: &Settings, tokens: &Tokens<'_>) -> Vec<PathBuf> {
    if !options.known_hosts.is_empty() {
        return options.known_hosts.iter().map(|path| home_path(path, &options.home)).collect();
    }
    let expand = |files: &Vec<String>| files.iter().map(|file| tokens.path(file)).collect::<Vec<_>>();
    let mut all =
        settings.user_known_hosts.as_ref().map_or_else(|| vec![options.home.join(".ssh/known_hosts")], expand);
    all.extend(
        settings.global_known_hosts.as_ref().map_or_else(|| vec![PathBuf::from("/etc/ssh/ssh_known_hosts")], expand),
    );
    all
}
