//! The way to a host, step by step.

use kamal_ssh::{Connector, Finding, Options, Stage};

use crate::{
    free_port::free_port,
    server::{Server, keygen},
};

async fn findings(options: Options, host: &str) -> Vec<Finding> {
    Connector::new(options).diagnose(&host.parse().unwrap()).await
}

/// The step that fails, and what is said of it.
async fn failure(options: Options, host: &str) -> (Stage, String) {
    let findings = findings(options, host).await;
    let last = findings.last().unwrap();
    assert!(last.failed && findings.iter().filter(|finding| finding.failed).count() == 1, "{findings:#?}");
    (last.stage, last.text.clone())
}

#[tokio::test]
async fn the_step_that_fails_is_named_with_what_would_mend_it() {
    let server = Server::start();
    let mut options = server.options();
    options.dns_retries = 0;
    let good = findings(options.clone(), &server.host()).await;
    for stage in [Stage::Config, Stage::Resolve, Stage::Connect, Stage::Handshake, Stage::HostKey, Stage::Login] {
        assert!(good.iter().any(|finding| finding.stage == stage && !finding.failed), "{stage:?}: {good:#?}");
    }
    let login = good.iter().find(|finding| finding.stage == Stage::Login).unwrap();
    assert!(login.text.contains("SHA256:") && login.text.ends_with("accepted"), "{login:?}");
    assert!(good.iter().any(|finding| finding.text.contains("a command and its answer take")), "{good:#?}");

    let (stage, text) = failure(options.clone(), "no-such-host.invalid").await;
    assert!(stage == Stage::Resolve && text.contains("deploy.yml"), "{stage:?} {text}");
    let (stage, text) = failure(options.clone(), &format!("127.0.0.1:{}", free_port())).await;
    assert!(stage == Stage::Connect && text.contains("is sshd running"), "{stage:?} {text}");
    let mut strict = options.clone();
    (strict.accept_new, strict.known_hosts) = (false, vec![server.file("empty")]);
    let (stage, text) = failure(strict, &server.host()).await;
    assert!(stage == Stage::HostKey && text.contains("accept-new"), "{stage:?} {text}");
    keygen(&["-t", "ed25519", "-f", &server.file("stranger").display().to_string()]);
    options.keys = vec![server.file("stranger")];
    let (stage, text) = failure(options.clone(), &server.host()).await;
    assert!(stage == Stage::Login && text.contains("authorized_keys"), "{stage:?} {text}");
    std::fs::write(server.file("config"), "\nPort x\n").unwrap();
    options.config_files = vec![server.file("config")];
    let (stage, text) = failure(options, &server.host()).await;
    assert!(stage == Stage::Config && text.contains("config:2"), "{stage:?} {text}");
}
