//! Work that is the proxy's own rather than a client's, and ends with it.

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Where such work is done.
#[derive(Debug, Clone)]
pub(crate) struct Tasks {
    runtime: Handle,
    cut: CancellationToken,
}

impl Tasks {
    pub(crate) const fn new(runtime: Handle, cut: CancellationToken) -> Self {
        Self { runtime, cut }
    }

    /// Does something, whoever waits for it; `None` when the proxy ended first.
    pub(crate) fn spawn<F>(&self, work: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.runtime.spawn(self.cut.clone().run_until_cancelled_owned(work))
    }
}
