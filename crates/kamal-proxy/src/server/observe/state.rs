//! What the proxy is like at this moment, as metrics besides those of requests: targets, connections,
//! services. Nothing here has a counterpart in Go's kamal-proxy.

use std::fmt::Write;

use super::metrics::escape;
use crate::server::balancer::Balancer;
use crate::server::connections::Connections;
use crate::server::deployed::ServiceState;
use crate::server::router::Router;
use crate::server::service::Service;
use crate::server::target::{Health, Role, Target};

/// The exposition, text format 0.0.4, to follow that of requests.
pub(crate) fn text(router: &Router, connections: &Connections) -> String {
    let mut out = String::new();
    gauge(&mut out, "connections", "Number of open client connections.");
    let _ = writeln!(out, "kamal_proxy_connections {}", connections.count());

    let routes = router.routes();
    gauge(&mut out, "service_state", "Whether a service is running, paused or stopped: the one that is has 1.");
    for service in routes.services() {
        let now = service.pause.state().state();
        for state in [ServiceState::Running, ServiceState::Paused, ServiceState::Stopped] {
            let (value, state) = (u8::from(now == state), state.name());
            let name = escape(&service.name);
            let _ = writeln!(out, "kamal_proxy_service_state{{service=\"{name}\",state=\"{state}\"}} {value}");
        }
    }
    let services: Vec<_> = routes.services().collect();
    let mut of_targets = |name: &str, help: &str, value: fn(&Target) -> usize| {
        gauge(&mut out, name, help);
        for service in &services {
            for (slot, set) in slots(service) {
                for target in set.targets().iter() {
                    let labels = labels(service, slot, target);
                    let _ = writeln!(out, "kamal_proxy_{name}{{{labels}}} {}", value(target));
                }
            }
        }
    };
    of_targets("target_healthy", "Whether a target gets requests.", |target| {
        usize::from(target.health() == Health::Healthy)
    });
    of_targets("target_in_flight_requests", "Number of requests a target is working on.", Target::in_flight);
    let name = "tls_certificate_expiry_timestamp_seconds";
    gauge(&mut out, name, "When the certificate of a host ends, in seconds since 1970.");
    for (host, end) in router.certificates().ends() {
        let _ = writeln!(out, "kamal_proxy_{name}{{host=\"{}\"}} {end}", escape(&host));
    }
    out
}

fn gauge(out: &mut String, name: &str, help: &str) {
    let _ = writeln!(out, "# HELP kamal_proxy_{name} {help}\n# TYPE kamal_proxy_{name} gauge");
}

fn slots(service: &Service) -> impl Iterator<Item = (&'static str, &Balancer)> {
    std::iter::once(("active", &*service.active)).chain(service.rollout.iter().map(|set| ("rollout", &**set)))
}

fn labels(service: &Service, slot: &str, target: &Target) -> String {
    let role = match target.role {
        Role::Writer => "writer",
        Role::Reader => "reader",
        Role::Peer => "peer",
    };
    format!(
        "service=\"{}\",target=\"{}\",role=\"{role}\",slot=\"{slot}\"",
        escape(&service.name),
        escape(target.address.as_str())
    )
}
