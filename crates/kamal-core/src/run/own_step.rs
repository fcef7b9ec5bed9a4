//! Steps of the caller's own, before and after each stage.

use super::panics::refusing;
use crate::{
    error::Error,
    fleet::Fleet,
    plan::{Plan, Stage},
    ports::Moment,
};

/// Which side of a stage an own step is on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    Before,
    After,
}

impl Side {
    fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// Lets an own step come, if there are any. A request to stop ends it at once.
pub(super) async fn call(fleet: &Fleet<'_>, plan: &Plan, stage: &Stage, side: Side, locked: bool) -> Result<(), Error> {
    let Some(interceptor) = &fleet.world.interceptor else { return Ok(()) };
    let moment = Moment::new(plan, stage, locked, fleet);
    let call = match side {
        Side::Before => interceptor.before(&moment),
        Side::After => interceptor.after(&moment),
    };
    let place = || format!("{} {}", side.word(), stage.kind.title());
    let ended = fleet.cancel.guard(refusing(call)).await.ok_or(Error::Cancelled)?;
    ended.map_err(|source| Error::OwnStep { place: place(), source })
}
