//! Running a command and doing something to it, or to a host, at the effect it is told to.

use std::{
    fs::{self, Permissions},
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    process::{Child, Output, Stdio},
    thread,
    time::Duration,
};

use kamal_core::testing::{Effect, EffectKind};
use serde_json::Value;

use super::{Fault, Way};
use crate::{
    error::{Context, Error, Result},
    sandbox::Host,
    stage::Stage,
};

/// Stands in for docker on a host: notes that it was called, and fails the call it is told to fail.
const SHIM: &str = "#!/bin/sh
echo >> /root/.faults/calls
if [ -f /root/.faults/fail ] && [ \"$(wc -l < /root/.faults/calls)\" -eq \"$(cat /root/.faults/fail)\" ]; then
  echo 'it was made to fail' >&2; exit 1
fi
exec /root/.faults/docker \"$@\"
";

/// Puts it in docker's place, for those who log in.
const INSTALL: &str = "docker=$(readlink -f \"$(command -v docker)\") && mount --bind \"$docker\" /root/.faults/docker \
    && mount --bind /root/.faults/shim \"$docker\"";

/// The rule of a host's packet filter that cuts those off who are logged in.
const CUT: [&str; 8] = ["INPUT", "-p", "tcp", "--dport", "22", "-j", "REJECT", "--reject-with=tcp-reset"];

/// How long a cut is that heals while the command goes on.
const MOMENT: Duration = Duration::from_secs(2);

/// What a command did.
pub(super) struct Disturbed {
    pub(super) output: Output,
    /// How many effects it told of.
    pub(super) effects: usize,
    /// How often it called docker on the first host.
    pub(super) calls: usize,
    /// The step something was done at.
    pub(super) step: String,
}

/// Meddles with an app's hosts.
pub(super) struct Meddler<'s>(pub(super) &'s Stage);

impl Meddler<'_> {
    /// Makes a host ready to be meddled with.
    pub(super) fn prepare(&self, host: &Host) -> Result<()> {
        self.0.sandbox.restart_engine(host)?;
        let folder = host.home.join(".faults");
        let shim = folder.join("shim");
        let write = || {
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("docker"), "")?;
            fs::write(&shim, SHIM)?;
            fs::set_permissions(&shim, Permissions::from_mode(0o755))
        };
        write().context(|| format!("writing {}", shim.display()))?;
        self.0.sandbox.inside(host, &["sh", "-c", INSTALL]).map(drop)
    }

    /// Runs a command with a fault, or without.
    pub(super) fn run(&self, arguments: &[String], fault: Option<Fault>) -> Result<Disturbed> {
        let first = &self.0.hosts[0];
        self.set(first, fault.filter(|fault| fault.way == Way::Fails).map(|fault| fault.number))?;
        let mut kamal = self.0.project.kamal();
        kamal.args(arguments).arg("--json").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = kamal.spawn().context(|| "starting kamal".to_owned())?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (mut effects, mut steps, mut printed) = (0, Steps::default(), String::new());
        let done = thread::scope(|scope| {
            let said = scope.spawn(|| {
                let mut said = String::new();
                stderr.map(|mut stderr| stderr.read_to_string(&mut said)).transpose().map(|_| said)
            });
            for line in
                stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines()).map_while(std::result::Result::ok)
            {
                printed.push_str(&line);
                printed.push('\n');
                let event: Value = serde_json::from_str(&line).unwrap_or_default();
                if !steps.take(&event) {
                    continue;
                }
                effects += 1;
                let Some(fault) = fault.filter(|fault| fault.number == effects && fault.way != Way::Fails) else {
                    continue;
                };
                steps.fix();
                let host = event["host"].as_str().unwrap_or_default();
                let host = self.0.hosts.iter().find(|known| known.address.to_string() == host).unwrap_or(first);
                self.meddle(fault, &mut child, host)?;
                if fault.way == Way::Cut && fault.number % 2 == 1 {
                    scope.spawn(move || {
                        thread::sleep(MOMENT);
                        self.plug_in(host);
                    });
                }
            }
            let status = child.wait().context(|| "waiting for kamal".to_owned())?;
            let said = said.join().ok().and_then(std::io::Result::ok).unwrap_or_default();
            Ok::<_, Error>((status, said))
        });
        self.0.hosts.iter().for_each(|host| self.plug_in(host));
        let calls = fs::read_to_string(first.home.join(".faults/calls")).unwrap_or_default().lines().count();
        self.set(first, None)?;
        let (status, said) = done?;
        // Of the events the end tells why it ended.
        let ending: Vec<&str> = printed.lines().rev().take(2).collect();
        let output = Output { status, stdout: ending.join("\n").into_bytes(), stderr: said.into_bytes() };
        Ok(Disturbed { output, effects, calls, step: steps.name() })
    }

    fn meddle(&self, fault: Fault, child: &mut Child, host: &Host) -> Result<()> {
        match fault.way {
            Way::Killed => child.kill().context(|| "killing kamal".to_owned()),
            Way::Cut => self.0.within(host, &[&["iptables", "-w", "-I"], &CUT[..]].concat()).map(drop),
            Way::DockerRestarts => self.0.sandbox.restart_engine(host),
            Way::Fails => Ok(()),
        }
    }

    /// Ends every cut of a host.
    fn plug_in(&self, host: &Host) {
        while self.0.within(host, &[&["iptables", "-w", "-D"], &CUT[..]].concat()).is_ok() {}
    }

    /// Has a call of docker fail from now on, counted from here.
    fn set(&self, host: &Host, fail: Option<usize>) -> Result<()> {
        let folder = host.home.join(".faults");
        let write = || {
            fs::write(folder.join("calls"), "")?;
            match fail {
                Some(number) => fs::write(folder.join("fail"), number.to_string()),
                // It may not be there.
                None => fs::remove_file(folder.join("fail")).or(Ok(())),
            }
        };
        write().context(|| format!("writing to {}", folder.display()))
    }
}

/// What was begun, and which of it went wrong.
#[derive(Default)]
struct Steps {
    begun: String,
    failed: Option<String>,
    fixed: bool,
}

impl Steps {
    /// Takes an event; true for the beginning of an effect on a host.
    fn take(&mut self, event: &Value) -> bool {
        let on_host = event["host"].is_string();
        let step = event["step"].as_str().unwrap_or("connect");
        match event["event"].as_str() {
            Some("step_started" | "connected") if on_host => {
                if !self.fixed {
                    step.clone_into(&mut self.begun);
                }
                true
            }
            Some("step_finished") if event["outcome"].to_string().contains("failed") => {
                self.failed.get_or_insert_with(|| step.to_owned());
                false
            }
            _ => false,
        }
    }

    /// What was begun last is what something is done to.
    fn fix(&mut self) {
        (self.fixed, self.failed) = (true, None);
    }

    /// The step without the names of what it is about; what fails before any step is a look at the host.
    fn name(&self) -> String {
        let what = match (&self.failed, self.fixed) {
            (Some(failed), false) => failed.clone(),
            (_, true) => self.begun.clone(),
            _ => "observe".to_owned(),
        };
        Effect { host: None, kind: EffectKind::Run, what }.plain()
    }
}
