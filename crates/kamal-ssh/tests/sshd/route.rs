//! The ways to a host: ssh config, jump hosts, proxy commands.

use std::fmt::Write as _;

use kamal_core::ports::{Ssh as _, TransportErrorKind as Kind};
use kamal_ssh::{Connector, Options};

use crate::server::{Server, sh};

fn with_config(server: &Server, config: &str) -> Options {
    let mut options = server.options();
    std::fs::write(server.file("config"), config).unwrap();
    options.config_files = vec![server.file("config")];
    options
}

#[tokio::test]
async fn ssh_config_names_everything() {
    let server = Server::start();
    let config = format!(
        "Host app\n HostName 127.0.0.1\n Port {}\n User root\n IdentityFile ~/id_%r\n IdentitiesOnly yes\n \
         UserKnownHostsFile ~/other_hosts\n HostKeyAlias nickname\n",
        server.port
    );
    let mut options = with_config(&server, &config);
    options.keys.clear();
    options.known_hosts.clear();
    std::fs::copy(server.file("id_ed25519"), server.file("id_root")).unwrap();
    let connector = Connector::new(options);
    let host = connector.connect(&"app".parse().unwrap()).await.unwrap();
    assert_eq!(sh(&*host, "echo in").await.0, "in\n");
    let recorded = std::fs::read_to_string(server.file("other_hosts")).unwrap();
    assert!(recorded.starts_with("nickname ssh-ed25519 "), "{recorded}");
}

/// Two hops, each an sshd of its own, and the goal reached only as the last hop sees it.
#[tokio::test]
async fn two_hops() {
    let (first, second, goal) = (Server::start(), Server::start(), Server::start());
    let mut config = String::new();
    for (name, server) in [("first", &first), ("second", &second), ("goal", &goal)] {
        writeln!(
            config,
            "Host {name}\n HostName 127.0.0.1\n Port {}\n IdentityFile {}",
            server.port,
            server.file("id_ed25519").display()
        )
        .unwrap();
    }
    let mut options = with_config(&goal, &config);
    options.keys.clear();
    options.proxy_jump = Some("first,root@second".to_owned());
    let connector = Connector::new(options.clone());
    for name in ["goal", "root@goal"] {
        let host = connector.connect(&name.parse().unwrap()).await.unwrap();
        let (out, _, _) = sh(&*host, "echo $SSH_CONNECTION").await;
        assert!(out.trim().ends_with(&goal.port.to_string()), "{out}");
    }
    assert_eq!(first.sessions().len(), 1, "the hops are shared");
    assert_eq!(second.sessions().len(), 1, "the hops are shared");
    // The same from ssh config, where `Host *` would send the first hop over itself.
    config.push_str("Host *\n ProxyJump first\n");
    let mut options = with_config(&goal, &config);
    options.keys.clear();
    let connector = Connector::new(options);
    let host = connector.connect(&"goal".parse().unwrap()).await.unwrap();
    assert_eq!(sh(&*host, "echo in").await.0, "in\n");
}

#[tokio::test]
async fn a_circle_of_hops_is_noticed() {
    let server = Server::start();
    let options = with_config(&server, "Host a\n ProxyJump b\nHost b\n ProxyJump c\nHost c\n ProxyJump b\n");
    let (connector, name) = (Connector::new(options), "a".parse().unwrap());
    let connecting = connector.connect(&name);
    let error = tokio::time::timeout(std::time::Duration::from_secs(10), connecting).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("circle"), "{error}");
}

#[tokio::test]
async fn a_hop_that_forbids_it_and_a_goal_that_is_not_there() {
    let (forbids, allows) = (Server::with("AllowTcpForwarding no\n"), Server::start());
    let refused = crate::free_port::free_port();
    for (hop, forbidden) in [(&forbids, true), (&allows, false)] {
        let mut options = hop.options();
        options.proxy_jump = Some(hop.host().to_string());
        let error =
            Connector::new(options).connect(&format!("127.0.0.1:{refused}").parse().unwrap()).await.unwrap_err();
        match error.kind {
            Kind::Protocol(ref why) if forbidden => assert!(why.contains("AllowTcpForwarding"), "{error}"),
            Kind::Refused(_) if !forbidden => {}
            _ => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_proxy_command() {
    let server = Server::start();
    let mut options = server.options();
    let python = "import socket,sys,threading,os\ns=socket.create_connection((sys.argv[1],int(sys.argv[2])))\n\
        def up():\n    while True:\n        b=os.read(0,65536)\n        if not b: break\n        s.sendall(b)\n    s.shutdown(1)\n\
        threading.Thread(target=up,daemon=True).start()\nwhile True:\n    b=s.recv(65536)\n    if not b: break\n    os.write(1,b)\n";
    std::fs::write(server.file("relay.py"), python).unwrap();
    options.proxy_command = Some(format!("python3 {} %h %p", server.file("relay.py").display()));
    let host = Connector::new(options.clone()).connect(&server.host()).await.unwrap();
    assert_eq!(sh(&*host, "echo in").await.0, "in\n");
    options.proxy_command = Some("sh -c 'echo no way to %h >&2; exit 1'".to_owned());
    let error = Connector::new(options).connect(&server.host()).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Network(_)), "{error:?}");
    assert!(error.to_string().contains("no way to 127.0.0.1"), "{error}");
}

#[tokio::test]
async fn algorithms_as_ssh_config_has_them() {
    let server = Server::with("Ciphers aes128-gcm@openssh.com\nKexAlgorithms ecdh-sha2-nistp256\nLogLevel DEBUG\n");
    // Neither is offered unless asked for.
    let mut options = with_config(&server, "");
    let error = Connector::new(options.clone()).connect(&server.host()).await.unwrap_err();
    assert!(error.to_string().contains("in common"), "{error}");
    options = with_config(&server, "Ciphers +aes128-gcm@openssh.com\nKexAlgorithms ^ecdh-sha2-nistp256,unheard-of\n");
    let host = Connector::new(options).connect(&server.host()).await.unwrap();
    assert_eq!(sh(&*host, "echo in").await.0, "in\n");
    let options = with_config(&server, "MACs unheard-of\n");
    let error = Connector::new(options).connect(&server.host()).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Client(_)) && error.to_string().contains("MACs unheard-of"), "{error}");
}

/// Only jumping needs it: everything else works.
#[tokio::test]
async fn a_server_that_forbids_forwarding_still_runs_scripts() {
    let server = Server::with("AllowTcpForwarding no\n");
    let host = server.connect().await;
    assert_eq!(sh(&*host, "echo in").await.0, "in\n");
    host.upload(b"x", &server.file("uploaded").display().to_string(), 0o600).await.unwrap();
}
