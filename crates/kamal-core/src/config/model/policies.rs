//! What `x-proxy` asks of kamal-proxy: what this project's can do and Kamal's settings do not reach.

use serde::{Deserialize, Serialize};

/// `x-proxy` for a role or an accessory, the root's merged under it for roles.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Policies {
    /// `compress`.
    pub compress: Option<bool>,
    /// `compress_min_size` in bytes.
    pub compress_min_size: Option<u64>,
    /// `compress_types`.
    pub compress_types: Vec<String>,
    /// `basic_auth`: the key of a secret that holds lines `name:hash`.
    pub basic_auth: Option<String>,
    /// `allow_addresses`.
    pub allow_addresses: Vec<String>,
    /// `deny_addresses`.
    pub deny_addresses: Vec<String>,
    /// `trusted_proxies`.
    pub trusted_proxies: Vec<String>,
    /// `rate_limit`: `10/s`.
    pub rate_limit: Option<String>,
    /// `rate_limit_burst`.
    pub rate_limit_burst: Option<u64>,
    /// `redirects`: from, to.
    pub redirects: Vec<(String, String)>,
    /// `sticky`.
    pub sticky: Option<bool>,
    /// `eject_after`.
    pub eject_after: Option<u64>,
    /// `target_h2c`.
    pub target_h2c: Option<bool>,
    /// `acme_directory`.
    pub acme_directory: Option<String>,
    /// `acme_email`.
    pub acme_email: Option<String>,
    /// `acme_eab_kid`.
    pub acme_eab_kid: Option<String>,
    /// `acme_eab_key`: the key of a secret that holds it in base64url.
    pub acme_eab_key: Option<String>,
    /// `acme_dns_hook`: the path of a program in the proxy's container.
    pub acme_dns_hook: Option<String>,
}
