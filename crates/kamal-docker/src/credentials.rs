//! A registry's credentials, and the forms docker keeps them in.

use base64::Engine as _;
use kamal_core::{
    config::model::{Registry, SecretOr},
    keyring::Keyring,
    ports::SecretError,
    secret::Secret,
};
use serde_json::json;

/// Who logs in where.
pub(crate) struct Account {
    /// The registry as `docker login` is told it; empty for Docker Hub.
    pub(crate) server: String,
    /// What it is called in config.json: the host's name; Docker Hub's is its first address.
    pub(crate) key: String,
    /// The user.
    pub(crate) user: Secret,
    /// The password.
    pub(crate) password: Secret,
}

impl Account {
    /// The account of a configuration.
    pub(crate) fn of(registry: &Registry, secrets: &Keyring) -> Result<Self, SecretError> {
        let get = |value: &Option<_>| match value {
            Some(SecretOr::Literal(text)) => Ok(Secret::new(text.as_str())),
            Some(SecretOr::Secret(key)) => secrets.get(key),
            None => Ok(Secret::new("")),
        };
        Ok(Self {
            server: registry.server.clone().unwrap_or_default(),
            key: config_key(registry.server.as_deref()),
            user: get(&registry.username)?,
            password: get(&registry.password)?,
        })
    }

    /// What docker's config.json holds for it (`auths.SERVER.auth`).
    pub(crate) fn auth(&self) -> Secret {
        let pair = Secret::new(format!("{}:{}", self.user.expose(), self.password.expose()));
        Secret::new(base64::engine::general_purpose::STANDARD.encode(pair.expose()))
    }

    /// By what its entry in config.json is known without being told.
    pub(crate) fn digest(&self) -> String {
        let entry = Secret::new(format!("\"{}\":{{\"auth\":\"{}\"}}", self.key, self.auth().expose()));
        hex(&hmac_sha256::Hash::hash(entry.expose().as_bytes()))
    }

    /// What a credential helper is given to keep.
    pub(crate) fn stored(&self) -> Secret {
        let (user, password) = (self.user.expose(), self.password.expose());
        Secret::new(json!({ "ServerURL": self.key, "Username": user, "Secret": password }).to_string())
    }
}

/// A digest in lower-case digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What config.json calls a registry.
pub(crate) fn config_key(server: Option<&str>) -> String {
    match server.unwrap_or("docker.io") {
        "docker.io" | "" => "https://index.docker.io/v1/".to_owned(),
        server => {
            let host = server.split_once("://").map_or(server, |(_, rest)| rest);
            host.split('/').next().unwrap_or(host).to_owned()
        }
    }
}
