//! The shell script that puts a new container in the place of the old one (spec 9.5).

use kamal_core::{naming, step::ProxyContainerSpec};

use super::{Place, made};

/// What does not depend on the configuration. It says itself how it goes about it.
const SCRIPT: &str = include_str!("reboot.sh");

/// Puts a new container in the place of the old one.
///
/// Where the old one's network outlives it (the host's, or that of a third container), the new one takes over its sockets
/// and nobody notices. A container with published ports cannot hand them on: docker takes network and ports away when it
/// ends. There a third container, the bridge, serves what comes between the end of the old one and the beginning of the
/// new one, and the host's packet filter leads clients to it. Where that cannot be had no more than stopping and starting
/// lies between the two.
pub(crate) fn replace(spec: &ProxyContainerSpec) -> String {
    format!(
        "(mkdir -p {apps}\n\
         kamal_proxy_folder={apps}\n\
         create() {{ {create}; }}\n\
         bridge() {{ {bridge}; }}\n\
         take_over() {{ {take_over}; }}\n\
         {SCRIPT})",
        apps = naming::PROXY_APPS_CONFIG,
        create = made(spec, "docker create --name kamal-proxy_next", Place::Own),
        bridge = made(spec, "docker run --detach --name kamal-proxy_bridge", Place::Bridge),
        take_over = made(spec, "docker run --detach --name kamal-proxy", Place::Shared),
    )
}
