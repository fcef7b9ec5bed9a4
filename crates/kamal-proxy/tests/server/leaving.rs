//! Clients are sent elsewhere before a proxy is stopped (spec 12.4.8).

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::support::{Proxy, Upstream, get};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_end_with_their_next_answer_and_commands_wait() {
    let proxy = Proxy::start();
    let (first, second) = (Upstream::named("first").await, Upstream::named("second").await);
    proxy.ok(&format!("deploy app --target {}", first.address));
    let (mut sender, connection) =
        handshake(TokioIo::new(TcpStream::connect(proxy.http).await.unwrap())).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut ask = async || {
        let answer = sender.send_request(get("http://localhost/")).await.unwrap();
        let closes = answer.headers().get("connection").is_some_and(|value| value == "close");
        (closes, String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
    };
    assert_eq!(ask().await, (false, "first".into()));

    let mut leave = proxy.spawn("leave --drain-timeout 20s");
    // Others are served meanwhile, and asked to come again elsewhere.
    while proxy.get("http://localhost/").await.header("connection") != "close" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut deploy = proxy.spawn(&format!("deploy app --target {}", second.address));
    proxy.logged(|line| line["msg"] == "Target health updated" && line["target"] == second.address.as_str()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(leave.try_wait().unwrap().is_none() && deploy.try_wait().unwrap().is_none());
    assert_eq!(ask().await, (true, "first".into()));
    connection.await.unwrap().unwrap();

    for child in [&mut leave, &mut deploy] {
        assert!(tokio::task::block_in_place(|| child.wait().unwrap()).success());
    }
    let answer = proxy.get("http://localhost/").await;
    assert_eq!((answer.body.as_str(), answer.header("connection")), ("second", ""), "it serves as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stays_is_not_waited_for_longer_than_asked() {
    let proxy = Proxy::start();
    let silent = TcpStream::connect(proxy.http).await.unwrap();
    proxy.logged(|line| line["msg"] == "Server started").await;
    proxy.ok("leave --drain-timeout 50ms");
    drop(silent);
    assert_eq!(proxy.fails("leave now"), "Error: unknown command \"now\" for \"kamal-proxy leave\"");
}
