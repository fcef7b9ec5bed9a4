//! What can be known to fail is found before anything is changed: all missing secrets at once.

use crate::{
    config::model::{Registry, SecretOr, Ssl},
    error::Error,
    ops::Cx,
};

/// Looks up every secret a deploy to the targets needs.
pub(super) fn secrets(cx: &Cx<'_>, builds: bool, accessories: bool) -> Result<(), Error> {
    let config = cx.fleet.config;
    let mut needed: Vec<(String, String)> = Vec::new();
    let mut need = |key: &str, who: String| needed.push((key.to_owned(), who));
    let Registry { username, password, .. } = &config.registry;
    for (setting, value) in [("registry/username", username), ("registry/password", password)] {
        if let Some(SecretOr::Secret(key)) = value {
            need(key, setting.to_owned());
        }
    }
    for role in &cx.targets.roles {
        for tagged in &role.hosts {
            for secret in config.env_for(role, tagged).secret {
                need(&secret.key, format!("the environment of role {}", role.name));
            }
        }
        if let Some(Ssl::Custom { certificate_pem, private_key_pem }) = role.proxy.as_ref().map(|proxy| &proxy.ssl) {
            need(certificate_pem, "proxy/ssl/certificate_pem".to_owned());
            need(private_key_pem, "proxy/ssl/private_key_pem".to_owned());
        }
    }
    for accessory in config.accessories.iter().filter(|_| accessories) {
        for secret in &accessory.env.secret {
            need(&secret.key, format!("the environment of accessory {}", accessory.name));
        }
        for value in accessory.registry.iter().flat_map(|registry| [&registry.username, &registry.password]) {
            if let Some(SecretOr::Secret(key)) = value {
                need(key, format!("accessories/{}/registry", accessory.name));
            }
        }
    }
    for key in config.builder.secrets.iter().filter(|_| builds) {
        need(key, "builder/secrets".to_owned());
    }
    needed.dedup();
    let mut missing: Vec<String> = Vec::new();
    for (key, who) in needed {
        if let Err(error) = cx.fleet.world.secrets.get(&key) {
            let line = format!("{error} (needed by {who})");
            if !missing.contains(&line) {
                missing.push(line);
            }
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Error::Secrets(missing)) }
}
