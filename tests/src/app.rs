//! The example app as a test deploys it: a project and a service of its own, on hosts lent to the test alone.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    net::{IpAddr, SocketAddr},
    os::fd::AsFd,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::Value;
use xtask::{
    load::{self, Load},
    project::Project,
    sandbox::Host,
};

use crate::{
    case, effects,
    rig::{self, Hold, rig},
};

/// The hosts these tests share, as tests with two of them take them; conformance has the others.
const PAIRS: [&[u8]; 3] = [&[7, 8], &[5, 6], &[3, 4]];

/// The same hosts, for tests with one; these begin where the others come last.
const SINGLES: [&[u8]; 6] = [&[3], &[4], &[5], &[6], &[7], &[8]];

/// The sandbox's registry, in deploy.yml.
const SANDBOX_REGISTRY: &str =
    "registry: {server: \"10.77.0.1:5000\", username: demo, password: [REGISTRY_PASSWORD]}\n";

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// An app and its hosts.
#[derive(Debug)]
pub struct App {
    /// The service's name; it is served for `NAME.test`.
    pub service: String,
    /// The project.
    pub project: Project,
    holds: Vec<Hold>,
}

/// A command that ended.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// Both of its outputs.
    pub text: String,
    /// How long it took.
    pub took: Duration,
}

/// A command under way.
#[derive(Debug)]
pub struct Running {
    child: Child,
    began: Instant,
}

impl App {
    /// An app on one host, whichever is free first.
    #[must_use]
    pub fn on_one(service: &str) -> Self {
        Self::new(service, rig().hold_one_of(&SINGLES))
    }

    /// An app on two hosts.
    #[must_use]
    pub fn on_two(service: &str) -> Self {
        Self::new(service, rig().hold_one_of(&PAIRS))
    }

    /// The app of a reported case (see [`crate::case`]) on one host or two, with nothing else on them.
    #[must_use]
    pub fn of_case(name: &str, hosts: usize) -> Self {
        let holds = rig().hold_one_of(if hosts == 1 { &SINGLES } else { &PAIRS });
        let project = rig().project(name, "", "");
        let app = Self { service: "app".to_owned(), project, holds };
        for hold in &app.holds {
            rig().clean(hold.number);
        }
        case::prepare(&app);
        app.takes_case(name);
        app
    }

    /// Puts the files of a case in the place of the project's own, and commits.
    pub fn takes_case(&self, name: &str) -> String {
        case::put(self, name);
        self.release()
    }

    /// An app on hosts of these numbers.
    #[must_use]
    pub fn on(service: &str, hosts: &[u8]) -> Self {
        Self::new(service, rig().hold(hosts))
    }

    /// An app without a registry, so that it goes through the one on this machine, on hosts of these numbers.
    #[must_use]
    pub fn without_registry(service: &str, hosts: &[u8]) -> Self {
        let app = Self::new(service, rig().hold(hosts));
        app.edit(SANDBOX_REGISTRY, "");
        let Self { service, project, holds } = app;
        Self { service, project: project.at_the_builder(&rig().sandbox), holds }
    }

    fn new(service: &str, holds: Vec<Hold>) -> Self {
        let addresses: Vec<String> = holds.iter().map(|hold| rig().host(hold.number).address.to_string()).collect();
        let deploy = format!(
            "service: {service}\n\
             image: {service}\n\
             servers:\n  web:\n    hosts: [{}]\n\
             proxy: {{host: {service}.test, app_port: 80, healthcheck: {{path: /up, interval: 1}}}}\n\
             {SANDBOX_REGISTRY}\
             builder: {{arch: amd64, driver: docker}}\n\
             env: {{clear: {{HEALTH: ok}}, secret: [API_KEY]}}\n\
             deploy_timeout: 20\n\
             ssh: {{keys: [SSHKEY], keys_only: true}}\n",
            addresses.join(", ")
        );
        let project = rig().project(service, &deploy, "REGISTRY_PASSWORD=demo\nAPI_KEY=s3cret\n");
        let app = Self { service: service.to_owned(), project, holds };
        app.take_off_hosts();
        app
    }

