//! Starting, stopping, and the command line as a process (spec 1, 10).

use std::io::Write;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::support::{Proxy, Upstream, text};

// spec 11.O.230
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_request_under_way_outlives_the_signal() {
    let mut proxy = Proxy::start();
    let (arrived, seen) = tokio::sync::mpsc::unbounded_channel();
    let mut seen = seen;
    let target = Upstream::start(move |_| {
        let _ = arrived.send(());
        async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            text(200, "finished")
        }
    })
    .await;
    proxy.ok(&format!("deploy app --target {}", target.address));
    let request = super::support::get("http://localhost/");
    let address = proxy.http;
    let response = {
        let opened = proxy.open(request);
        tokio::pin!(opened);
        tokio::select! {
            _ = &mut opened => panic!("too early"),
            _ = seen.recv() => {}
        }
        proxy.signal("-TERM");
        opened.await
    };
    assert_eq!(super::support::Reply::read(response).await.body, "finished");
    assert_eq!(proxy.wait(), Some(0));
    assert!(TcpStream::connect(address).await.is_err());
    assert!(!proxy.home.path().join("control.sock").exists());
    proxy.logged(|line| line["msg"] == "Server stopped").await;
}

// spec 11.O.221
#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_process() {
    let proxy = Proxy::start();
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let socket = home.path().join("none.sock");
        let mut command = Command::new(env!("CARGO_BIN_EXE_kamal-proxy"));
        let output =
            command.env_clear().env("HOME", home.path()).env("KAMAL_PROXY_SOCKET", socket).args(arguments).output();
        let output = output.unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let path = home.path().join("none.sock");
    let text = format!("Error: dial unix {}: connect: no such file or directory\n", path.display());
    assert_eq!(run(&["list"]), (Some(1), text));
    let port = proxy.http.port();
    let text = format!("Error: listen tcp :{port}: bind: address already in use\n");
    assert_eq!(run(&["run", "--https-port=0", &format!("--http-port={port}")]), (Some(1), text));
}

// spec 11.M.203 over the socket as it is, and what happens to nonsense.
// What could not be saved would be undone by the next start, and nobody would know.
#[tokio::test(flavor = "multi_thread")]
async fn state_that_cannot_be_saved() {
    let proxy = Proxy::start();
    let (first, second) = (Upstream::named("first").await, Upstream::named("second").await);
    proxy.ok(&format!("deploy app --target {}", first.address));
    let blocked = proxy.home.path().join(".config/kamal-proxy/kamal-proxy.state.new");
    std::fs::create_dir_all(blocked.join("x")).unwrap();
    let error = proxy.fails(&format!("deploy app --target {}", second.address));
    assert!(error.starts_with("Error: nothing was changed, as the state could not be saved in /"), "{error}");
    assert_eq!(proxy.get("http://localhost/").await.body, "first");
    let error = proxy.fails("stop app");
    assert!(error.starts_with("Error: it is done, but will be forgotten at the next start"), "{error}");
    assert_eq!(proxy.get("http://localhost/").await.status, 503);
    std::fs::remove_dir_all(&blocked).unwrap();
    proxy.ok("resume app");
    proxy.ok(&format!("deploy app --target {}", second.address));
    assert_eq!(proxy.get("http://localhost/").await.body, "second");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_socket() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    let proxy = Proxy::start();
    let path = proxy.home.path().join("control.sock");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"nonsense\n{\"method\":\"list\"}\n").unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(stream));
    assert!(lines.next().unwrap().unwrap().starts_with("{\"error\":\"request not understood"));
    assert_eq!(lines.next().unwrap().unwrap(), "{\"services\":{}}");
}

// spec 11.C.56, 11.C.57, 11.O.233
#[tokio::test(flavor = "multi_thread")]
async fn metrics() {
    // A free port, as the metrics port 0 means none.
    let port = super::free_port::free_port();
    let home = Arc::new(tempfile::tempdir().unwrap());
    let proxy = Proxy::start_in(home, &["--metrics-port", &port.to_string()]);
    let target = Upstream::named("app").await;
    proxy.ok(&format!("deploy app --target {} --exclude-metrics-path /quiet", target.address));
    for path in ["/", "/", "/quiet"] {
        proxy.get(&format!("http://localhost{path}")).await;
    }
    proxy.logged(|line| line["path"] == "/quiet").await;
    let reply = super::support::metrics(port).await;
    let total = "kamal_proxy_http_requests_total{method=\"GET\",service=\"app\",status=\"200\"} 2";
    assert!(reply.body.lines().any(|line| line == total), "{}", reply.body);
    assert!(reply.header("content-type").starts_with("text/plain; version=0.0.4"));
    let labels = format!("service=\"app\",target=\"{}\",role=\"writer\",slot=\"active\"", target.address);
    for line in [
        format!("kamal_proxy_target_healthy{{{labels}}} 1"),
        format!("kamal_proxy_target_in_flight_requests{{{labels}}} 0"),
        "kamal_proxy_service_state{service=\"app\",state=\"running\"} 1".to_owned(),
        "kamal_proxy_service_state{service=\"app\",state=\"paused\"} 0".to_owned(),
    ] {
        assert!(reply.body.lines().any(|l| l == line), "{line} in {}", reply.body);
    }
    assert!(reply.body.contains("\nkamal_proxy_connections "));
}
