//! Hosts that are at something together: once one has failed, none of the others goes on for long. All of it comes to
//! nothing by then.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::future::{Either, select};

use crate::{
    cancel::{Cancel, Canceller},
    error::HostError,
    name::HostName,
    ports::Clock,
};

/// How long the others may go on: those that fail for the same reason do so at about the same time, and tell more
/// together than one does.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// What hosts at work have in common.
#[derive(Debug)]
pub(super) struct Company {
    failed: Canceller,
    /// Comes with the first failure.
    pub(super) known: Cancel,
    /// Comes when the others have had their time.
    pub(super) over: Cancel,
}

impl Company {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let (failed, known) = Cancel::pair();
        let first = known.clone();
        let over = Cancel::when(async move {
            first.wait().await;
            clock.sleep(GRACE).await;
        });
        Self { failed, known, over }
    }

    /// Lets the others know of a failure.
    pub(super) fn heed<T>(&self, result: Result<T, HostError>) -> Result<T, HostError> {
        if result.is_err() {
            self.failed.cancel();
        }
        result
    }

    /// Runs what a host does, until it is given up.
    pub(super) async fn run(
        &self,
        host: &HostName,
        work: impl Future<Output = Result<(), HostError>> + Send,
    ) -> Result<(), HostError> {
        match select(pin!(work), pin!(self.over.wait())).await {
            Either::Left((result, _)) => self.heed(result),
            Either::Right(_) => Err(HostError::Abandoned { host: host.clone() }),
        }
    }
}
