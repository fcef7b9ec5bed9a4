//! Whether hosts are who they say.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use kamal_core::{
    ports::{Ssh as _, TransportErrorKind as Kind},
    secret::Secret,
};
use kamal_ssh::{Attendant, Connector, Options, Pin, Question};

use crate::{
    scripted_attendant::ScriptedAttendant,
    server::{Server, keygen, sh},
};

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

async fn connects(options: &Options, server: &Server) {
    let host = Connector::new(options.clone()).connect(&server.host()).await;
    let host = host.unwrap_or_else(|error| panic!("{error}\n{}", server.log()));
    assert_eq!(sh(&*host, "echo x").await.0, "x\n");
}

#[tokio::test]
async fn somebody_at_a_terminal_decides_about_a_new_host() {
    let server = Server::start();
    let mut options = server.options();
    options.accept_new = false;
    let run = std::process::Command::new("ssh-keygen").arg("-lf").arg(server.file("host_key.pub")).output().unwrap();
    let fingerprint = String::from_utf8(run.stdout).unwrap().split_whitespace().nth(1).unwrap().to_owned();
    for (answers, accepted) in
        [(&["no"][..], false), (&["perhaps"], false), (&["SHA256:wrong", "yes"], true), (&[fingerprint.as_str()], true)]
    {
        let person = ScriptedAttendant::saying(answers);
        options.attendant = Some(person.clone());
        let outcome = Connector::new(options.clone()).connect(&server.host()).await;
        assert_eq!(outcome.is_ok(), accepted, "{answers:?}: {outcome:?}");
        assert!(person.asked.lock().unwrap()[0].text.contains(&fingerprint));
        assert_eq!(server.file("known_hosts").exists(), accepted);
        if accepted {
            // From now on nobody is asked.
            options.attendant = None;
            connects(&options, &server).await;
            std::fs::remove_file(server.file("known_hosts")).unwrap();
        }
    }
    // `StrictHostKeyChecking yes` asks nobody.
    std::fs::write(server.file("config"), "StrictHostKeyChecking yes\n").unwrap();
    options.config_files = vec![server.file("config")];
    let person = ScriptedAttendant::saying(&["yes"]);
    options.attendant = Some(person.clone());
    let error = Connector::new(options).connect(&server.host()).await.unwrap_err();
    assert!(matches!(error.kind, Kind::HostKeyUnknown(_)) && person.kinds().is_empty(), "{error:?}");
}

/// Many hosts that turn up at once ask one after another, and one key is asked about once.
#[tokio::test(flavor = "multi_thread")]
async fn questions_come_one_after_another() {
    #[derive(Debug, Default)]
    struct Slow {
        under_way: AtomicUsize,
        asked: AtomicUsize,
    }
    impl Attendant for Slow {
        fn ask(&self, _: &Question) -> Option<Secret> {
            assert_eq!(self.under_way.fetch_add(1, Ordering::SeqCst), 0, "two questions at once");
            std::thread::sleep(Duration::from_millis(20));
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            self.asked.fetch_add(1, Ordering::SeqCst);
            Some(Secret::new("yes"))
        }
        fn warn(&self, _: &str) {}
    }
    let servers: Vec<Server> = (0..3).map(|_| Server::start()).collect();
    let mut options = servers[0].options();
    options.accept_new = false;
    options.keys = servers.iter().map(|server| server.file("id_ed25519")).collect();
    let slow = Arc::new(Slow::default());
    options.attendant = Some(slow.clone());
    let connector = Connector::new(options);
    let names: Vec<_> = servers
        .iter()
        .flat_map(|server| [server.host(), format!("127.0.0.1:{}", server.port).parse().unwrap()])
        .collect();
    for host in join_all(names.iter().map(|name| connector.connect(name))).await {
        host.unwrap();
    }
    assert_eq!(slow.asked.load(Ordering::SeqCst), 3);
    let known = std::fs::read_to_string(servers[0].file("known_hosts")).unwrap();
    assert_eq!(known.lines().count(), 3, "{known}");
}

#[tokio::test]
async fn new_names_are_hashed_when_ssh_config_says_so() {
    let server = Server::start();
    let mut options = server.options();
    std::fs::write(server.file("config"), "HashKnownHosts yes\n").unwrap();
    options.config_files = vec![server.file("config")];
    connects(&options, &server).await;
    let known = std::fs::read_to_string(server.file("known_hosts")).unwrap();
    assert!(known.starts_with("|1|") && !known.contains("127.0.0.1"), "{known}");
    // Known from now on, to OpenSSH too.
    options.accept_new = false;
    connects(&options, &server).await;
    let name = format!("[127.0.0.1]:{}", server.port);
    let found = std::process::Command::new("ssh-keygen")
        .args(["-F", &name, "-f"])
        .arg(server.file("known_hosts"))
        .status()
        .unwrap();
    assert!(found.success());
}

#[tokio::test]
async fn only_pinned_keys_count_where_there_are_any() {
    let (server, other) = (Server::start(), Server::start());
    let line = |server: &Server| {
        let key = std::fs::read_to_string(server.file("host_key.pub")).unwrap();
        format!("[127.0.0.1]:{} {}", server.port, key.trim())
    };
    let mut options = server.options();
    options.keys.push(other.file("id_ed25519"));
    options.pins = vec![Pin::Line(line(&server))];
    connects(&options, &server).await;
    assert!(!server.file("known_hosts").exists(), "nothing is written");
    // Known to the user, but not pinned.
    std::fs::write(server.file("known_hosts"), line(&other)).unwrap();
    let error = Connector::new(options.clone()).connect(&other.host()).await.unwrap_err();
    assert!(matches!(error.kind, Kind::HostKeyUnknown(_)), "{error:?}");
    assert!(error.to_string().contains("ssh/known_hosts"), "{error}");
    // A file of the project.
    std::fs::write(server.file("pinned"), format!("{}\n", line(&other))).unwrap();
    options.pins = vec![Pin::File(server.file("pinned"))];
    connects(&options, &other).await;
    options.pins = vec![Pin::File(server.file("missing"))];
    let error = Connector::new(options.clone()).connect(&other.host()).await.unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
    // Another key than the pinned one.
    options.pins = vec![Pin::Line(line(&server).replace(&server.port.to_string(), &other.port.to_string()))];
    let error = Connector::new(options).connect(&other.host()).await.unwrap_err();
    assert!(matches!(error.kind, Kind::HostKeyChanged(_)), "{error:?}");
    assert!(error.to_string().contains("deploy.yml:1"), "{error}");
}
