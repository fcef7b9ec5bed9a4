//! Drills: every effect of an operation goes wrong once, in every way it can, the program being killed and docker being
//! restarted among them; then the same operation again, with nothing in between. All that happens follows from a number,
//! and each fault has a name by which it is tried again.
//!
//! ```
//! use kamal_core::{config, testing::{Drill, NoTemplateWorld}};
//!
//! let text = "service: app\nimage: acme/app\nservers: [h1]\nregistry: {username: me, password: [TOKEN]}\nbuilder: {arch: amd64}\n";
//! let source = config::Source::new("config/deploy.yml", text);
//! let config = config::load(&source, None, &NoTemplateWorld).unwrap().config;
//! let drill = Drill::new("mine", config, 7, |fleet| fleet.secrets().put("TOKEN", "secret")).unwrap();
//! let deploy = drill.exercises().into_iter().find(|exercise| exercise.command == "deploy").unwrap();
//! let (fault, effect) = drill.faults(&deploy).pop().unwrap();
//! let trial = drill.trial(&deploy, fault, &effect);
//! assert!(trial.problems.is_empty(), "{trial}");
//! ```

mod fleets;
mod likeness;

use std::fmt;

use likeness::{Likeness, difference};

use super::{Effect, Fault, How, Serving, SimFleet, Stalled};
use crate::{
    cancel::Cancel,
    config::Config,
    error::Error,
    fleet::Fleet,
    lock::EXPIRY,
    name::{HostName, RoleName, Version},
    op::{Accessory, AccessoryTask, App, Deploy, Op, Proxy, Rollback, Rollout},
    plan::groups,
    ports::{Clock as _, World},
    run::{self, Cx, Report, RunSettings},
    targets::{Selection, Targets},
};

/// How many of a hundred requests a rollout gets at first.
const PERCENT: u8 = 10;

/// An app on simulated hosts, to be deployed with faults.
#[derive(Debug)]
pub struct Drill {
    name: String,
    seed: u64,
    config: Config,
    targets: Targets,
    /// Hosts that have docker and nothing else.
    bare: SimFleet,
    /// Hosts where two versions were deployed.
    base: SimFleet,
    /// The same, where a third gets a part of the requests.
    split: SimFleet,
}

/// How hosts are before an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginning {
    Bare,
    Deployed,
    Split,
}

/// An operation that is drilled.
#[derive(Clone, Debug)]
pub struct Exercise {
    /// The command, as it is typed.
    pub command: &'static str,
    op: Op,
    asked: Option<Version>,
    from: Beginning,
    /// What it is about stops meanwhile.
    outage: bool,
}

/// One fault, and what came of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Trial {
    /// What it is tried again by, with the seed.
    pub name: String,
    /// The command.
    pub command: &'static str,
    /// What went wrong.
    pub effect: Effect,
    /// In which way.
    pub how: How,
    /// What answered once the command had ended.
    pub outcome: Outcome,
    /// What did not hold; nothing where all is well.
    pub problems: Vec<String>,
}

/// What answers for the app once a command has ended with a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The command came to its end all the same.
    Done,
    /// On every host what answered before.
    Before,
    /// On every host what was to answer.
    After,
    /// On some hosts the one, on some the other.
    Both,
}

impl Drill {
    /// An app; `prepare` gives each of its fleets what the configuration needs: secrets, files of the project, images.
    ///
    /// # Errors
    ///
    /// When the configuration has no hosts, or cannot even be deployed without a fault.
    pub fn new(name: &str, config: Config, seed: u64, prepare: impl Fn(&SimFleet)) -> Result<Self, Error> {
        let targets = Targets::select(&config, &Selection::default())?;
        let bare = SimFleet::new(config.hosts().iter().map(HostName::as_str));
        prepare(&bare);
        for accessory in &config.accessories {
            bare.publish(&accessory.image);
        }
        let (base, split) = (bare.fork(), bare.fork());
        let mut drill = Self { name: name.to_owned(), seed, config, targets, bare, base, split };
        let (how, percent) = (Deploy::default(), PERCENT);
        for (op, version) in [(Op::Setup(how), "v1"), (Op::Deploy(how), "v2")] {
            drill.bring(&drill.base, &op, version)?;
        }
        drill.split = drill.base.fork();
        if drill.has_requests() {
            drill.bring(&drill.split, &Op::Rollout(Rollout::Deploy { how, percent }), "v3")?;
        }
        Ok(drill)
    }

    fn bring(&self, fleet: &SimFleet, op: &Op, version: &str) -> Result<(), Error> {
        let asked = Some(Version::of_checked(version));
        self.perform(fleet, op, asked, None).unwrap_or(Err(Error::Cancelled)).map(drop)
    }

    /// Whether there are requests to lead.
    fn has_requests(&self) -> bool {
        self.targets.roles.iter().any(|role| role.proxy.is_some())
    }

