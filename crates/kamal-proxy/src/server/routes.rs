//! From host and path to a service (spec 3).
//!
//! The table is never changed: each command builds a new one, and requests read whichever is current without a lock.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::options::ServiceOptions;
use super::service::{Service, TlsPolicy};

/// All services and how they are reached.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    services: BTreeMap<String, Arc<Service>>,
    /// By lower-case host; `*.` for the hosts right below a domain, and `` for all others. Longest prefix first.
    hosts: HashMap<String, Vec<Binding>>,
    /// Whether any host is a pattern.
    wildcards: bool,
    default_tls_host: Option<String>,
    /// Whether proxies of other hosts serve any of the services too.
    pub(crate) peers: bool,
}

#[derive(Debug)]
struct Binding {
    prefix: String,
    service: Arc<Service>,
}

impl Routes {
    pub(crate) fn new(services: impl IntoIterator<Item = Service>) -> Self {
        let services: Vec<Service> = services.into_iter().collect();
        // First without the policies, which depend on who owns the roots.
        let roots = Self::index(services.iter().cloned());
        let policies: Vec<_> = services.iter().map(|service| roots.policy(service)).collect();
        Self::index(services.into_iter().zip(policies).map(|(service, tls)| Service { tls, ..service }))
    }

    fn index(services: impl Iterator<Item = Service>) -> Self {
        let mut routes = Self::default();
        for service in services {
            let service = Arc::new(service);
            for host in &service.options.hosts {
                for prefix in &service.options.path_prefixes {
                    let binding = Binding { prefix: prefix.clone(), service: Arc::clone(&service) };
                    routes.hosts.entry(fold(host).into_owned()).or_default().push(binding);
                }
            }
            routes.services.insert(service.name.clone(), service);
        }
        for bindings in routes.hosts.values_mut() {
            bindings.sort_by_key(|binding| std::cmp::Reverse(binding.prefix.len()));
        }
        routes.wildcards = routes.hosts.keys().any(|host| host.starts_with("*."));
        routes.peers = routes.services.values().any(|service| service.active.has_peers());
        routes.default_tls_host = routes.services.values().find_map(|service| {
            service.options.hosts.first().filter(|host| service.options.tls_enabled && !host.is_empty()).cloned()
        });
        routes
    }

    fn policy(&self, service: &Service) -> TlsPolicy {
        if service.options.serves_root() {
            return service.own_tls();
        }
        let host = service.options.hosts.first().map_or("", String::as_str);
        self.root(host).map_or(TlsPolicy { enabled: false, redirect: true }, |root| root.own_tls())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Service>> {
        self.services.get(name)
    }

    /// All services by name.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.services.values()
    }

    /// The service for a host without port and a decoded path, and the prefix that matched.
    pub(crate) fn find(&self, host: &str, path: &str) -> Option<(&Arc<Service>, &str)> {
        let binding = self.bindings(host)?.iter().find(|binding| matches(path, &binding.prefix))?;
        Some((&binding.service, &binding.prefix))
    }

    /// The service that owns `/` on a host, whose certificate and TLS settings count for all of it.
    pub(crate) fn root(&self, host: &str) -> Option<&Arc<Service>> {
        self.find(host, "/").map(|(service, _)| service)
    }

    /// The host a TLS client that names none is taken to mean.
    pub(crate) fn default_tls_host(&self) -> Option<&str> {
        self.default_tls_host.as_deref()
    }

    /// The service other than `name` that already owns one of these host and path pairs.
    pub(crate) fn conflict(&self, name: &str, options: &ServiceOptions) -> Option<&Arc<Service>> {
        let taken = options.hosts.iter().filter_map(|host| self.hosts.get(fold(host).as_ref())).flatten();
        let mut others = taken.filter(|binding| options.path_prefixes.contains(&binding.prefix));
        others.find(|binding| binding.service.name != name).map(|binding| &binding.service)
    }

    fn bindings(&self, host: &str) -> Option<&Vec<Binding>> {
        let host = fold(host);
        if let Some(bindings) = self.hosts.get(host.as_ref()) {
            return Some(bindings);
        }
        let dot = host.find('.').filter(|dot| *dot > 0 && self.wildcards);
        let wildcard = dot.and_then(|dot| self.hosts.get(&format!("*{}", &host[dot..])));
        wildcard.or_else(|| self.hosts.get(""))
    }
}

/// Hosts are compared without case and without the dot that ends a full name.
fn fold(host: &str) -> Cow<'_, str> {
    let host = if host.len() > 1 { host.strip_suffix('.').unwrap_or(host) } else { host };
    if host.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

