//! The registry on this machine while an operation runs: served from the first moment it is needed, reached by the hosts
//! that pull from it while they do. A host that lets nobody in is handed the image through its connection.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::{FutureExt, future::join_all, lock::Mutex};

use super::{
    ArchiveError, Cx, fit,
    relay::{Asked, Ways},
    script,
};
use crate::{
    error::{Error, HostError},
    event::{EventKind, Tone},
    fleet::{RegistryReach, gather},
    name::{HostName, ImageRef},
    naming,
    plan::HostWork,
    ports::{Access, Content, RegistryError, Serving, StoredImage},
    query::Query,
    state::HostState,
    step::Step,
};

/// The registry, once it is served.
#[derive(Debug, Default)]
pub(super) struct Local(Mutex<Option<Arc<dyn Serving>>>);

impl Local {
    /// The registry on this machine, if that is the one images go into.
    pub(super) async fn serving(&self, cx: &Cx<'_>) -> Result<Option<Arc<dyn Serving>>, Error> {
        let Some(port) = cx.fleet.config.registry.local_port() else { return Ok(None) };
        let mut served = self.0.lock().await;
        if served.is_none() {
            let starting = cx.fleet.world.registry.start(port);
            *served = Some(cx.fleet.cancel.guard(starting).await.ok_or(Error::Cancelled)??);
        }
        Ok(served.clone())
    }

    /// Makes it reachable from the hosts that are about to pull from it, and turns their steps into such that read an
    /// archive where it cannot be.
    pub(super) async fn open(&self, cx: &Cx<'_>, states: &[HostState], works: &mut [HostWork]) -> Result<Ways, Error> {
        let relay = Asked::take(works);
        let images = works.iter().flat_map(|work| &work.steps).filter_map(|step| pulled_from_here(cx, step));
        let images: BTreeSet<ImageRef> = images.cloned().collect();
        if images.is_empty() {
            return Ok(Ways::default());
        }
        let Some(serving) = self.serving(cx).await? else { return Ok(Ways::default()) };
        let mut found = BTreeMap::new();
        for image in images {
            let missing = || RegistryError::Missing { image: image.clone() };
            let stored = serving.look_up(&image).await?.ok_or_else(missing)?;
            found.insert(image, stored);
        }
        let pulls = |work: &&mut HostWork| work.steps.iter().any(|step| pulled_from_here(cx, step).is_some());
        let mut works: Vec<&mut HostWork> = works.iter_mut().filter(pulls).collect();
        gather(join_all(works.iter().map(|work| fits(cx, &*serving, &found, states, &work.host))).await)?;
        for step in works.iter_mut().flat_map(|work| &mut work.steps) {
            if let Step::Pull { image, digest, .. } = step {
                *digest = digest.take().or_else(|| found.get(image).map(|stored| stored.digest.clone()));
            }
        }
        let (mut sending, mut pulling, mut handed) = (Vec::new(), Vec::new(), Vec::new());
        // An archive is of what the name stands for now; what was built is pulled by its digest where that is not the same.
        let moved = |work: &HostWork| {
            work.steps.iter().any(|step| match step {
                Step::Pull { image, digest: Some(digest), .. } => {
                    found.get(image).is_some_and(|stored| stored.digest != *digest)
                }
                _ => false,
            })
        };
        for work in works {
            // What is handed over leaves this machine once for each host.
            let pulls = moved(work) || relay.is_some();
            let lacking = if pulls { None } else { difference(cx, &*serving, states, work).await? };
            match lacking {
                Some(archive) => {
                    handed.push(work.host.clone());
                    sending.push(hand(cx, archive, work).boxed());
                }
                None => pulling.push(work),
            }
        }
        let hosts: Vec<HostName> = pulling.iter().map(|work| work.host.clone()).collect();
        if !handed.is_empty() {
            cx.say(format!("Sending what is new in the image to {}...", listed(&handed)));
        }
        if !hosts.is_empty() {
            cx.say(format!("Setting up local registry port forwarding to {}...", listed(&hosts)));
        }
        let access = Access::Pull(found.keys().cloned().collect());
        let ways = cx.fleet.on(&hosts, |host| cx.fleet.reach(&*serving, host, access.clone()).boxed()).await?;
        let (mut reached, mut reaching) = (Vec::new(), Vec::new());
        for (work, way) in pulling.into_iter().zip(ways) {
            match way {
                RegistryReach::Open(kept) => {
                    reached.push(kept);
                    reaching.push(work.host.clone());
                }
                RegistryReach::Closed(_) if moved(work) => {
                    let text =
                        "the tag of the image has moved in the local registry since it was built; build it again";
                    return Err(RegistryError::Failed(text.to_owned()).into());
                }
                RegistryReach::Closed(why) => {
                    let text = format!("{why}; the image goes there as an archive");
                    cx.fleet.emit(EventKind::tell(Tone::Warning, text));
                    let state = states.iter().find(|state| state.host == work.host);
                    let arch = state.map_or("", |state| state.machine.arch.as_str());
                    sending.push(send(cx, &*serving, arch, work).boxed());
                }
            }
        }
        gather(join_all(sending).await)?;
        let led = match relay.filter(|_| reaching.len() > 1) {
            Some(relay) => {
                let state = states.iter().find(|state| state.host == relay.host);
                let arch = state.map_or("", |state| state.machine.arch.as_str());
                let needed = needed(&*serving, &found, arch, "").await;
                relay.begin(cx, &*serving, states, &reaching, needed).await?
            }
            None => None,
        };
        Ok(Ways::new(reached, led))
    }
}