    /// Removes what an earlier run left, and nothing of anybody else.
    fn take_off_hosts(&self) {
        let name = &self.service;
        let script = format!(
            "docker ps -aq --filter label=service={name} | xargs -r docker rm -f; \
             docker exec kamal-proxy kamal-proxy remove {name}; \
             docker image ls -q --filter reference='*:5*/{name}' | sort -u | xargs -r docker rmi -f; true"
        );
        for host in self.hosts() {
            rig().docker_shell(host.number, &script);
            // Absent is clean.
            drop(fs::remove_dir_all(host.home.join(format!(".kamal/apps/{name}"))));
            drop(fs::remove_dir_all(host.home.join(format!(".kamal/lock-{name}"))));
            drop(fs::remove_file(host.home.join(format!(".kamal/{name}-audit.log"))));
        }
    }

    /// Its hosts, in the order of deploy.yml.
    #[must_use]
    pub fn hosts(&self) -> Vec<&'static Host> {
        self.holds.iter().map(|hold| rig().host(hold.number)).collect()
    }

    /// Its first host.
    ///
    /// # Panics
    ///
    /// Never: an app has a host.
    #[must_use]
    pub fn host(&self) -> &'static Host {
        self.hosts()[0]
    }

    /// Writes deploy.yml with one text replaced, and commits.
    ///
    /// # Panics
    ///
    /// When the text is not there.
    pub fn edit(&self, from: &str, to: &str) {
        let path = self.project.folder().join("config/deploy.yml");
        let text = fs::read_to_string(&path).expect("deploy.yml is there");
        assert!(text.contains(from), "deploy.yml has no {from:?}:\n{text}");
        self.project.write("config/deploy.yml", &text.replace(from, to)).expect("deploy.yml can be written");
        self.release();
    }

    /// Commits everything, and returns the version.
    ///
    /// # Panics
    ///
    /// When git refuses.
    pub fn release(&self) -> String {
        self.project.commit().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs kamal to its end.
    #[must_use]
    pub fn kamal(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).wait()
    }

    /// Runs kamal, which must succeed, and returns what it printed.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let ended = self.kamal(arguments);
        assert!(ended.status.success(), "kamal {} failed: {}\n{}", arguments.join(" "), ended.status, ended.text);
        ended.text
    }

    /// Runs kamal, which must fail by itself: neither stopped, nor with something that was planned.
    ///
    /// # Panics
    ///
    /// When it ends otherwise.
    #[must_use]
    pub fn fails(&self, arguments: &[&str]) -> Ended {
        let ended = self.kamal(arguments);
        let failed = ended.status.code().is_some_and(|status| ![0, 2, 130].contains(&status));
        assert!(failed, "kamal {}: {}\n{}", arguments.join(" "), ended.status, ended.text);
        ended
    }

    /// Starts kamal.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.project.kamal();
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running { began: Instant::now(), child: command.spawn().expect("kamal starts") }
    }

    /// Sets up a first version and returns it.
    ///
    /// # Panics
    ///
    /// When that fails.
    pub fn set_up(&self) -> String {
        let version = self.release();
        self.ok(&["setup"]);
        assert_eq!(self.serving(), vec![version.clone(); self.holds.len()]);
        version
    }

    /// The version each host answers with, or why it does not answer.
    #[must_use]
    pub fn serving(&self) -> Vec<String> {
        self.hosts().iter().map(|host| self.answer_of(host)).collect()
    }

    /// Starts requests to the first host.
    #[must_use]
    pub fn load(&self) -> Load {
        Load::start(address(self.host()), &format!("{}.test", self.service), 4, 50)
    }

    /// Starts requests to a host, so many in a second.
    #[must_use]
    pub fn load_on(&self, host: &Host, rate: u32) -> Load {
        Load::start(address(host), &format!("{}.test", self.service), 2, rate / 2)
    }

    /// The version a host answers with, or why it does not answer.
    #[must_use]
    pub fn answer_of(&self, host: &Host) -> String {
        load::ask(address(host), &format!("{}.test", self.service)).unwrap_or_else(|error| error.to_string())
    }

    /// Waits until a host's answers are these, and no others, for so long.
    ///
    /// # Panics
    ///
    /// When they are not in time.
    pub fn await_answers(&self, host: &Host, wanted: &[&str], patience: Duration) {
        let wanted: BTreeSet<String> = wanted.iter().map(ToString::to_string).collect();
        let began = Instant::now();
        loop {
            let found: BTreeSet<String> = (0..12).map(|_| self.answer_of(host)).collect();
            if found == wanted {
                return;
            }
            assert!(began.elapsed() < patience, "{} answers {found:?}, not {wanted:?}", host.address);
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Starts requests to the first host over connections in steady use, over connections that idle in between, and over
    /// a connection each.
    #[must_use]
    pub fn loads(&self) -> [Load; 3] {
        self.loads_to(address(self.host()))
    }

    fn loads_to(&self, to: SocketAddr) -> [Load; 3] {
        let name = format!("{}.test", self.service);
        [Load::start(to, &name, 4, 50), Load::start(to, &name, 8, 1), Load::start_unkept(to, &name, 4, 50)]
    }

    /// Starts the same from inside a network namespace, to an address it knows.
    ///
    /// # Panics
    ///
    /// When it cannot be entered.
    #[must_use]
    pub fn loads_within(&self, namespace: &Path, to: IpAddr) -> [Load; 3] {
        let namespace = File::open(namespace).expect("there is such a namespace");
        let start = || {
            // The threads that send are made by this one, and stay where it is.
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).expect("it can be entered");
            self.loads_to(SocketAddr::from((to, 80)))
        };
        thread::scope(|scope| scope.spawn(start).join()).expect("the load starts")
    }

    /// What its hosts hold, the states of its containers by their whole names included.
    #[must_use]
    pub fn effects(&self) -> Vec<Value> {
        let mut found = Vec::new();
        for host in self.hosts() {
            let names = rig()
                .docker_shell(host.number, "docker ps -a --no-trunc --format '{{.Names}} {{.ID}} {{.State}}' | sort");
            found.push(Value::from(names));
            found.push(effects::of(host));
        }
        found
    }

    /// Whether anybody holds the deploy lock.
    #[must_use]
    pub fn locked(&self) -> bool {
        self.host().home.join(format!(".kamal/lock-{}", self.service)).exists()
    }

    /// The states of a version's containers of the role web, each host's.
    #[must_use]
    pub fn states(&self, version: &str) -> Vec<String> {
        let format = "{{.State}}";
        let name = self.container(version);
        let script = format!("docker ps -a --filter 'name=^/{name}$' --format '{format}'");
        self.hosts().iter().map(|host| rig().docker_shell(host.number, &script).trim().to_owned()).collect()
    }

    /// The name of a version's container of the role web.
    #[must_use]
    pub fn container(&self, version: &str) -> String {
        format!("{}-web-{version}", self.service)
    }

    /// Waits until a version's container runs on every host.
    ///
    /// # Panics
    ///
    /// When it does not within a minute.
    pub fn await_running(&self, version: &str) {
        let began = Instant::now();
        while self.states(version).iter().any(|state| state != "running") {
            assert!(began.elapsed() < PATIENCE, "{} does not run: {:?}", self.container(version), self.states(version));
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Running {
    /// Sends it a signal, such as `INT`.
    ///
    /// # Panics
    ///
    /// When that cannot be done.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.expect("kill can be run").success());
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// When its output cannot be read.
    #[must_use]
    pub fn wait(self) -> Ended {
        let output = self.child.wait_with_output().expect("kamal can be waited for");
        Ended { status: output.status, text: rig::text(&output), took: self.began.elapsed() }
    }
}

impl Ended {
    /// Checks that the output holds all of these.
    ///
    /// # Panics
    ///
    /// When one is missing.
    pub fn says(&self, wanted: &[&str]) -> &Self {
        let missing: Vec<&&str> = wanted.iter().filter(|text| !self.text.contains(**text)).collect();
        assert!(missing.is_empty(), "missing: {missing:?}, in:\n{}", self.text);
        self
    }
}

fn address(host: &Host) -> SocketAddr {
    SocketAddr::from((host.address, 80))
}
