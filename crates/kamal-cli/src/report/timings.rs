//! Where the time went: per host, the round trips and what each was for.

use std::{fmt, time::Duration};

use indexmap::IndexMap;
use kamal_core::event::{Event, EventKind};

use super::sink::Sink;
use crate::output;

/// Collected timings.
#[derive(Debug, Default)]
pub(super) struct Timings {
    hosts: IndexMap<String, Host>,
    phases: Vec<(String, Duration)>,
    total: Duration,
}

#[derive(Debug, Default)]
struct Host {
    connect: Duration,
    trips: Vec<(String, Duration)>,
    steps: Vec<(String, Duration)>,
}

impl Sink for Timings {
    fn take(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Connected { host, took } => self.host(host).connect += *took,
            EventKind::RoundTrip { host, label, took } => self.host(host).trips.push((label.clone(), *took)),
            EventKind::StepFinished { host: Some(host), step, took, .. } => {
                self.host(host).steps.push((step.clone(), *took));
            }
            EventKind::Phase { phase, elapsed } => self.phases.push((format!("{phase:?}").to_lowercase(), *elapsed)),
            EventKind::Finished { took, .. } => self.total = *took,
            _ => {}
        }
    }

    fn close(&mut self) {
        output::complain(self.to_string().trim_end());
    }
}

impl Timings {
    fn host(&mut self, host: &str) -> &mut Host {
        self.hosts.entry(host.to_owned()).or_default()
    }
}

impl fmt::Display for Timings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nTimings")?;
        let mut before = Duration::ZERO;
        for (phase, elapsed) in &self.phases {
            writeln!(
                f,
                "  {phase:<12} after {:>6.3}s  (+{:.3}s)",
                elapsed.as_secs_f64(),
                elapsed.saturating_sub(before).as_secs_f64()
            )?;
            before = *elapsed;
        }
        for (name, host) in &self.hosts {
            let spent: Duration = host.trips.iter().map(|(_, took)| *took).sum();
            writeln!(
                f,
                "  {name}: {} round trips, {:.3}s in them, connected in {:.3}s",
                host.trips.len(),
                spent.as_secs_f64(),
                host.connect.as_secs_f64()
            )?;
            for (label, took) in &host.trips {
                writeln!(f, "    {label:<12} {:>6.3}s", took.as_secs_f64())?;
            }
            let mut slowest: Vec<_> = host.steps.iter().filter(|(_, took)| took.as_millis() >= 10).collect();
            slowest.sort_by_key(|(_, took)| std::cmp::Reverse(*took));
            for (step, took) in slowest.iter().take(8) {
                writeln!(f, "      {:>6.3}s  {step}", took.as_secs_f64())?;
            }
        }
        if self.total > Duration::ZERO {
            writeln!(f, "  total {:.3}s", self.total.as_secs_f64())?;
        }
        Ok(())
    }
}
