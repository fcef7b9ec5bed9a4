//! `status` and `doctor`: one round trip to each host, and what comes of it. A host that cannot be reached is told of as
//! such; the others are told of all the same.

use futures_util::{
    FutureExt,
    future::{join, join_all},
};

use super::{Cx, Needs, answer::script, made::Made, outlook::secrets_of_role};
use crate::{
    doctor::{self, Checkup, Here, Patient, Ran},
    error::{Error, HostError},
    fleet::Fleet,
    keyring::Keyring,
    name::{HostName, Version},
    plan::{AccessorySteps, Boot, Reuse, Survey, services},
    ports::{Chunk, Command},
    query::Query,
    state::HostState,
    status::{self, Of, Status, Surveyed},
    step::{RunSpec, Step},
    vitals::Vitals,
};

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) status: Option<Status>,
    pub(super) checkup: Option<Checkup>,
}

/// Asks hosts, and makes of it what was asked for.
pub(super) async fn perform(cx: &Cx<'_>, hosts: &[HostName], what: Survey) -> Result<Found, Error> {
    Ok(match what {
        Survey::Status => Found { status: Some(status(cx, hosts).await?), ..Found::default() },
        Survey::Checkup => Found { checkup: Some(checkup(cx, hosts).await?), ..Found::default() },
    })
}

/// How the fleet is.
async fn status(cx: &Cx<'_>, hosts: &[HostName]) -> Result<Status, Error> {
    let surveyed = survey(&cx.fleet, hosts).await?;
    let drift = |state: &HostState, vitals: &Vitals, of: Of<'_>| drift(cx, state, vitals, of);
    Ok(status::status(cx.fleet.config, cx.targets, &surveyed, cx.fleet.world.clock.now(), &drift))
}

/// Whether all is there that a deploy relies on.
async fn checkup(cx: &Cx<'_>, hosts: &[HostName]) -> Result<Checkup, Error> {
    let surveyed = async {
        let mut surveyed = survey(&cx.fleet, hosts).await?;
        probe_each_other(&cx.fleet, &mut surveyed).await;
        Ok::<_, Error>(surveyed)
    };
    let (here, surveyed) = join(here(cx).boxed(), surveyed.boxed()).await;
    let patient = Patient {
        config: cx.fleet.config,
        targets: cx.targets,
        here: &here?,
        surveyed: &surveyed?,
        at: cx.fleet.world.clock.now(),
    };
    Ok(doctor::checkup(&patient))
}

/// Asks hosts side by side.
async fn survey(fleet: &Fleet<'_>, hosts: &[HostName]) -> Result<Vec<Surveyed>, Error> {
    let one = |host: &HostName| {
        let host = host.clone();
        async move {
            let found = ask(fleet, &host).await;
            Surveyed { host, found }
        }
        .boxed()
    };
    let surveyed = join_all(hosts.iter().map(one)).await;
    let stopped = |one: &Surveyed| matches!(one.found, Err(HostError::Cancelled { .. }));
    if surveyed.iter().any(stopped) { Err(Error::Cancelled) } else { Ok(surveyed) }
}

async fn ask(fleet: &Fleet<'_>, host: &HostName) -> Result<(HostState, Vitals), HostError> {
    let captured = fleet.capture(host, &script(fleet, &Query::Survey)).await?;
    let docker = &fleet.world.docker;
    let unreadable = |source| HostError::Unreadable { host: host.clone(), source };
    let state = docker.parse(fleet.config, host, &captured.stdout).map_err(unreadable)?;
    Ok((state, docker.vitals(&captured.stdout)))
}

/// Has hosts that are joined try to reach each other. One that cannot be asked has said nothing.
async fn probe_each_other(fleet: &Fleet<'_>, surveyed: &mut [Surveyed]) {
    let Some(cluster) = &fleet.config.cluster else { return };
    let asked = doctor::to_try(cluster, surveyed).into_iter().filter(|(_, to)| !to.is_empty()).map(|(host, to)| {
        async move {
            let captured = fleet.capture(&host, &script(fleet, &Query::ProbeHosts { to })).await.ok()?;
            Some((host, fleet.world.docker.vitals(&captured.stdout).probes))
        }
        .boxed()
    });
    for (host, probes) in join_all(asked).await.into_iter().flatten() {
        let found = surveyed.iter_mut().find(|one| one.host == host).and_then(|one| one.found.as_mut().ok());
        if let Some((_, vitals)) = found {
            vitals.probes = probes;
        }
    }
}

