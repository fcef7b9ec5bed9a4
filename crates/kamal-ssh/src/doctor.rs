//! `kamal doctor ssh`: goes the way to a host step by step and tells what it finds, so that whoever cannot get in
//! learns where it ends and what would fix it.

use std::time::{Duration, Instant};

use kamal_core::{
    name::HostName,
    ports::{Chunk, TransportErrorKind},
};

use crate::{
    connection::{Connection, Failure},
    connector::{Connector, Dialer},
    destination::Destination,
    dial,
    displayable::displayable_bytes,
    target::{Route, Target},
    trace::{Finding, Stage, Trace},
};

/// How many round trips are measured; the quickest counts.
const ROUND_TRIPS: usize = 5;

/// How long a question to the host may take.
const PATIENCE: Duration = Duration::from_secs(30);

const ABOUT: &str = "printf '%s, login shell %s, %s' \"$(id -un)\" \"${SHELL:-unknown}\" \"$(uname -sm)\"";
const DOCKER: &str = "command -v docker >/dev/null || exit 127; docker version --format '{{.Server.Version}}'";

impl Connector {
    /// Goes the way to a host over a connection of its own. The last finding says whether it led there.
    pub async fn diagnose(&self, host: &HostName) -> Vec<Finding> {
        let trace = Trace::on();
        if let Err(kind) = go(self.dialer(), host, &trace).await {
            trace.fail(kind);
        }
        trace.findings()
    }
}

async fn go(dialer: &Dialer, host: &HostName, trace: &Trace) -> Result<(), String> {
    let say = |kind: TransportErrorKind| kind.to_string();
    let target = dialer.target(&Destination::parse(host).map_err(say)?).await.map_err(say)?;
    describe(&target, trace);
    let connection = dial::dial(dialer, target, trace).await.map_err(|kind| {
        match kind {
            TransportErrorKind::HostKeyUnknown(_) | TransportErrorKind::HostKeyChanged(_) => {
                trace.begin(Stage::HostKey);
            }
            _ => {}
        }
        kind.to_string()
    })?;
    trace.begin(Stage::Shell);
    let (about, _) = ask(&connection, ABOUT).await?;
    trace.note(Stage::Shell, || about);
    let mut quickest = PATIENCE;
    for _ in 0..ROUND_TRIPS {
        let began = Instant::now();
        ask(&connection, ":").await?;
        quickest = quickest.min(began.elapsed());
    }
    trace.note(Stage::Shell, || format!("a command and its answer take {:.1} ms", quickest.as_secs_f64() * 1000.0));
    trace.begin(Stage::Docker);
    match ask(&connection, DOCKER).await? {
        (version, 0) => trace.note(Stage::Docker, || format!("Docker {version}")),
        (_, 127) => return Err("there is no docker; `kamal server bootstrap` installs it".to_owned()),
        (said, _) => {
            return Err(format!(
                "docker does not answer: {said}; is it started (systemctl start docker), and is the user in the group \
                 docker (usermod -aG docker USER)?"
            ));
        }
    }
    Ok(())
}

/// What is known before anybody is called.
fn describe(target: &Target, trace: &Trace) {
    trace.note(Stage::Config, || format!("{}@{}", target.user, target.address()));
    for source in &target.sources {
        trace.note(Stage::Config, || source.clone());
    }
    match &target.route {
        Route::Direct => {}
        Route::Jump(hops) => trace.note(Stage::Config, || {
            let names: Vec<String> = hops.iter().map(Destination::to_string).collect();
            format!("jumps over {}", names.join(", then "))
        }),
        Route::Command(command) => trace.note(Stage::Config, || format!("through the command {command}")),
    }
    trace.note(Stage::Config, || match &target.agent {
        Some(socket) => format!("agent at {}", socket.display()),
        None => "no agent".to_owned(),
    });
    let keys: Vec<String> = target.keys.iter().map(|key| key.display().to_string()).collect();
    trace.note(Stage::Config, || {
        format!("key files {}", if keys.is_empty() { "none".to_owned() } else { keys.join(", ") })
    });
}

/// Runs a script; what it printed, in one line, and its status.
async fn ask(connection: &Connection, script: &str) -> Result<(String, i32), String> {
    let mut said = Vec::new();
    let mut take = |chunk: Chunk<'_>| match chunk {
        Chunk::Stdout(bytes) | Chunk::Stderr(bytes) => said.extend_from_slice(bytes),
    };
    let exit = tokio::time::timeout(PATIENCE, connection.exec("doctor", script, &mut take))
        .await
        .map_err(|_| {
            "the host runs no script: it does not answer; does its login shell or .bashrc wait for something?"
                .to_owned()
        })?
        .map_err(|failure: Failure| format!("the host runs no script: {}", failure.into_kind()))?;
    let text = displayable_bytes(&said);
    Ok((text, exit.0))
}