/// Whether the prefix is the path or ends at one of its slashes.
fn matches(path: &str, prefix: &str) -> bool {
    prefix == "/" || path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::balancer::Balancer;
    use crate::server::observe::log::{Level, Log};
    use crate::server::pause::{Pause, PauseState};
    use crate::server::service::Assets;
    use crate::server::target::Health;

    fn service(name: &str, hosts: &[&str], prefixes: &[&str], tls: bool, redirect: bool) -> Service {
        let list = |of: &[&str]| of.iter().map(|text| (*text).to_owned()).collect();
        let options = ServiceOptions {
            hosts: list(hosts),
            path_prefixes: list(prefixes),
            tls_enabled: tls,
            tls_redirect: redirect,
            ..ServiceOptions::default()
        };
        let log = Log::start(Level::Error, std::io::sink()).unwrap();
        Service {
            name: name.into(),
            options: Arc::new(options.normalised()),
            target_options: Arc::default(),
            assets: Assets::default(),
            active: Balancer::new(&["web".into()], &[], &Arc::default(), Health::Healthy, &log).unwrap(),
            rollout: None,
            split: None,
            pause: Pause::new(PauseState::default()),
            in_flight: Arc::default(),
            watched: Arc::default(),
            tls: TlsPolicy { enabled: false, redirect: false },
        }
    }

    fn plain(name: &str, hosts: &[&str], prefixes: &[&str]) -> Service {
        service(name, hosts, prefixes, false, true)
    }

    fn name<'a>(routes: &'a Routes, host: &str, path: &str) -> Option<&'a str> {
        routes.find(host, path).map(|(service, _)| service.name.as_str())
    }

    // spec 11.B.36, 11.B.37, 11.A.29, 11.A.30
    #[test]
    fn hosts() {
        let routes = Routes::new([
            plain("1", &["example.com"], &[]),
            plain("2", &["app.example.com"], &[]),
            plain("3", &["*.example.com"], &[]),
            plain("4", &[], &[]),
        ]);
        for (host, found) in [
            ("example.com", "1"),
            ("EXAMPLE.com.", "1"),
            ("app.example.com", "2"),
            ("anything.example.com", "3"),
            ("extra.level.example.com", "4"),
            ("other.com", "4"),
            ("", "4"),
        ] {
            assert_eq!(name(&routes, host, "/"), Some(found), "{host}");
        }
        assert_eq!(name(&Routes::new([plain("1", &["example.com"], &[])]), "app.example.com", "/"), None);
    }

    // spec 11.B.38, 11.A.25, 11.A.27, 11.A.28
    #[test]
    fn paths() {
        let routes = Routes::new([
            plain("1", &["example.com"], &["/"]),
            plain("2", &["example.com"], &["/api"]),
            plain("3", &["example.com"], &["/api/special"]),
            plain("4", &["other.example.com"], &["/api"]),
            plain("5", &[], &["/api"]),
            plain("6", &[], &["/"]),
        ]);
        for (host, path, found) in [
            ("example.com", "/", Some("1")),
            ("example.com", "/random", Some("1")),
            ("example.com", "/apiary", Some("1")),
            ("example.com", "/api", Some("2")),
            ("example.com", "/api/", Some("2")),
            ("example.com", "/api/special", Some("3")),
            ("other.example.com", "/api/test", Some("4")),
            ("other.example.com", "/", None),
            ("unknown.com", "/api/test", Some("5")),
            ("unknown.com", "/else", Some("6")),
        ] {
            assert_eq!(name(&routes, host, path), found, "{host}{path}");
        }
    }

    // spec 11.B.39, 11.B.43
    #[test]
    fn conflicts() {
        let routes = Routes::new([plain("1", &["a.com"], &["/", "/api"]), plain("2", &[], &[])]);
        let owner = |name: &str, hosts: &[&str], prefixes: &[&str]| {
            routes.conflict(name, &plain(name, hosts, prefixes).options).map(|service| service.name.clone())
        };
        assert_eq!(owner("1", &["a.com"], &["/"]), None);
        assert_eq!(owner("3", &["b.com"], &["/"]), None);
        assert_eq!(owner("3", &["a.com"], &["/other"]), None);
        assert_eq!(owner("3", &["A.com"], &["/api"]), Some("1".into()));
        assert_eq!(owner("3", &[], &[]), Some("2".into()));
    }

    // spec 11.B.40, 11.B.41
    #[test]
    fn default_tls_host() {
        assert_eq!(Routes::new([plain("1", &["a.com"], &[])]).default_tls_host(), None);
        let routes = Routes::new([service("0", &[], &[], true, true), service("1", &["a.com"], &[], true, true)]);
        assert_eq!(routes.default_tls_host(), Some("a.com"));
    }

    // spec 11.B.42
    #[test]
    fn services_below_a_path_have_the_policy_of_the_root() {
        for (enabled, redirect) in [(true, false), (false, true)] {
            let root = service("root", &["a.com"], &[], enabled, redirect);
            let routes = Routes::new([root, plain("api", &["a.com"], &["/api"])]);
            assert_eq!(routes.get("api").unwrap().tls, TlsPolicy { enabled, redirect });
        }
        let alone = Routes::new([service("api", &["a.com"], &["/api"], true, false)]);
        assert_eq!(alone.get("api").unwrap().tls, TlsPolicy { enabled: false, redirect: true });
    }
}
