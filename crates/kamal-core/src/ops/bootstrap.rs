//! Docker on every host (spec 9.1).

use futures_util::FutureExt;

use crate::{
    error::{Error, HostError},
    event::{EventKind, Tone},
    name::HostName,
    ops::{Cx, hooks},
    shell::Script,
};

/// Installs Docker where it is missing, as root or through sudo, with the script Docker publishes; then the hook
/// `docker-setup`.
pub async fn bootstrap(cx: &Cx<'_>) -> Result<(), Error> {
    cx.fleet.on(&cx.targets.hosts, |host| host_docker(cx, host).boxed()).await?;
    let hooks = hooks::present(cx).await;
    hooks::run(cx, &hooks, "docker-setup", hooks::Told { locked: true, ..hooks::Told::default() }).await
}

async fn host_docker(cx: &Cx<'_>, host: &HostName) -> Result<(), HostError> {
    let look = "docker -v >/dev/null 2>&1 && exit 0\n[ \"$(id -u)\" -eq 0 ] || sudo -nl usermod >/dev/null 2>&1 || exit 2\nexit 1";
    let found = cx.fleet.capture(host, &Script::read("look for docker", look)).await?;
    let unfit = |why: &str| HostError::Unfit {
        host: host.clone(),
        message: format!("{why}. Install Docker manually: https://docs.docker.com/engine/install/"),
    };
    match found.status {
        0 => return Ok(()),
        1 => {}
        _ => return Err(unfit("Docker is not installed and can't be without root access or passwordless sudo")),
    }
    cx.fleet.emit(EventKind::tell(Tone::Info, format!("Missing Docker on {host}. Installing…")));
    let install = "set -e\n\
        s=$(curl -fsSL https://get.docker.com || wget -qO - https://get.docker.com)\n\
        [ -n \"$s\" ]\n\
        printf '%s\\n' \"$s\" | sh\n\
        [ \"$(id -u)\" -eq 0 ] || id -nG | grep -qw docker || sudo -n usermod -aG docker \"$(id -un)\"";
    let done = cx.fleet.capture(host, &Script::write("install docker", install)).await?;
    if done.status == 0 {
        return Ok(());
    }
    let last: Vec<&str> = done.stderr.lines().rev().take(3).collect();
    Err(unfit(&format!(
        "Docker is not installed and its installer could not be fetched or failed with curl and wget ({})",
        last.into_iter().rev().collect::<Vec<_>>().join("; ")
    )))
}
