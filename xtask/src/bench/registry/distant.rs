//! One changed layer to a host that is far away, beside the same through a registry on this machine and a port forwarded
//! by `ssh -R`, on a connection of its own as Kamal has it. Either has a connection for commands by then; time is taken from
//! there on.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::Ipv4Addr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime},
};

use super::{Figures, fill, project, quietly};
use crate::{
    cable::Cable,
    command::{note, run, show},
    error::{Context, Error, Result},
    figure::Figure,
    programs::Programs,
    project::Project,
    sandbox::{self, Host, Sandbox, require_packages},
};

const ROUND_TRIP: Duration = Duration::from_millis(50);
const IMAGE: usize = 200_000_000;
const LAYER: usize = 1_000_000;

/// The port of Debian's registry.
const PORT: u16 = 5005;
/// The name of the image there.
const BY_HAND: &str = "localhost:5005/layers";

pub(super) fn measure(programs: &Programs, rounds: u32, figures: &mut Figures) -> Result<()> {
    require_packages(&[("docker-registry", "docker-registry")])?;
    let sandbox = sandbox::up(1)?;
    let host = sandbox.host("1")?;
    let cable = Cable::lay(Ipv4Addr::new(10, 77, 0, 1), (host.address, 22).into(), ROUND_TRIP);
    let cable = cable.context(|| "laying a cable".to_owned())?;
    let address = format!("10.77.0.1:{}", cable.port);
    let project = project("layers", programs, &sandbox, std::slice::from_ref(&address), &["base", "layer"])?;
    project.knows(host, &address)?;
    fill(&project, "base", 1, IMAGE - LAYER)?;
    let way = Route {
        sandbox: &sandbox,
        host,
        project: &project,
        cable: &cable,
        _registry: Registry::start(&sandbox, &project)?,
    };

    note("an image of 200 MB, sent for the first time");
    // Not the same ones as the last time.
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    way.ours(seed)?;
    way.by_hand(seed)?;
    let (mut ours, mut hand) = (Vec::new(), Vec::new());
    for round in 1..=u64::from(rounds) {
        ours.push(way.ours(seed + 2 * round)?);
        hand.push(way.by_hand(seed + 2 * round + 1)?);
        let told = |sent: Option<&Sent>| sent.map(ToString::to_string).unwrap_or_default();
        note(format_args!("  round {round}: kamal {}, by hand {}", told(ours.last()), told(hand.last())));
    }
    way.clean()?;
    let (ours, hand) = (median(ours), median(hand));
    figures.begin("One layer of 1 MB in an image of 200 MB, to a host 50 ms away")?;
    let others = "docker-registry behind ssh -R";
    let bytes = Figure::new("over the wire, both ways", "MB", ours.bytes as f64 / 1e6);
    figures.add(bytes.beside(others, hand.bytes as f64 / 1e6).at_most(1.1 * LAYER as f64 / 1e6))?;
    figures.add(Figure::new("time", "s", ours.took).beside(others, hand.took).at_most(hand.took / 2.0))
}

/// What an image cost.
#[derive(Clone, Debug)]
struct Sent {
    took: f64,
    bytes: u64,
}

impl std::fmt::Display for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3} s, {:.3} MB", self.took, self.bytes as f64 / 1e6)
    }
}

fn median(mut sent: Vec<Sent>) -> Sent {
    sent.sort_by(|one, other| one.took.total_cmp(&other.took));
    sent.get(sent.len() / 2).cloned().unwrap_or(Sent { took: f64::NAN, bytes: 0 })
}

/// From this machine to the host.
struct Route<'w> {
    sandbox: &'w Sandbox,
    host: &'w Host,
    project: &'w Project,
    cable: &'w Cable,
    _registry: Registry,
}

