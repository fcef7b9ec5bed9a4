//! Where a host string of deploy.yml points: `host`, `user@host`, `host:port`, `user@host:port`, `[v6]:port`.

use kamal_core::ports::TransportErrorKind;

/// A host string taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Destination {
    pub(crate) user: Option<String>,
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl Destination {
    /// Parses a host string; an IPv6 address with a port needs brackets, one without does not.
    pub(crate) fn parse(text: &str) -> Result<Self, TransportErrorKind> {
        let bad = |why: &str| TransportErrorKind::Client(format!("{text:?} is not [user@]host[:port]: {why}"));
        let text_only = text.trim().trim_start_matches("ssh://").trim_end_matches('/');
        let (user, rest) = match text_only.rsplit_once('@') {
            Some(("", _)) => return Err(bad("the user is empty")),
            Some((user, rest)) => (Some(user.to_owned()), rest),
            None => (None, text_only),
        };
        let port_of = |port: &str| port.parse().ok().filter(|port| *port != 0).ok_or_else(|| bad("bad port"));
        let (host, port) = if let Some(bracketed) = rest.strip_prefix('[') {
            let (host, after) = bracketed.split_once(']').ok_or_else(|| bad("a bracket is missing"))?;
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port_of(port)?)),
                None if after.is_empty() => (host, None),
                None => return Err(bad("something follows the bracket")),
            }
        } else {
            match rest.split_once(':') {
                Some((host, port)) if !port.contains(':') => (host, Some(port_of(port)?)),
                _ => (rest, None),
            }
        };
        let strange = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '[' | ']' | '/');
        if host.is_empty() || host.starts_with('-') || host.contains(strange) {
            return Err(bad("not a host name"));
        }
        Ok(Self { user, host: host.to_owned(), port })
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (Option<String>, String, Option<u16>) {
        let d = Destination::parse(text).unwrap();
        (d.user, d.host, d.port)
    }

    #[test]
    fn every_form() {
        assert_eq!(parts("app"), (None, "app".into(), None));
        assert_eq!(parts("app:2222"), (None, "app".into(), Some(2222)));
        assert_eq!(parts("me@app"), (Some("me".into()), "app".into(), None));
        assert_eq!(parts("me@corp@app:22"), (Some("me@corp".into()), "app".into(), Some(22)));
        assert_eq!(parts("::1"), (None, "::1".into(), None));
        assert_eq!(parts("me@[fe80::1%eth0]:23"), (Some("me".into()), "fe80::1%eth0".into(), Some(23)));
        assert_eq!(parts("[::1]"), (None, "::1".into(), None));
        assert_eq!(parts("ssh://me@app:23"), (Some("me".into()), "app".into(), Some(23)));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for text in
            ["", "@app", "app:x", "app:0", "app:70000", "[::1", "[::1]x", "-oProxyCommand=x", "a b", "a:b]c:d", "[a/]"]
        {
            let error = Destination::parse(text).unwrap_err().to_string();
            assert!(error.contains("[user@]host[:port]"), "{text}: {error}");
        }
    }
}
