//! What a deploy costs as the fleet grows: the engine over simulated hosts, whose clock counts round trips and waiting, and
//! whose own work is this machine's.

use std::time::Instant;

use kamal_core::{
    config::{Config, Source, load},
    fleet::Fleet,
    name::{HostName, NameError},
    op::{Deploy, Op},
    ports::Clock,
    run::{self, Cx, RunSettings},
    targets::{Selection, Targets},
    testing::{NoTemplateWorld, SimFleet},
};

use super::memory::peak;
use crate::{
    command::print,
    error::{Error, Result},
};

/// Fleets, by their hosts.
const SIZES: [usize; 3] = [1, 100, 1000];
/// How much longer the second may take than the first, by the simulated clock.
const RATIO: f64 = 1.5;
/// What the process may have had in memory in the end, in MB.
const MEMORY: u64 = 500;

/// Deploys twice to fleets of different sizes; `false` when a target was missed.
///
/// # Errors
///
/// When a deploy fails.
pub fn measure() -> Result<bool> {
    let mut times = Vec::new();
    for hosts in SIZES {
        let began = Instant::now();
        let simulated = deploy(hosts)?;
        times.push(simulated);
        let (own, memory) = (began.elapsed().as_secs_f64(), peak("self").unwrap_or_default() / 1024 / 1024);
        print(format_args!(
            "{hosts:>5} hosts: {simulated:>6.2} s by their clock, {own:>6.2} s of this machine, {memory:>4} MB"
        ))?;
    }
    let (ratio, memory) = (times[1] / times[0], peak("self").unwrap_or_default() / 1024 / 1024);
    let word = |reached: bool| if reached { "reached" } else { "MISSED" };
    print(format_args!("target: 100 hosts in at most {RATIO} times one's time: {ratio:.2}, {}", word(ratio <= RATIO)))?;
    print(format_args!("target: at most {MEMORY} MB: {memory}, {}", word(memory <= MEMORY)))?;
    Ok(ratio <= RATIO && memory <= MEMORY)
}

/// Sets a fleet up and deploys to it; returns how long the deploy took by the fleet's clock, in seconds.
pub(super) fn deploy(hosts: usize) -> Result<f64> {
    let failed = |what: String| Error::Refused(what);
    let config = config(hosts)?;
    let targets = Targets::select(&config, &Selection::default()).map_err(|error| failed(error.to_string()))?;
    let fleet = SimFleet::new(config.hosts().iter().map(HostName::as_str));
    fleet.secrets().put("REGISTRY_PASSWORD", "hunter2");
    let world = fleet.world();
    let mut took = 0.0;
    for (version, op) in [("v1", Op::Setup(Deploy::default())), ("v2", Op::Deploy(Deploy::default()))] {
        let version = version.parse().map_err(|error: NameError| failed(error.to_string()))?;
        let mut settings = RunSettings::default();
        settings.asked_version = Some(version);
        let cancel = fleet.begin(std::slice::from_ref(&targets.app_hosts), None);
        let cx = Cx::new(Fleet::new(&config, &world, "bench", cancel), &targets, &settings);
        let began = fleet.clock().elapsed();
        let done = fleet.drive(run::run(&cx, &op)).map_err(|stalled| failed(stalled.to_string()))?;
        done.map_err(|error| failed(error.to_string()))?;
        took = (fleet.clock().elapsed() - began).as_secs_f64();
    }
    Ok(took)
}

fn config(hosts: usize) -> Result<Config> {
    let names: Vec<String> = (1..=hosts).map(|number| format!("h{number}")).collect();
    let text = format!(
        "service: app\nimage: acme/app\nservers: [{}]\nbuilder: {{arch: amd64}}\n\
         registry: {{username: deployer, password: [REGISTRY_PASSWORD]}}\n",
        names.join(", ")
    );
    let loaded = load(&Source::new("config/deploy.yml", text), None, &NoTemplateWorld);
    loaded.map(|loaded| loaded.config).map_err(|errors| Error::Refused(errors.to_string()))
}
