//! A registry's credentials, and the form docker keeps them in.

use base64::Engine as _;
use kamal_core::{
    config::model::{Registry, SecretOr},
    keyring::Keyring,
    ports::SecretError,
    secret::Secret,
};

/// User and password.
pub(crate) fn resolve(registry: &Registry, secrets: &Keyring) -> Result<(Secret, Secret), SecretError> {
    let get = |value: &Option<_>| match value {
        Some(SecretOr::Literal(text)) => Ok(Secret::new(text.as_str())),
        Some(SecretOr::Secret(key)) => secrets.get(key),
        None => Ok(Secret::new("")),
    };
    Ok((get(&registry.username)?, get(&registry.password)?))
}

/// What docker's config.json holds for them (`auths.SERVER.auth`).
pub(crate) fn auth(user: &Secret, password: &Secret) -> Secret {
    let pair = Secret::new(format!("{}:{}", user.expose(), password.expose()));
    Secret::new(base64::engine::general_purpose::STANDARD.encode(pair.expose()))
}

/// The key they stand under in config.json: the host's name; Docker Hub's is its first address.
pub(crate) fn config_key(registry: &Registry) -> String {
    match registry.server.as_deref().unwrap_or("docker.io") {
        "docker.io" => "https://index.docker.io/v1/".to_owned(),
        server => {
            let host = server.split_once("://").map_or(server, |(_, rest)| rest);
            host.split('/').next().unwrap_or(host).to_owned()
        }
    }
}
