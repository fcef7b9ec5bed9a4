//! Routes of kamal-proxy to containers.

use serde::{Deserialize, Serialize};

use crate::{config::model::Proxy, name::ContainerName};

/// How a proxy shares certificates with its peers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharing {
    /// The name they know it by.
    pub name: String,
    /// The key of the secret all of them have.
    pub secret: String,
}

/// A route of kamal-proxy to a container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// The service in kamal-proxy.
    pub service: String,
    /// The container it leads to.
    pub container: ContainerName,
    /// Whether that is a service of the swarm, and the route leads to all its containers on the network over all hosts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tasks: bool,
    /// The network the proxy finds it on, where they share several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Other hosts' proxies that serve it too, by their names on the network over all hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<String>,
    /// How it shares certificates with those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing: Option<Sharing>,
    /// How the proxy treats it.
    pub proxy: Proxy,
    /// Paths of a certificate and its key inside the proxy's container.
    pub certificate: Option<(String, String)>,
    /// Folder of error pages inside the proxy's container.
    pub error_pages: Option<String>,
    /// How long the container may take to become healthy, in seconds.
    pub deploy_timeout: u64,
    /// How long old requests may take, in seconds.
    pub drain_timeout: u64,
}
