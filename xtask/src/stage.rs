//! An app on hosts of the sandbox that are its own for as long as this is there: whatever is done to them, nobody else's
//! hosts see anything of it.

use std::{
    fs,
    net::SocketAddr,
    process::{Command, Output, Stdio},
};

use crate::{
    command::{note, run},
    error::{Context, Error, Result},
    load::{self, Load},
    programs::{self, Profile},
    project::Project,
    sandbox::{self, Host, Sandbox},
};

/// What every such app has in its deploy.yml. `HOSTS`, `SERVICE` and `MORE` are filled in.
const DEPLOY: &str = "\
service: SERVICE
image: SERVICE
servers: [HOSTS]
proxy: {app_port: 80, host: SERVICE.test, healthcheck: {path: /up, interval: 1}}
registry: {server: \"10.77.0.1:5000\", username: stage, password: [REGISTRY_PASSWORD]}
builder: {arch: amd64, driver: docker}
env: {clear: {HEALTH: ok}}
deploy_timeout: 20
drain_timeout: 10
retain_containers: 2
ssh: {keys: [SSHKEY], keys_only: true}
MORE";

/// An app and its hosts.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    pub(crate) hosts: Vec<Host>,
    pub(crate) project: Project,
    service: &'static str,
    /// How many hosts there were before.
    before: u8,
}

impl Stage {
    /// Adds hosts to the sandbox, for an app that is not on them yet. `HOST1` in what is added to its deploy.yml is the
    /// first one's address.
    pub(crate) fn build(service: &'static str, hosts: u8, more: &str) -> Result<Self> {
        let programs = programs::build(Profile::Dev)?;
        let before = u8::try_from(Sandbox::find()?.hosts().len()).unwrap_or(sandbox::MAX_HOSTS);
        let sandbox = sandbox::up(before.saturating_add(hosts).max(hosts))?;
        let own: Vec<Host> = sandbox.hosts().iter().filter(|host| host.number > before).cloned().collect();
        let addresses: Vec<String> = own.iter().map(|host| host.address.to_string()).collect();
        let deploy = DEPLOY.replace("MORE", more).replace("SERVICE", service);
        let deploy = deploy.replace("HOSTS", &addresses.join(", ")).replace("HOST1", &addresses[0]);
        let folder = sandbox.folder().with_file_name("stage").join(service);
        let project = Project::create(&folder, &programs, &sandbox, &deploy, "REGISTRY_PASSWORD=stage\n")?;
        Ok(Self { sandbox, hosts: own, project, service, before })
    }

    /// Replaces a text of deploy.yml.
    pub(crate) fn edit(&self, from: &str, to: &str) -> Result<()> {
        let file = self.project.folder().join("config/deploy.yml");
        let text = fs::read_to_string(&file).context(|| format!("reading {}", file.display()))?;
        if !text.contains(from) {
            return Err(wrong(format!("deploy.yml has no {from}")));
        }
        self.project.write("config/deploy.yml", &text.replace(from, to))
    }

    /// A version that is new.
    pub(crate) fn release(&self) -> Result<String> {
        self.project.commit()
    }

    /// Runs kamal, whatever comes of it.
    pub(crate) fn kamal(&self, arguments: &[&str]) -> Result<Output> {
        let mut kamal = self.project.kamal();
        kamal.args(arguments).stdin(Stdio::null());
        kamal.output().context(|| "starting kamal".to_owned())
    }

    /// Runs kamal, which has to succeed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> Result<String> {
        run(self.project.kamal().args(arguments))
    }

    /// The version each host answers with, or why it does not.
    pub(crate) fn serving(&self) -> Vec<String> {
        let ask = |host: &Host| load::ask(address(host), &self.name()).unwrap_or_else(|error| error.to_string());
        self.hosts.iter().map(ask).collect()
    }

    /// Starts requests to each host, so many clients of so many requests a second.
    pub(crate) fn loads(&self, clients: u32, rate: u32) -> Vec<Load> {
        self.hosts.iter().map(|host| self.load(host, clients, rate)).collect()
    }

    /// Starts requests to a host.
    pub(crate) fn load(&self, host: &Host, clients: u32, rate: u32) -> Load {
        Load::start(address(host), &self.name(), clients, rate)
    }

    /// Runs shell text on a host and returns what it printed.
    pub(crate) fn shell(&self, host: &Host, script: &str) -> Result<String> {
        run(self.sandbox.ssh(host).arg(script))
    }

    /// Runs a program in a host's network, from outside of it.
    pub(crate) fn within(&self, host: &Host, program: &[&str]) -> Result<String> {
        let namespace = format!("--net=/run/netns/kamal-{}", host.name);
        run(Command::new("nsenter").arg(namespace).args(program))
    }

    fn name(&self) -> String {
        format!("{}.test", self.service)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // With no host left, the sandbox itself was made for this.
        let done = if self.before == 0 { sandbox::down() } else { sandbox::shrink(self.before) };
        if let Err(error) = done {
            note(format_args!("the hosts are still there: {error}"));
        }
    }
}

fn address(host: &Host) -> SocketAddr {
    SocketAddr::from((host.address, 80))
}

/// What a command printed, and how it ended.
pub(crate) fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    format!("{}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr)).trim().to_owned()
}

/// An error in words.
pub(crate) fn wrong(text: impl Into<String>) -> Error {
    Error::Refused(text.into())
}
