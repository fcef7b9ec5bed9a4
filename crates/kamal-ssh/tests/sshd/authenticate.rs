//! Proving who we are.

use std::process::{Command, Stdio};

use kamal_core::{
    ports::{Ssh as _, TransportErrorKind as Kind},
    secret::Secret,
};
use kamal_ssh::{Connector, Environment, Options, QuestionKind};

use crate::scripted_attendant::ScriptedAttendant;
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

/// OpenSSH gives up here with "Too many authentication failures".
#[tokio::test]
async fn keys_beyond_what_the_server_bears_are_tried_on_a_further_connection() {
    for (limit, wrong) in [("", 7), ("MaxAuthTries 2\n", 2)] {
        let server = Server::with(limit);
        let mut options = server.options();
        options.keys.clear();
        for n in 0..wrong {
            let name = format!("wrong{n}");
            new_key(&server, &name, &["-t", "ed25519"], false);
            options.keys.push(server.file(&name));
        }
        let text = fails(&server, options.clone()).await;
        assert_eq!(text.matches("SHA256:").count(), wrong, "each once: {text}");
        options.keys.push(server.file("id_ed25519"));
        works(&server, options).await;
    }
}

#[tokio::test]
async fn no_more_connections_are_made_than_sshd_puts_up_with() {
    let server = Server::start();
    let mut options = server.options();
    options.keys.clear();
    for n in 0..17 {
        let name = format!("wrong{n}");
        new_key(&server, &name, &["-t", "ed25519"], false);
        options.keys.push(server.file(&name));
    }
    let text = fails(&server, options).await;
    assert_eq!(text.matches("SHA256:").count(), 15, "{text}");
    assert!(text.contains("IdentitiesOnly"), "{text}");
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
    // A wrong answer first; once for all hosts.
    let person = ScriptedAttendant::saying(&["wrong", "open sesame"]);
    options.attendant = Some(person.clone());
    let connector = Connector::new(options.clone());
    for host in [server.host(), format!("root@localhost:{}", server.port).parse().unwrap()] {
        assert_eq!(sh(&*connector.connect(&host).await.unwrap(), "echo in").await.0, "in\n");
    }
    assert_eq!(person.kinds(), [QuestionKind::Passphrase; 2]);
    assert!(person.asked.lock().unwrap()[0].text.contains("/locked'"));
    options.attendant = Some(ScriptedAttendant::saying(&["wrong", "wrong", "wrong", "open sesame"]));
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

#[tokio::test]
async fn a_certificate_from_a_file_for_a_key_in_the_agent() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    keygen(&["-t", "ed25519", "-f", &at("ca")]);
    for kind in ["ed25519", "rsa"] {
        keygen(&["-t", kind, "-f", &at(kind)]);
        keygen(&["-s", &at("ca"), "-I", "me", "-n", "root", "-V", "+1d", &at(&format!("{kind}.pub"))]);
    }
    let server = Server::with(&format!("TrustedUserCAKeys {}\n", at("ca.pub")));
    let agent = Agent::start(&server);
    for kind in ["ed25519", "rsa"] {
        std::fs::rename(at(&format!("{kind}-cert.pub")), at(&format!("{kind}.cert"))).unwrap();
        let run = Command::new("ssh-add").arg(at(kind)).env("SSH_AUTH_SOCK", &agent.socket).output().unwrap();
        assert!(run.status.success(), "{run:?}");
        std::fs::remove_file(at(kind)).unwrap();
        let mut options = server.options();
        options.keys.clear();
        options.agent = Some(agent.socket.clone());
        fails(&server, options.clone()).await;
        std::fs::write(server.file("config"), format!("Host *\n CertificateFile {}\n", at(&format!("{kind}.cert"))))
            .unwrap();
        options.config_files = vec![server.file("config")];
        works(&server, options).await;
    }
}

/// 1Password's socket lies in a folder with spaces in its name.
#[tokio::test]
async fn the_agent_that_ssh_config_names() {
    let server = Server::start();
    let agent = Agent::start(&server);
    agent.add(&server.file("id_ed25519"));
    std::fs::create_dir(server.file("Group Containers")).unwrap();
    let spaced = server.file("Group Containers/agent.sock");
    std::os::unix::fs::symlink(&agent.socket, &spaced).unwrap();
    let mut options = server.options();
    options.keys.clear();
    options.environment = Environment::new(|name| (name == "MY_AGENT").then(|| "/somewhere".to_owned()));
    options.config_files = vec![server.file("config")];
    // The default keys must not help.
    options.home = server.file("home");
    let with = |line: String| std::fs::write(server.file("config"), line).unwrap();
    with(format!("IdentityAgent \"{}\"\n", spaced.display()));
    works(&server, options.clone()).await;
    let socket = agent.socket.display().to_string();
    options.environment = Environment::new(move |name| (name == "MY_AGENT").then(|| socket.clone()));
    for line in ["IdentityAgent $MY_AGENT\n", "IdentityAgent ${MY_AGENT}\n"] {
        with(line.to_owned());
        works(&server, options.clone()).await;
    }
    options.agent = Some(agent.socket.clone());
    with("IdentityAgent SSH_AUTH_SOCK\n".to_owned());
    works(&server, options.clone()).await;
    with("IdentityAgent none\n".to_owned());
    assert!(fails(&server, options).await.contains("no usable key"));
}
