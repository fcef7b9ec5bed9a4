//! Everything a connection depends on that is not in the host's name, so that the crate itself looks at neither the
//! environment nor the home folder (spec 5.5; `ssh` and `sshkit` of deploy.yml, spec 2.12).

use std::{path::PathBuf, sync::Arc, time::Duration};

use kamal_core::secret::Secret;

use crate::attendant::Attendant;

/// How to reach hosts and prove who we are. `None` means: as the OpenSSH client files say.
#[derive(Clone, Debug)]
pub struct Options {
    /// The user to log in as; wins over ssh config, loses to `user@` in the host's name.
    pub user: Option<String>,
    /// The port; wins over ssh config, loses to `:port` in the host's name.
    pub port: Option<u16>,
    /// Private key files, tried before any other key. `~/` is the home folder.
    pub keys: Vec<PathBuf>,
    /// Private keys in full, in any format of OpenSSH or OpenSSL.
    pub key_data: Vec<Secret>,
    /// True to offer only `keys` and `key_data`, even when the agent holds others.
    pub keys_only: Option<bool>,
    /// The agent's socket (`SSH_AUTH_SOCK`).
    pub agent: Option<PathBuf>,
    /// known_hosts files; new keys are written to the first. Empty: as ssh config says, else
    /// `~/.ssh/known_hosts` and `/etc/ssh/ssh_known_hosts`.
    pub known_hosts: Vec<PathBuf>,
    /// True to accept and record the key of a host never seen before where ssh config has no `StrictHostKeyChecking`;
    /// else the [`Attendant`] is asked. Changed keys are always refused.
    pub accept_new: bool,
    /// When there are any, a host is known by these alone: no known_hosts file is read or written.
    pub pins: Vec<Pin>,
    /// OpenSSH client configuration files, the most important first. Missing files count as empty.
    pub config_files: Vec<PathBuf>,
    /// `[user@]host[:port]`, several separated by commas, to jump over, first hop first.
    pub proxy_jump: Option<String>,
    /// A local command whose standard input and output are the connection (`%h`, `%p`, `%r` stand for the target).
    pub proxy_command: Option<String>,
    /// How many connections may be under way at once; `0` counts as 1.
    pub max_concurrent_starts: usize,
    /// How often a failed name resolution is repeated.
    pub dns_retries: u32,
    /// How long the network connection, the handshake and the opening of a session may each take; ssh config's
    /// `ConnectTimeout` wins. A login, in which people may have to do something, may take four times as long.
    pub connect_timeout: Duration,
    /// How long a connection that nobody uses is kept; `None`: as long as the connector.
    pub idle_timeout: Option<Duration>,
    /// How soon a dead peer is noticed.
    pub keepalive: Duration,
    /// The home folder, for `~` and for the default keys and known_hosts.
    pub home: PathBuf,
    /// The local user's name, for tokens and `Match localuser` in ssh config.
    pub local_user: String,
    /// True to let the host use the local agent. Off unless asked for.
    pub forward_agent: bool,
    /// Who answers questions and hears warnings; without one, nobody does.
    pub attendant: Option<Arc<dyn Attendant>>,
    /// The environment, for `$VAR` in ssh config.
    pub environment: Environment,
}

/// Keys of hosts that the project vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// A line of a known_hosts file.
    Line(String),
    /// A known_hosts file, which has to exist.
    File(PathBuf),
}

impl Options {
    /// Kamal's defaults, for a home folder; but new hosts are not accepted unasked.
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self {
            user: None,
            port: None,
            keys: Vec::new(),
            key_data: Vec::new(),
            keys_only: None,
            agent: None,
            known_hosts: Vec::new(),
            accept_new: false,
            pins: Vec::new(),
            config_files: Vec::new(),
            proxy_jump: None,
            proxy_command: None,
            max_concurrent_starts: 30,
            dns_retries: 3,
            connect_timeout: Duration::from_secs(30),
            idle_timeout: Some(Duration::from_secs(900)),
            keepalive: Duration::from_secs(15),
            home: home.into(),
            local_user: String::new(),
            forward_agent: false,
            attendant: None,
            environment: Environment::default(),
        }
    }
}

/// Looks up variables of the environment. Prints nothing of them.
#[derive(Clone, Default)]
pub struct Environment(Option<Arc<Lookup>>);

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Environment {
    /// Wraps a function.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(lookup)))
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.0.as_ref().and_then(|lookup| lookup(name))
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Environment")
    }
}
