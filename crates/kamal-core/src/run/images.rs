//! Images on their way: built on the local machine, handed to hosts.

use std::collections::BTreeSet;

use futures_util::FutureExt;

use super::{Runner, ship};
use crate::{build::BuildTask, error::Error, name::HostName, plan::HostWork, ports::BuildOrder, step::Step};

impl Runner<'_, '_> {
    pub(super) async fn build(&self, task: &BuildTask) -> Result<String, Error> {
        let (cx, world) = (self.cx, self.cx.fleet.world);
        let registry = if task.makes_an_image() { self.registry.serving(cx).await? } else { None };
        let order = BuildOrder {
            task,
            config: cx.fleet.config,
            version: cx.run.asked_version.as_ref().or(cx.version),
            local: &*world.local,
            secrets: &cx.fleet.keyring(),
            events: cx.fleet.teller(),
            clock: &*world.clock,
            registry: registry.as_deref(),
        };
        Ok(cx.fleet.cancel.guard(world.builder.build(&order)).await.ok_or(Error::Cancelled)??)
    }

    /// Hands the proxy's image to hosts that are about to make its container and lack it.
    pub(super) async fn ship_proxy(&self, works: &[HostWork]) -> Result<(), Error> {
        let Some(image) = &self.cx.proxy_image else { return Ok(()) };
        let mut hosts = BTreeSet::new();
        for (host, step) in works.iter().flat_map(|work| work.steps.iter().map(move |step| (&work.host, step))) {
            let (Step::EnsureProxy(spec) | Step::ReplaceProxy(spec)) = step else { continue };
            let state = self.states.iter().find(|state| state.host == *host);
            let lacks = state.is_some_and(|state| !state.has_image(&image.reference));
            if spec.image.as_ref() == Some(&image.reference) && lacks {
                hosts.insert(host.clone());
            }
        }
        let hosts: Vec<HostName> = hosts.into_iter().collect();
        self.cx.fleet.on(&hosts, |host| ship::image(&self.cx.fleet, host, image).boxed()).await.map(drop)
    }
}
