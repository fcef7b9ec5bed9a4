//! Deploys, rollbacks, deploys that fail and reboots of the proxy while requests keep coming: not one is to fail.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    command::{note, print},
    error::Result,
    load::Tally,
    stage::{Stage, told, wrong},
};

/// Connections to the host, and requests a second on each.
const LOAD: (u32, u32) = (16, 60);

/// One thing that is done under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Deploy,
    /// A version that never becomes healthy.
    BadDeploy,
    Rollback,
    Reboot,
}

/// How much there is to be.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    /// Deploys that go well.
    pub deploys: u32,
    /// Requests, at least: they keep coming when all is done.
    pub requests: u64,
    /// After so many minutes it ends, whatever is missing.
    pub minutes: u64,
}

/// Does it all; `false` when a request failed, or there was no time for all of it.
///
/// # Errors
///
/// When something goes otherwise than it should, or the sandbox cannot be used.
pub fn run(amount: Amount) -> Result<bool> {
    let stage = Stage::build("load", 1, "")?;
    let mut live = stage.release()?;
    stage.ok(&["setup", "--quiet"])?;
    let (began, limit) = (Instant::now(), Duration::from_secs(60 * amount.minutes));
    let loads = stage.loads(LOAD.0, LOAD.1);
    let plan = plan(amount.deploys);
    let mut done = Vec::new();
    for (i, deed) in plan.iter().enumerate().take_while(|_| began.elapsed() < limit) {
        live = perform(&stage, *deed, live)?;
        done.push(*deed);
        note(format_args!("{} of {}: {deed:?}, {} s", i + 1, plan.len(), began.elapsed().as_secs()));
    }
    // What is missing by then comes while nothing happens.
    let sent = || loads.iter().map(crate::load::Load::sent).sum::<u64>();
    while sent() < amount.requests && began.elapsed() < limit {
        thread::sleep(Duration::from_secs(1));
    }
    let tallies: Vec<Tally> = loads.into_iter().map(crate::load::Load::stop).collect();
    let count = |deed| done.iter().filter(|done| **done == deed).count();
    let failed: Vec<&String> = tallies.iter().flat_map(|tally| &tally.failed).collect();
    let sent: u64 = tallies.iter().map(|tally| tally.sent).sum();
    print(format_args!(
        "{} deploys, {} rollbacks, {} failed deploys, {} reboots of the proxy: {sent} requests, {} failed, in {} s",
        count(Deed::Deploy),
        count(Deed::Rollback),
        count(Deed::BadDeploy),
        count(Deed::Reboot),
        failed.len(),
        began.elapsed().as_secs()
    ))?;
    for failure in failed.iter().take(5) {
        print(format_args!("  {failure}"))?;
    }
    let enough = done.len() == plan.len() && sent >= amount.requests;
    if !enough {
        print(format_args!("that is not all: {} s were not enough", limit.as_secs()))?;
    }
    Ok(failed.is_empty() && enough)
}

/// A rollback for every five deploys, a failed one for every ten, two reboots in all.
fn plan(deploys: u32) -> Vec<Deed> {
    let mut plan = Vec::new();
    for i in 1..=deploys {
        plan.push(Deed::Deploy);
        if i % 5 == 0 {
            plan.push(Deed::Rollback);
        }
        if i % 10 == 0 {
            plan.push(Deed::BadDeploy);
        }
        if i == deploys.div_ceil(3) || i == deploys.div_ceil(3) * 2 {
            plan.push(Deed::Reboot);
        }
    }
    plan
}

/// Does one thing, and returns the version that is live then.
fn perform(stage: &Stage, deed: Deed, live: String) -> Result<String> {
    let health = |from: &str, to: &str| -> Result<String> {
        stage.edit(from, to)?;
        stage.release()
    };
    let live = match deed {
        Deed::Deploy => {
            let version = stage.release()?;
            stage.ok(&["deploy", "--quiet"])?;
            version
        }
        Deed::BadDeploy => {
            health("HEALTH: ok", "HEALTH: crash")?;
            let failed = stage.kamal(&["deploy"])?;
            health("HEALTH: crash", "HEALTH: ok")?;
            if failed.status.success() {
                return Err(wrong(format!("a bad version went live: {}", told(&failed))));
            }
            live
        }
        Deed::Rollback => {
            stage.ok(&["rollback", "--quiet"])?;
            let now = stage.serving().remove(0);
            if now == live {
                return Err(wrong(format!("a rollback left {live} where it was")));
            }
            now
        }
        Deed::Reboot => {
            stage.ok(&["proxy", "reboot", "-y", "--quiet"])?;
            live
        }
    };
    let now = stage.serving();
    if now.iter().any(|version| *version != live) {
        return Err(wrong(format!("after {deed:?} {now:?} answers, not {live}")));
    }
    Ok(live)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_deploys_have_ten_rollbacks_five_failures_and_two_reboots() {
        let plan = plan(50);
        let count = |deed| plan.iter().filter(|one| **one == deed).count();
        assert_eq!([Deed::Deploy, Deed::Rollback, Deed::BadDeploy, Deed::Reboot].map(count), [50, 10, 5, 2]);
    }
}
