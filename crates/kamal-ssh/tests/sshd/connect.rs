//! Connecting, and the ways it fails.

use std::time::Duration;

use futures_util::future::join_all;
use kamal_core::ports::{Ssh as _, TransportErrorKind as Kind};
use kamal_ssh::{Connector, Options};

use crate::{
    free_port::free_port,
    server::{Server, sh},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_connected_to_once() {
    let server = Server::with("LogLevel VERBOSE\n");
    let connector = Connector::new(server.options());
    let name = server.host();
    let hosts = join_all((0..10).map(|_| connector.connect(&name))).await;
    for host in hosts {
        assert_eq!(sh(&*host.unwrap(), "echo x").await.0, "x\n");
    }
    assert_eq!(server.log().matches("Accepted publickey").count(), 1, "{}", server.log());
}

#[tokio::test]
async fn a_connection_nobody_used_for_long_is_replaced() {
    let server = Server::start();
    let limit = Duration::from_millis(400);
    let connector = Connector::new(Options { idle_timeout: Some(limit), ..server.options() });
    let host = connector.connect(&server.host()).await.unwrap();
    let port = async || sh(&*host, "echo $SSH_CONNECTION").await.0;
    let first = port().await;
    assert_eq!(port().await, first);
    // A script that takes longer uses it all the time.
    sh(&*host, "sleep 0.6").await;
    assert_eq!(port().await, first);
    tokio::time::sleep(limit * 2).await;
    assert_ne!(port().await, first);
    // So does a port seen through it, however quiet.
    let _stream = connector.open_tcp(&server.host(), "127.0.0.1", server.port).await.unwrap();
    let second = port().await;
    tokio::time::sleep(limit * 2).await;
    assert_eq!(port().await, second);
}

#[tokio::test]
async fn dropping_the_connector_hangs_up() {
    let server = Server::start();
    let connector = Connector::new(server.options());
    let host = connector.connect(&server.host()).await.unwrap();
    sh(&*host, "true").await;
    assert_eq!(server.sessions().len(), 1);
    drop(host);
    drop(connector);
    let hung_up = async {
        while !server.sessions().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), hung_up).await.unwrap();
}

#[tokio::test]
async fn failures_of_the_network_are_told_apart() {
    let server = Server::start();
    let mut options = server.options();
    options.dns_retries = 1;
    options.connect_timeout = Duration::from_millis(500);
    let connector = Connector::new(options);
    let error = async |host: &str| connector.connect(&host.parse().unwrap()).await.unwrap_err();
    let refused = error(&format!("127.0.0.1:{}", free_port())).await;
    assert!(matches!(refused.kind, Kind::Refused(_)), "{refused:?}");
    let unresolved = error("no-such-host.invalid").await;
    assert!(matches!(unresolved.kind, Kind::Resolve(_)), "{unresolved:?}");
    // Something that accepts and says nothing, and something that speaks another language.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let timed_out = error(&silent.local_addr().unwrap().to_string()).await;
    assert!(matches!(timed_out.kind, Kind::TimedOut(_)), "{timed_out:?}");
    let web = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = web.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        use std::io::Write as _;
        let (mut stream, _) = web.accept().unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let foreign = error(&address).await;
    assert!(matches!(foreign.kind, Kind::Protocol(_) | Kind::Network(_)), "{foreign:?}");
    let client = error("a:x").await;
    assert!(matches!(client.kind, Kind::Client(_)), "{client:?}");
    for error in [refused, unresolved, timed_out, foreign, client] {
        assert!(!error.to_string().contains('\n') && !error.outcome_unknown(), "{error}");
    }
}
