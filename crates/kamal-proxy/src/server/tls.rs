//! TLS on the HTTPS listener: which certificate answers for which name (spec 8.11).

pub(crate) mod certificate;

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::observe::log::Log;
use super::router::Router;

/// The configuration of the listener: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1, certificates from the routing table.
pub(crate) fn server_config(router: Arc<Router>, log: Log) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Resolver { router, log }));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Finds the certificate of the service that owns `/` on the host a client asks for.
#[derive(Debug)]
struct Resolver {
    router: Arc<Router>,
    log: Log,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let routes = self.router.routes();
        let host = match hello.server_name() {
            Some(name) => name,
            None => {
                let host = routes.default_tls_host()?;
                self.log.warn("No server name; using default TLS hostname", &[("host", host.into())]);
                host
            }
        };
        routes.root(host)?.assets.certificate.clone()
    }
}
