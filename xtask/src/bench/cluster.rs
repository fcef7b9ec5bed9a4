//! Deploys and rollbacks of an app on joined hosts while requests come to all of them; an app is killed meanwhile, and a
//! host is cut off: nobody is to miss an answer but who was at what died.

use std::{
    collections::BTreeSet,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::{
    command::{note, print, run as command},
    error::Result,
    load::{Load, Tally},
    sandbox::Host,
    stage::{Stage, told, wrong},
};

/// Hosts that serve, and one of an accessory.
const WEB: usize = 3;

/// Connections to each host, and requests a second on each.
const LOAD: (u32, u32) = (8, 25);

/// What joins the hosts. The kernel encrypts or not; it makes no difference to who is asked.
const JOINED: &str = "accessories: {side: {image: \"10.77.0.1:5000/cluster:latest\", host: HOST4}}\n\
    x-cluster: {network: overlay, address: 10.77.0.0/16, encrypted: false}\nx-balance: true\n";

/// When something dies while a command is under way.
const SOON: Duration = Duration::from_millis(2500);

/// How long the cut host is away at least: longer than anybody waits for a host that says nothing.
const AWAY: Duration = Duration::from_secs(8);

/// How long hosts may take to find each other again.
const PATIENCE: Duration = Duration::from_secs(90);

/// One thing that is done under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Deploy,
    Rollback,
    /// A deploy, and the second host's app is killed meanwhile.
    Killed,
    /// A deploy, and the third host is cut off meanwhile.
    Cut,
}

/// Ten deploys and three rollbacks.
const DEEDS: [Deed; 13] = [
    Deed::Deploy,
    Deed::Deploy,
    Deed::Rollback,
    Deed::Deploy,
    Deed::Killed,
    Deed::Deploy,
    Deed::Rollback,
    Deed::Deploy,
    Deed::Cut,
    Deed::Deploy,
    Deed::Deploy,
    Deed::Rollback,
    Deed::Deploy,
];

/// Does it all; `false` when a request failed that need not have.
///
/// # Errors
///
/// When something goes otherwise than it should, or the sandbox cannot be used.
pub fn run() -> Result<bool> {
    let stage = Stage::build("cluster", 4, JOINED)?;
    let bench = Bench::set_up(&stage)?;
    let began = Instant::now();
    let loads: Vec<Load> = bench.web.iter().map(|host| stage.load(host, LOAD.0, LOAD.1)).collect();
    let mut spared = 0;
    for (i, deed) in DEEDS.iter().enumerate() {
        let before: Vec<Tally> = loads.iter().map(Load::so_far).collect();
        let at = Instant::now();
        bench.perform(*deed)?;
        let failed: Vec<Vec<String>> = loads.iter().zip(&before).map(|(load, before)| since(load, before)).collect();
        let counts: Vec<usize> = failed.iter().map(Vec::len).collect();
        note(format_args!(
            "{} of {}: {deed:?}, {:.1} s, failed on each host: {counts:?}",
            i + 1,
            DEEDS.len(),
            at.elapsed().as_secs_f64()
        ));
        spared += excused(*deed, &counts);
        for (host, failures) in failed.iter().enumerate() {
            failures.iter().take(3).for_each(|failure| note(format_args!("  {}: {failure}", host + 1)));
        }
    }
    let tallies: Vec<Tally> = loads.into_iter().map(Load::stop).collect();
    let mut failed = 0;
    for (host, tally) in tallies.iter().enumerate() {
        failed += tally.failed.len();
        let shares: Vec<String> = tally.versions.iter().map(|(name, count)| format!("{name} {count}")).collect();
        print(format_args!(
            "host {}: {} requests, {:.0} a second, {} failed, half within {} ms, 99 of 100 within {} ms, answered by {}",
            host + 1,
            tally.sent,
            tally.rate(),
            tally.failed.len(),
            tally.percentile(0.5),
            tally.percentile(0.99),
            shares.join(", ")
        ))?;
    }
    let count = |deed| DEEDS.iter().filter(|one| **one == deed).count();
    print(format_args!(
        "{} deploys, {} rollbacks in {} s: {} requests failed, {spared} of them on connections to what died",
        DEEDS.len() - count(Deed::Rollback),
        count(Deed::Rollback),
        began.elapsed().as_secs(),
        failed
    ))?;
    // Clients of the host that was cut off waited for it.
    let there = tallies.iter().enumerate().filter(|(host, _)| *host != CUT);
    let enough = there.map(|(_, tally)| tally.rate()).all(|rate| rate > 0.9 * f64::from(LOAD.0 * LOAD.1));
    if !enough {
        print(format_args!("that were too few: {} a second were to come to each host", LOAD.0 * LOAD.1))?;
    }
    Ok(failed == spared && enough)
}

/// What failed at a load since it was looked at.
fn since(load: &Load, before: &Tally) -> Vec<String> {
    load.so_far().failed.split_off(before.failed.len())
}

/// How many of the requests that failed on each host were on connections to what died.
fn excused(deed: Deed, failed: &[usize]) -> usize {
    let clients = LOAD.0 as usize;
    match deed {
        Deed::Deploy | Deed::Rollback => 0,
        // Each client of its host may have been waiting for it.
        Deed::Killed => failed.iter().sum::<usize>().min(clients),
        // Whoever asks a host that is not there, and nobody else.
        Deed::Cut => failed.get(CUT).copied().unwrap_or_default(),
    }
}