/// What this machine says of itself.
async fn here(cx: &Cx<'_>) -> Result<Here, Error> {
    let run = |program: &'static str, args: &'static [&'static str]| {
        ran(cx, Command::new(program, args.iter().copied())).boxed()
    };
    let programs = join_all([
        run("docker", &["version", "--format", "{{.Server.Version}}"]),
        run("docker", &["buildx", "version"]),
        run("git", &["--version"]),
        run("ssh-add", &["-l"]),
    ]);
    let needs = Needs::all(cx.fleet.config);
    let count = needs.keys().count();
    let mut keyring = Keyring::new(cx.fleet.world.redactor.clone());
    let both = join(programs, needs.look_up(&*cx.fleet.world.secrets, &mut keyring));
    let (programs, secrets) = cx.fleet.cancel.guard(both).await.ok_or(Error::Cancelled)?;
    let mut programs = programs.into_iter();
    let mut next = || programs.next().unwrap_or_default();
    Ok(Here {
        docker: next(),
        buildx: next(),
        git: next(),
        agent: next(),
        secrets: secrets.map(|()| count).map_err(|error| error.to_string()),
    })
}

async fn ran(cx: &Cx<'_>, command: Command) -> Ran {
    let mut said = Vec::new();
    let mut take = |chunk: Chunk<'_>| {
        let (Chunk::Stdout(bytes) | Chunk::Stderr(bytes)) = chunk;
        said.extend_from_slice(bytes);
    };
    match cx.fleet.world.local.run(&command, &mut take).await {
        Ok(exit) => Ran { status: Some(exit.0), said: String::from_utf8_lossy(&said).trim().to_owned() },
        Err(error) => Ran { status: None, said: error.to_string() },
    }
}

/// In what a container that runs was made otherwise than deploy.yml would have it made now.
fn drift(cx: &Cx<'_>, state: &HostState, vitals: &Vitals, of: Of<'_>) -> Vec<String> {
    // What a service's containers are made of is the swarm's to keep.
    if matches!(of, Of::Role(..)) && services::asked_for(cx.fleet.config).is_some() {
        return Vec::new();
    }
    let Some(spec) = wanted(cx, state, of) else { return Vec::new() };
    let running = match of {
        Of::Role(role, _) => state.current(cx.fleet.config, &role.name),
        Of::Accessory(accessory) => state.accessory(&accessory.service),
    };
    let Some(running) = running else { return Vec::new() };
    let mut made = vitals.made.iter().filter_map(|made| Made::read(made.expose()));
    let Some(made) = made.find(|made| made.is(&running.name)) else { return Vec::new() };
    let secrets = match of {
        Of::Role(..) => secrets_of_role(cx, &spec, &state.host),
        Of::Accessory(accessory) => accessory.env.secret.iter().map(|secret| secret.name.clone()).collect(),
    };
    made.changes(&spec, &secrets).iter().map(ToString::to_string).collect()
}

/// How the container would be made now, at the version that runs.
fn wanted(cx: &Cx<'_>, state: &HostState, of: Of<'_>) -> Option<RunSpec> {
    match of {
        Of::Role(role, version) => role_steps(cx, state, version).into_iter().find_map(|step| match step {
            Step::Start(spec) if spec.role.as_ref() == Some(&role.name) => Some(*spec),
            _ => None,
        }),
        Of::Accessory(accessory) => {
            Some(AccessorySteps { config: cx.fleet.config, accessory, files: &[] }.run_spec(&state.host))
        }
    }
}

fn role_steps(cx: &Cx<'_>, state: &HostState, version: &Version) -> Vec<Step> {
    let boot = Boot { config: cx.fleet.config, targets: cx.targets, version, error_pages: &[], reuse: Reuse::Nothing };
    let works = crate::plan::host(&boot, state).works;
    works.into_iter().flat_map(|work| work.steps).collect()
}
