//! Proving who we are.

use std::process::{Command, Stdio};

use kamal_core::{
    ports::{Ssh as _, TransportErrorKind as Kind},
    secret::Secret,
};
use kamal_ssh::{Connector, Options, Passphrase};

use crate::server::{Server, keygen, sh};

async fn works(server: &Server, options: Options) {
    let host = Connector::new(options)
        .connect(&server.host())
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", server.log()));
    assert_eq!(sh(&*host, "echo in").await.0, "in\n");
}

async fn fails(server: &Server, options: Options) -> String {
    let error = Connector::new(options).connect(&server.host()).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Authentication(_)), "{error:?}");
    assert!(!error.to_string().contains('\n'), "{error}");
    error.to_string()
}

fn new_key(server: &Server, name: &str, args: &[&str], allowed: bool) {
    let file = server.file(name).display().to_string();
    keygen(&[args, &["-f", &file]].concat());
    if allowed {
        let keys = server.file("authorized_keys");
        let public = std::fs::read_to_string(format!("{file}.pub")).unwrap();
        std::fs::write(&keys, std::fs::read_to_string(&keys).unwrap() + &public).unwrap();
    }
}

#[tokio::test]
async fn every_type_of_key() {
    let server = Server::start();
    new_key(&server, "ecdsa", &["-t", "ecdsa", "-b", "384"], true);
    new_key(&server, "rsa", &["-t", "rsa", "-b", "2048"], true);
    new_key(&server, "pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"], true);
    for name in ["ecdsa", "rsa", "pem", "id_ed25519"] {
        let mut options = server.options();
        options.keys = vec![server.file(name)];
        works(&server, options).await;
    }
}

#[tokio::test]
async fn refused_keys_are_listed() {
    let server = Server::start();
    new_key(&server, "wrong", &["-t", "ed25519"], false);
    let mut options = server.options();
    options.keys = vec![server.file("wrong"), server.file("missing")];
    let text = fails(&server, options).await;
    for part in ["SHA256:", "wrong", "missing: no such file", "the server takes publickey", "authorized_keys"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn no_more_keys_are_tried_than_the_server_bears() {
    let server = Server::start();
    let mut options = server.options();
    options.keys.clear();
    for n in 0..7 {
        let name = format!("wrong{n}");
        new_key(&server, &name, &["-t", "ed25519"], false);
        options.keys.push(server.file(&name));
    }
    let text = fails(&server, options).await;
    assert_eq!(text.matches("SHA256:").count(), 5, "{text}");
}

#[tokio::test]
async fn keys_in_the_configuration() {
    let server = Server::start();
    let mut options = server.options();
    options.keys.clear();
    options.key_data = vec![Secret::new(std::fs::read_to_string(server.file("id_ed25519")).unwrap())];
    works(&server, options.clone()).await;
    options.key_data = vec![Secret::new("nonsense")];
    assert!(fails(&server, options).await.contains("key_data number 1: it is not a private key"));
}

#[tokio::test]
async fn an_encrypted_key_asks_for_its_passphrase_once() {
    let server = Server::start();
    new_key(&server, "locked", &["-t", "ed25519", "-N", "open sesame"], true);
    let mut options = server.options();
    options.keys = vec![server.file("locked")];
    assert!(fails(&server, options.clone()).await.contains("ssh-add"));
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = asked.clone();
    options.passphrase = Some(Passphrase::new(move |path| {
        assert!(path.ends_with("/locked"));
        count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Some(Secret::new("open sesame"))
    }));
    let connector = Connector::new(options.clone());
    for host in [server.host(), format!("root@localhost:{}", server.port).as_str().into()] {
        assert_eq!(sh(&*connector.connect(&host).await.unwrap(), "echo in").await.0, "in\n");
    }
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 1);
    options.passphrase = Some(Passphrase::new(|_| Some(Secret::new("wrong"))));
    assert!(fails(&server, options).await.contains("passphrase is wrong"));
}

#[tokio::test]
async fn a_certificate_beside_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    keygen(&["-t", "ed25519", "-f", &at("ca")]);
    keygen(&["-t", "ed25519", "-f", &at("id")]);
    keygen(&["-s", &at("ca"), "-I", "me", "-n", "root", "-V", "+1d", &at("id.pub")]);
    let server = Server::with(&format!("TrustedUserCAKeys {}\n", at("ca.pub")));
    let mut options = server.options();
    options.keys = vec![at("id").into()];
    works(&server, options.clone()).await;
    std::fs::remove_file(at("id-cert.pub")).unwrap();
    fails(&server, options).await;
}

/// An ssh-agent that ends with the test.
struct Agent {
    child: std::process::Child,
    socket: std::path::PathBuf,
}

impl Agent {
    fn start(server: &Server) -> Self {
        let socket = server.file("agent");
        let child = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Self { child, socket }
    }

    fn add(&self, key: &std::path::Path) {
        let run = Command::new("ssh-add").arg(key).env("SSH_AUTH_SOCK", &self.socket).output().unwrap();
        assert!(run.status.success(), "{run:?}");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test]
async fn keys_in_the_agent() {
    let server = Server::start();
    let agent = Agent::start(&server);
    new_key(&server, "rsa", &["-t", "rsa", "-b", "2048"], true);
    agent.add(&server.file("rsa"));
    let mut options = server.options();
    options.keys.clear();
    options.agent = Some(agent.socket.clone());
    std::fs::rename(server.file("rsa"), server.file("elsewhere")).unwrap();
    works(&server, options.clone()).await;
    // A key asked for by name comes before all that the agent holds, whether the agent holds it or not.
    for n in 0..7 {
        let name = format!("other{n}");
        new_key(&server, &name, &["-t", "ed25519"], false);
        agent.add(&server.file(&name));
    }
    options.keys = vec![server.file("id_ed25519")];
    works(&server, options.clone()).await;
    options.keys = vec![server.file("rsa")];
    let text = std::fs::read_to_string(server.file("rsa.pub")).unwrap();
    assert!(!server.file("rsa").exists() && text.starts_with("ssh-rsa"));
    works(&server, options.clone()).await;
    // Only the keys named.
    std::fs::rename(server.file("elsewhere"), server.file("rsa")).unwrap();
    options.keys = vec![server.file("other0")];
    options.keys_only = Some(true);
    let text = fails(&server, options.clone()).await;
    assert_eq!(text.matches("SHA256:").count(), 1, "{text}");
    // An agent that is not there is no reason to give up.
    options.agent = Some(server.file("no-agent"));
    options.keys = vec![server.file("id_ed25519")];
    works(&server, options).await;
}