    /// Apps of one to fifty hosts with roles, accessories, groups and release commands, and what they are called.
    #[must_use]
    pub fn fleets() -> Vec<&'static str> {
        fleets::NAMES.iter().map(|(name, _)| *name).collect()
    }

    /// One of [`Drill::fleets`].
    #[must_use]
    pub fn of_fleet(name: &str, seed: u64) -> Option<Self> {
        fleets::drill(name, seed)
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is drilled.
    #[must_use]
    pub fn exercises(&self) -> Vec<Exercise> {
        let exercise = |command, op, asked: Option<&'static str>| Exercise {
            command,
            asked: asked.map(Version::of_checked),
            from: match &op {
                Op::Setup(_) if command == "setup" => Beginning::Bare,
                Op::Rollout(Rollout::Set { .. } | Rollout::Promote | Rollout::Abort) => Beginning::Split,
                _ => Beginning::Deployed,
            },
            op,
            outage: command == "accessory reboot",
        };
        let deploy = Deploy::default();
        let to = Some(Version::of_checked("v1"));
        let mut all = vec![
            exercise("setup", Op::Setup(deploy), Some("v1")),
            exercise("setup of what is live", Op::Setup(deploy), Some("v3")),
            exercise("deploy", Op::Deploy(deploy), Some("v3")),
            exercise("redeploy", Op::Redeploy(deploy), Some("v2")),
            exercise("rollback", Op::Rollback(Rollback::default()), None),
            exercise("rollback VERSION", Op::Rollback(Rollback { to, as_deployed: false }), None),
            exercise("app boot", Op::App(App::Boot), Some("v2")),
            exercise("proxy reboot", Op::Proxy(Proxy::Reboot { rolling: false }), None),
        ];
        if self.has_requests() {
            let begin = Rollout::Deploy { how: deploy, percent: PERCENT };
            all.push(exercise("rollout deploy", Op::Rollout(begin), Some("v3")));
            all.push(exercise("rollout set", Op::Rollout(Rollout::Set { percent: 50 }), None));
            all.push(exercise("rollout promote", Op::Rollout(Rollout::Promote), None));
            all.push(exercise("rollout abort", Op::Rollout(Rollout::Abort), None));
        }
        let accessories = Accessory::new(&self.config, "all", AccessoryTask::Reboot);
        if let Some(reboot) = accessories.ok().filter(|_| !self.config.accessories.is_empty()) {
            all.push(exercise("accessory reboot", Op::Accessory(reboot), None));
        }
        all
    }

    /// Every fault there is, with the effect that goes wrong.
    #[must_use]
    pub fn faults(&self, exercise: &Exercise) -> Vec<(Fault, Effect)> {
        let smooth = self.fleet(exercise);
        drop(self.perform(&smooth, &exercise.op, exercise.asked.clone(), None));
        let of = |(at, effect): (usize, Effect)| {
            let hows = [effect.hows(), effect.restarts()].concat();
            hows.into_iter().map(move |how| (Fault { at, how }, effect.clone()))
        };
        smooth.effects().into_iter().enumerate().flat_map(of).collect()
    }

    /// Tries the fault of that name again; nothing when there is none.
    #[must_use]
    pub fn replay(&self, name: &str) -> Option<Trial> {
        let all = self.exercises();
        let exercise = all.iter().find(|exercise| name.starts_with(&format!("{}/{}/", self.name, exercise.command)))?;
        let faults = self.faults(exercise);
        let (fault, effect) = faults.into_iter().find(|(fault, _)| self.fault_name(exercise, *fault) == name)?;
        Some(self.trial(exercise, fault, &effect))
    }

    /// Runs an operation with a fault, and then once more without.
    #[must_use]
    pub fn trial(&self, exercise: &Exercise, fault: Fault, effect: &Effect) -> Trial {
        let wanted = self.wanted(exercise);
        self.trial_for(exercise, fault, effect, &wanted)
    }

    /// Tries all faults of an exercise that are picked, by their number and their name.
    #[must_use]
    pub fn sweep(&self, exercise: &Exercise, picks: impl Fn(usize, &str) -> bool) -> Vec<Trial> {
        let wanted = self.wanted(exercise);
        let faults = self.faults(exercise).into_iter().enumerate();
        let picked = faults.filter(|(i, (fault, _))| picks(*i, &self.fault_name(exercise, *fault)));
        picked.map(|(_, (fault, effect))| self.trial_for(exercise, fault, &effect, &wanted)).collect()
    }

    /// How hosts are when nothing goes wrong.
    fn wanted(&self, exercise: &Exercise) -> Likeness {
        let smooth = self.fleet(exercise);
        drop(self.perform(&smooth, &exercise.op, exercise.asked.clone(), None));
        likeness::of(&smooth, &self.targets.hosts)
    }

    fn trial_for(&self, exercise: &Exercise, fault: Fault, effect: &Effect, wanted: &Likeness) -> Trial {
        let fleet = self.fleet(exercise);
        let old = fleet.serving();
        let first = self.perform(&fleet, &exercise.op, exercise.asked.clone(), Some(fault));
        let mut problems = fleet.violations();
        let lost = effect.host.as_ref().filter(|_| fault.how == How::Unplugged);
        let outcome = match &first {
            Ok(Ok(_)) => Outcome::Done,
            _ => outcome(&old, &fleet.serving(), lost),
        };
        let ended = matches!(&first, Ok(Err(error)) if !fault.how.kills() && !matches!(error, Error::LockLost { .. }));
        if ended && outcome == Outcome::Both && self.all_at_once() {
            problems.push("some hosts switched and some did not".to_owned());
        }
        if let Err(stalled) = &first {
            problems.push(stalled.to_string());
        }
        fleet.plug_in();
        if self.seed.wrapping_add(fault.at as u64).is_multiple_of(2) {
            // The same again, from elsewhere and a while later.
            fleet.next_machine();
            // Nothing else is at work.
            let _ = fleet.drive(fleet.clock().sleep(EXPIRY));
        }
        problems.extend(self.again(exercise, &fleet, wanted, outcome));
        problems.extend(fleet.violations());
        problems.dedup();
        let name = self.fault_name(exercise, fault);
        Trial { name, command: exercise.command, effect: effect.clone(), how: fault.how, outcome, problems }
    }

    /// Runs it once more; tells what is not as it would be without a fault.
    fn again(&self, exercise: &Exercise, fleet: &SimFleet, wanted: &Likeness, first: Outcome) -> Vec<String> {
        if exercise.op == Op::Rollout(Rollout::Promote) {
            // What it would switch to may answer already; then nothing has to move before the rest stops.
            fleet.expect_outage();
        }
        let again = self.perform(fleet, &exercise.op, exercise.asked.clone(), None);
        let now = likeness::of(fleet, &self.targets.hosts);
        match again {
            // What was of no matter is left to the next deploy, and so is the lock of one that was killed when all was done.
            Ok(Ok(report)) if report.plan.stages.is_empty() && first == Outcome::Done => Vec::new(),
            Ok(Ok(report)) => difference(wanted, &now, !report.plan.stages.is_empty()),
            // It had come to its end, and there is nothing before what it went back to. The lock of one that was killed is
            // taken over by whoever comes next.
            Ok(Err(Error::NoEarlierVersion)) => difference(wanted, &now, false),
            Ok(Err(error)) => vec![format!("again: {error}")],
            Err(stalled) => vec![format!("again: {stalled}")],
        }
    }

    fn fault_name(&self, exercise: &Exercise, fault: Fault) -> String {
        format!("{}/{}/{}/{:?}", self.name, exercise.command, fault.at, fault.how)
    }

    /// True when no host keeps what another one leaves, whatever fails.
    fn all_at_once(&self) -> bool {
        groups(&self.config, &self.targets.app_hosts).len() < 2
    }

    fn fleet(&self, exercise: &Exercise) -> SimFleet {
        let fleet = match exercise.from {
            Beginning::Bare => self.bare.fork(),
            Beginning::Deployed => self.base.fork(),
            Beginning::Split => self.split.fork(),
        };
        fleet.reseed(self.seed);
        if exercise.outage {
            fleet.expect_outage();
        }
        fleet
    }

    /// Runs an operation; one that is killed counts as cancelled.
    fn perform(
        &self,
        fleet: &SimFleet,
        op: &Op,
        asked: Option<Version>,
        fault: Option<Fault>,
    ) -> Result<Result<Report, Error>, Stalled> {
        let cancel = fleet.begin(&groups(&self.config, &self.targets.app_hosts), fault);
        let settings = RunSettings { asked_version: asked, user_name: "Ann".to_owned(), ..RunSettings::default() };
        let world = fleet.world();
        let done = fleet.drive_until_killed(run::run(&self.cx(&world, &settings, cancel), op));
        fleet.next_process();
        done.map(|done| done.unwrap_or(Err(Error::Cancelled)))
    }

    fn cx<'a>(&'a self, world: &'a World, settings: &'a RunSettings, cancel: Cancel) -> Cx<'a> {
        Cx::new(Fleet::new(&self.config, world, "ann", cancel), &self.targets, settings)
    }
}

/// What answers now, of what did before; what cannot be reached does not count.
fn outcome(old: &[Serving], now: &[Serving], lost: Option<&HostName>) -> Outcome {
    let place = |serving: &Serving| -> (HostName, RoleName) { (serving.host.clone(), serving.role.clone()) };
    let counts = |serving: &&Serving| Some(&serving.host) != lost;
    let moved: Vec<bool> = if old.is_empty() {
        now.iter().filter(counts).map(|_| true).collect()
    } else {
        let same =
            |before: &Serving| now.iter().any(|now| place(now) == place(before) && now.container == before.container);
        old.iter().filter(counts).map(|before| !same(before)).collect()
    };
    match (moved.contains(&true), moved.contains(&false)) {
        (true, true) => Outcome::Both,
        (true, false) => Outcome::After,
        (false, _) => Outcome::Before,
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {:?}", self.name, self.effect, self.outcome)?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}
