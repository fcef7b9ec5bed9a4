//! What the proxy tells about itself: its log, one line per request, and metrics (spec 9).

pub(crate) mod access;
pub(crate) mod log;
pub(crate) mod logged;
pub(crate) mod metrics;
pub(crate) mod state;

use std::sync::Arc;

use self::log::Log;
use self::metrics::Metrics;

/// Where all of it goes.
#[derive(Debug)]
pub(crate) struct Observer {
    pub(crate) log: Log,
    /// `None` when metrics are not published.
    pub(crate) metrics: Option<Arc<Metrics>>,
}
