//! TLS on the HTTPS listener: which certificate answers for which name (spec 8.11).

pub(crate) mod automatic;
pub(crate) mod certificate;

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use self::automatic::{Certificates, Unavailable};
use super::body::response::ResponseBody;
use super::observe::log::Log;
use super::router::Router;
use super::routes::Routes;
use super::service::Service;

/// What an authority speaks that looks for its proof (RFC 8737, 4).
const CHALLENGE: &[u8] = b"acme-tls/1";

/// What a client says before anything is decided.
#[derive(Debug)]
pub(crate) struct Hello {
    name: Option<String>,
    is_challenge: bool,
}

impl From<ClientHello<'_>> for Hello {
    fn from(hello: ClientHello<'_>) -> Self {
        let mut protocols = hello.alpn().into_iter().flatten();
        let is_challenge = protocols.next() == Some(CHALLENGE) && protocols.next().is_none();
        Self { name: hello.server_name().map(str::to_owned), is_challenge }
    }
}

/// The configuration of the listener: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1, certificates from the routing table.
pub(crate) fn server_config(router: Arc<Router>, log: Log) -> Result<Arc<ServerConfig>, rustls::Error> {
    let protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config(Arc::new(Resolver { router, log }), protocols).map(Arc::new)
}

fn config(resolver: Arc<dyn ResolvesServerCert>, protocols: Vec<Vec<u8>>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = protocols;
    Ok(config)
}

/// Sees to it that there is a certificate for a client, which may take an order to an authority; gives a configuration of
/// its own to an authority that looks for its proof. A service that is to be asked for its leave is asked by `ask`.
pub(crate) async fn prepare<A, F>(
    router: &Router,
    hello: Hello,
    ask: A,
) -> Result<Option<Arc<ServerConfig>>, Unavailable>
where
    A: FnOnce(Arc<Service>, String, Request<()>) -> F,
    F: Future<Output = Result<Response<ResponseBody>, StatusCode>>,
{
    let routes = router.routes();
    let Some((name, service)) = owner(&routes, hello.name.as_deref()) else { return Ok(None) };
    let (name, service) = (certificate_name(service, name), Arc::clone(service));
    drop(routes);
    let Some(authority) = &service.assets.authority else { return Ok(None) };
    let certificates = router.certificates();
    if hello.is_challenge {
        let proof = certificates.challenges.proof(authority, &name).await;
        let resolver = proof.map(|proof| Arc::new(SingleCertAndKey::from(Arc::unwrap_or_clone(proof))));
        return Ok(resolver.and_then(|resolver| config(resolver, vec![CHALLENGE.to_vec()]).ok()).map(Arc::new));
    }
    if certificates.held(authority, &name).is_some() {
        return Ok(None);
    }
    if !service.options.tls_on_demand_url.is_empty() {
        certificates.permit(authority, &service, &name, ask).await?;
    }
    certificates.obtain(authority, &name).await.map(|_| None)
}

/// The service whose certificate answers for a name, and the name: a client that says none gets the default's.
fn owner<'a>(routes: &'a Routes, name: Option<&'a str>) -> Option<(&'a str, &'a Arc<Service>)> {
    let name = name.or_else(|| routes.default_tls_host())?;
    Some((name, routes.root(name)?))
}

/// The name in the certificate that answers for a host: that of a wildcard where the service has one for it.
fn certificate_name(service: &Service, host: &str) -> String {
    let host = host.strip_suffix('.').unwrap_or(host);
    let named = |name: &str| service.options.hosts.iter().any(|own| own.eq_ignore_ascii_case(name));
    let wildcard = host.find('.').map(|dot| format!("*{}", &host[dot..])).filter(|wildcard| named(wildcard));
    match wildcard {
        Some(wildcard) if !named(host) => wildcard.to_ascii_lowercase(),
        _ => host.to_ascii_lowercase(),
    }
}

/// Finds the certificate of the service that owns `/` on the host a client asks for.
#[derive(Debug)]
struct Resolver {
    router: Arc<Router>,
    log: Log,
}

impl Resolver {
    fn certificate(&self, certificates: &Certificates, service: &Service, host: &str) -> Option<Arc<CertifiedKey>> {
        match &service.assets.authority {
            Some(authority) => certificates.held(authority, &certificate_name(service, host)),
            None => service.assets.certificate.clone(),
        }
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let routes = self.router.routes();
        let (host, service) = owner(&routes, hello.server_name())?;
        if hello.server_name().is_none() {
            self.log.warn("No server name; using default TLS hostname", &[("host", host.into())]);
        }
        self.certificate(self.router.certificates(), service, host)
    }
}
