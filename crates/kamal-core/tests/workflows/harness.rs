//! An app on simulated hosts, and operations on it.

use std::time::Duration;

use kamal_core::{
    cancel::Cancel,
    config::{Config, Source, load, model::BootLimit},
    engine::Engine,
    error::Error,
    fleet::Fleet,
    name::HostName,
    op::{App as AppOp, Deploy, Op, Proxy, Rollback},
    plan::{Outlook, Plan},
    ports::{Clock, World},
    run::{self, Cx, ProxyImages, Report, RunSettings},
    targets::{Selection, Targets},
    testing::{Fault, How, NoTemplateWorld, Serving, SimFleet},
};

/// The operations that bring a version up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Setup,
    Deploy,
    Redeploy,
    Rollback,
    Boot,
}

impl Verb {
    pub(crate) fn op(self) -> Op {
        let deploy = Deploy::default();
        match self {
            Self::Setup => Op::Setup(deploy),
            Self::Deploy => Op::Deploy(deploy),
            Self::Redeploy => Op::Redeploy(deploy),
            Self::Rollback => Op::Rollback(Rollback::default()),
            Self::Boot => Op::App(AppOp::Boot),
        }
    }
}

/// An app, its hosts, and who deploys it.
pub(crate) struct App {
    pub(crate) fleet: SimFleet,
    pub(crate) world: World,
    pub(crate) config: Config,
    pub(crate) targets: Targets,
    pub(crate) run: RunSettings,
    pub(crate) proxy_images: ProxyImages,
}

/// What all apps here have in common.
const COMMON: &str = "service: app\nimage: acme/app\nregistry: {username: deployer, password: [REGISTRY_PASSWORD]}\n\
    builder: {arch: amd64}\nenv: {secret: [DATABASE_URL]}\nretain_containers: 2\n";

/// Three hosts of the role web.
pub(crate) const THREE: &str = "servers: [h1, h2, h3]\n";
/// Web and workers on hosts of their own.
pub(crate) const APART: &str = "servers: {web: [h1, h2], workers: {hosts: [h3], proxy: false, cmd: bin/jobs}}\n";
/// Web and workers on the same hosts.
pub(crate) const TOGETHER: &str = "servers: {web: [h1, h2], workers: {hosts: [h1, h2], cmd: bin/jobs}}\n";

pub(crate) fn config(yaml: &str) -> Config {
    read(&format!("{COMMON}{yaml}"))
}

fn read(text: &str) -> Config {
    match load(&Source::new("config/deploy.yml", text), None, &NoTemplateWorld) {
        Ok(loaded) => loaded.config,
        Err(errors) => panic!("{errors}"),
    }
}

impl App {
    /// An app whose hosts have docker and nothing else.
    pub(crate) fn new(yaml: &str) -> Self {
        Self::with(config(yaml))
    }

    /// An app with a whole configuration.
    pub(crate) fn of(text: &str) -> Self {
        Self::with(read(text))
    }

    fn with(config: Config) -> Self {
        let targets = Targets::select(&config, &Selection::default()).unwrap();
        let fleet = SimFleet::new(config.hosts().iter().map(HostName::as_str));
        fleet.secrets().put("REGISTRY_PASSWORD", "hunter2");
        fleet.secrets().put("DATABASE_URL", "postgres://x");
        let mut run = RunSettings::default();
        run.user_name = "Ann".into();
        Self { world: fleet.world(), fleet, config, targets, run, proxy_images: ProxyImages::default() }
    }

    /// An app that was deployed.
    pub(crate) fn deployed(yaml: &str, version: &str) -> Self {
        let app = Self::new(yaml);
        app.deploy(version).unwrap();
        app
    }

    pub(crate) fn deploy(&self, version: &str) -> Result<Report, Error> {
        self.operate(Verb::Deploy, version, None)
    }

    /// Brings a version up, with a fault or without; panics when it hangs.
    pub(crate) fn operate(&self, verb: Verb, version: &str, fault: Option<Fault>) -> Result<Report, Error> {
        self.perform(&verb.op(), Some(version), fault)
    }

    /// Runs any operation, with a fault or without; panics when it hangs. One that is killed counts as cancelled.
    pub(crate) fn perform(&self, op: &Op, asked: Option<&str>, fault: Option<Fault>) -> Result<Report, Error> {
        let cancel = self.fleet.begin(&self.groups(), fault);
        let run = self.asking(asked);
        let cx = self.cx(&run, cancel);
        let done = self.fleet.drive_until_killed(run::run(&cx, op));
        let done = done.unwrap_or_else(|stalled| panic!("{}: {stalled}", op.row().name()));
        // Each is run by a command of its own.
        self.fleet.next_process();
        done.unwrap_or(Err(Error::Cancelled))
    }

    /// How long a deploy takes until just before it comes to some effect.
    pub(crate) fn moment_before(&self, version: &str, what: &str) -> Duration {
        let probe = self.fork();
        probe.deploy(version).unwrap();
        let at = probe.fleet.effects().iter().position(|effect| effect.what.contains(what)).unwrap();
        let probe = self.fork();
        let began = probe.fleet.clock().elapsed();
        probe.operate(Verb::Deploy, version, Some(Fault { at, how: How::Killed })).unwrap_err();
        probe.fleet.clock().elapsed() - began - Duration::from_millis(1)
    }

