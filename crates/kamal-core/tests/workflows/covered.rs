//! What leaves the engine holds no secret, whatever listens: events, errors, answers, what is written down.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use kamal_core::{
    command_line::CommandLine,
    error::Error,
    name::HostName,
    op::{Op, Server},
    ports::{
        Chunk, Claim, Command, Content, Exec, Exit, Local, LocalError, LocalFolders, Scratch, Ssh, TransportError,
    },
    shell::Script,
};

use crate::harness::App;

/// A value that stands in nothing else.
const SECRET: &str = "s3ntinel-of-a-password";

/// Hosts whose programs repeat what they should not, and what was sent to them.
#[derive(Debug)]
struct Leaky {
    behind: Arc<dyn Ssh>,
    sent: Arc<Mutex<Vec<String>>>,
}

#[derive(Debug)]
struct LeakyExec {
    behind: Arc<dyn Exec>,
    sent: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Ssh for Leaky {
    async fn connect(&self, host: &HostName) -> Result<Arc<dyn Exec>, TransportError> {
        let behind = self.behind.connect(host).await?;
        Ok(Arc::new(LeakyExec { behind, sent: self.sent.clone() }))
    }

    async fn forget(&self, host: &HostName) {
        self.behind.forget(host).await;
    }
}

#[async_trait]
impl Exec for LeakyExec {
    fn host(&self) -> &HostName {
        self.behind.host()
    }

    async fn exec(
        &self,
        script: &Script,
        output: &mut (dyn for<'c> FnMut(Chunk<'c>) + Send),
    ) -> Result<Exit, TransportError> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(script.expose().to_string());
        let leak =
            |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("healthy", &format!("healthy, it said {SECRET}"));
        let mut leaking = |chunk: Chunk<'_>| match chunk {
            Chunk::Stdout(bytes) => output(Chunk::Stdout(leak(bytes).as_bytes())),
            Chunk::Stderr(bytes) => output(Chunk::Stderr(leak(bytes).as_bytes())),
        };
        self.behind.exec(script, &mut leaking).await
    }

    async fn upload_watched(
        &self,
        content: &[u8],
        to: &str,
        mode: u32,
        sent: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), TransportError> {
        self.behind.upload_watched(content, to, mode, sent).await
    }

    async fn upload_content(
        &self,
        content: &dyn Content,
        to: &str,
        mode: u32,
        sent: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), TransportError> {
        self.behind.upload_content(content, to, mode, sent).await
    }
}

/// A local machine whose docker repeats what it should not, and fails.
#[derive(Debug)]
struct Failing(Arc<dyn Local>);

#[async_trait]
impl Local for Failing {
    async fn run(
        &self,
        command: &Command,
        output: &mut (dyn for<'c> FnMut(Chunk<'c>) + Send),
    ) -> Result<Exit, LocalError> {
        if command.program != "docker" {
            return self.0.run(command, output).await;
        }
        output(Chunk::Stderr(format!("ERROR: the build says {SECRET}\n").as_bytes()));
        Ok(Exit(1))
    }

    async fn exists(&self, path: &str) -> bool {
        self.0.exists(path).await
    }

    async fn read(&self, path: &str) -> Result<Vec<u8>, LocalError> {
        self.0.read(path).await
    }

    async fn mode(&self, path: &str) -> Result<u32, LocalError> {
        self.0.mode(path).await
    }

    async fn list(&self, path: &str) -> Vec<String> {
        self.0.list(path).await
    }

    async fn tree(&self, path: &str) -> Option<Vec<String>> {
        self.0.tree(path).await
    }

    async fn create_folder(&self, path: &str) -> Result<(), LocalError> {
        self.0.create_folder(path).await
    }

    async fn remove_folder(&self, path: &str) -> Result<(), LocalError> {
        self.0.remove_folder(path).await
    }

    async fn claim(&self, path: &str) -> Result<Option<Claim>, LocalError> {
        self.0.claim(path).await
    }

    async fn scratch(&self) -> Result<Scratch, LocalError> {
        self.0.scratch().await
    }

    fn folders(&self) -> LocalFolders {
        self.0.folders()
    }
}

/// An app with that secret, and what its hosts are sent.
fn app() -> (App, Arc<Mutex<Vec<String>>>) {
    let mut app = App::new("servers: [h1]\n");
    app.fleet.secrets().remove("DATABASE_URL");
    app.fleet.secrets().put("DATABASE_URL", SECRET);
    let sent = Arc::<Mutex<Vec<String>>>::default();
    app.world.ssh = Arc::new(Leaky { behind: app.world.ssh.clone(), sent: sent.clone() });
    (app, sent)
}

/// Fails where the secret shows in what a plain listener was told, in an error, or in what hosts were sent in clear.
fn assert_covered(app: &App, error: Option<&Error>) {
    let told = format!("{:?}", app.fleet.events().events());
    assert!(!told.contains(SECRET) && told.contains("[REDACTED]"), "{told}");
    if let Some(error) = error {
        assert!(error.to_string().contains("[REDACTED]"), "{error}");
        assert!(!format!("{error} {error:?} {:?}", error.hints()).contains(SECRET), "{error:?}");
    }
}

#[test]
fn a_failing_step_and_its_post_mortem() {
    let (app, _) = app();
    app.deploy("v1").unwrap();
    app.fleet.sicken("v2");
    let error = app.deploy("v2").unwrap_err();
    assert_covered(&app, Some(&error));
}

#[test]
fn a_hooks_output() {
    let (app, _) = app();
    app.fleet.hook("pre-deploy", 7);
    let failing = app.deploy("v1").unwrap_err();
    assert!(matches!(failing, Error::Hook { .. }), "{failing}");
    app.fleet.hook("pre-deploy", 0);
    app.fleet.project_file(".kamal/hooks/pre-deploy", &format!("connecting to {SECRET}\n"));
    app.deploy("v1").unwrap();
    assert_covered(&app, None);
}

#[test]
fn a_builds_output() {
    let (mut app, _) = app();
    app.world.local = Arc::new(Failing(app.world.local.clone()));
    let error = app.deploy("v1").unwrap_err();
    assert!(matches!(error, Error::Build(_)), "{error}");
    assert_covered(&app, Some(&error));
}

#[test]
fn the_audit_log_and_the_lock() {
    let (app, sent) = app();
    app.deploy("v1").unwrap();
    let command = CommandLine::of(&[format!("echo {SECRET}")]);
    app.perform_well(&Op::Server(Server::Exec { command, interactive: false }));
    let sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
    let audited: Vec<&String> = sent.iter().filter(|script| script.contains("Executed cmd")).collect();
    assert!(!audited.is_empty() && audited.iter().all(|script| !script.contains(SECRET)), "{audited:?}");
}
