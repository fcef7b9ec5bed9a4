//! One large layer to many hosts at once.

use std::{
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime},
};

use super::{super::memory::peak, Figures, fill, project, quietly};
use crate::{
    command::{note, run},
    error::{Context, Error, Result},
    figure::Figure,
    programs::Programs,
    sandbox::{self, Host, Sandbox},
};

const LAYER: usize = 300_000_000;

/// The most memory the command may take, in MB.
const MEMORY: f64 = 100.0;

pub(super) fn measure(programs: &Programs, hosts: u8, figures: &mut Figures) -> Result<()> {
    let before = Sandbox::find()?.hosts().len();
    let sandbox = sandbox::up(hosts)?;
    let measured = on(programs, &sandbox, hosts, figures);
    if before > 0 {
        // As it was found.
        sandbox::shrink(u8::try_from(before).unwrap_or(u8::MAX))?;
    }
    measured
}

fn on(programs: &Programs, sandbox: &Sandbox, hosts: u8, figures: &mut Figures) -> Result<()> {
    let hosts: Vec<&Host> = sandbox.hosts().iter().filter(|host| host.number <= hosts).collect();
    let addresses: Vec<String> = hosts.iter().map(|host| host.address.to_string()).collect();
    let project = project("large", programs, sandbox, &addresses, &["layer"])?;
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    fill(&project, "layer", seed, LAYER)?;
    note("pushing a layer of 300 MB");
    run(&mut quietly(&project, &["build", "push"]))?;
    note(format_args!("pulling it on {} hosts", hosts.len()));
    let began = Instant::now();
    let mut pull = quietly(&project, &["build", "pull"]);
    let mut pull = pull.stdin(Stdio::null()).spawn().context(|| "starting kamal".to_owned())?;
    let memory = most_memory(&mut pull)?;
    let took = began.elapsed().as_secs_f64();
    let status = pull.wait().context(|| "waiting for kamal".to_owned())?;
    if !status.success() {
        return Err(Error::Refused(format!("kamal build pull failed ({status})")));
    }
    let arrived = hosts.iter().filter(|host| has_image(host)).count();
    hosts.iter().try_for_each(|host| clean(host))?;
    let sent = (LAYER * hosts.len()) as f64 / 1e6;
    figures.begin(format!("One layer of 300 MB to {} hosts at once", hosts.len()))?;
    figures.add(Figure::new("to all of them", "MB/s", sent / took))?;
    figures.add(Figure::new("that it did not arrive on", "hosts", (hosts.len() - arrived) as f64).at_most(0.0))?;
    figures.add(Figure::new("the most memory of kamal", "MB", memory).at_most(MEMORY))
}

/// The most memory a process takes until it ends, in MB.
fn most_memory(process: &mut Child) -> Result<f64> {
    let mut most = 0.0_f64;
    while process.try_wait().context(|| "waiting for kamal".to_owned())?.is_none() {
        most = most.max(peak(&process.id().to_string()).unwrap_or_default() as f64 / 1e6);
        thread::sleep(Duration::from_millis(20));
    }
    Ok(most)
}

fn docker(host: &Host, script: &str) -> Result<String> {
    let socket = format!("unix://{}", host.docker_socket.display());
    run(Command::new("sh").args(["-c", script]).env("DOCKER_HOST", socket))
}

fn has_image(host: &Host) -> bool {
    docker(host, "docker image ls --quiet --filter label=service=large").is_ok_and(|ids| !ids.trim().is_empty())
}

fn clean(host: &Host) -> Result<()> {
    let script = "docker image ls --all --quiet --filter label=service=large | sort -u | xargs -r docker image rm -f";
    docker(host, script).map(drop)
}
