//! The same on real hosts, of the sandbox: commands that are killed, cut off from a host, whose docker fails or is killed
//! itself, at every effect they tell of; then the same command again, while requests keep coming. What came of each is
//! kept, so that a run goes on where the last one ended.

mod disturb;
mod kept;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use disturb::{Disturbed, Meddler};
use kamal_core::plan::fnv1a;
pub(super) use kept::{Tried, all as kept};

use crate::{
    command::{note, print},
    error::Result,
    load::Load,
    stage::{Stage, told, wrong},
};

/// The least number of faults that show something.
const ENOUGH: usize = 400;

/// Connections to each host, and requests a second on each.
const LOAD: (u32, u32) = (2, 25);

/// An accessory of the same image, so that none has to be had from elsewhere.
const MORE: &str = "accessories: {side: {image: \"10.77.0.1:5000/SERVICE:latest\", host: HOST1}}\n";

/// What is run.
const COMMANDS: [&str; 7] =
    ["setup", "deploy", "redeploy", "rollback VERSION", "app boot", "accessory reboot", "proxy reboot"];

/// How something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Way {
    /// The command is killed.
    Killed,
    /// The host cannot be reached, for a moment or for as long as the command goes on.
    Cut,
    /// A docker command on the first host fails.
    Fails,
    /// The host's docker is killed, and starts again.
    DockerRestarts,
}

const WAYS: [Way; 4] = [Way::Killed, Way::Cut, Way::Fails, Way::DockerRestarts];

/// A fault to be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fault {
    command: &'static str,
    /// Which effect, from 1.
    number: usize,
    way: Way,
}

impl Fault {
    fn name(&self) -> String {
        format!("real/{}/{}/{:?}", self.command, self.number, self.way)
    }
}

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// So many faults.
    pub count: usize,
    /// None begins after so many minutes.
    pub minutes: u64,
}

/// Tries faults that have not been tried yet, others first with each seed; with `only` those whose name begins so, tried or
/// not. True when each was put right.
///
/// # Errors
///
/// When the sandbox cannot be used, or the app cannot be deployed even without faults.
pub fn run(seed: u64, only: &str, bounds: Bounds) -> Result<bool> {
    let began = Instant::now();
    let limit = Duration::from_secs(60 * bounds.minutes);
    let mut drill = Drill::begin()?;
    let known: BTreeSet<String> = kept()?.into_iter().map(|tried| tried.name).collect();
    let mut faults = Vec::new();
    for command in COMMANDS {
        let prefix = format!("real/{command}/");
        if !super::begins(only, &prefix) {
            continue;
        }
        let (effects, calls) = drill.smooth(command)?;
        note(format_args!("{command}: {effects} effects, {calls} calls of docker on the first host"));
        for way in WAYS {
            let count = if way == Way::Fails { calls } else { effects };
            faults.extend((1..=count).map(|number| Fault { command, number, way }));
        }
    }
    faults.retain(|fault| fault.name().starts_with(only) && (!only.is_empty() || !known.contains(&fault.name())));
    // Each command and each way has its share in whatever there is time for.
    faults.sort_by_key(|fault| fnv1a(format!("{seed} {}", fault.name()).as_bytes()));
    let (mut count, mut wrong) = (0, 0);
    for fault in faults.iter().take(bounds.count).take_while(|_| began.elapsed() < limit) {
        let tried = drill.trial(*fault)?;
        count += 1;
        wrong += usize::from(!tried.problems.is_empty());
        note(format_args!("{count}: {tried}"));
        kept::keep(&tried)?;
    }
    let all = kept()?;
    print(format_args!(
        "{count} faults on real hosts in {} s with seed {seed}: {wrong} wrong; {} of {ENOUGH} kept by now",
        began.elapsed().as_secs(),
        all.len()
    ))?;
    Ok(wrong == 0)
}

/// The app, and what is live.
struct Drill {
    stage: Stage,
    live: String,
    previous: String,
}

impl Drill {
    fn begin() -> Result<Self> {
        let stage = Stage::build("faults", 2, MORE)?;
        let meddler = Meddler(&stage);
        for host in &stage.hosts {
            meddler.prepare(host)?;
        }
        let previous = stage.release()?;
        stage.ok(&["setup", "--quiet"])?;
        let live = stage.release()?;
        stage.ok(&["deploy", "--quiet"])?;
        Ok(Self { stage, live, previous })
    }

