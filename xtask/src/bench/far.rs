//! What commands cost on a host that is far away, where each waits for round trips: over a cable of this length, beside the
//! same host without it, and beside OpenSSH, which takes as many round trips to connect as it must.

use std::{
    net::Ipv4Addr,
    process::Command,
    time::{Duration, Instant},
};

use super::{figures::Figures, median, seconds};
use crate::{
    cable::Cable,
    command::{note, run},
    error::{Context, Result},
    figure::Figure,
    programs::{self, Profile},
    project::Project,
    sandbox::{self, Sandbox},
};

const ROUND_TRIP: Duration = Duration::from_millis(50);

/// What reading a host that far away may take, in seconds.
const TARGET: f64 = 0.35;

/// Times commands that read and that change something.
///
/// # Errors
///
/// When something is missing that is needed, or a command fails.
pub fn measure(rounds: u32, figures: &mut Figures) -> Result<()> {
    let programs = programs::build(Profile::Quick)?;
    let sandbox = sandbox::up(1)?;
    let host = sandbox.host("1")?;
    let cable = Cable::lay(Ipv4Addr::new(10, 77, 0, 1), (host.address, 22).into(), ROUND_TRIP);
    let cable = cable.context(|| "laying a cable".to_owned())?;
    let far = format!("10.77.0.1:{}", cable.port);
    let deploy = |address: &str| {
        format!(
            "service: far\nimage: far\nservers: [\"{address}\"]\n\
             proxy: {{app_port: 80, host: far.test, healthcheck: {{path: /up, interval: 1}}}}\n\
             registry: {{server: \"10.77.0.1:5000\", username: bench, password: [REGISTRY_PASSWORD]}}\n\
             builder: {{arch: amd64, driver: docker}}\nssh: {{keys: [SSHKEY], keys_only: true}}\n"
        )
    };
    let folder = sandbox.folder().with_file_name("bench").join("far");
    let project =
        Project::create(&folder, &programs, &sandbox, &deploy(&host.address.to_string()), "REGISTRY_PASSWORD=bench\n")?;
    project.knows(host, &far)?;
    note("kamal setup");
    run(project.kamal().args(["setup", "--quiet"]))?;
    let near = timed(rounds, &mut || details(&project))?;
    project.write("config/deploy.yml", &deploy(&far).replace("SSHKEY", &sandbox.key().display().to_string()))?;
    project.commit()?;
    let reading = timed(rounds, &mut || details(&project))?;
    let ssh = timed(rounds, &mut || over_ssh(&project, &sandbox, cable.port))?;
    let deploys = timed(rounds, &mut || run(project.kamal().args(["deploy", "--quiet"])).map(drop))?;
    let redeploys = timed(rounds, &mut || run(project.kamal().args(["redeploy", "--quiet"])).map(drop))?;
    run(project.kamal().args(["remove", "--confirmed", "--quiet"]))?;
    let figure = |what: &str, time: Duration| Figure::new(what, "s", seconds(Some(&time)));
    figures.begin(format!("A host {} ms away, there and back", ROUND_TRIP.as_millis()))?;
    figures.add(figure("kamal app details, near", near))?;
    figures
        .add(figure("kamal app details", reading).beside("ssh and docker ps", seconds(Some(&ssh))).at_most(TARGET))?;
    figures.add(figure("kamal deploy", deploys))?;
    figures.add(figure("kamal redeploy", redeploys))
}

fn details(project: &Project) -> Result<()> {
    run(project.kamal().args(["app", "details"])).map(drop)
}

/// The same question by hand, on a connection of its own.
fn over_ssh(project: &Project, sandbox: &Sandbox, port: u16) -> Result<()> {
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes"]);
    ssh.args(["-l", "root", "-p", &port.to_string(), "-i"]).arg(sandbox.key());
    let known = project.home().join(".ssh/known_hosts");
    ssh.arg("-o").arg(format!("UserKnownHostsFile={}", known.display()));
    run(ssh.args(["10.77.0.1", "docker", "ps", "--filter", "label=service=far"])).map(drop)
}

fn timed(rounds: u32, what: &mut dyn FnMut() -> Result<()>) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let began = Instant::now();
        what()?;
        times.push(began.elapsed());
    }
    Ok(median(&mut times))
}
