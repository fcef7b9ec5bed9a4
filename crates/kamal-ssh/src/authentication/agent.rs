//! Keys held by the user's agent: ssh-agent, gpg-agent, 1Password, and hardware keys behind any of them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use russh::{
    client::{AuthResult, Handle},
    keys::{
        Certificate, HashAlg, PublicKey,
        agent::{AgentIdentity, client::AgentClient},
    },
};
use tokio::{net::UnixStream, time::timeout};

use crate::{client::Client, keyring, target::Target};

/// How long an agent may take to say what it holds; it may ask its user to unlock it first.
const LIMIT: Duration = Duration::from_secs(60);

/// An agent and the keys in it not yet tried. The default one holds none.
#[derive(Default)]
pub(super) struct Agent {
    client: Option<AgentClient<UnixStream>>,
    identities: Vec<Identity>,
    tried: Vec<PublicKey>,
}

/// A key or certificate in an agent.
pub(super) struct Identity(AgentIdentity);

impl Agent {
    /// Asks the agent at a socket what it holds.
    pub(super) async fn open(socket: &Path) -> Result<Self, String> {
        let unusable = |error: &dyn std::fmt::Display| format!("the agent at {}: {error}", socket.display());
        let stream = UnixStream::connect(socket).await.map_err(|error| unusable(&error))?;
        let mut client = AgentClient::connect(stream);
        let identities = timeout(LIMIT, client.request_identities())
            .await
            .map_err(|_| unusable(&"it does not answer"))?
            .map_err(|error| unusable(&error))?;
        Ok(Self { client: Some(client), identities: identities.into_iter().map(Identity).collect(), tried: Vec::new() })
    }

    /// Takes out the keys wanted, certificates first.
    pub(super) fn take(&mut self, wanted: impl Fn(&PublicKey) -> bool) -> Vec<Identity> {
        let (mut taken, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.identities).into_iter().partition(|identity| wanted(&identity.key()));
        self.identities = left;
        taken.sort_by_key(|identity| !matches!(identity.0, AgentIdentity::Certificate { .. }));
        self.tried.extend(taken.iter().map(Identity::key));
        taken
    }

    /// True when a key was taken out before.
    pub(super) fn has_tried(&self, key: &PublicKey) -> bool {
        self.tried.iter().any(|tried| tried.key_data() == key.key_data())
    }

    /// Logs in with a key; an error is the agent's, not the server's.
    pub(super) async fn authenticate(
        &mut self,
        handle: &mut Handle<Client>,
        user: &str,
        identity: &Identity,
        hash: Option<HashAlg>,
    ) -> Result<AuthResult, String> {
        let client = self.client.as_mut().ok_or("there is no agent")?;
        match &identity.0 {
            AgentIdentity::PublicKey { key, .. } => {
                handle.authenticate_publickey_with(user, key.clone(), hash, client).await
            }
            AgentIdentity::Certificate { certificate, .. } => {
                handle.authenticate_certificate_with(user, certificate.clone(), hash, client).await
            }
        }
        .map_err(|error| format!("the agent does not sign: {error}"))
    }

    /// Logs in with a certificate from a file and the key of the agent's that it is for.
    pub(super) async fn certify(
        &mut self,
        handle: &mut Handle<Client>,
        user: &str,
        identity: &Identity,
        certificate: Certificate,
        hash: Option<HashAlg>,
    ) -> Result<AuthResult, String> {
        let client = self.client.as_mut().ok_or("there is no agent")?;
        let mut signer = KeyOfCertificate { client, key: identity.key().into() };
        let answer = handle.authenticate_certificate_with(user, certificate, hash, &mut signer).await;
        answer.map_err(|error| format!("the agent does not sign: {error}"))
    }
}

/// Signs for a certificate that the agent does not hold with the key that it does.
struct KeyOfCertificate<'a> {
    client: &'a mut AgentClient<UnixStream>,
    key: AgentIdentity,
}

impl russh::Signer for KeyOfCertificate<'_> {
    type Error = russh::AgentAuthError;

    async fn auth_sign(
        &mut self,
        _certificate: &AgentIdentity,
        hash: Option<HashAlg>,
        to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, Self::Error> {
        self.client.auth_sign(&self.key, hash, to_sign).await
    }
}

impl Identity {
    /// The certificates of ssh config's `CertificateFile` that belong to this key of the agent's.
    pub(super) fn certificates(&self, target: &Target) -> Vec<(PathBuf, Certificate)> {
        let AgentIdentity::PublicKey { key, .. } = &self.0 else { return Vec::new() };
        let beside = target
            .keys
            .iter()
            .find(|path| keyring::public(path).is_some_and(|public| public.key_data() == key.key_data()));
        keyring::certificates(key, beside.map(PathBuf::as_path), &target.certificates)
    }

    pub(super) fn key(&self) -> PublicKey {
        self.0.public_key().into_owned()
    }

    pub(super) fn comment(&self) -> &str {
        match &self.0 {
            AgentIdentity::PublicKey { comment, .. } | AgentIdentity::Certificate { comment, .. } => comment,
        }
    }
}
