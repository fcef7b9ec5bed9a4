//! buildx's plain progress: lines of a step begin with its number, the first names it and the last has its time.

use std::{collections::HashMap, time::Duration};

use kamal_core::event::Outcome;

/// The steps of a build so far: what they are called, and since when.
#[derive(Debug, Default)]
pub(super) struct Steps(HashMap<u32, (String, Duration)>);

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
            self.0.entry(number).or_insert_with(|| (text.to_owned(), now));
            return None;
        };
        let (name, began) = self.0.get(&number)?;
        let step = if text == "CACHED" { format!("{name} (cached)") } else { name.clone() };
        let took = if said.is_zero() { now.saturating_sub(*began) } else { said };
        Some(Ended { step, outcome, took })
    }
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
}
