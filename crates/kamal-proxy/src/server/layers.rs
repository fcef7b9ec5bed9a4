//! Layers of images, handed on to other hosts (the command `layers`, of which help says nothing): they are read from the
//! registry on the deploying machine once, kept while they come, and given to whoever knows the token of the deploy.
//!
//! It lives for as long as that registry expects it: for that it holds one request there, which ends with the deploy,
//! whatever becomes of that.

mod layer;
mod source;

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use bytes::Bytes;
use futures_util::TryStreamExt;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;

use self::layer::Layer;
use self::source::Source;

/// Within which time a client has to ask.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait when no connection can be accepted.
const PAUSE: Duration = Duration::from_millis(50);

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Where layers come from and go to.
#[derive(Debug)]
pub(crate) struct Options {
    /// Where other hosts ask.
    pub(crate) listen: SocketAddr,
    /// The registry.
    pub(crate) registry: SocketAddr,
    /// An empty folder.
    pub(crate) folder: PathBuf,
    /// What others have to know.
    pub(crate) token: String,
}

/// Hands layers on for as long as the registry expects that.
pub(crate) async fn serve(options: Options) -> io::Result<()> {
    let listener = TcpListener::bind(options.listen).await?;
    let Options { registry, folder, token, .. } = options;
    let source = Source::new(registry, token.clone());
    let layers = Arc::new(Layers { source: source.clone(), folder, token, kept: Mutex::default() });
    tokio::select! {
        ended = source.expects() => ended,
        () = accept(&listener, &layers) => Ok(()),
    }
}

async fn accept(listener: &TcpListener, layers: &Arc<Layers>) {
    loop {
        match listener.accept().await {
            // Whoever vanishes in the middle comes again.
            Ok((stream, _)) => drop(tokio::spawn(connection(stream, Arc::clone(layers)))),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn connection(stream: TcpStream, layers: Arc<Layers>) -> Result<(), hyper::Error> {
    let service = service_fn(|request| {
        let layers = &layers;
        async move { Ok::<_, Infallible>(layers.answer(&request).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    server.serve_connection(TokioIo::new(stream), service).await
}

/// Layers, and those that were asked for so far by their digests.
#[derive(Debug)]
struct Layers {
    source: Source,
    folder: PathBuf,
    token: String,
    kept: Mutex<HashMap<String, Arc<OnceCell<Arc<Layer>>>>>,
}

impl Layers {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        let Some((path, digest)) = self.asked(request) else { return empty(StatusCode::NOT_FOUND) };
        // Whoever hears that asks the registry once more.
        let Ok(layer) = self.layer(path, digest).await else { return empty(StatusCode::BAD_GATEWAY) };
        let size = layer.size();
        let mut response = Response::new(StreamBody::new(layer.read().map_ok(Frame::data)).boxed_unsync());
        response.headers_mut().insert(CONTENT_LENGTH, size.into());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        response
    }

    /// The path of a blob in the registry and the digits of its digest, where somebody who may asks for one.
    fn asked<'r>(&self, request: &'r Request<Incoming>) -> Option<(&'r str, &'r str)> {
        let (token, _) = request.uri().path().strip_prefix('/')?.split_once('/')?;
        verify_slices_are_equal(token.as_bytes(), self.token.as_bytes()).ok()?;
        let path = &request.uri().path()[1 + token.len()..];
        (request.method() == Method::GET && path.starts_with("/v2/")).then_some((path, digits(path)?))
    }

    /// A layer, which is asked for where nobody did.
    async fn layer(&self, path: &str, digest: &str) -> io::Result<Arc<Layer>> {
        let cell = Arc::clone(self.kept().entry(digest.to_owned()).or_default());
        let begin = || Layer::begin(&self.source, path, self.folder.join(digest));
        let layer = Arc::clone(cell.get_or_try_init(begin).await?);
        if layer.is_broken() {
            self.kept().retain(|_, kept| !Arc::ptr_eq(kept, &cell));
            return Err(io::Error::other("the registry was lost"));
        }
        Ok(layer)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<OnceCell<Arc<Layer>>>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The digits of the digest a blob's path ends with.
fn digits(path: &str) -> Option<&str> {
    let (_, digits) = path.rsplit_once("/blobs/sha256:")?;
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (digits.len() == 64 && digits.bytes().all(hex)).then_some(digits)
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_digits_alone() {
        let hex = "0123456789abcdef".repeat(4);
        assert_eq!(digits(&format!("/v2/a/b/blobs/sha256:{hex}")), Some(&*hex));
        for path in [
            format!("/v2/a/blobs/sha512:{hex}"),
            format!("/v2/a/blobs/sha256:{}", hex.to_uppercase()),
            format!("/v2/a/blobs/sha256:{hex}0"),
            format!("/v2/a/blobs/sha256:../{}", &hex[3..]),
            "/v2/a/blobs/uploads/".to_owned(),
            "/v2/".to_owned(),
        ] {
            assert_eq!(digits(&path), None, "{path}");
        }
    }
}
