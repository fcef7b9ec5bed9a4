//! `ports` and `expose`.

use super::super::super::source::Span;
use super::super::super::yaml::Node;
use super::Reader;

/// A port of a container, and where it is published.
#[derive(Clone, Debug)]
pub(super) struct Port {
    pub(super) span: Span,
    pub(super) address: Option<String>,
    /// On the host.
    pub(super) published: Option<String>,
    /// In the container.
    pub(super) target: String,
    pub(super) protocol: Option<String>,
}

impl Port {
    /// As `docker run --publish` takes it.
    pub(super) fn spelled(&self) -> String {
        let address = self.address.as_ref().map(|address| format!("{address}:")).unwrap_or_default();
        let published = self.published.as_ref().unwrap_or(&self.target);
        let protocol = self.protocol.as_ref().filter(|protocol| *protocol != "tcp");
        let protocol = protocol.map(|protocol| format!("/{protocol}")).unwrap_or_default();
        format!("{address}{published}:{}{protocol}", self.target)
    }
}

/// All of a service's published ports.
pub(super) fn ports(reader: &mut Reader<'_>, node: &Node) -> Vec<Port> {
    let mut found = Vec::new();
    for item in node.list().unwrap_or_default() {
        let port = if item.map().is_some() {
            let part = |reader: &mut Reader<'_>, key: &str| item.get(key).and_then(|node| reader.text(node));
            part(reader, "target").map(|target| Port {
                span: item.span,
                address: part(reader, "host_ip"),
                published: part(reader, "published"),
                target,
                protocol: part(reader, "protocol"),
            })
        } else {
            reader.text(item).map(|text| short(&text, item.span))
        };
        found.extend(port);
    }
    found
}

/// `[ADDRESS:][HOST:]CONTAINER[/PROTOCOL]`.
fn short(text: &str, span: Span) -> Port {
    let (text, protocol) =
        text.split_once('/').map_or((text, None), |(text, protocol)| (text, Some(protocol.to_owned())));
    let (rest, target) = text.rsplit_once(':').map_or((None, text), |(rest, target)| (Some(rest), target));
    // An address of IPv6 has colons of its own, in brackets.
    let (address, published) = match rest {
        Some(rest) => match rest.rsplit_once(':') {
            Some((address, published)) => (Some(address.to_owned()), Some(published.to_owned())),
            None => (None, Some(rest.to_owned())),
        },
        None => (None, None),
    };
    Port { span, address, published: published.filter(|port| !port.is_empty()), target: target.to_owned(), protocol }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ports_are_read() {
        for (text, spelled) in [
            ("5432:5432", "5432:5432"),
            ("6379", "6379:6379"),
            ("127.0.0.1:8001:80", "127.0.0.1:8001:80"),
            ("[::1]:80:8080", "[::1]:80:8080"),
            ("53:53/udp", "53:53/udp"),
            ("3000-3002:3000-3002/tcp", "3000-3002:3000-3002"),
        ] {
            assert_eq!(short(text, Span::default()).spelled(), spelled);
        }
    }
}
