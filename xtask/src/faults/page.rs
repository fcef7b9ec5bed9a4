//! docs/RELIABILITY.md: what came of each kind of fault, command by command and step by step.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
};

use kamal_core::testing::{Drill, How, Outcome, Trial};

use super::real::{Tried, Way};
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

What was once found broken by hand is asked of the command on real hosts, by `tests/tests/end_to_end/promises.rs` and `lock.rs`;
`KAMAL_PROGRAMS` has the same asked of another command, an older one for instance:

* Who was killed, hung up on or asked to end twice blocks nobody: `what_a_killed_deploy_leaves_is_put_right_by_the_next`,
  `a_terminal_that_is_closed_leaves_no_lock`, `who_asks_twice_has_the_lock_back_within_a_second`.
* A reboot of the proxy that is stopped holds the lock until the host is done:
  `a_reboot_of_the_proxy_that_is_stopped_is_over_once_it_says_so`.
* A deploy that is stopped while old containers stop leaves none of them beside the new ones:
  `of_a_deploy_stopped_while_old_containers_stop_one_version_is_left`.
* A rollback that is killed and run again goes the same way:
  `a_rollback_that_is_killed_and_run_again_goes_no_other_way`.
* After a deploy that was cut off, hosts that go back go back to one version:
  `hosts_that_go_back_go_back_to_one_version_whatever_is_tagged_as_the_latest`.
* A full disk leaves no lock, one nobody can read is seen and given back, and nobody removes another's:
  `a_full_disk_leaves_no_lock`, `a_lock_nobody_can_read_is_seen_and_given_back`,
  `a_lock_that_became_somebody_else_s_is_not_removed`.
* Signals are heeded where nothing can be printed: `signals_are_heeded_whatever_becomes_of_the_output`.
* A frozen container, a proxy without its network, and one that dies right after the switch are noticed:
  `a_frozen_container_and_a_proxy_without_its_network_are_put_right`,
  `a_deploy_whose_proxy_dies_right_after_the_switch_fails`.
";

/// Where what came of real hosts begins.
const REAL: &str = "\n# On real hosts\n";

const ABOUT_REAL: &str = "
Written by `cargo xtask faults --real --write`: two hosts with sshd and Docker of their own, the app on both and an accessory on
the first, 100 requests a second all the while, of which none may fail. At every effect a command tells of, it is **killed**; the
host is **cut** off, for two seconds or for as long as the command goes on; or the host's Docker is killed and **restarts**,
with `live-restore`. And every single call of docker on the first host **fails** once. Then the same command is run again with
nothing in between, and hosts are as a run without a fault leaves them. `--count` and `--minutes` bound a run; the next one
goes on where it ended, and `--only NAME` tries a fault again.
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

/// A page with other tables of what came of real hosts.
pub(super) fn with_real(page: &str, tried: &[Tried]) -> String {
    let simulated = page.split_once(REAL).map_or(page, |(simulated, _)| simulated);
    format!("{}\n{REAL}{}", simulated.trim_end(), tables(tried))
}

/// A page in the place of an earlier one, whose tables of real hosts stay.
pub(super) fn replaced(earlier: &str, page: &str) -> String {
    match earlier.split_once(REAL) {
        Some((_, kept)) => format!("{}\n{REAL}{kept}", page.trim_end()),
        None => page.to_owned(),
    }
}

fn tables(tried: &[Tried]) -> String {
    let column = |way: Way| match way {
        Way::Fails => 0,
        Way::Cut => 1,
        Way::Killed => 2,
        Way::DockerRestarts => 3,
    };
    let mut commands: BTreeMap<&str, BTreeMap<&str, [BTreeSet<&str>; 4]>> = BTreeMap::new();
    for one in tried {
        let row = commands.entry(&one.command).or_default().entry(&one.step).or_default();
        row[column(one.way)].insert(&one.outcome);
    }
    let wrong = tried.iter().filter(|one| !one.problems.is_empty()).count();
    let mut page = format!("{ABOUT_REAL}\n{} faults: {wrong} wrong.\n", tried.len());
    for (command, rows) in commands {
        let faults = tried.iter().filter(|one| one.command == command).count();
        let _ = write!(page, "\n## {command}\n\n{faults} faults.\n\n");
        let _ = writeln!(page, "| step | fails | cut | killed | Docker restarts |\n|---|---|---|---|---|");
        for (step, row) in rows {
            let cells = row.iter().map(|outcomes| outcomes.iter().copied().collect::<Vec<_>>().join(", "));
            let _ = writeln!(page, "| {step} | {} |", cells.collect::<Vec<_>>().join(" | "));
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
    let simulated = page.split_once(REAL).map_or(page, |(simulated, _)| simulated);
    for line in simulated.lines() {
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

    #[test]
    fn what_came_of_real_hosts_stays_until_it_is_written_anew() {
        let tried = |step: &str, outcome: &str| Tried {
            name: format!("real/deploy/1/{step}"),
            command: "deploy".to_owned(),
            way: Way::Killed,
            step: step.to_owned(),
            outcome: outcome.to_owned(),
            problems: Vec::new(),
        };
        let page = "# P\n\n## deploy\n\n| step | fails |\n|---|---|\n| start … | before |\n";
        let real = with_real(page, &[tried("stop …", "before"), tried("stop …", "after")]);
        assert!(real.contains("| stop … |  |  | after, before |  |\n") && real.contains("2 faults: 0 wrong"), "{real}");
        assert_eq!(named(&real), named(page), "they are no steps of simulated hosts");
        assert_eq!((replaced(&real, page), replaced(page, page)), (real.clone(), page.to_owned()));
        assert!(!with_real(&real, &[tried("tag as …", "after")]).contains("stop …"));
    }
}
