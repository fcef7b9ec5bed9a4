//! HTTPS with certificates from files (spec 8.11, 8.6).

use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::support::{PATIENCE, Proxy, Upstream, request};

pub(crate) struct Pair {
    pub(crate) flags: String,
    pub(crate) der: CertificateDer<'static>,
}

pub(crate) fn pair(proxy: &Proxy, name: &str) -> Pair {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let path = |extension: &str| proxy.home.path().join(format!("{name}.{extension}"));
    std::fs::write(path("crt"), made.cert.pem()).unwrap();
    std::fs::write(path("key"), made.signing_key.serialize_pem()).unwrap();
    let (certificate, key) = (path("crt"), path("key"));
    let flags =
        format!("--tls --tls-certificate-path {} --tls-private-key-path {}", certificate.display(), key.display());
    Pair { flags, der: made.cert.der().clone() }
}

pub(crate) async fn connect(
    proxy: &Proxy,
    trusted: &CertificateDer<'static>,
    name: &str,
    protocol: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(proxy.https).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await
}

// spec 11.A.13, 11.A.15, 11.C.46, 11.C.53, 11.M.207, 11.M.208, 11.M.209, 11.O.231, 11.O.232
#[tokio::test(flavor = "multi_thread")]
async fn certificates_from_files() {
    let proxy = Proxy::start();
    let mirror = Upstream::mirror().await;
    let plain = Upstream::named("plain").await;
    let own = pair(&proxy, "example.com");
    proxy.ok(&format!("deploy app --target {} --host example.com {}", mirror.address, own.flags));
    proxy.ok(&format!("deploy plain --target {} --host plain.test", plain.address));

    assert!(std::net::UdpSocket::bind(proxy.https).is_ok(), "nothing listens for HTTP/3");

    let moved = proxy.send(request("POST", "http://example.com/x", "body")).await;
    assert_eq!((moved.status, moved.header("location"), moved.body.as_str()), (301, "https://example.com/x", ""));

    let stream = connect(&proxy, &own.der, "example.com", b"http/1.1").await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(request("GET", "http://example.com/", "")).await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers().get("alt-svc")), (200, None));
    let seen: serde_json::Value = serde_json::from_slice(&response.collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!(seen["headers"]["x-forwarded-proto"], "https");
    // The host of the request decides, whatever name the connection was opened for.
    sender.ready().await.unwrap();
    let response = sender.send_request(request("GET", "http://plain.test/", "")).await.unwrap();
    assert_eq!(response.status(), 503);

    let stream = connect(&proxy, &own.der, "example.com", b"h2").await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::post("https://example.com/h2?a=b")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .body(Full::new(bytes::Bytes::from_static(b"hello")))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let seen: serde_json::Value = serde_json::from_slice(&response.collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!((&seen["uri"], &seen["body"]), (&"/h2?a=b".into(), &5.into()));
    assert_eq!((&seen["headers"]["host"], &seen["headers"]["cookie"]), (&"example.com".into(), &"a=1; b=2".into()));
    let line = proxy.logged(|line| line["path"] == "/h2").await;
    assert_eq!((&line["proto"], &line["scheme"]), (&"HTTP/2.0".into(), &"https".into()));

    assert!(connect(&proxy, &own.der, "unknown.test", b"h2").await.is_err());
    assert!(connect(&proxy, &own.der, "plain.test", b"h2").await.is_err());

    let state = proxy.state();
    let bad = format!("deploy app --target {} --host example.com --tls", mirror.address);
    let error = proxy.fails(&format!("{bad} --tls-certificate-path /none --tls-private-key-path /none"));
    assert_eq!(error, "Error: unable to load certificate");
    assert_eq!(proxy.state(), state);
    assert!(connect(&proxy, &own.der, "example.com", b"h2").await.is_ok());
}

// 8.1: a client can tell the end of a connection from one that somebody else made, whoever ends it and when.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_connection_is_announced() {
    let proxy = Proxy::start();
    let target = Upstream::named("app").await;
    let own = pair(&proxy, "example.com");
    proxy.ok(&format!("deploy app --target {} --host example.com {}", target.address, own.flags));
    for (last, ends_first) in [("Connection: close\r\n", false), ("", true), ("", false)] {
        let mut stream = connect(&proxy, &own.der, "example.com", b"http/1.1").await.unwrap();
        stream.write_all(format!("GET / HTTP/1.1\r\nHost: example.com\r\n{last}\r\n").as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        while !reply.ends_with(b"app") {
            assert!(stream.read_buf(&mut reply).await.unwrap() > 0);
        }
        if ends_first {
            stream.get_mut().1.send_close_notify();
            stream.flush().await.unwrap();
        } else if last.is_empty() {
            proxy.signal("-TERM");
        }
        let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut reply)).await.expect("an end");
        assert_eq!(end.unwrap(), 0, "{last:?} {ends_first}");
    }
}

// spec 11.A.31, 11.C.52, 11.C.54
#[tokio::test(flavor = "multi_thread")]
async fn tls_without_a_certificate_and_without_a_redirect() {
    let proxy = Proxy::start();
    let target = Upstream::named("app").await;
    let wild = proxy.fails(&format!("deploy app --target {} --host *.example.com --tls", target.address));
    assert_eq!(wild, "Error: automatic TLS does not support wildcards");
    let nowhere = "--tls-acme-directory http://127.0.0.1:1/directory";
    proxy
        .ok(&format!("deploy app --target {} --host example.com --tls --tls-redirect=false {nowhere}", target.address));
    assert_eq!(proxy.get("http://example.com/").await.body, "app");
    assert!(proxy.ok("list").contains("yes"));
    // No authority can be reached.
    let other = pair(&proxy, "example.com");
    assert!(connect(&proxy, &other.der, "example.com", b"h2").await.is_err());
}
