//! Images on their way: built on the local machine, pulled by hosts.

use futures_util::FutureExt;

use super::{Runner, pin::Delivered, room};
use crate::{
    build::BuildTask,
    error::Error,
    plan::HostWork,
    ports::{BuildOrder, Built},
    state::HostState,
    step::Step,
};

impl Runner<'_, '_> {
    /// Has something done about images on the local machine.
    pub(super) async fn order(&self, task: &BuildTask) -> Result<Built, Error> {
        let (cx, world) = (self.cx, self.cx.fleet.world);
        let registry = if task.makes_an_image() { self.registry.serving(cx).await? } else { None };
        let secrets = cx.fleet.keyring();
        let mut order =
            BuildOrder::new(task, cx.fleet.config, &*world.local, &secrets, cx.fleet.teller(), &*world.clock);
        order.version = cx.run.asked_version.as_ref().or(cx.version);
        order.registry = registry.as_deref();
        Ok(cx.fleet.cancel.guard(world.builder.build(&order)).await.ok_or(Error::Cancelled)??)
    }

    /// Notes what hosts have pulled. Where nothing looks at them again once they have, that is done now.
    pub(super) async fn note_delivery(&mut self, works: &[HostWork]) -> Result<(), Error> {
        self.delivered = Delivered::by(works);
        match &self.delivered {
            Some(delivered) if delivered.must_agree() && !self.op.decides_on_delivery() => {
                let hosts = delivered.hosts();
                let states = self.cx.fleet.on(&hosts, |host| self.cx.fleet.observe(host).boxed()).await?;
                delivered.check(&states)
            }
            _ => Ok(()),
        }
    }

    /// Fails where hosts have no room for what they are about to pull from somebody's registry.
    pub(super) async fn check_room(&self, works: &[HostWork]) -> Result<(), Error> {
        let cx = self.cx;
        let pulled = works.iter().flat_map(|work| &work.steps).find_map(|step| match step {
            Step::Pull { image, .. } => Some(image),
            _ => None,
        });
        let pulls = |state: &&HostState| works.iter().any(|work| work.host == state.host);
        let tight: Vec<&HostState> = self.states.iter().filter(pulls).filter(room::is_tight).collect();
        let Some(image) = pulled.filter(|_| !tight.is_empty() && cx.fleet.config.registry.local_port().is_none())
        else {
            return Ok(());
        };
        let image = match &self.built {
            Some(digest) => format!("{}@{digest}", cx.fleet.config.repository()),
            None => image.to_string(),
        };
        match self.order(&BuildTask::Measure { image }).await {
            Ok(measured) => room::check(cx, &tight, &measured.variants).await,
            Err(Error::Cancelled) => Err(Error::Cancelled),
            // What cannot be told keeps nobody from pulling it.
            Err(_) => Ok(()),
        }
    }
}
