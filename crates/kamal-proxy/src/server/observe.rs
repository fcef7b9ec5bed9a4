//! What the proxy tells about itself: its log, one line per request, and metrics (spec 9).

pub(crate) mod access;
pub(crate) mod log;
pub(crate) mod logged;
pub(crate) mod metrics;
pub(crate) mod state;
