//! SSH as deploy.yml and the environment have it (spec 2.12, 5.5).

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use kamal_core::{
    config::{
        Config,
        model::{KnownHosts, PinnedKeys, SshConfigFiles},
    },
    ports::Secrets,
    secret::Secret,
};

use crate::{error::Error, machine::Environment};

/// The options of a project's connections.
pub(crate) async fn of(
    config: &Config,
    project: &Path,
    home: &Path,
    environment: &Environment,
    secrets: &dyn Secrets,
) -> Result<kamal_ssh::Options, Error> {
    let ssh = &config.ssh;
    let expand = |path: &String| match path.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => PathBuf::from(path),
    };
    let mut options = kamal_ssh::Options::new(home);
    options.user = Some(ssh.user.clone());
    options.port = Some(ssh.port);
    options.keys = ssh.keys.iter().map(expand).collect();
    // Names of secrets, and keys in full (deprecated, but Kamal still takes them).
    for name in &ssh.key_data {
        let key = if name.contains('\n') { Ok(Secret::new(name.as_str())) } else { secrets.get(name).await };
        options.key_data.push(key.map_err(Error::KeyData)?);
    }
    options.keys_only = ssh.keys_only;
    options.agent = environment.get("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from);
    options.config_files = match &ssh.config {
        SshConfigFiles::Default => vec![home.join(".ssh/config"), PathBuf::from("/etc/ssh/ssh_config")],
        SshConfigFiles::None => Vec::new(),
        SshConfigFiles::Files(files) => files.iter().map(expand).collect(),
    };
    let jump = |jump: &String| if jump.contains('@') { jump.clone() } else { format!("root@{jump}") };
    options.proxy_jump = ssh.proxy.as_ref().map(jump);
    options.proxy_command.clone_from(&ssh.proxy_command);
    options.max_concurrent_starts = config.sshkit.max_concurrent_starts as usize;
    options.dns_retries = config.sshkit.dns_retries;
    options.idle_timeout = Some(Duration::from_secs(config.sshkit.pool_idle_timeout));
    options.local_user = environment.get("USER").unwrap_or_default();
    let variables = environment.clone();
    options.environment = kamal_ssh::Environment::new(move |name| variables.get(name));
    options.accept_new = ssh.known_hosts == KnownHosts::AcceptNew;
    if let KnownHosts::Pinned(pinned) = &ssh.known_hosts {
        let pin = |keys: &PinnedKeys| match keys {
            PinnedKeys::Line(line) => kamal_ssh::Pin::Line(line.clone()),
            PinnedKeys::File(path) => kamal_ssh::Pin::File(project.join(expand(path))),
        };
        options.pins = pinned.iter().map(pin).collect();
    }
    options.forward_agent = ssh.forward_agent.unwrap_or(false);
    Ok(options)
}
