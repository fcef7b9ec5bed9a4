//! The demo where there can be no sandbox: the same engine and the same operations, on hosts that are simulated.

use kamal_core::{
    config::{Config, Source, load},
    event::EventKind,
    fleet::Fleet,
    name::{HostName, Version},
    op::{Deploy, Op, Rollback},
    run::{self, Cx, RunSettings},
    targets::{Selection, Targets},
    testing::{NoTemplateWorld, SimFleet},
};

use crate::{
    command::print,
    error::{Error, Result},
};

const DEPLOY: &str = "service: hello\nservers: [web1, web2, web3]\nbuilder: {arch: amd64}\n";

/// Deploys, deploys a version that does not start, and rolls back. After every effect on a host it was checked that the
/// proxy leads to a container that runs.
///
/// # Errors
///
/// When an operation ends otherwise than it has to, or a check failed.
pub(super) fn run() -> Result<()> {
    let loaded = load(&Source::new("config/deploy.yml", DEPLOY.to_owned()), None, &NoTemplateWorld);
    let config = loaded.map_err(|errors| Error::Refused(errors.to_string()))?.config;
    let fleet = SimFleet::new(config.hosts().iter().map(HostName::as_str));
    let mut effects = 0;
    let deploy = Deploy::default();
    for (op, version, fails, serves) in [
        (Op::Setup(deploy), "v1", false, "v1"),
        (Op::Deploy(deploy), "v2", false, "v2"),
        (Op::Deploy(deploy), "v3-broken", true, "v2"),
        (Op::Rollback(Rollback::default()), "v1", false, "v1"),
    ] {
        if fails {
            fleet.sicken(version);
        }
        let failed = operate(&config, &fleet, &op, version)?;
        effects += fleet.effects().len();
        let serving = fleet.serving();
        print(format_args!("  answers on all {} hosts: version {serves}", serving.len()))?;
        if failed != fails || serving.iter().any(|serving| serving.version.as_str() != serves) {
            return Err(Error::Refused(format!("the wrong version answers: {serving:?}")));
        }
    }
    match fleet.violations().first() {
        None => print(format_args!("\nchecked after each of {effects} effects on hosts: the proxy led to what runs")),
        Some(violation) => Err(Error::Refused(violation.clone())),
    }
}

/// Does something and shows its phases; returns whether it failed.
fn operate(config: &Config, fleet: &SimFleet, op: &Op, version: &str) -> Result<bool> {
    print(format_args!("\nkamal {}, version {version}", op.row().name()))?;
    let targets = Targets::select(config, &Selection::default()).map_err(|error| Error::Refused(error.to_string()))?;
    let (world, version) = (fleet.world(), Version::parse(version).map_err(|error| Error::Refused(error.to_string()))?);
    let mut settings = RunSettings::default();
    settings.asked_version = Some(version);
    settings.user_name = "Ann".to_owned();
    let cancel = fleet.begin(std::slice::from_ref(&targets.app_hosts), None);
    let fleet_of_it = Fleet::new(config, &world, "ann", cancel);
    let cx = Cx::new(fleet_of_it, &targets, &settings);
    let outcome = fleet.drive(run::run(&cx, op)).map_err(|stalled| Error::Refused(stalled.to_string()))?;
    for event in fleet.events().events() {
        if let EventKind::Phase { phase, elapsed } = event {
            print(format_args!("  {:<12} {:>6.2} s", format!("{phase:?}").to_lowercase(), elapsed.as_secs_f64()))?;
        }
    }
    if let Err(error) = &outcome {
        print(format_args!("  failed, as it has to: {}", error.to_string().lines().next().unwrap_or_default()))?;
    }
    Ok(outcome.is_err())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_goes_as_it_has_to() {
        super::run().expect("the demo");
    }
}
