//! Hosts that stop answering: a relay between us and a real sshd that goes silent without closing anything, as a cut
//! cable or a crashed machine does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use kamal_core::ports::{Ssh as _, TransportErrorKind as Kind};
use kamal_ssh::Connector;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::server::{Server, sh, try_sh};

/// A port that leads to a server until it is told to keep silent.
async fn relay(to: u16) -> (u16, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let silent = Arc::new(AtomicBool::new(false));
    let cut = silent.clone();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            tokio::spawn(carry(near_in, far_out, cut.clone()));
            tokio::spawn(carry(far_in, near_out, cut.clone()));
        }
    });
    (port, silent)
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    cut: Arc<AtomicBool>,
) {
    let mut bytes = vec![0; 65536];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        // What arrives is lost, and both ends stay open.
        if !cut.load(Ordering::SeqCst) && to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stops_answering_is_given_up_within_fifteen_seconds() {
    let server = Server::start();
    let (port, silent) = relay(server.port).await;
    // The limit as it is by default.
    let options = server.options();
    assert_eq!(options.keepalive, Duration::from_secs(15));
    let connector = Connector::new(options);
    let name = format!("root@127.0.0.1:{port}").parse().unwrap();
    let host = connector.connect(&name).await.unwrap();
    assert_eq!(sh(&*host, "echo in").await.0, "in\n");
    let mut cutting = Instant::now();
    let error = server
        .interrupted(&*host, || {
            silent.store(true, Ordering::SeqCst);
            cutting = Instant::now();
        })
        .await;
    let took = cutting.elapsed();
    assert!(matches!(error.kind, Kind::Lost(_)) && error.outcome_unknown(), "{error:?}");
    assert!(error.to_string().contains("stopped answering"), "{error}");
    assert!(took < Duration::from_secs(15), "{took:?}");
    // It is called again when it is back.
    silent.store(false, Ordering::SeqCst);
    assert_eq!(sh(&*host, "echo back").await.0, "back\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_config_says_how_soon() {
    let server = Server::start();
    let (port, silent) = relay(server.port).await;
    let mut options = server.options();
    std::fs::write(server.file("config"), "ServerAliveInterval 1\nServerAliveCountMax 1\n").unwrap();
    options.config_files = vec![server.file("config")];
    let connector = Connector::new(options);
    let name = format!("root@127.0.0.1:{port}").parse().unwrap();
    let host = connector.connect(&name).await.unwrap();
    sh(&*host, "true").await;
    silent.store(true, Ordering::SeqCst);
    let began = Instant::now();
    let error = try_sh(&*host, "true").await.unwrap_err();
    assert!(error.outcome_unknown(), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
}
