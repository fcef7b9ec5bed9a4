//! Connections through a host, and the forwarded agent.

use kamal_core::ports::{Ssh as _, TransportErrorKind as Kind};
use kamal_ssh::Connector;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{
    free_port::free_port,
    server::{Server, sh},
};

#[tokio::test]
async fn we_connect_through_a_host() {
    let server = Server::start();
    let connector = Connector::new(server.options());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream =
        connector.open_tcp(&server.host(), "127.0.0.1", listener.local_addr().unwrap().port()).await.unwrap();
    let (mut far, _) = listener.accept().await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    let mut text = [0; 5];
    far.read_exact(&mut text).await.unwrap();
    assert_eq!(&text, b"hello");
    let error = connector.open_tcp(&server.host(), "127.0.0.1", free_port()).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Refused(_)), "{error:?}");
}

#[tokio::test]
async fn the_agent_is_lent_only_when_asked_for() {
    let server = Server::start();
    let mut options = server.options();
    options.agent = Some(server.file("agent"));
    let host = Connector::new(options.clone()).connect(&server.host()).await.unwrap();
    assert_eq!(sh(&*host, "echo ${SSH_AUTH_SOCK-none}").await.0, "none\n");
    options.forward_agent = true;
    let host = Connector::new(options).connect(&server.host()).await.unwrap();
    assert_ne!(sh(&*host, "echo ${SSH_AUTH_SOCK-none}").await.0, "none\n");
    let agent = tokio::net::UnixListener::bind(server.file("agent")).unwrap();
    let asking = sh(&*host, "ssh-add -l");
    let answering = async {
        let (mut stream, _) = agent.accept().await.unwrap();
        let mut request = [0; 5];
        stream.read_exact(&mut request).await.unwrap();
        // SSH_AGENT_IDENTITIES_ANSWER with no identity.
        stream.write_all(&[0, 0, 0, 5, 12, 0, 0, 0, 0]).await.unwrap();
        request
    };
    let ((out, _, _), request) = tokio::join!(asking, answering);
    assert_eq!(request, [0, 0, 0, 1, 11]);
    assert!(out.contains("no identities"), "{out}");
}
