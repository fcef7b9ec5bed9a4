//! What can be known to fail is found before anything is changed: all missing and blank secrets at once. Since they are
//! looked up together, their commands run side by side.

use indexmap::IndexMap;

use super::{Cx, hooks, inputs::Hooks};
use crate::{
    config::{
        Config,
        model::{Accessory, Proxy, Registry, Role, SecretOr, Ssl, TaggedHost},
    },
    error::{Error, MissingSecret},
    keyring::Keyring,
    op::Op,
    plan,
    ports::Secrets,
};

/// Who needs which secret.
#[derive(Debug, Default)]
pub struct Needs(IndexMap<String, Vec<String>>);

impl Needs {
    /// Nobody, yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Everybody the configuration knows.
    #[must_use]
    pub fn all(config: &Config) -> Self {
        let mut needs = Self::new();
        needs.registry(config);
        config.roles.iter().for_each(|role| needs.role(config, role, &role.hosts));
        config.accessories.iter().for_each(|accessory| needs.accessory(accessory));
        needs.build(config);
        needs
    }

    /// The secrets needed.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The login to the registry.
    pub fn registry(&mut self, config: &Config) {
        self.of_registry("registry", &config.registry);
    }

    /// A role's containers on some of its hosts.
    pub fn role(&mut self, config: &Config, role: &Role, hosts: &[TaggedHost]) {
        for host in hosts {
            for secret in config.env_for(role, host).secret {
                self.add(&secret.key, format!("the environment of role {}", role.name));
            }
        }
        self.served("", role.proxy.as_ref());
        self.shared(config, role);
    }

    /// An accessory's container.
    pub fn accessory(&mut self, accessory: &Accessory) {
        for secret in &accessory.env.secret {
            self.add(&secret.key, format!("the environment of accessory {}", accessory.name));
        }
        if let Some(registry) = &accessory.registry {
            self.of_registry(&format!("accessories/{}/registry", accessory.name), registry);
        }
        self.served(&format!("accessories/{}/", accessory.name), accessory.proxy.as_ref());
    }

    /// The login to the registry an accessory's image comes from.
    pub(crate) fn login_of(&mut self, config: &Config, accessory: &Accessory) {
        match &accessory.registry {
            Some(registry) => self.of_registry(&format!("accessories/{}/registry", accessory.name), registry),
            None => self.registry(config),
        }
    }

    /// What the proxy reads from files.
    fn served(&mut self, place: &str, proxy: Option<&Proxy>) {
        if let Some(Ssl::Custom { certificate_pem, private_key_pem }) = proxy.map(|proxy| &proxy.ssl) {
            self.add(certificate_pem, format!("{place}proxy/ssl/certificate_pem"));
            self.add(private_key_pem, format!("{place}proxy/ssl/private_key_pem"));
        }
        self.policies(proxy);
    }

    /// A route to a role's container that is there already; its certificate lies beside it.
    pub fn route(&mut self, config: &Config, role: &Role) {
        self.policies(role.proxy.as_ref());
        self.shared(config, role);
    }

    fn shared(&mut self, config: &Config, role: &Role) {
        if let Some(secret) = plan::cluster::sharing_secret(config, role) {
            self.add(secret, "x-cluster/secret".to_owned());
        }
    }

    fn policies(&mut self, proxy: Option<&Proxy>) {
        let policies = proxy.map(|proxy| &proxy.policies);
        for (key, setting) in
            policies.into_iter().flat_map(|of| [(&of.basic_auth, "basic_auth"), (&of.acme_eab_key, "acme_eab_key")])
        {
            if let Some(key) = key {
                self.add(key, format!("x-proxy/{setting}"));
            }
        }
    }

    /// The build.
    pub fn build(&mut self, config: &Config) {
        for key in &config.builder.secrets {
            self.add(key, "builder/secrets".to_owned());
        }
    }

    fn of_registry(&mut self, place: &str, registry: &Registry) {
        if !registry.needs_login() {
            return;
        }
        for (setting, value) in [("username", &registry.username), ("password", &registry.password)] {
            if let Some(SecretOr::Secret(key)) = value {
                self.add(key, format!("{place}/{setting}"));
            }
        }
    }

    fn add(&mut self, key: &str, who: String) {
        let known = self.0.entry(key.to_owned()).or_default();
        if !known.contains(&who) {
            known.push(who);
        }
    }

    /// Looks all of them up and puts them on a keyring.
    ///
    /// # Errors
    ///
    /// Each that cannot be had, with all who need it.
    pub(crate) async fn look_up(&self, secrets: &dyn Secrets, keyring: &mut Keyring) -> Result<(), Error> {
        let keys: Vec<&str> = self.keys().collect();
        let mut missing = Vec::new();
        for ((key, who), answer) in self.0.iter().zip(secrets.get_many(&keys).await) {
            if let Err(error) = &answer {
                missing.push(MissingSecret { key: key.clone(), needed_by: who.clone(), error: error.clone() });
            }
            keyring.add(key, answer);
        }
        if missing.is_empty() { Ok(()) } else { Err(Error::Secrets(missing)) }
    }
}

/// Looks up every secret an operation needs, side by side, before anything is changed.
pub(super) async fn look_up(cx: &Cx<'_>, op: &Op, hooks: &Hooks) -> Result<(), Error> {
    let (fleet, world) = (&cx.fleet, cx.fleet.world);
    let mut keyring = Keyring::new(world.redactor.clone());
    if op.hooks().iter().any(|name| hooks::TRUSTED.contains(name) && hooks.has(name)) {
        // What cannot be had is told when a hook asks for it.
        keyring.add_all(fleet.cancel.guard(world.secrets.all()).await.ok_or(Error::Cancelled)?);
    }
    let needs = op.needs(fleet.config, cx.targets);
    fleet.cancel.guard(needs.look_up(&*world.secrets, &mut keyring)).await.ok_or(Error::Cancelled)??;
    fleet.take_keys(keyring);
    Ok(())
}
