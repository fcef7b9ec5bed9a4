//! What a service asks for beyond what Go's kamal-proxy knows: each is off unless asked for.
//!
//! They travel in one field of the service's options, which is left out where all are off, so that the state file stays
//! Go's to the letter for whoever uses none of them.

use serde::{Deserialize, Serialize};

/// The options of `deploy` that have no counterpart in Go's kamal-proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Policies {
    /// Whether responses are compressed for clients that accept it.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) compress: bool,
    /// Bytes; shorter responses are passed on as they are.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) compress_min_size: i64,
    /// Media types besides those that are known to shrink.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) compress_types: Vec<String>,
    /// A file of `user:hash` lines, read at deploy.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) basic_auth_file: String,
    /// The name of a variable of the server's environment that holds such lines.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) basic_auth_env: String,
    /// Networks whose clients alone are let in; empty means all.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) allow: Vec<String>,
    /// Networks whose clients are not let in.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) deny: Vec<String>,
    /// Networks whose word about the client's address is taken.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) trusted_proxies: Vec<String>,
    /// Requests per time and client, such as `10/s`.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) rate_limit: String,
    /// Requests a client may make at once; zero means as many as the rate has in one second, and at least one.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) rate_limit_burst: i64,
    /// `FROM=TO` with a host or a path as `FROM`.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) redirects: Vec<String>,
    /// Whether a client keeps to the target that answered it first.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) sticky: bool,
    /// Whether each address that a target's name stands for is a target, looked up again and again.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) each_address: bool,
    /// Proxies of other hosts that serve this service too.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) peers: Vec<String>,
    /// The name these know this proxy by.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) peer_name: String,
    /// A file with the secret all of them have, for the certificates they share.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) peer_secret_file: String,
    /// Failures in a row after which a target is left alone until its check succeeds; zero means never.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) eject_after: i64,
    /// Where the authority that issues certificates may write to.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) acme_email: String,
    /// The customer's account with the authority, where it asks for one.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) acme_eab_kid: String,
    /// A file with that account's key.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) acme_eab_key_file: String,
    /// The program that puts the authority's challenges into the DNS.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) acme_dns_hook: String,
}

impl Policies {
    pub(crate) fn is_off(&self) -> bool {
        *self == Self::default()
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