fn listed(hosts: &[HostName]) -> String {
    hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ")
}

/// The image a step pulls, if it comes from the registry on this machine.
fn pulled_from_here<'s>(cx: &Cx<'_>, step: &'s Step) -> Option<&'s ImageRef> {
    let port = cx.fleet.config.registry.local_port()?;
    match step {
        Step::Pull { image, .. } if image.starts_with(&format!("localhost:{port}/")) => Some(image),
        _ => None,
    }
}

/// Fails unless a host can run the images and has room for them. Which layers it has is asked only where there is none for
/// all of them.
async fn fits(
    cx: &Cx<'_>,
    serving: &dyn Serving,
    images: &BTreeMap<ImageRef, StoredImage>,
    states: &[HostState],
    host: &HostName,
) -> Result<(), HostError> {
    let Some(state) = states.iter().find(|state| state.host == *host) else { return Ok(()) };
    if let Some(stored) = images.values().find(|stored| !fit::runs(&state.machine, &stored.arches)) {
        return Err(fit::misfit(state, &stored.arches));
    }
    let Some(free) = state.machine.free else { return Ok(()) };
    let arch = &state.machine.arch;
    if needed(serving, images, arch, "").await <= free {
        return Ok(());
    }
    let held = cx.fleet.capture(host, &script(&cx.fleet, &Query::HeldLayers)).await?.stdout;
    let needed = needed(serving, images, arch, &held).await;
    if needed > free { Err(HostError::Full { host: host.clone(), free, needed }) } else { Ok(()) }
}

/// How much room the images need on a host, as far as that is known. One that is emulated there has no variant for it.
async fn needed(serving: &dyn Serving, images: &BTreeMap<ImageRef, StoredImage>, arch: &str, held: &str) -> u64 {
    let mut all = 0;
    for image in images.keys() {
        all += serving.room(image, arch, held).await.ok().flatten().unwrap_or_default();
    }
    all
}

/// What a host lacks of the one image it would pull, if that is little.
async fn difference(
    cx: &Cx<'_>,
    serving: &dyn Serving,
    states: &[HostState],
    work: &HostWork,
) -> Result<Option<Box<dyn Content>>, Error> {
    let mut images = work.steps.iter().filter_map(|step| pulled_from_here(cx, step));
    let (Some(image), None) = (images.next(), images.next()) else { return Ok(None) };
    let Some(state) = states.iter().find(|state| state.host == work.host) else { return Ok(None) };
    Ok(serving.difference(image, &state.machine.arch, &state.images).await?)
}

/// Hands a host what it lacks, and has it read that.
async fn hand(cx: &Cx<'_>, content: Box<dyn Content>, work: &mut HostWork) -> Result<(), HostError> {
    let archive = archive_path(cx);
    cx.fleet.upload_content(&work.host, &*content, &archive, 0o600).await?;
    for step in work.steps.iter_mut().filter(|step| pulled_from_here(cx, step).is_some()) {
        *step = Step::LoadImage { archive: archive.clone() };
    }
    Ok(())
}

/// Where an archive lies on a host until it is loaded.
fn archive_path(cx: &Cx<'_>) -> String {
    format!("{}/image.tar", naming::app_directory(cx.fleet.config))
}

/// Sends a host the archives of what it would pull, without the layers it has, and has its steps read them.
async fn send(cx: &Cx<'_>, serving: &dyn Serving, arch: &str, work: &mut HostWork) -> Result<(), HostError> {
    let host = &work.host;
    let held = cx.fleet.capture(host, &script(&cx.fleet, &Query::HeldLayers)).await?.stdout;
    for step in &mut work.steps {
        let Some(image) = pulled_from_here(cx, step) else { continue };
        let unmade = |error: RegistryError| HostError::Archive {
            host: host.clone(),
            source: ArchiveError::new(error.to_string()),
        };
        let mut parts = serving.archives(image, arch, &held).await.map_err(unmade)?.into_iter().peekable();
        let archive = archive_path(cx);
        let load = Step::LoadImage { archive: archive.clone() };
        while let Some(part) = parts.next() {
            cx.fleet.upload_content(host, &*part, &archive, 0o600).await?;
            if parts.peek().is_some() {
                cx.fleet.run(host, "load", std::slice::from_ref(&load), &mut |_, _| {}).await?;
            }
        }
        *step = load;
    }
    Ok(())
}
