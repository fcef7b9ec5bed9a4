//! What a service may ask for beyond what Go's kamal-proxy knows: each is off unless asked for.

use crate::server::target::address::Address;
use std::path::PathBuf;

use super::{DeployOptions, number, size, text, texts};
use crate::deploy_flags as flag;

/// Which responses are compressed, for clients that accept zstd, brotli or gzip.
///
/// ```
/// use kamal_proxy::server::Compression;
///
/// let compression = Compression::default().types(["application/x-protobuf"]);
/// ```
#[derive(Debug, Clone)]
#[must_use = "it is for the options of a deploy"]
pub struct Compression {
    min_size: i64,
    types: Vec<String>,
}

/// Text, JSON, XML and the like, from a KiB on.
impl Default for Compression {
    fn default() -> Self {
        Self { min_size: number(flag::COMPRESS_MIN_SIZE), types: Vec::new() }
    }
}

impl Compression {
    /// Leaves responses of fewer bytes as they are.
    pub fn min_size(mut self, bytes: u64) -> Self {
        self.min_size = size(bytes);
        self
    }

    /// Media types to compress besides text, JSON, XML and the like.
    pub fn types(mut self, types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.types.extend(texts(types));
        self
    }
}

/// How often one client may come; more is answered with 429.
///
/// ```
/// use kamal_proxy::server::RateLimit;
///
/// let limit = RateLimit::per_minute(100).burst(20);
/// ```
#[derive(Debug, Clone)]
#[must_use = "it is for the options of a deploy"]
pub struct RateLimit {
    rate: String,
    burst: u32,
}

impl RateLimit {
    /// So many requests a second; at least one.
    pub fn per_second(requests: u32) -> Self {
        Self::per(requests, 's')
    }

    /// So many requests a minute; at least one.
    pub fn per_minute(requests: u32) -> Self {
        Self::per(requests, 'm')
    }

    /// So many requests an hour; at least one.
    pub fn per_hour(requests: u32) -> Self {
        Self::per(requests, 'h')
    }

    /// So many at once, instead of as many as there are in a second.
    pub const fn burst(mut self, requests: u32) -> Self {
        self.burst = requests;
        self
    }

    fn per(requests: u32, unit: char) -> Self {
        Self { rate: format!("{}/{unit}", requests.max(1)), burst: 0 }
    }
}

impl DeployOptions {
    /// Compresses responses.
    pub fn compress(mut self, compression: Compression) -> Self {
        let policies = &mut self.service.policies;
        policies.compress = true;
        policies.compress_min_size = compression.min_size;
        policies.compress_types = compression.types;
        self
    }

    /// Asks for a password; users are the lines of this file, as `htpasswd -B` writes it.
    pub fn basic_auth_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.service.policies.basic_auth_file = text(file);
        self
    }

    /// Asks for a password; users are the lines of this variable, which the proxy finds as
    /// [`Builder::variables`](crate::server::Builder::variables) says.
    pub fn basic_auth_variable(mut self, name: impl Into<String>) -> Self {
        self.service.policies.basic_auth_env = name.into();
        self
    }

    /// Lets in only clients of these addresses and networks, such as `10.0.0.0/8`.
    pub fn allow(mut self, networks: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.service.policies.allow.extend(texts(networks));
        self
    }

    /// Turns away clients of these addresses and networks.
    pub fn deny(mut self, networks: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.service.policies.deny.extend(texts(networks));
        self
    }

    /// Believes `X-Forwarded-For` of these addresses and networks, where it is about who may come and how often.
    pub fn trust_proxies(mut self, networks: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.service.policies.trusted_proxies.extend(texts(networks));
        self
    }

    /// Limits how often one client may come.
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.service.policies.rate_limit = limit.rate;
        self.service.policies.rate_limit_burst = limit.burst.into();
        self
    }

    /// Redirects from a path, from all below a path (`/blog/*`), or from a host, to a path or a URL; a `*` at the end of
    /// that keeps what followed.
    pub fn redirect(mut self, from: impl AsRef<str>, to: impl AsRef<str>) -> Self {
        self.service.policies.redirects.push(format!("{}={}", from.as_ref(), to.as_ref()));
        self
    }

    /// Whether clients keep to the target that answered them first. They do not, where nobody says.
    pub const fn sticky(mut self, sticky: bool) -> Self {
        self.service.policies.sticky = sticky;
        self
    }

    /// Whether each address that a target's name stands for is a target of its own: they come and go as the name, looked up
    /// every second, has them. A deploy waits for the first that is healthy.
    pub const fn each_address(mut self, each: bool) -> Self {
        self.service.policies.each_address = each;
        self
    }

    /// Spreads requests over the proxies of other hosts that serve this service too, besides this one's own targets. Each
    /// has to name the others.
    pub fn peer(mut self, address: &Address) -> Self {
        self.service.policies.peers.push(address.to_string());
        self
    }

    /// Shares the certificates of an authority with the [peers](Self::peer), so that one of all orders them: by the name they
    /// know this proxy by, and a file with a secret that all of them have, of at least 32 characters.
    pub fn share_certificates(mut self, name: impl Into<String>, secret_file: impl Into<PathBuf>) -> Self {
        self.service.policies.peer_name = name.into();
        self.service.policies.peer_secret_file = text(secret_file);
        self
    }

    /// Leaves a target alone after this many failed requests in a row, until it is healthy.
    pub fn eject_after(mut self, failures: u32) -> Self {
        self.service.policies.eject_after = failures.into();
        self
    }
}
