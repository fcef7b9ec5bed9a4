//! The sandbox's registry: the project's own one, in a process of its own that outlives the command that started it.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use kamal_docker::registry::Registry;
use tokio::net::TcpListener;

use super::layout::Layout;
use super::{REGISTRY, process};
use crate::command::run;
use crate::error::{Context, Error, Result};

/// How long the registry may take to answer.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Serves a registry from the folder `store` until the process ends.
///
/// # Errors
///
/// When the store cannot be opened or the address cannot be listened on.
pub fn serve(listen: SocketAddr, store: &Path) -> Result<()> {
    let registry = Registry::open(store).map_err(|error| Error::Refused(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context(|| "starting a runtime".to_owned())?.block_on(async {
        let listener = TcpListener::bind(listen).await.context(|| format!("listening on {listen}"))?;
        registry.serve(listener).await.context(|| format!("serving {listen}"))
    })
}

/// Starts the registry unless it answers, and tells whether it had to.
pub(super) fn ensure(layout: &Layout) -> Result<bool> {
    let pid_file = pid_file(layout);
    if process::running(&pid_file).is_some() && answers() {
        return Ok(false);
    }
    stop(layout)?;
    if answers() {
        return Err(Error::Refused(format!("{REGISTRY} is already in use, by something this sandbox did not start")));
    }
    let store = store(layout);
    fs::create_dir_all(&store).context(|| format!("creating {}", store.display()))?;
    let program = program()?;
    let command = [&*program.to_string_lossy(), "sandbox", "registry", REGISTRY, &*store.to_string_lossy()];
    process::start(&command, &pid_file, &layout.registry().join("registry.log"), START_LIMIT, answers)
        .map_err(|problem| Error::Refused(format!("the registry at {REGISTRY}: {problem}")))?;
    Ok(true)
}

/// Ends the registry, also when its folder was removed from under it.
pub(super) fn stop(layout: &Layout) -> Result<()> {
    process::stop(&pid_file(layout))?;
    process::kill_by_arguments(&["sandbox", "registry", REGISTRY, &store(layout).to_string_lossy()])
}

/// Whether something that speaks the registry's protocol listens where it should.
pub(super) fn answers() -> bool {
    let Ok(address) = REGISTRY.parse::<SocketAddr>() else { return false };
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else { return false };
    let mut answer = [0; 12];
    stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok()
        && stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n\r\n").is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && &answer == b"HTTP/1.1 200"
}

fn store(layout: &Layout) -> PathBuf {
    layout.registry().join("store")
}

fn pid_file(layout: &Layout) -> PathBuf {
    layout.registry().join("registry.pid")
}

/// The program that can serve the registry: this one, when it is xtask. A test that brings a sandbox up is another
/// program, and must not be the one the registry lives in, or it would end with the test.
fn program() -> Result<PathBuf> {
    let own = env::current_exe().context(|| "finding this program".to_owned())?;
    if own.file_stem().is_some_and(|name| name == "xtask") {
        return Ok(own);
    }
    // Tests lie in target/PROFILE/deps, and xtask in target/PROFILE.
    let built = own.parent().and_then(Path::parent).map(|folder| folder.join("xtask"));
    if let Some(program) = built.filter(|program| program.is_file()) {
        return Ok(program);
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = crate::workspace().join("target/xtask");
    run(Command::new(cargo)
        .args(["build", "--quiet", "-p", "xtask", "--target-dir"])
        .arg(&target)
        .current_dir(crate::workspace()))?;
    Ok(target.join("debug/xtask"))
}
