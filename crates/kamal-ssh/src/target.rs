//! All that is known about a host before it is called: the host string, the options, ssh config and OpenSSH's
//! defaults, in this order.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use kamal_core::ports::TransportErrorKind;
use russh::keys::PublicKey;

use crate::{
    algorithms::Algorithms,
    destination::Destination,
    host_key::UnknownHosts,
    known_hosts,
    options::{Options, Pin},
    ssh_config::{self, ClientMachine, Family, MatchSubject, Proxy, Settings, Tokens, home_path},
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
    pub(crate) pins: Vec<Pin>,
    pub(crate) unknown_hosts: UnknownHosts,
    pub(crate) hash_known_hosts: bool,
    pub(crate) algorithms: Algorithms,
    pub(crate) connect_timeout: Duration,
    /// How often a network connection is tried.
    pub(crate) attempts: u32,
    pub(crate) bind_address: Option<String>,
    pub(crate) family: Family,
    /// How long the peer may keep silent before it is asked, and how many questions may go unanswered.
    pub(crate) alive: Option<(Duration, usize)>,
    /// Whether a server's questions may be put to somebody.
    pub(crate) keyboard: bool,
    pub(crate) password: bool,
    /// The lines of ssh config that hold for the host.
    pub(crate) sources: Vec<String>,
    /// Words of ssh config that were passed over.
    pub(crate) warnings: Vec<String>,
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
    pub(crate) fn resolve(
        outside: &dyn ClientMachine,
        options: &Options,
        to: &Destination,
        part: Part,
    ) -> Result<Self, TransportErrorKind> {
        let goal = part == Part::Goal;
        let user = to.user.clone().or_else(|| options.user.clone().filter(|_| goal));
        let asked = MatchSubject {
            host: &to.host,
            user: user.as_deref(),
            local_user: &options.local_user,
            home: &options.home,
            outside,
            last: false,
        };
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
            alias: settings.host_key_alias.as_deref().unwrap_or(&to.host),
        };
        let host = settings.host_name.as_deref().map_or_else(|| to.host.clone(), |name| tokens.expand(name));
        tokens.host = &host;
        let batch = settings.batch_mode.unwrap_or(false);
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
            certificates: settings.certificate_files.iter().map(|file| path_of(options, &tokens, file)).collect(),
            agent: agent(options, &settings, &tokens),
            forward_agent: goal && (options.forward_agent || settings.forward_agent.unwrap_or(false)),
            known_hosts: known_hosts(options, &settings, &tokens),
            pins: options.pins.clone(),
            unknown_hosts: unknown_hosts(options, &settings),
            hash_known_hosts: settings.hash_known_hosts.unwrap_or(false),
            algorithms: Algorithms::choose(&settings)?,
            connect_timeout: settings.connect_timeout.flatten().unwrap_or(options.connect_timeout),
            attempts: settings.connection_attempts.unwrap_or(1),
            bind_address: settings.bind_address.clone(),
            family: settings.family.unwrap_or(Family::Any),
            alive: alive(options, &settings),
            keyboard: !batch && settings.keyboard.unwrap_or(true),
            password: !batch && settings.password.unwrap_or(true),
            sources: settings.sources.clone(),
            warnings: settings.warnings().collect(),
            host,
        })
    }

    /// How its key is written down in known_hosts.
    pub(crate) fn known_name(&self) -> String {
        known_hosts::name(&self.key_name, self.key_port)
    }

    /// Writes down a new key in the first known_hosts file, if there is one.
    pub(crate) fn record(&self, key: &PublicKey) -> std::io::Result<Option<&Path>> {
        let Some(file) = self.known_hosts.first() else { return Ok(None) };
        known_hosts::record(file, &self.key_name, self.key_port, key, self.hash_known_hosts)?;
        Ok(Some(file))
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
        return (settings.identity_files.iter().map(|file| path_of(options, tokens, file)).collect(), true);
    }
    (DEFAULT_KEYS.iter().map(|name| options.home.join(".ssh").join(name)).collect(), false)
}

fn agent(options: &Options, settings: &Settings, tokens: &Tokens<'_>) -> Option<PathBuf> {
    match settings.identity_agent.as_deref() {
        Some(none) if none.eq_ignore_ascii_case("none") => None,
        None | Some("SSH_AUTH_SOCK" | "$SSH_AUTH_SOCK" | "${SSH_AUTH_SOCK}") => options.agent.clone(),
        Some(path) => match path.strip_prefix('$').filter(|name| !name.starts_with('{')) {
            Some(variable) => options.environment.get(variable).map(PathBuf::from),
            None => Some(path_of(options, tokens, path)),
        },
    }
}

/// A path of ssh config, with its tokens, `~` and `${VAR}` replaced. Variables that are not set stay as they are.
fn path_of(options: &Options, tokens: &Tokens<'_>, text: &str) -> PathBuf {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        match after.split_once('}').and_then(|(name, after)| Some((options.environment.get(name)?, after))) {
            Some((value, after)) => {
                out.push_str(&value);
                rest = after;
            }
            None => {
                out.push_str("${");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    tokens.path(&out)
}

fn unknown_hosts(options: &Options, settings: &Settings) -> UnknownHosts {
    if !options.pins.is_empty() {
        return UnknownHosts::Refuse;
    }
    let otherwise = if options.accept_new { UnknownHosts::Accept } else { UnknownHosts::Ask };
    let asked = settings.unknown_hosts.unwrap_or(otherwise);
    if asked == UnknownHosts::Ask && settings.batch_mode == Some(true) { UnknownHosts::Refuse } else { asked }
}

/// ssh config's own interval counts, 0 for none included; otherwise a dead peer is noticed within the options' limit,
/// with two questions unanswered and a quarter of the limit before each.
fn alive(options: &Options, settings: &Settings) -> Option<(Duration, usize)> {
    match settings.alive_interval {
        Some(interval) => {
            // The last of the intervals is the one after the last question; and 0 would mean for ever.
            let unanswered = settings.alive_count.unwrap_or(3).saturating_sub(1).max(1);
            Some((interval?, unanswered as usize))
        }
        None => Some(((options.keepalive / 4).max(Duration::from_millis(100)), 2)),
    }
}

fn known_hosts(options: &Options, settings: &Settings, tokens: &Tokens<'_>) -> Vec<PathBuf> {
    if !options.known_hosts.is_empty() {
        return options.known_hosts.iter().map(|path| home_path(path, &options.home)).collect();
    }
    let expand = |files: &Vec<String>| files.iter().map(|file| path_of(options, tokens, file)).collect::<Vec<_>>();
    let mut all =
        settings.user_known_hosts.as_ref().map_or_else(|| vec![options.home.join(".ssh/known_hosts")], expand);
    all.extend(
        settings.global_known_hosts.as_ref().map_or_else(|| vec![PathBuf::from("/etc/ssh/ssh_known_hosts")], expand),
    );
    all
}
