//! What is told of an operation as a whole: its beginning, its plan, its end.

use std::time::Duration;

use super::Cx;
use crate::{error::Error, event::EventKind, op::Op, plan::Plan};

/// Tells that an operation begins, and returns when that was.
pub(super) fn start(cx: &Cx<'_>, op: &Op, dry_run: bool) -> Duration {
    let config = cx.fleet.config;
    cx.fleet.emit(EventKind::Started {
        operation: op.row().name(),
        changes: op.row().changes,
        dry_run,
        service: config.service.to_string(),
        destination: config.destination.clone(),
        performer: cx.fleet.performer.to_owned(),
        version: cx.run.asked_version.as_ref().or(cx.version).cloned(),
        hosts: op.hosts(config, cx.targets),
    });
    cx.fleet.world.clock.elapsed()
}

/// Tells that it ended, and returns how long it took.
pub(super) fn finish(cx: &Cx<'_>, error: Option<&Error>, began: Duration) -> Duration {
    let took = cx.fleet.world.clock.elapsed().saturating_sub(began);
    cx.fleet.emit(EventKind::ended(error, took));
    took
}

/// What is told of a plan that was made.
pub(super) fn planned(plan: &Plan) -> EventKind {
    EventKind::Planned { digest: plan.digest(), version: plan.version.clone(), empty: plan.is_empty() }
}

/// Tells of what only looks, from its beginning to its end.
pub(super) async fn looking<T>(cx: &Cx<'_>, op: &Op, look: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let began = start(cx, op, true);
    let result = look.await.map_err(|error| cx.covered(error));
    finish(cx, result.as_ref().err(), began);
    result
}
