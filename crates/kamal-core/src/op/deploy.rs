//! setup, deploy and redeploy (spec 9.10).

use serde::{Deserialize, Serialize};

use super::{Facts, boot, boot::Extras, cluster::Joining, facts::audit, proxy_version, relay};
use crate::{
    build::BuildTask,
    error::Error,
    name::{HostName, Version},
    naming,
    plan::{Draft, Kind, Stage, Work},
    step::Step,
};

/// How a deploy is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deploy {
    /// `--skip-push`: the image is in the registry already.
    pub skip_push: bool,
    /// `--no-cache`.
    pub no_cache: bool,
}

impl Deploy {
    /// What is built.
    pub(super) fn task(self) -> BuildTask {
        BuildTask::Push { no_cache: self.no_cache, output: "registry".to_owned() }
    }
}

/// Prepares hosts and deploys, all under the lock.
pub(super) fn setup(deploy: &Deploy, facts: &Facts<'_>) -> Result<Draft, Error> {
    proxy_version::check(facts)?;
    let version = facts.version()?;
    let mut stages: Vec<Stage> = vec![super::server::install_docker(facts)];
    stages.extend(facts.hook("docker-setup", None));
    let joining = facts.config.cluster.as_ref().map(|cluster| super::cluster::joining(facts, cluster)).transpose()?;
    let Joining { stages: joins, notes: about_joining } = joining.unwrap_or_default();
    stages.extend(joins);
    stages.extend(deliver(*deploy, facts, version));
    stages.extend(facts.hook("pre-deploy", None));
    let extras =
        Extras { proxy: true, accessories: true, prunes: true, releases: true, guards: true, ..Extras::default() };
    stages.extend(boot::stages(facts, facts.targets, version, extras)?);
    // The lock is held still.
    stages.extend(facts.hook("post-deploy", None));
    let mut notes = notes(facts, &stages);
    notes.extend(super::accessory::drift(facts));
    notes.extend(super::proxy::hidden_overlays(facts));
    notes.extend(about_joining);
    Ok(Draft { version: Some(version.clone()), stages, notes, ..Draft::default() })
}

/// Builds, delivers, boots, prunes.
pub(super) fn deploy(deploy: &Deploy, facts: &Facts<'_>) -> Result<Draft, Error> {
    proxy_version::check(facts)?;
    deployed(*deploy, facts, Extras { proxy: true, prunes: true, releases: true, guards: true, ..Extras::default() })
}

/// Builds, delivers, boots.
pub(super) fn redeploy(deploy: &Deploy, facts: &Facts<'_>) -> Result<Draft, Error> {
    deployed(*deploy, facts, Extras { releases: true, guards: true, ..Extras::default() })
}

fn deployed(deploy: Deploy, facts: &Facts<'_>, extras: Extras) -> Result<Draft, Error> {
    let version = facts.version()?;
    let mut stages = deliver(deploy, facts, version);
    stages.extend(facts.hook("pre-deploy", None));
    stages.extend(boot::stages(facts, facts.targets, version, extras)?);
    let after = facts.hook("post-deploy", None).into_iter().collect();
    let notes = notes(facts, &stages);
    Ok(Draft { version: Some(version.clone()), stages, after, notes })
}

/// Builds the image and brings it to the app hosts.
pub(super) fn deliver(deploy: Deploy, facts: &Facts<'_>, version: &Version) -> Vec<Stage> {
    let mut stages = Vec::new();
    if !deploy.skip_push {
        stages.extend(facts.hook("pre-build", None));
        let build = Stage::new(Kind::Build, Work::Build(deploy.task()));
        stages.push(build.saying("Build and push app image..."));
    }
    let stage = delivery(facts, version, !deploy.skip_push);
    stages.push(if deploy.skip_push { stage.saying("Pull app image...") } else { stage });
    stages
}

/// Brings the image to the app hosts.
pub(super) fn delivery(facts: &Facts<'_>, version: &Version, built: bool) -> Stage {
    let image = naming::image(facts.config, version);
    let steps = |host: &HostName| {
        let held = facts.state(host).is_none_or(|state| state.has_image(&image));
        pull(facts, version, held, built)
    };
    let mut works = facts.everywhere(&facts.targets.app_hosts, steps);
    if let Ok(Some((host, step))) = relay::relay(facts) {
        works.iter_mut().filter(|work| work.host == host).for_each(|work| work.steps.insert(0, step.clone()));
    }
    Stage::hosts(Kind::Deliver, works)
}

/// The steps that bring a version's image to a host. One that was just built needs no check of its label.
fn pull(facts: &Facts<'_>, version: &Version, held: bool, built: bool) -> Vec<Step> {
    let mut steps = facts.login();
    steps.push(audit(format!("Pulled image with version {version}"), None));
    let service = (!built).then(|| facts.config.service.clone());
    steps.push(Step::Pull { image: naming::image(facts.config, version), service, held, digest: None });
    steps
}

fn notes(facts: &Facts<'_>, stages: &[Stage]) -> Vec<String> {
    let mut notes = Vec::new();
    for state in facts.states {
        if let Some(lock) = &state.lock {
            notes.push(format!(
                "The deploy lock on {} is held now:\n    {}",
                state.host,
                lock.to_string().replace('\n', "\n    ")
            ));
        }
    }
    let releases = |stage: &Stage| stage.kind == Kind::Release;
    if let (Some(release), false) = (&facts.config.release, stages.iter().any(releases)) {
        notes.push(format!("The release command is not run: no host of the role {} is selected.", release.role));
    }
    notes.extend(relay::note(facts));
    notes.extend(super::overview::orphans(facts));
    notes
}
