//! What a service and its targets are told at deploy: the options of `deploy`, as sent over the control socket and as
//! kept in the state file (spec 1.4, 2.2, 2.4).
//!
//! The field names are those of the state file, so that Go's kamal-proxy reads what this one wrote and the other way
//! round. A missing field is its zero value, not its default, because that is how Go reads it.

mod policies;
mod validate;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) use self::policies::Policies;
pub use self::validate::OptionsError;
use super::go_duration::GoDuration;

/// How requests reach a service: hosts, paths, TLS, redirects, pages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ServiceOptions {
    #[serde(deserialize_with = "null_is_empty")]
    pub(crate) hosts: Vec<String>,
    #[serde(deserialize_with = "null_is_empty")]
    pub(crate) path_prefixes: Vec<String>,
    pub(crate) tls_enabled: bool,
    pub(crate) tls_certificate_path: String,
    pub(crate) tls_private_key_path: String,
    pub(crate) tls_on_demand_url: String,
    pub(crate) tls_redirect: bool,
    pub(crate) canonical_host: String,
    pub(crate) acme_directory: String,
    pub(crate) acme_cache_path: String,
    pub(crate) error_page_path: String,
    pub(crate) strip_prefix: bool,
    pub(crate) writer_affinity_timeout: GoDuration,
    pub(crate) read_targets_accept_websockets: bool,
    #[serde(serialize_with = "empty_is_null", deserialize_with = "null_is_empty")]
    pub(crate) exclude_metrics_paths: Vec<String>,
    pub(crate) client_ip_header: String,
    #[serde(skip_serializing_if = "Policies::is_off")]
    pub(crate) policies: Policies,
}

/// How one target is checked, spoken to and logged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TargetOptions {
    pub(crate) health_check_config: HealthCheckOptions,
    pub(crate) response_timeout: GoDuration,
    pub(crate) buffer_requests: bool,
    pub(crate) buffer_responses: bool,
    /// Bytes of each body kept in memory; the rest goes to a file.
    pub(crate) max_memory_buffer_size: i64,
    /// Bytes; zero means unlimited.
    pub(crate) max_request_body_size: i64,
    /// Bytes; zero means unlimited.
    pub(crate) max_response_body_size: i64,
    #[serde(serialize_with = "empty_is_null", deserialize_with = "null_is_empty")]
    pub(crate) log_request_headers: Vec<String>,
    #[serde(serialize_with = "empty_is_null", deserialize_with = "null_is_empty")]
    pub(crate) log_response_headers: Vec<String>,
    pub(crate) forward_headers: bool,
    pub(crate) scope_cookie_paths: bool,
    /// Whether targets are spoken to in HTTP/2. Go's kamal-proxy passes over it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) h2c: bool,
}

/// How the health of a target is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct HealthCheckOptions {
    pub(crate) path: String,
    /// Zero means the target's own port.
    pub(crate) port: i64,
    pub(crate) interval: GoDuration,
    pub(crate) timeout: GoDuration,
    /// The Host header to send; empty means the target's address.
    pub(crate) host: String,
}

/// How one deploy is done; never kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeploymentOptions {
    pub(crate) deploy_timeout: GoDuration,
    pub(crate) drain_timeout: GoDuration,
    /// Whether to switch without waiting for health.
    pub(crate) force: bool,
}

impl ServiceOptions {
    /// Brings hosts and prefixes into the one form that is compared, stored and shown (spec 3.1).
    #[must_use]
    pub(crate) fn normalised(mut self) -> Self {
        if self.hosts.is_empty() {
            self.hosts.push(String::new());
        }
        if self.path_prefixes.is_empty() {
            self.path_prefixes.push(String::new());
        }
        for prefix in &mut self.path_prefixes {
            *prefix = format!("/{}", prefix.trim_matches('/'));
        }
        self
    }

    /// Whether the service owns `/`; only such a service has TLS settings of its own (spec 3.5).
    pub(crate) fn serves_root(&self) -> bool {
        self.path_prefixes.iter().any(|prefix| prefix == "/")
    }

    /// Whether certificates come from an authority and there is nowhere to keep them.
    pub(crate) fn lacks_folder(&self) -> bool {
        self.tls_enabled && !self.has_custom_certificate() && self.acme_cache_path.is_empty()
    }

    /// Whether certificates come from files rather than from an authority.
    pub(crate) fn has_custom_certificate(&self) -> bool {
        !self.tls_certificate_path.is_empty() && !self.tls_private_key_path.is_empty()
    }
}

fn null_is_empty<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::<Vec<String>>::deserialize(from)?.unwrap_or_default())
}

fn empty_is_null<S: Serializer>(list: &[String], to: S) -> Result<S::Ok, S::Error> {
    if list.is_empty() { to.serialize_none() } else { list.serialize(to) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_prefixes_are_normalised() {
        let options = ServiceOptions::default().normalised();
        assert_eq!((options.hosts, options.path_prefixes), (vec![String::new()], vec!["/".to_owned()]));

        let prefixes = ["api", "/api/", "api/", "", "/"].map(str::to_owned).to_vec();
        let options = ServiceOptions { path_prefixes: prefixes, ..ServiceOptions::default() }.normalised();
        assert_eq!(options.path_prefixes, ["/api", "/api", "/api", "/", "/"]);
    }

    #[test]
    fn missing_fields_are_zero_and_null_lists_are_empty() {
        let options: ServiceOptions = serde_json::from_str(r#"{"hosts":null,"future":1}"#).unwrap();
        assert_eq!(options, ServiceOptions::default());
        assert!(!options.tls_redirect && !options.strip_prefix);
    }
}
