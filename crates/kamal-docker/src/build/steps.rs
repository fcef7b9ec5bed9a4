//! buildx's plain progress: lines of a step begin with its number, the first names it and the last has its time.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    time::Duration,
};

use kamal_core::event::Outcome;

/// The steps of a build so far: what they are called, and since when.
#[derive(Debug, Default)]
pub(super) struct Steps {
    names: HashMap<u32, (String, Duration)>,
    /// Stages of the Dockerfile: how many steps each has, and how many have ended.
    stages: BTreeMap<String, (u64, u64)>,
}

/// How far a build is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// How many steps have ended.
    pub(super) done: u64,
    /// How many there are, as far as their stages have begun.
    pub(super) total: u64,
}

/// The end of a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// Its name: `[2/4] COPY . .`.
    pub(super) step: String,
    /// How it ended.
    pub(super) outcome: Outcome,
    /// How long it took.
    pub(super) took: Duration,
}

impl Steps {
    /// How far it is, once a stage has begun.
    pub(super) fn progress(&self) -> Option<Progress> {
        let sum = |of: fn(&(u64, u64)) -> u64| self.stages.values().map(of).sum();
        (!self.stages.is_empty()).then(|| Progress { done: sum(|stage| stage.1), total: sum(|stage| stage.0) })
    }

    /// Takes a line that comes now, and returns the end of a step if it is one. A step took as long as buildx says, which
    /// it does of those that succeed, in tenths of a second.
    pub(super) fn take(&mut self, line: &str, now: Duration) -> Option<Ended> {
        let (number, text) = line.strip_prefix('#')?.split_once(' ')?;
        let number: u32 = number.parse().ok()?;
        let end = if text == "CACHED" {
            Some((Outcome::Ok, Duration::ZERO))
        } else if let Some(seconds) = text.strip_prefix("DONE ").and_then(|took| took.strip_suffix('s')) {
            Some((Outcome::Ok, Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?))
        } else {
            text.strip_prefix("ERROR: ").map(|why| (Outcome::Failed(why.to_owned()), Duration::ZERO))
        };
        let Some((outcome, said)) = end else {
            if let Entry::Vacant(vacant) = self.names.entry(number) {
                vacant.insert((text.to_owned(), now));
                if let Some((stage, steps)) = stage(text) {
                    self.stages.entry(stage.to_owned()).or_insert((steps, 0));
                }
            }
            return None;
        };
        let (name, began) = self.names.get(&number)?;
        if let Some(counted) = stage(name).and_then(|(stage, _)| self.stages.get_mut(stage)) {
            counted.1 = (counted.1 + 1).min(counted.0);
        }
        let step = if text == "CACHED" { format!("{name} (cached)") } else { name.clone() };
        let took = if said.is_zero() { now.saturating_sub(*began) } else { said };
        Some(Ended { step, outcome, took })
    }
}

/// The stage a step belongs to, and how many steps that has: `[web 2/4] COPY . .`.
fn stage(name: &str) -> Option<(&str, u64)> {
    let (inside, _) = name.strip_prefix('[')?.split_once(']')?;
    let (before, steps) = inside.rsplit_once('/')?;
    let stage = before.trim_end_matches(|c: char| c.is_ascii_digit());
    (stage.len() < before.len()).then_some(())?;
    Some((stage.trim_end(), steps.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_steps_have_their_names_and_times() {
        let mut steps = Steps::default();
        let mut ends = Vec::new();
        for (second, line) in (0..).zip([
            "#0 building with \"default\" instance using docker driver",
            "#1 [internal] load build definition from Dockerfile",
            "#1 transferring dockerfile: 123B done",
            "#1 DONE 0.1s",
            "#6 [2/3] RUN make",
            "#5 [1/3] FROM x",
            "#5 CACHED",
            "#6 0.345 DONE 9s",
            "#6 DONE 12.5s",
            "#7 ERROR: of a step without a name",
            "#8 [3/3] RUN false",
            "#8 ERROR: process \"false\" did not complete",
            "------",
            " > [3/3] RUN false:",
            "# DONE 1s",
        ]) {
            ends.extend(
                steps.take(line, Duration::from_secs(second)).map(|end| (end.step, end.outcome, end.took.as_millis())),
            );
        }
        assert_eq!(steps.progress(), Some(Progress { done: 3, total: 3 }));
        let ok = |step: &str, took| (step.to_owned(), Outcome::Ok, took);
        let why = "process \"false\" did not complete".to_owned();
        assert_eq!(
            ends,
            [
                ok("[internal] load build definition from Dockerfile", 100),
                ok("[1/3] FROM x (cached)", 1000),
                ok("[2/3] RUN make", 12_500),
                ("[3/3] RUN false".to_owned(), Outcome::Failed(why), 1000),
            ]
        );
    }

    #[test]
    fn stages_count_once_they_begin() {
        let mut steps = Steps::default();
        let mut seen = Vec::new();
        for line in [
            "#1 [internal] load",
            "#4 [build 1/2] FROM x",
            "#4 DONE 1s",
            "#5 [web 1/3] FROM y",
            "#6 [build 2/2] RUN",
            "#6 DONE 2s",
        ] {
            steps.take(line, Duration::ZERO);
            seen.push(steps.progress().map(|progress| (progress.done, progress.total)));
        }
        assert_eq!(seen, [None, Some((0, 2)), Some((1, 2)), Some((1, 5)), Some((1, 5)), Some((2, 5))]);
    }
}