    /// Runs an operation and expects it to go well.
    pub(crate) fn perform_well(&self, op: &Op) -> Report {
        self.perform(op, None, None).unwrap_or_else(|error| panic!("{}: {error}", op.row().name()))
    }

    /// `proxy reboot`; panics when it hangs.
    pub(crate) fn reboot_proxy(&self, rolling: bool, fault: Option<Fault>) -> Result<(), Error> {
        self.perform(&Op::Proxy(Proxy::Reboot { rolling }), None, fault).map(drop)
    }

    pub(crate) fn dry_run(&self, verb: Verb, version: &str) -> Result<Plan, Error> {
        self.plan(&verb.op(), Some(version))
    }

    /// The plan of any operation.
    pub(crate) fn plan(&self, op: &Op, asked: Option<&str>) -> Result<Plan, Error> {
        let cancel = self.fleet.begin(&self.groups(), None);
        let run = self.asking(asked);
        let cx = self.cx(&run, cancel);
        self.fleet.drive(run::plan(&cx, op)).unwrap()
    }

    /// The plan of any operation, and what runs beside it.
    pub(crate) fn outlook(&self, op: &Op, asked: Option<&str>) -> Result<Outlook, Error> {
        let cancel = self.fleet.begin(&self.groups(), None);
        let run = self.asking(asked);
        let cx = self.cx(&run, cancel);
        self.fleet.drive(run::outlook(&cx, op)).unwrap()
    }

    /// The app with another configuration, on the same hosts.
    pub(crate) fn becomes(&mut self, yaml: &str) {
        self.config = config(yaml);
        self.targets = Targets::select(&self.config, &Selection::default()).unwrap();
    }

    /// Does what a plan says; panics when it hangs.
    pub(crate) fn apply(&self, plan: &Plan) -> Result<Report, Error> {
        let cancel = self.fleet.begin(&self.groups(), None);
        let cx = self.cx(&self.run, cancel);
        self.fleet.drive(run::apply(&cx, plan)).unwrap_or_else(|stalled| panic!("{}: {stalled}", plan.operation))
    }

    /// The same app on a fleet of its own, as it is now.
    pub(crate) fn fork(&self) -> Self {
        let fleet = self.fleet.fork();
        Self {
            world: fleet.world(),
            fleet,
            config: self.config.clone(),
            targets: self.targets.clone(),
            run: self.run.clone(),
            proxy_images: self.proxy_images.clone(),
        }
    }

    /// An engine for it.
    pub(crate) fn engine(&self) -> Engine {
        Engine::new(self.config.clone(), self.world.clone()).performer("ann").user_name("Ann")
    }

    /// The settings, with `--version`.
    pub(crate) fn asking(&self, version: Option<&str>) -> RunSettings {
        let mut run = self.run.clone();
        run.asked_version = version.map(|version| version.parse().unwrap());
        run
    }

    pub(crate) fn cx<'a>(&'a self, run: &'a RunSettings, cancel: Cancel) -> Cx<'a> {
        let mut cx = Cx::new(Fleet::new(&self.config, &self.world, "ann", cancel), &self.targets, run);
        cx.proxy_images = self.proxy_images.clone();
        cx
    }

    fn groups(&self) -> Vec<Vec<HostName>> {
        let size = match self.config.boot.limit {
            Some(BootLimit::Count(count)) => count as usize,
            Some(BootLimit::Percent(percent)) => self.targets.hosts.len() * percent as usize / 100,
            None => self.targets.app_hosts.len(),
        };
        self.targets.app_hosts.chunks(size.max(1)).map(<[HostName]>::to_vec).collect()
    }

    /// Versions that answer, each once.
    pub(crate) fn versions(&self) -> Vec<String> {
        let mut versions: Vec<String> =
            self.fleet.serving().into_iter().map(|serving| serving.version.to_string()).collect();
        versions.sort();
        versions.dedup();
        versions
    }

    /// Panics unless the version answers for every role on every host, from one container each, and nothing else is
    /// left of the operation.
    pub(crate) fn assert_converged(&self, version: &str, context: &str) {
        let serving = self.fleet.serving();
        for role in &self.config.roles {
            for tagged in &role.hosts {
                let host = self.fleet.host(&tagged.name);
                let answers = |serving: &&Serving| serving.host == tagged.name && serving.role == role.name;
                let found = serving.iter().find(answers).map(|serving| serving.version.as_str());
                assert_eq!(found, Some(version), "{context}: {} on {}", role.name, tagged.name);
                let running: Vec<_> = host.running(&role.name).map(|container| container.name.to_string()).collect();
                assert_eq!(running, [format!("app-{}-{version}", role.name)], "{context}: on {}", tagged.name);
                let (image, latest) = {
                    let tagged = |tag: &str| host.images.get(&format!("{}:{tag}", self.config.repository())).cloned();
                    (tagged(version), tagged("latest"))
                };
                assert!(image.is_some() && image == latest, "{context}: tags on {}", tagged.name);
            }
        }
        assert_eq!(self.locks(), [""; 0], "{context}");
        assert_eq!(self.fleet.violations(), [""; 0], "{context}");
    }

    /// Hosts with a lock.
    pub(crate) fn locks(&self) -> Vec<String> {
        let hosts = self.targets.hosts.iter().filter(|host| self.fleet.host(host).locked());
        hosts.map(ToString::to_string).collect()
    }
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