/// The app, on its hosts.
struct Bench<'s> {
    stage: &'s Stage,
    web: &'s [Host],
}

/// Which host is cut off.
const CUT: usize = 2;

/// Which host's app is killed.
const KILLED: usize = 1;

impl<'s> Bench<'s> {
    fn set_up(stage: &'s Stage) -> Result<Self> {
        let (web, rest) = stage.hosts.split_at(WEB);
        let side = rest.first().ok_or_else(|| wrong("there is no host of the accessory"))?;
        let list: Vec<String> = stage.hosts.iter().map(|host| host.address.to_string()).collect();
        // Each tells which it is by what it takes for its version.
        let tagged: Vec<String> = web.iter().map(|host| format!("{}: {}", host.address, host.name)).collect();
        let tags: Vec<String> =
            web.iter().map(|host| format!("{0}: {{clear: {{KAMAL_VERSION: {0}}}}}", host.name)).collect();
        stage.edit(&format!("servers: [{}]", list.join(", ")), &format!("servers: [{}]", tagged.join(", ")))?;
        stage.edit("env: {", &format!("env: {{tags: {{{}}}, ", tags.join(", ")))?;
        stage.edit("HOST4", &side.address.to_string())?;
        let version = stage.release()?;
        stage.ok(&["setup", "--quiet"])?;
        let bench = Self { stage, web };
        bench.runs(&version)?;
        bench.await_all()?;
        Ok(bench)
    }

    fn perform(&self, deed: Deed) -> Result<()> {
        match deed {
            Deed::Deploy => {
                let version = self.stage.release()?;
                self.stage.ok(&["deploy", "--quiet"])?;
                self.runs(&version)
            }
            Deed::Rollback => self.stage.ok(&["rollback", "--quiet"]).map(drop),
            Deed::Killed => {
                let version = self.stage.release()?;
                let script = "docker ps -q --filter label=service=cluster --filter label=role=web | xargs docker kill";
                let said =
                    self.during(&["deploy", "--quiet"], || self.stage.shell(&self.web[KILLED], script).map(drop))?;
                if self.runs(&version).is_err() {
                    // What was killed is the new container, or what another one was to take the place of.
                    note(format_args!("  the deploy {}: {}", how(&said), said.last));
                    self.stage.ok(&["deploy", "--quiet"])?;
                }
                self.runs(&version)?;
                self.await_all()
            }
            Deed::Cut => {
                let version = self.stage.release()?;
                let said = self.during(&["deploy", "--quiet"], || plug(&self.web[CUT], "down"))?;
                thread::sleep(AWAY);
                plug(&self.web[CUT], "up")?;
                note(format_args!("  the deploy {}: {}", how(&said), said.last));
                self.await_all()?;
                self.stage.ok(&["deploy", "--quiet"])?;
                self.runs(&version)?;
                self.await_all()
            }
        }
    }

    /// Runs kamal and does something meanwhile.
    fn during(&self, arguments: &[&str], what: impl FnOnce() -> Result<()> + Send) -> Result<Said> {
        let (output, done) = thread::scope(|scope| {
            let meanwhile = scope.spawn(|| {
                thread::sleep(SOON);
                what()
            });
            let output = self.stage.kamal(arguments);
            (output, meanwhile.join().unwrap_or_else(|_| Err(wrong("what was to be done meanwhile panicked"))))
        });
        done?;
        let output = output?;
        let text = told(&output);
        Ok(Said { success: output.status.success(), last: text.lines().last().unwrap_or_default().to_owned() })
    }

    /// Sees that each host runs a version and no other.
    fn runs(&self, version: &str) -> Result<()> {
        for host in self.web {
            let names = self.stage.shell(host, "docker ps --filter label=role=web --format '{{.Names}}'")?;
            if names.trim() != format!("cluster-web-{version}") {
                return Err(wrong(format!("{} runs {}, not {version}", host.name, names.trim())));
            }
        }
        Ok(())
    }

    /// Waits until each host's answers come from all.
    fn await_all(&self) -> Result<()> {
        let began = Instant::now();
        loop {
            let mut found = vec![BTreeSet::new(); WEB];
            for _ in 0..12 {
                found.iter_mut().zip(self.stage.serving()).for_each(|(all, answer)| all.extend([answer]));
            }
            let wanted: BTreeSet<String> = self.web.iter().map(|host| host.name.clone()).collect();
            if found.iter().all(|answers| *answers == wanted) {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(wrong(format!("hosts answer {found:?}")));
            }
            thread::sleep(Duration::from_millis(500));
        }
    }
}

/// How a command ended.
struct Said {
    success: bool,
    last: String,
}

fn how(said: &Said) -> &'static str {
    if said.success { "went well" } else { "failed" }
}

/// Takes a host off the network, or back.
fn plug(host: &Host, how: &str) -> Result<()> {
    command(Command::new("ip").args(["link", "set", &format!("kml-{}", host.name), how])).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_deploys_and_three_rollbacks_and_only_what_died_is_excused() {
        let count = |deed| DEEDS.iter().filter(|one| **one == deed).count();
        assert_eq!([Deed::Deploy, Deed::Killed, Deed::Cut, Deed::Rollback].map(count), [8, 1, 1, 3]);
        assert_eq!(excused(Deed::Deploy, &[1, 2, 3]), 0);
        assert_eq!(excused(Deed::Killed, &[1, 2, 30]), 8);
        assert_eq!(excused(Deed::Cut, &[1, 2, 3]), 3);
    }
}
