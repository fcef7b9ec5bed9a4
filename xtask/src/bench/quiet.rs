//! Whether a machine has nothing else to do: what else runs on it shows in the tails first.

use std::{fs, thread, time::Duration};

use crate::command::note;

/// How long the machine is watched.
const LOOK: Duration = Duration::from_secs(1);
/// The share of its processors' time it may be busy.
const MOST: f64 = 0.05;

/// Says so where this machine is known to be busy with something else.
pub fn look() {
    let Some(before) = Times::now() else { return };
    thread::sleep(LOOK);
    let busy = Times::now().map_or(0.0, |now| now.busy_since(&before));
    if busy > MOST {
        note(format_args!(
            "this machine is {:.0} % busy with something else, which the figures will show: see `top`",
            busy * 100.0
        ));
    }
}

/// What all processors have done since the start, in ticks (proc(5), `/proc/stat`).
#[derive(Debug)]
struct Times {
    idle: u64,
    all: u64,
}

impl Times {
    fn now() -> Option<Self> {
        fs::read_to_string("/proc/stat").ok().map(|text| Self::read(&text))
    }

    /// Reads the first line: user, nice, system, idle, iowait, irq, softirq, steal. The rest is in user and nice already.
    fn read(text: &str) -> Self {
        let line = text.lines().next().unwrap_or_default();
        let ticks: Vec<u64> = line.split_whitespace().skip(1).take(8).filter_map(|tick| tick.parse().ok()).collect();
        Self { idle: ticks.iter().skip(3).take(2).sum(), all: ticks.iter().sum() }
    }

    fn busy_since(&self, before: &Self) -> f64 {
        let all = self.all.saturating_sub(before.all).max(1);
        1.0 - self.idle.saturating_sub(before.idle) as f64 / all as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_does() {
        let before = Times::read("cpu  100 0 50 1000 50 0 0 0 90 0\ncpu0 1 2 3\n");
        let after = Times::read("cpu  120 0 60 1060 60 0 0 0 110 0\n");
        assert!((after.busy_since(&before) - 0.3).abs() < 1e-9, "{after:?}");
    }
}
