//! Which service options contradict each other (spec 1.5); asked by the command line before it calls the server, and
//! by the server again on each deploy.

use super::ServiceOptions;

/// Options that contradict each other, or lack what they need.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("service options invalid: {0}")]
pub struct OptionsError(pub(crate) String);

impl ServiceOptions {
    /// Checks normalised options; the first contradiction found is the error.
    pub(crate) fn validate(&self) -> Result<(), OptionsError> {
        self.contradiction().map_or(Ok(()), |text| Err(OptionsError(text)))
    }

    fn contradiction(&self) -> Option<String> {
        let has_hosts = !self.hosts.is_empty() && self.hosts.iter().all(|host| !host.is_empty());
        let on_demand = !self.tls_on_demand_url.is_empty();
        if on_demand && !self.tls_enabled {
            return Some("TLS must be enabled to use a TLS on-demand URL".into());
        }
        if self.tls_enabled && on_demand {
            if has_hosts {
                return Some("cannot set hosts when using a TLS on-demand URL".into());
            }
            if !self.tls_certificate_path.is_empty() || !self.tls_private_key_path.is_empty() {
                return Some("cannot use a custom TLS certificate with a TLS on-demand URL".into());
            }
            if !self.canonical_host.is_empty() {
                return Some("cannot set a canonical host when using a TLS on-demand URL".into());
            }
            if let Some(text) = malformed_on_demand_url(&self.tls_on_demand_url) {
                return Some(text);
            }
        }
        if self.tls_enabled && !on_demand && !has_hosts {
            return Some("host must be set when using TLS".into());
        }
        if self.tls_enabled && !self.serves_root() {
            return Some("TLS settings must be specified on the root path service".into());
        }
        let first_host_named = self.hosts.first().is_some_and(|host| !host.is_empty());
        if !self.canonical_host.is_empty() && first_host_named && !self.hosts.contains(&self.canonical_host) {
            return Some(format!(
                "canonical-host '{}' must be present in the hosts list: [{}]",
                self.canonical_host,
                self.hosts.join(" ")
            ));
        }
        None
    }
}

/// What is wrong with a TLS on-demand URL (spec 8.12).
fn malformed_on_demand_url(url: &str) -> Option<String> {
    const NEITHER: &str = "tls-on-demand-url must be a path or an absolute http(s) URL";
    if url.starts_with("//") {
        return Some(NEITHER.into());
    }
    if url.starts_with('/') {
        return None;
    }
    if url.starts_with(':') {
        return Some(format!("unable to parse tls-on-demand-url: parse {url:?}: missing protocol scheme"));
    }
    let Some((scheme, rest)) = url.split_once(':') else {
        return Some(NEITHER.into());
    };
    if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
        return Some(format!("unsupported scheme {scheme:?} in tls-on-demand-url"));
    }
    let authority = rest.strip_prefix("//").unwrap_or("");
    let host_end = authority.find(['/', '?', '#']).unwrap_or(authority.len());
    authority[..host_end].is_empty().then(|| "missing host in tls-on-demand-url".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(hosts: &[&str]) -> ServiceOptions {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        ServiceOptions { hosts, tls_enabled: true, ..ServiceOptions::default() }.normalised()
    }

    fn error(options: &ServiceOptions) -> String {
        options.validate().unwrap_err().to_string()
    }

    // spec 11.C.47, 11.C.48, 11.N.210, 11.N.211
    #[test]
    fn tls_needs_hosts() {
        let text = "service options invalid: host must be set when using TLS";
        assert_eq!(error(&options(&[])), text);
        assert_eq!(error(&options(&[""])), text);
        assert_eq!(error(&options(&["*.example.com", ""])), text);
        assert_eq!(options(&["*.example.com"]).validate(), Ok(()));
        assert_eq!(options(&["example.com"]).validate(), Ok(()));
        assert_eq!(options(&["example.com", "*.example.com"]).validate(), Ok(()));
    }

    // spec 11.C.49
    #[test]
    fn tls_needs_the_root_path() {
        let sub_path = ServiceOptions { path_prefixes: vec!["/api".into()], ..options(&["example.com"]) };
        assert_eq!(
            error(&sub_path),
            "service options invalid: TLS settings must be specified on the root path service"
        );
    }

    // spec 11.C.50, 11.N.215-220
    #[test]
    fn a_canonical_host_is_one_of_the_hosts() {
        let plain = |hosts: &[&str], canonical: &str| ServiceOptions {
            tls_enabled: false,
            canonical_host: canonical.into(),
            ..options(hosts)
        };
        assert_eq!(plain(&["a", "b"], "b").validate(), Ok(()));
        assert_eq!(plain(&[], "b").validate(), Ok(()));
        assert_eq!(
            error(&plain(&["a", "b"], "X")),
            "service options invalid: canonical-host 'X' must be present in the hosts list: [a b]"
        );
    }

    // spec 11.C.51, 11.L.202, 11.N.212-214
    #[test]
    fn on_demand_tls_excludes_what_it_cannot_serve() {
        let on_demand = |url: &str| ServiceOptions { tls_on_demand_url: url.into(), ..options(&[]) };
        for url in ["/allow", "/allow?x=1", "http://example.com/x", "https://example.com"] {
            assert_eq!(on_demand(url).validate(), Ok(()), "{url}");
        }
        for (url, text) in [
            ("ftp://example.com", "unsupported scheme \"ftp\" in tls-on-demand-url"),
            ("//host/path", "tls-on-demand-url must be a path or an absolute http(s) URL"),
            ("allow-host", "tls-on-demand-url must be a path or an absolute http(s) URL"),
            ("http://", "missing host in tls-on-demand-url"),
        ] {
            assert_eq!(error(&on_demand(url)), format!("service options invalid: {text}"));
        }
        assert!(error(&on_demand("://invalid-url")).contains("unable to parse tls-on-demand-url: "));
        for (changed, text) in [
            (ServiceOptions { hosts: vec!["a".into()], ..on_demand("/x") }, "cannot set hosts when"),
            (ServiceOptions { tls_certificate_path: "c".into(), ..on_demand("/x") }, "cannot use a custom TLS"),
            (ServiceOptions { canonical_host: "c".into(), ..on_demand("/x") }, "cannot set a canonical host"),
            (ServiceOptions { tls_enabled: false, ..on_demand("/x") }, "TLS must be enabled to use"),
        ] {
            assert!(error(&changed).contains(text), "{text}");
        }
    }
}
