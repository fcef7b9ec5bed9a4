//! docs/RELIABILITY.md: what came of each kind of fault, command by command and step by step.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
};

use kamal_core::testing::{Drill, How, Outcome, Trial};

use crate::{
    error::{Context, Result},
    workspace,
};

pub(super) const FILE: &str = "docs/RELIABILITY.md";

const INTRODUCTION: &str = "# What comes of faults

Written by `cargo xtask faults --seed SEED --write`: on simulated hosts, every effect of every command below goes wrong once in
every way there is, and then the same command is run again, on the same machine or on another one a while later, with
nothing in between. Whatever went wrong, the app answered throughout, and the second run brought about what a run without a
fault does. A fault is tried again by `cargo xtask faults --seed SEED --only FLEET/COMMAND/NUMBER/WAY`; programs that embed
the engine do the same with apps of their own (`kamal_core::testing::Drill`).

The ways: the step **fails**; the connection is **cut** before or after it has its effect, or the host stays away; somebody
asks to **stop**; the program is **killed**, what runs on the host going on or not; the host's **Docker restarts** before
the step has its effect or after. Containers go on while it does, as with `live-restore`; without that they are away for those
seconds, whatever runs.

What answers once the command has ended, before it is run again:

* **done**: the command came to its end all the same.
* **before**: on every host what answered before.
* **after**: on every host what was to answer.
* **both**: on some hosts the one, on some the other. This takes a killed program, a host that is away, or groups of hosts
  that boot one after another.
";

/// The columns.
const WAYS: [&str; 5] = ["fails", "cut", "stop", "killed", "Docker restarts"];

fn way(how: How) -> usize {
    match how {
        How::Fails => 0,
        How::LostBefore | How::LostAfter | How::Unplugged => 1,
        How::Stopped | How::StoppedLate => 2,
        How::Killed | How::KilledLate => 3,
        How::DockerRestarts | How::DockerRestartsLate => 4,
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Before => "before",
        Outcome::After => "after",
        Outcome::Both => "both",
    }
}

type Row = [BTreeSet<Outcome>; WAYS.len()];

pub(super) fn text(trials: &[Trial], seed: u64) -> String {
    let mut commands: BTreeMap<&str, BTreeMap<String, (usize, Row)>> = BTreeMap::new();
    for trial in trials {
        let rows = commands.entry(trial.command).or_default();
        let (count, row) = rows.entry(trial.effect.plain()).or_default();
        *count += 1;
        row[way(trial.how)].insert(trial.outcome);
    }
    let mut page = INTRODUCTION.to_owned();
    let _ = write!(page, "\n{} faults on fleets of 1, 2, 5 and 50 hosts with seed {seed}: 0 wrong.\n", trials.len());
    for (command, rows) in commands {
        let faults: usize = rows.values().map(|(count, _)| count).sum();
        let _ = write!(page, "\n## {command}\n\n{faults} faults.\n\n| step | {} |\n", WAYS.join(" | "));
        let _ = writeln!(page, "|---|{}", "---|".repeat(WAYS.len()));
        for (step, (_, row)) in rows {
            let cells = row.iter().map(|outcomes| outcomes.iter().map(|&outcome| word(outcome)).collect::<Vec<_>>());
            let cells: Vec<String> = cells.map(|words| words.join(", ")).collect();
            let _ = writeln!(page, "| {step} | {} |", cells.join(" | "));
        }
    }
    page
}

/// A complaint if the page is not about the steps there are.
pub(crate) fn check() -> Result<Vec<String>> {
    let path = workspace().join(FILE);
    let page = fs::read_to_string(&path).context(|| format!("reading {FILE}"))?;
    let wanted = steps();
    let found = named(&page);
    let missing = wanted.difference(&found).map(|(command, step)| format!("{command}: {step} is not in it"));
    let gone = found.difference(&wanted).map(|(command, step)| format!("{command}: there is no {step} any more"));
    let complaint = |what: String| format!("{FILE}: {what}; run `cargo xtask faults --seed 1 --write`");
    Ok(missing.chain(gone).map(complaint).collect())
}

/// The commands and steps there are.
fn steps() -> BTreeSet<(String, String)> {
    let drills =
        Drill::fleets().into_iter().filter(|name| *name != super::LARGE.0).filter_map(|name| Drill::of_fleet(name, 1));
    let steps = drills.flat_map(|drill| {
        drill.exercises().into_iter().flat_map(move |exercise| {
            let faults = drill.faults(&exercise);
            faults.into_iter().map(move |(_, effect)| (exercise.command.to_owned(), effect.plain()))
        })
    });
    steps.collect()
}

/// The commands and steps a page tells of.
fn named(page: &str) -> BTreeSet<(String, String)> {
    let (mut command, mut all) = ("", BTreeSet::new());
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            command = heading;
        } else if let Some(cells) = line.strip_prefix("| ").filter(|cells| !cells.starts_with("step |")) {
            let step = cells.split(" | ").next().unwrap_or_default();
            all.insert((command.to_owned(), step.to_owned()));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_its_steps() {
        let page = "# P\n\n## deploy\n\n| step | fails |\n|---|---|\n| start … | before |\n\n## setup\n\n| connect | before, done |\n";
        let pair = |command: &str, step: &str| (command.to_owned(), step.to_owned());
        assert_eq!(named(page), BTreeSet::from([pair("deploy", "start …"), pair("setup", "connect")]));
    }
}
