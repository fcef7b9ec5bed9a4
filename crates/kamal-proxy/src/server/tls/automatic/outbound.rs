//! Requests of the proxy's own to the outside: to an authority, and to whoever is asked about names.
//!
//! Whom to trust: Mozilla's roots, and those whoever starts the proxy names.

use std::error::Error as StdError;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

/// For one request to an authority.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client for HTTP and HTTPS. It follows no redirects.
#[derive(Debug, Clone)]
pub(crate) struct Outbound(Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>);

impl Outbound {
    /// Trusts these certificates in DER too; what is no certificate is nobody's.
    pub(crate) fn new(trusted: &[Vec<u8>]) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().map(|der| CertificateDer::from_slice(der)));
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let tls = ClientConfig::builder_with_provider(std::sync::Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        Ok(Self(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector)))
    }

    /// Asks with GET; the error is for people.
    pub(crate) async fn get(&self, url: &str) -> Result<Response<Incoming>, String> {
        let request = Request::get(url).body(BodyWrapper::from(Vec::new())).map_err(|error| error.to_string())?;
        self.0.request(request).await.map_err(|error| with_causes(&error))
    }
}

impl HttpClient for Outbound {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let response = self.0.request(request);
        Box::pin(async move {
            let failed = |why: String| Error::Other(format!("{host}: {why}").into());
            match timeout(PATIENCE, response).await {
                Ok(Ok(response)) => Ok(response.into()),
                Ok(Err(error)) => Err(failed(with_causes(&error))),
                Err(_) => Err(failed("no answer in time".into())),
            }
        })
    }
}

/// An error whose own text says only what failed, with why.
fn with_causes(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
