//! All that is known about a host before it is called: the options, ssh config, and the host string, put together.

use std::{path::PathBuf, time::Duration};

use kamal_core::ports::TransportErrorKind;

use crate::{destination::Destination, options::Options};

/// One host to call.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The address or name to call.
    pub(crate) host: String,
    /// The name its key is known by.
    pub(crate) key_name: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) route: Route,
    /// Private key files, in the order they are tried.
    pub(crate) keys: Vec<PathBuf>,
    /// Whether those were asked for by name, rather than being OpenSSH's defaults, which need not exist.
    pub(crate) keys_named: bool,
    pub(crate) keys_only: bool,
    pub(crate) agent: Option<PathBuf>,
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

/// OpenSSH's default key files, in its order.
const DEFAULT_KEYS: [&str; 3] = ["id_rsa", "id_ecdsa", "id_ed25519"];

impl Target {
    /// Puts together what is known about a host. A hop on the way to another host is not reached by jumping itself.
    pub(crate) fn resolve(options: &Options, destination: &Destination, hop: bool) -> Result<Self, TransportErrorKind> {
        let user = destination.user.clone().or_else(|| options.user.clone().filter(|_| !hop));
        let port = destination.port.or(options.port.filter(|_| !hop));
        let (keys, keys_named) = keys(options);
        let mut target = Self {
            host: destination.host.clone(),
            key_name: destination.host.clone(),
            port: port.unwrap_or(22),
            user: user.unwrap_or_else(|| "root".to_owned()),
            route: Route::Direct,
            keys,
            keys_named,
            keys_only: options.keys_only.unwrap_or(false),
            agent: options.agent.clone(),
            known_hosts: known_hosts(options),
            accept_new: options.accept_new,
            connect_timeout: options.connect_timeout,
        };
        if !hop {
            target.route = route(options)?;
        }
        Ok(target)
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

fn route(options: &Options) -> Result<Route, TransportErrorKind> {
    if let Some(command) = &options.proxy_command {
        return Ok(Route::Command(command.clone()));
    }
    let Some(jumps) = options.proxy_jump.as_deref().filter(|jumps| !jumps.eq_ignore_ascii_case("none")) else {
        return Ok(Route::Direct);
    };
    Ok(Route::Jump(jumps.split(',').map(Destination::parse).collect::<Result<_, _>>()?))
}

fn keys(options: &Options) -> (Vec<PathBuf>, bool) {
    if options.keys.is_empty() && options.key_data.is_empty() {
        return (DEFAULT_KEYS.iter().map(|name| options.home.join(".ssh").join(name)).collect(), false);
    }
    (options.keys.iter().map(|path| expand(path, options)).collect(), true)
}

fn known_hosts(options: &Options) -> Vec<PathBuf> {
    if options.known_hosts.is_empty() {
        return vec![options.home.join(".ssh/known_hosts"), PathBuf::from("/etc/ssh/ssh_known_hosts")];
    }
    options.known_hosts.iter().map(|path| expand(path, options)).collect()
}

fn expand(path: &std::path::Path, options: &Options) -> PathBuf {
    path.strip_prefix("~").map_or_else(|_| path.to_owned(), |rest| options.home.join(rest))
}