impl Route<'_> {
    /// A new layer through the registry inside the command.
    fn ours(&self, seed: u64) -> Result<Sent> {
        fill(self.project, "layer", seed, LAYER)?;
        self.project.commit()?;
        run(&mut quietly(self.project, &["build", "push"]))?;
        let before = self.gone();
        let mut kamal = self.project.kamal();
        kamal.args(["build", "pull", "--json"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut kamal = kamal.spawn().context(|| "starting kamal".to_owned())?;
        let mut began = None;
        for line in kamal.stdout.take().into_iter().flat_map(|output| BufReader::new(output).lines()) {
            let line = line.context(|| "reading what kamal prints".to_owned())?;
            if began.is_none() && line.contains("round_trip") && line.contains("observe") {
                began = Some(Instant::now());
            }
        }
        let status = kamal.wait().context(|| "waiting for kamal".to_owned())?;
        match began.filter(|_| status.success()) {
            Some(began) => Ok(Sent { took: began.elapsed().as_secs_f64(), bytes: self.gone() - before }),
            None => Err(Error::Refused(format!("kamal build pull did not tell of its round trips ({status})"))),
        }
    }

    /// What went over the cable so far, both ways.
    fn gone(&self) -> u64 {
        self.cable.up() + self.cable.down()
    }

    /// A new layer as it would be brought there by hand.
    fn by_hand(&self, seed: u64) -> Result<Sent> {
        fill(self.project, "layer", seed, LAYER)?;
        let folder = self.project.folder().display().to_string();
        self.docker(&["build", "--quiet", "--label", "service=layers", "--tag", BY_HAND, &folder])?;
        self.docker(&["push", "--quiet", BY_HAND])?;
        let [commands, forward] = ["commands", "forward"].map(|name| self.project.home().join(name));
        let pull = format!(
            "docker image rm --force {BY_HAND}; docker pull {BY_HAND} && \
             docker inspect --format '{{{{.Config.Labels.service}}}}' {BY_HAND}"
        );
        let before = self.gone();
        self.connect(&commands, &[])?;
        let began = Instant::now();
        self.connect(&forward, &["-o", "ExitOnForwardFailure=yes", "-R", &format!("{PORT}:localhost:{PORT}")])?;
        run(self.ssh().arg("-S").arg(&commands).arg("host").arg(&pull))?;
        let sent = Sent { took: began.elapsed().as_secs_f64(), bytes: self.gone() - before };
        for socket in [&commands, &forward] {
            run(self.ssh().arg("-S").arg(socket).args(["-O", "exit", "host"]))?;
        }
        Ok(sent)
    }

    /// Opens a connection that stays, in the background once it stands.
    fn connect(&self, socket: &Path, options: &[&str]) -> Result<()> {
        let mut ssh = self.ssh();
        ssh.args(["-f", "-N", "-M", "-S"]).arg(socket).args(options).arg("host");
        // What stays would keep a pipe open.
        show(ssh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))
    }

    /// OpenSSH's client on the machine that builds, to whatever is called.
    fn ssh(&self) -> Command {
        let mut ssh = self.project.command("ssh".as_ref());
        ssh.args(["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o", "HostName=10.77.0.1"]);
        ssh.args(["-l", "root", "-p", &self.cable.port.to_string(), "-i"]).arg(self.sandbox.key());
        let known = self.project.home().join(".ssh/known_hosts");
        ssh.arg("-o").arg(format!("UserKnownHostsFile={}", known.display()));
        ssh
    }

    fn docker(&self, arguments: &[&str]) -> Result<String> {
        let mut docker = Command::new("docker");
        run(docker.args(arguments).envs(self.sandbox.docker_host().map(|socket| ("DOCKER_HOST", socket))))
    }

    /// Takes the images off the host.
    fn clean(&self) -> Result<()> {
        let script =
            "docker image ls --all --quiet --filter label=service=layers | sort -u | xargs -r docker image rm -f";
        let socket = format!("unix://{}", self.host.docker_socket.display());
        run(Command::new("sh").args(["-c", script]).env("DOCKER_HOST", socket)).map(drop)
    }
}

/// Debian's registry on the machine that builds, until this is dropped.
struct Registry(Child);

impl Registry {
    fn start(sandbox: &Sandbox, project: &Project) -> Result<Self> {
        let folder = project.home().join("registry");
        let settings = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: \"127.0.0.1:{PORT}\"}}\n",
            folder.display()
        );
        let file = project.home().join("registry.yml");
        fs::write(&file, settings).context(|| format!("writing {}", file.display()))?;
        let mut serve = project.command("docker-registry".as_ref());
        serve.arg("serve").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = serve.spawn().context(|| "starting docker-registry".to_owned())?;
        let registry = Self(child);
        let began = Instant::now();
        let ask = format!("http://127.0.0.1:{PORT}/v2/");
        while run(project.command("curl".as_ref()).args(["--silent", "--fail", &ask])).is_err() {
            if began.elapsed() > Duration::from_secs(20) {
                let folder = sandbox.folder().display();
                return Err(Error::Refused(format!("docker-registry does not answer on the builder of {folder}")));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(registry)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