    /// Runs a command without a fault: how many effects it tells of, and how often it calls docker on the first host.
    fn smooth(&mut self, command: &'static str) -> Result<(usize, usize)> {
        let (arguments, wanted) = self.arguments(command)?;
        let Disturbed { output, effects, calls, .. } = Meddler(&self.stage).run(&arguments, None)?;
        if !output.status.success() {
            return Err(wrong(format!("kamal {}: {}", arguments.join(" "), told(&output))));
        }
        self.went(wanted);
        Ok((effects, calls))
    }

    /// How a command is spelled, and the version that is to answer when it is over.
    fn arguments(&self, command: &'static str) -> Result<(Vec<String>, String)> {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        Ok(match command {
            "rollback VERSION" => (vec!["rollback".to_owned(), self.previous.clone()], self.previous.clone()),
            "app boot" => ([words("app boot --version"), vec![self.live.clone()]].concat(), self.live.clone()),
            "accessory reboot" => (words("accessory reboot side"), self.live.clone()),
            "proxy reboot" => (words("proxy reboot -y"), self.live.clone()),
            _ => (words(command), self.stage.release()?),
        })
    }

    /// Notes that a version is live now.
    fn went(&mut self, version: String) {
        if version != self.live {
            self.previous = std::mem::replace(&mut self.live, version);
        }
    }

    fn trial(&mut self, fault: Fault) -> Result<Tried> {
        let (arguments, wanted) = self.arguments(fault.command)?;
        let loads = self.stage.loads(LOAD.0, LOAD.1);
        let Disturbed { output, step, .. } = Meddler(&self.stage).run(&arguments, Some(fault))?;
        let outcome = self.outcome(&output, &wanted);
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let again = self.stage.kamal(&words)?;
        let tallies: Vec<_> = loads.into_iter().map(Load::stop).collect();
        let mut problems = Vec::new();
        if !again.status.success() {
            problems.push(format!("again: {}", told(&again)));
        }
        for tally in tallies.iter().filter(|tally| !tally.failed.is_empty()) {
            problems.push(format!("{} of {} requests failed: {}", tally.failed.len(), tally.sent, tally.failed[0]));
        }
        problems.extend(self.leftovers(&wanted)?);
        self.went(wanted);
        if !problems.is_empty() {
            note(format_args!("{}: {}", fault.name(), problems.join("\n  ")));
            // What comes next begins with what there should be.
            drop(self.stage.kamal(&["lock", "release"])?);
            self.went(self.stage.release()?);
            self.stage.ok(&["setup", "--quiet"])?;
        }
        Ok(Tried { name: fault.name(), command: fault.command.to_owned(), way: fault.way, step, outcome, problems })
    }

    /// What answers once the command has ended.
    fn outcome(&self, output: &std::process::Output, wanted: &str) -> String {
        let serving = self.stage.serving();
        let all = |version: &str| serving.iter().all(|now| now == version);
        let outcome = if output.status.success() {
            "done"
        } else if all(&self.live) {
            "before"
        } else if all(wanted) {
            "after"
        } else {
            "both"
        };
        outcome.to_owned()
    }

    /// What is otherwise on hosts than it should be.
    fn leftovers(&self, wanted: &str) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        let serving = self.stage.serving();
        if serving.iter().any(|version| version != wanted) {
            problems.push(format!("{serving:?} answers, not {wanted}"));
        }
        for (i, host) in self.stage.hosts.iter().enumerate() {
            let found = self.stage.shell(host, "docker ps --format '{{.Names}}' | sort")?;
            let mut right = vec![format!("faults-web-{wanted}"), "kamal-proxy".to_owned()];
            right.extend((i == 0).then(|| "faults-side".to_owned()));
            right.sort();
            if found.lines().ne(right.iter().map(String::as_str)) {
                problems.push(format!("{} runs {}", host.name, found.trim().replace('\n', ", ")));
            }
            if host.home.join(".kamal/lock-faults").exists() {
                problems.push(format!("the deploy lock is left on {}", host.name));
            }
        }
        Ok(problems)
    }
}
