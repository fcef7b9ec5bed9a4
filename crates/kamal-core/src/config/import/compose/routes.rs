//! Labels and variables by which Traefik and nginx-proxy learn of routes, for kamal-proxy to have.

use super::super::marks::Marks;
use super::super::tree::{Map, Tree};

/// How requests come to a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Route {
    pub(in super::super) hosts: Vec<String>,
    pub(in super::super) prefixes: Vec<String>,
    pub(in super::super) port: Option<String>,
    pub(in super::super) tls: bool,
}

/// What a label of Traefik's is for us.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Label {
    /// It has been taken into the route.
    Taken,
    /// It says something the proxy does, or does not need.
    Needless,
    /// It is lost.
    Lost,
    /// It is not Traefik's.
    Foreign,
}

impl Route {
    /// Takes a label into account.
    pub(in super::super) fn label(&mut self, name: &str, value: &str) -> Label {
        let name = name.to_ascii_lowercase();
        let Some(rest) = name.strip_prefix("traefik.") else { return Label::Foreign };
        let last = rest.rsplit('.').next().unwrap_or_default();
        match last {
            "rule" if rest.starts_with("http.") => self.rule(value),
            // Traefik 1.
            "rule" if rest.starts_with("frontend.") => self.rule(&value.replacen(':', "(", 1)),
            "port" => {
                self.port = Some(value.to_owned());
                Label::Taken
            }
            "certresolver" => {
                self.tls = true;
                Label::Taken
            }
            "tls" => {
                self.tls |= value == "true";
                Label::Taken
            }
            "enable" | "network" | "entrypoints" | "service" | "passhostheader" | "backend" => Label::Needless,
            _ if rest.contains("redirectscheme") || value.contains("redirect") && last == "middlewares" => {
                Label::Needless
            }
            _ => Label::Lost,
        }
    }

    /// `Host(`a`, `b`) && PathPrefix(`/c`)`.
    fn rule(&mut self, rule: &str) -> Label {
        let mut known = true;
        for part in rule.split("&&").flat_map(|part| part.split("||")) {
            let (matcher, arguments) =
                part.trim().trim_matches(['(', ')']).split_once('(').unwrap_or((part.trim(), ""));
            let arguments = arguments.trim_end_matches(')').split(',');
            let arguments = arguments
                .map(|text| text.trim_matches([' ', '`', '"', '\'']).to_owned())
                .filter(|text| !text.is_empty());
            match matcher.trim() {
                "Host" => self.hosts.extend(arguments),
                "PathPrefix" | "Path" => self.prefixes.extend(arguments),
                _ => known = false,
            }
        }
        if known { Label::Taken } else { Label::Lost }
    }

    /// Takes a variable of nginx-proxy's into account. Whether it is one.
    pub(in super::super) fn variable(&mut self, name: &str, value: &str) -> bool {
        match name {
            "VIRTUAL_HOST" => self.hosts.extend(value.split(',').map(|host| host.trim().to_owned())),
            "VIRTUAL_PORT" => self.port = Some(value.to_owned()),
            "LETSENCRYPT_HOST" => self.tls = true,
            "LETSENCRYPT_EMAIL" | "VIRTUAL_PROTO" | "VIRTUAL_NETWORK" => {}
            _ => return false,
        }
        true
    }

    /// Whether anything is known of how requests come.
    pub(in super::super) fn is_known(&self) -> bool {
        !self.hosts.is_empty() || !self.prefixes.is_empty() || self.port.is_some()
    }

    /// The keys of `proxy`.
    pub(in super::super) fn into_proxy(mut self, marks: &Marks, into: &mut Map) {
        self.hosts.dedup();
        // A path that is the whole site is none.
        self.prefixes.retain(|prefix| prefix != "/");
        match &self.hosts[..] {
            [] => {}
            [host] => into.put("host", host.clone()),
            hosts => into.put("hosts", hosts.to_vec()),
        }
        // Certificates are obtained for hosts, at the root of a site.
        if self.tls && !self.hosts.is_empty() && self.hosts.iter().all(|host| !marks.settled(host).is_empty()) {
            into.put("ssl", true);
        }
        match &self.prefixes[..] {
            [] => {}
            [prefix] => into.put("path_prefix", prefix.clone()),
            prefixes => into.put("path_prefixes", prefixes.to_vec()),
        }
        if !self.prefixes.is_empty() {
            // As with Traefik, unless it was told to.
            into.put("strip_path_prefix", false);
        }
        if let Some(port) =
            self.port.as_deref().map(|port| marks.settled(port)).and_then(|port| port.parse::<u64>().ok())
        {
            into.put("app_port", Tree::from(port));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_traefik_make_a_route() {
        let mut route = Route::default();
        let found = [
            ("traefik.enable", "true"),
            ("traefik.http.routers.api.rule", "Host(`a.example`, `b.example`) && PathPrefix(`/api`)"),
            ("traefik.http.routers.api.tls.certresolver", "le"),
            ("traefik.http.services.api.loadbalancer.server.port", "4000"),
            ("traefik.http.routers.api.middlewares", "limit"),
            ("com.example", "x"),
        ]
        .map(|(name, value)| route.label(name, value));
        assert_eq!(found, [Label::Needless, Label::Taken, Label::Taken, Label::Taken, Label::Lost, Label::Foreign]);
        assert_eq!(
            route,
            Route {
                hosts: vec!["a.example".to_owned(), "b.example".to_owned()],
                prefixes: vec!["/api".to_owned()],
                port: Some("4000".to_owned()),
                tls: true
            }
        );
        let mut old = Route::default();
        assert_eq!(old.label("traefik.frontend.rule", "Host:c.example"), Label::Taken);
        assert_eq!(old.hosts, ["c.example"]);
    }
}
