//! A proxy, targets and clients for tests.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

/// Longer than anything here should take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The proxy, and how it is started.
const PROGRAM: &str = env!("CARGO_BIN_EXE_kamal-proxy");
const RUN: [&str; 3] = ["run", "--http-port=0", "--https-port=0"];

pub(crate) type TestBody = BoxBody<Bytes, std::io::Error>;

/// A proxy of its own, killed at the end of the test.
pub(crate) struct Proxy {
    pub(crate) home: Arc<TempDir>,
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    log: Arc<Mutex<Vec<Value>>>,
    child: Child,
}

impl Proxy {
    pub(crate) fn start() -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()), &[])
    }

    /// Starts with a home that may hold the state of an earlier proxy.
    pub(crate) fn start_in(home: Arc<TempDir>, arguments: &[&str]) -> Self {
        let mut run = command(&home);
        run.args(RUN).args(arguments);
        Self::run(home, run)
    }

    /// Starts where a process may have so many files open.
    pub(crate) fn start_with_files(files: u32) -> Self {
        let home = Arc::new(tempfile::tempdir().unwrap());
        let mut shell = in_home(&home, "/bin/sh");
        shell.args(["-c", "ulimit -n $0; exec \"$@\"", &files.to_string(), PROGRAM]).args(RUN);
        Self::run(home, shell)
    }

    fn run(home: Arc<TempDir>, mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (started, ports) = std::sync::mpsc::channel();
        let sink = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let line: Value = serde_json::from_str(&line).unwrap();
                if line["msg"] == "Server started" {
                    let port = |name: &str| u16::try_from(line[name].as_u64().unwrap()).unwrap();
                    let _ = started.send((port("http"), port("https")));
                }
                sink.lock().unwrap().push(line);
            }
        });
        let (http, https) = ports.recv_timeout(PATIENCE).expect("the proxy starts");
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self { home, http: local(http), https: local(https), log, child }
    }

    /// Runs a command against this proxy.
    pub(crate) fn command(&self, line: &str) -> Output {
        let run = || command(&self.home).args(line.split_whitespace()).output().unwrap();
        tokio::task::block_in_place(run)
    }

    /// Runs a command that is to succeed; gives what it printed.
    pub(crate) fn ok(&self, line: &str) -> String {
        let output = self.command(line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that is to fail; gives its error.
    pub(crate) fn fails(&self, line: &str) -> String {
        let output = self.command(line);
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap().trim_end().to_owned()
    }

    /// Starts a command without waiting for it.
    pub(crate) fn spawn(&self, line: &str) -> Child {
        command(&self.home).args(line.split_whitespace()).spawn().unwrap()
    }

    pub(crate) async fn get(&self, url: &str) -> Reply {
        self.send(get(url)).await
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Reply {
        Reply::read(self.open(request).await).await
    }

    /// Sends a request over a connection of its own and gives the response as it begins.
    pub(crate) async fn open(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(TcpStream::connect(self.http).await.unwrap()))
                .await
                .unwrap();
        tokio::spawn(connection.with_upgrades());
        tokio::time::timeout(PATIENCE, sender.send_request(request)).await.expect("an answer in time").unwrap()
    }

    /// Waits for a line of the log.
    pub(crate) async fn logged(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            if let Some(line) = self.log.lock().unwrap().iter().find(|line| wanted(line)) {
                return line.clone();
            }
            assert!(start.elapsed() < PATIENCE, "not in the log: {:#?}", self.log.lock().unwrap());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// How many lines of the log are such.
    pub(crate) fn count(&self, wanted: impl Fn(&Value) -> bool) -> usize {
        self.log.lock().unwrap().iter().filter(|line| wanted(line)).count()
    }

    /// What it has in memory, in KiB.
    pub(crate) fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    pub(crate) fn wait(&mut self) -> Option<i32> {
        tokio::task::block_in_place(|| self.child.wait().unwrap().code())
    }

    pub(crate) fn state(&self) -> String {
        std::fs::read_to_string(self.home.path().join(".config/kamal-proxy/kamal-proxy.state")).unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            for line in self.log.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                eprintln!("{line}");
            }
        }
    }
}

fn command(home: &TempDir) -> Command {
    in_home(home, PROGRAM)
}

fn in_home(home: &TempDir, program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("HOME", home.path())
        .env("TMPDIR", home.path())
        // Whom the proxy trusts besides the well-known, where a test puts it there.
        .env("SSL_CERT_FILE", home.path().join("roots.pem"))
        .env("KAMAL_PROXY_SOCKET", home.path().join("control.sock"));
    command
}

/// A GET request; the host of the URL becomes the Host header.
pub(crate) fn get(url: &str) -> Request<Full<Bytes>> {
    request("GET", url, "")
}

pub(crate) fn request(method: &str, url: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let uri: http::Uri = url.parse().unwrap();
    let host = uri.authority().map_or("localhost", http::uri::Authority::as_str).to_owned();
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
    Request::builder().method(method).uri(path).header("host", host).body(Full::new(body.into())).unwrap()
}

/// What is published on the port for metrics.
pub(crate) async fn metrics(port: u16) -> Reply {
    let io = TokioIo::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    Reply::read(sender.send_request(get("http://a/x")).await.unwrap()).await
}

/// A whole response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) async fn read(response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let body = tokio::time::timeout(PATIENCE, body.collect()).await.expect("a body in time").unwrap().to_bytes();
        Self { status: head.status.as_u16(), headers: head.headers, body: String::from_utf8_lossy(&body).into_owned() }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A target on a port of its own.
pub(crate) struct Upstream {
    pub(crate) address: String,
}

impl Upstream {
    /// Answers each request the way `answer` does, but for `/up`, which is always fine.
    pub(crate) async fn start<F, R>(answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
        R: Future<Output = Response<TestBody>> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let answer = Arc::clone(&answer);
                tokio::spawn(async move {
                    let service = service_fn(|request: Request<Incoming>| async {
                        let response =
                            if request.uri().path() == "/up" { text(200, "up") } else { answer(request).await };
                        Ok::<_, std::io::Error>(response)
                    });
                    let io = TokioIo::new(stream);
                    let _ =
                        hyper::server::conn::http1::Builder::new().serve_connection(io, service).with_upgrades().await;
                });
            }
        });
        Self { address }
    }

    /// Answers every request with its name.
    pub(crate) async fn named(name: &'static str) -> Self {
        Self::start(move |_| async move { text(200, name) }).await
    }

    /// Answers with the request line and headers it got, in JSON.
    pub(crate) async fn mirror() -> Self {
        Self::start(|request| async move {
            let headers: serde_json::Map<String, Value> = request
                .headers()
                .keys()
                .map(|name| {
                    let values: Vec<_> = request.headers().get_all(name).iter().map(|v| v.to_str().unwrap()).collect();
                    (name.to_string(), values.join(" | ").into())
                })
                .collect();
            let (method, uri) = (request.method().to_string(), request.uri().to_string());
            let body = request.collect().await.map(|body| body.to_bytes().len()).unwrap_or_default();
            let seen = serde_json::json!({"method": method, "uri": uri, "headers": headers, "body": body});
            text(200, seen.to_string())
        })
        .await
    }
}

pub(crate) fn text(status: u16, body: impl Into<Bytes>) -> Response<TestBody> {
    let mut response = Response::new(Full::new(body.into()).map_err(|never| match never {}).boxed());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}
