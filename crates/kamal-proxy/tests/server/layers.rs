//! Layers handed on to other hosts.

use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Response;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};

use super::free_port::free_port;
use super::support::{PATIENCE, Reply, TestBody, Upstream, get, text};

/// What a layer has, in pieces.
const PIECE: usize = 200_000;
const PIECES: usize = 5;

/// A registry with layers of which a piece comes for each permit.
struct Registry {
    address: String,
    asked: Arc<AtomicUsize>,
    pieces: Arc<Semaphore>,
    expects: watch::Sender<bool>,
}

impl Registry {
    async fn start() -> Self {
        let (asked, pieces) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let (expects, expected) = watch::channel(true);
        let (counted, permits) = (asked.clone(), pieces.clone());
        let upstream = Upstream::start(move |request| {
            let (counted, permits, expected) = (counted.clone(), permits.clone(), expected.clone());
            async move {
                assert_eq!(request.headers()["authorization"], "Bearer t0ken");
                if request.uri().path() == "/v2/_layers" {
                    return held(expected);
                }
                counted.fetch_add(1, Ordering::Relaxed);
                if request.uri().path().starts_with("/v2/none/") { text(404, "") } else { trickling(permits) }
            }
        });
        Self { address: upstream.await.address, asked, pieces, expects }
    }
}

/// An answer that goes on for as long as somebody is expected.
fn held(expected: watch::Receiver<bool>) -> Response<TestBody> {
    let begun = stream::iter([Ok(Frame::data(Bytes::from_static(b"\n")))]);
    let end = stream::once(async move {
        let mut expected = expected;
        let _ = expected.wait_for(|expects| !expects).await;
        Err(std::io::Error::other("the deploy is over"))
    });
    Response::new(BodyExt::boxed(StreamBody::new(begun.chain(end))))
}

/// A layer that comes bit by bit; one without permits breaks off.
fn trickling(permits: Arc<Semaphore>) -> Response<TestBody> {
    let pieces = stream::iter(0..PIECES).then(move |at| {
        let permits = permits.clone();
        async move {
            let permit = permits.acquire().await.map_err(std::io::Error::other)?;
            permit.forget();
            Ok(Frame::data(Bytes::from(vec![u8::try_from(at).unwrap(); PIECE])))
        }
    });
    let mut response = Response::new(BodyExt::boxed(StreamBody::new(pieces)));
    response.headers_mut().insert("content-length", (PIECE * PIECES).into());
    response
}

/// The program that hands them on.
struct Relay {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Relay {
    async fn start(registry: &Registry) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let mut command = Command::new(env!("CARGO_BIN_EXE_kamal-proxy"));
        command.env_clear().env("KAMAL_LAYERS_TOKEN", "t0ken").args(["layers", "--registry", &registry.address]);
        command.args(["--listen", &format!("127.0.0.1:{port}"), "--folder", &folder.path().display().to_string()]);
        let relay = Self { child: command.spawn().unwrap(), port, _folder: folder };
        for _ in 0..1000 {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return relay;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it does not listen");
    }

    async fn ask(&self, path: &str) -> Response<Incoming> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(get(&format!("http://localhost{path}"))).await.unwrap()
    }

    async fn ended(&mut self) -> Option<i32> {
        for _ in 0..1000 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it goes on");
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn path(of: &str, digit: char) -> String {
    format!("/t0ken/v2/{of}/blobs/sha256:{}", digit.to_string().repeat(64))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_is_asked_for_once_and_given_to_all_while_it_comes() {
    let registry = Registry::start().await;
    let mut relay = Relay::start(&registry).await;
    let layer = path("a/app", 'a');
    let (mut one, two) = (relay.ask(&layer).await, relay.ask(&layer).await);
    registry.pieces.add_permits(1);
    let first = tokio::time::timeout(PATIENCE, one.frame()).await.expect("the beginning before the end").unwrap();
    let mut read = first.unwrap().into_data().unwrap().to_vec();
    registry.pieces.add_permits(PIECES - 1);
    read.extend(one.into_body().collect().await.unwrap().to_bytes());
    let third = relay.ask(&layer).await.into_body().collect().await.unwrap().to_bytes();
    let expected: Vec<u8> = (0..PIECES).flat_map(|at| vec![u8::try_from(at).unwrap(); PIECE]).collect();
    assert!(read == expected && third == expected && two.into_body().collect().await.unwrap().to_bytes() == expected);
    assert_eq!(registry.asked.load(Ordering::Relaxed), 1);

    for (path, status) in [
        (layer.replace("t0ken", "t0keN"), 404),
        (layer.replace("/t0ken", ""), 404),
        (layer.replace("blobs", "manifests"), 404),
        (layer.replace(":a", ":"), 404),
        ("/t0ken/v2/".to_owned(), 404),
        (path("none", 'b'), 502),
    ] {
        assert_eq!(Reply::read(relay.ask(&path).await).await.status, status, "{path}");
    }
    registry.expects.send_replace(false);
    assert_eq!(relay.ended().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_off_is_begun_anew() {
    let registry = Registry::start().await;
    let relay = Relay::start(&registry).await;
    let layer = path("app", 'c');
    let mut broken = relay.ask(&layer).await;
    registry.pieces.add_permits(1);
    assert!(broken.frame().await.unwrap().is_ok());
    registry.pieces.close();
    let read = tokio::time::timeout(PATIENCE, broken.into_body().collect()).await.expect("it ends");
    assert!(read.is_err(), "who read it knows that it broke off");
    assert_eq!(relay.ask(&layer).await.status(), 502);
    assert_eq!(registry.asked.load(Ordering::Relaxed), 1);
    let _ = relay.ask(&layer).await;
    assert_eq!(registry.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_where_nobody_expects_it() {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let run = |token: Option<&str>, registry: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kamal-proxy"));
        command.env_clear().envs(token.map(|token| ("KAMAL_LAYERS_TOKEN", token)));
        command.args(["layers", "--registry", registry, "--listen", &format!("127.0.0.1:{port}")]);
        let output = command.arg("--folder").arg(folder.path()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let nobody = format!("127.0.0.1:{}", free_port());
    let (status, said) = tokio::task::block_in_place(|| run(Some("t"), &nobody));
    assert_eq!(status, Some(1), "{said}");
    let stranger = Upstream::start(|_| async { text(404, "") }).await;
    let (status, said) = tokio::task::block_in_place(|| run(Some("t"), &stranger.address));
    assert_eq!((status, &*said), (Some(1), "Error: the registry answers /v2/_layers with 404 Not Found\n"));
    let (status, said) = tokio::task::block_in_place(|| run(None, &nobody));
    assert_eq!((status, &*said), (Some(1), "Error: KAMAL_LAYERS_TOKEN is not set\n"));
    let (status, said) = tokio::task::block_in_place(|| run(Some("t"), "localhost"));
    assert_eq!((status, &*said), (Some(1), "Error: registry must be an address and a port, not \"localhost\"\n"));
}
