//! `cargo xtask bench deploy`: a whole `kamal deploy` beside the same docker commands typed by hand, taken in turns in
//! one run on one machine, so that only their ratio counts.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    bench::{figures::Figures, median, seconds},
    command::{note, run},
    error::Result,
    figure::Figure,
    programs::{self, Profile},
    project::Project,
    sandbox::{self, Host, Sandbox},
};

const DEPLOY: &str = "\
service: ratio
image: ratio
servers: [10.77.1.2]
proxy: {app_port: 80, host: ratio.test, healthcheck: {path: /up, interval: 1}}
registry: {server: \"10.77.0.1:5000\", username: bench, password: [REGISTRY_PASSWORD]}
builder: {arch: amd64, driver: docker}
ssh: {keys: [SSHKEY], keys_only: true}
";

/// How much longer than by hand it may take.
const MOST: f64 = 1.1;

/// Measures so many rounds; the figures are medians.
///
/// # Errors
///
/// When a command fails.
pub fn deploy(rounds: u32, figures: &mut Figures) -> Result<()> {
    let programs = programs::build(Profile::Quick)?;
    let sandbox = sandbox::up(1)?;
    let folder = sandbox.folder().with_file_name("bench");
    let project = Project::create(&folder, &programs, &sandbox, DEPLOY, "REGISTRY_PASSWORD=bench\n")?;
    let host = sandbox.host("1")?;
    note("kamal setup");
    run(project.kamal().args(["setup", "--quiet"]))?;
    let (mut ours, mut hand) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let revision = change(&project, &format!("kamal {round}"))?;
        let began = Instant::now();
        run(project.kamal().args(["deploy", "--quiet"]).stdout(Stdio::null()))?;
        ours.push(began.elapsed());
        let next = change(&project, &format!("hand {round}"))?;
        hand.push(by_hand(&project, &sandbox, host, &revision, &next)?);
        forget_oldest(host)?;
        note(format_args!(
            "  round {}: kamal {:.2} s, by hand {:.2} s",
            round + 1,
            seconds(ours.last()),
            seconds(hand.last())
        ));
    }
    let (ours, hand) = (median(&mut ours), median(&mut hand));
    let [ours, hand] = [ours, hand].map(|time| time.as_secs_f64());
    figures.begin("Deploying")?;
    let deploy = Figure::new("kamal deploy of a small image", "s", ours);
    figures.add(deploy.beside("the docker commands by hand", hand).at_most(MOST * hand))?;
    // What kamal deploys next must find the newest version running.
    run(project.kamal().args(["deploy", "--quiet"])).map(drop)
}

fn change(project: &Project, content: &str) -> Result<String> {
    project.write("assets/app-1.js", content)?;
    project.commit()
}

/// Build and push, pull, run, switch, stop, tag and prune, as somebody logged in on the machines would type them.
fn by_hand(project: &Project, sandbox: &Sandbox, host: &Host, old: &str, new: &str) -> Result<Duration> {
    let image = |version: &str| format!("{}/ratio:{version}", sandbox.registry());
    let (pushed, latest) = (image(new), image("latest"));
    let name = |version: &str| format!("ratio-web-{version}");
    let (old, new) = (name(old), name(new));
    let began = Instant::now();
    let mut build = Command::new("docker");
    build.args(["buildx", "build", "--output=type=registry", "-t", &pushed, "-t", &latest, "--label", "service=ratio"]);
    build.args(["--platform", "linux/amd64", "."]).current_dir(project.folder());
    run(build.envs(sandbox.docker_host().map(|socket| ("DOCKER_HOST", socket))))?;
    let docker = |arguments: &[&str]| {
        let socket = format!("unix://{}", host.docker_socket.display());
        run(Command::new("docker").args(arguments).env("DOCKER_HOST", socket))
    };
    docker(&["pull", &pushed])?;
    let labels = ["--label", "service=ratio", "--label", "role=web", "--label", "destination"];
    let started = ["run", "--detach", "--restart", "unless-stopped", "--name", &new, "--network", "kamal"];
    let id = docker(&[&started[..], &labels[..], &[&pushed]].concat())?;
    let target = format!("--target={}:80", id.get(..12).unwrap_or(&id));
    let switch = ["exec", "kamal-proxy", "kamal-proxy", "deploy", "ratio-web", &target, "--host=ratio.test"];
    docker(&switch)?;
    docker(&["stop", &old])?;
    docker(&["tag", &pushed, &latest])?;
    docker(&["image", "prune", "--force", "--filter", "label=service=ratio"])?;
    Ok(began.elapsed())
}

/// Whoever types by hand leaves a container behind each time. Removed here, so that kamal prunes one a deploy, which is
/// what its own deploys leave, and not two.
fn forget_oldest(host: &Host) -> Result<()> {
    let script = "for old in $(docker ps -q -a --filter label=service=ratio --filter status=exited | tail -n +5 | tail -n 1); do \
        image=$(docker inspect -f '{{.Config.Image}}' $old) && docker rm $old && docker rmi $image; done";
    let socket = format!("unix://{}", host.docker_socket.display());
    run(Command::new("sh").args(["-c", script]).env("DOCKER_HOST", socket)).map(drop)
}
