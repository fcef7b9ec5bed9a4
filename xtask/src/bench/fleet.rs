//! What a deploy costs as the fleet grows: the engine over simulated hosts, whose clock counts round trips and waiting, and
//! whose own work is this machine's.
//!
//! Simulated hosts are of uneven pace, and a fleet is done when its slowest host is: it is held against the slowest of as
//! many deploys to one host each.

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

use super::{figures::Figures, memory::peak};
use crate::{
    error::{Error, Result},
    figure::Figure,
};

/// Fleets, by their hosts.
const SIZES: [usize; 2] = [100, 1000];
/// Of how many deploys to one host the slowest counts.
const ALONE: u64 = 100;
/// How much longer many may take than the first, by the simulated clock.
const RATIO: f64 = 1.5;
/// What the process may have had in memory in the end, in MB.
const MEMORY: f64 = 500.0;

/// Deploys twice to fleets of different sizes.
///
/// # Errors
///
/// When a deploy fails.
pub fn measure(figures: &mut Figures) -> Result<()> {
    figures.begin("Simulated fleets")?;
    let alone = (0..ALONE).map(|seed| deploy(1, seed)).collect::<Result<Vec<_>>>()?;
    let slowest = alone.into_iter().fold(0.0, f64::max);
    figures.add(Figure::new(format!("the slowest of {ALONE} deploys to one host, by its clock"), "s", slowest))?;
    for hosts in SIZES {
        let began = Instant::now();
        let simulated = deploy(hosts, 0)?;
        let own = began.elapsed().as_secs_f64();
        let deploy = Figure::new(format!("a deploy to {hosts} hosts, by their clock"), "s", simulated);
        figures.add(deploy.beside("one host", slowest).at_most(RATIO * slowest))?;
        figures.add(Figure::new(format!("of this machine's time, for {hosts} hosts"), "s", own))?;
    }
    let memory = peak("self").unwrap_or_default() as f64 / 1e6;
    figures.add(Figure::new("the most memory of all of it", "MB", memory).at_most(MEMORY))
}

/// Sets a fleet up and deploys to it; returns how long the deploy took by the fleet's clock, in seconds.
pub(super) fn deploy(hosts: usize, seed: u64) -> Result<f64> {
    let failed = |what: String| Error::Refused(what);
    let config = config(hosts)?;
    let targets = Targets::select(&config, &Selection::default()).map_err(|error| failed(error.to_string()))?;
    let fleet = SimFleet::new(config.hosts().iter().map(HostName::as_str));
    fleet.reseed(seed);
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
