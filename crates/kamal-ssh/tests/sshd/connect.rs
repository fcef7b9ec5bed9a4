//! Connecting, and the ways it fails.

use std::time::Duration;

use futures_util::future::join_all;
use kamal_core::ports::{Ssh as _, TransportErrorKind as Kind};
use kamal_ssh::Connector;

use crate::server::{Server, free_port, keygen, sh};

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
async fn a_new_host_is_recorded_and_a_changed_one_refused() {
    let server = Server::start();
    sh(&*server.connect().await, "true").await;
    let known = std::fs::read_to_string(server.file("known_hosts")).unwrap();
    assert!(known.starts_with(&format!("[127.0.0.1]:{} ssh-ed25519 ", server.port)), "{known}");
    sh(&*server.connect().await, "true").await;
    assert_eq!(std::fs::read_to_string(server.file("known_hosts")).unwrap(), known, "recorded once");
    // The same place with another key.
    let (port, kept) = (server.port, tempfile::NamedTempFile::new().unwrap());
    std::fs::write(kept.path(), known).unwrap();
    drop(server);
    let server = Server::on(port, "");
    let mut options = server.options();
    options.known_hosts = vec![kept.path().to_owned()];
    let error = Connector::new(options).connect(&server.host()).await.unwrap_err();
    assert!(matches!(error.kind, Kind::HostKeyChanged(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&format!("{}:1", kept.path().display())) && text.contains("ssh-keygen"), "{text}");
}

#[tokio::test]
async fn an_unknown_host_is_refused_where_nobody_may_accept_it() {
    let server = Server::start();
    let mut options = server.options();
    options.accept_new = false;
    let error = Connector::new(options).connect(&server.host()).await.unwrap_err();
    assert!(matches!(error.kind, Kind::HostKeyUnknown(_)), "{error:?}");
    assert!(error.to_string().contains("SHA256:"), "{error}");
    assert!(!server.file("known_hosts").exists());
}

#[tokio::test]
async fn an_algorithm_known_already_is_asked_for_first() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("rsa").display().to_string();
    keygen(&["-t", "rsa", "-b", "2048", "-f", &key]);
    let server = Server::with(&format!("HostKey {key}\n"));
    let public = std::fs::read_to_string(format!("{key}.pub")).unwrap();
    std::fs::write(server.file("known_hosts"), format!("[127.0.0.1]:{} {public}", server.port)).unwrap();
    let mut options = server.options();
    options.accept_new = false;
    let host = Connector::new(options).connect(&server.host()).await.unwrap();
    assert_eq!(sh(&*host, "echo x").await.0, "x\n");
}

#[tokio::test]
async fn a_host_certificate_is_trusted_through_its_authority() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    keygen(&["-t", "ed25519", "-f", &at("ca")]);
    keygen(&["-t", "ed25519", "-f", &at("host")]);
    keygen(&["-s", &at("ca"), "-I", "web", "-h", "-n", "127.0.0.1", "-V", "+1d", &at("host.pub")]);
    let server = Server::with(&format!("HostKey {}\nHostCertificate {}\n", at("host"), at("host-cert.pub")));
    let authority = std::fs::read_to_string(at("ca.pub")).unwrap();
    std::fs::write(server.file("known_hosts"), format!("@cert-authority [127.0.0.1]:* {authority}")).unwrap();
    let mut options = server.options();
    options.accept_new = false;
    let host = Connector::new(options.clone()).connect(&server.host()).await.unwrap();
    assert_eq!(sh(&*host, "echo x").await.0, "x\n");
    // Signed for somebody else.
    keygen(&["-s", &at("ca"), "-I", "web", "-h", "-n", "other.example", "-V", "+1d", &at("host.pub")]);
    let server = Server::with(&format!("HostKey {}\nHostCertificate {}\n", at("host"), at("host-cert.pub")));
    let error = Connector::new(options).connect(&server.host()).await.unwrap_err();
    assert!(error.to_string().contains("other.example"), "{error}");
}

#[tokio::test]
async fn failures_of_the_network_are_told_apart() {
    let server = Server::start();
    let mut options = server.options();
    options.dns_retries = 1;
    options.connect_timeout = Duration::from_millis(500);
    let connector = Connector::new(options);
    let error = async |host: &str| connector.connect(&host.into()).await.unwrap_err();
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
    let client = error("a b").await;
    assert!(matches!(client.kind, Kind::Client(_)), "{client:?}");
    for error in [refused, unresolved, timed_out, foreign, client] {
        assert!(!error.to_string().contains('\n') && !error.outcome_unknown(), "{error}");
    }
}
