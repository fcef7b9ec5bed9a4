//! The proxy port, and behind the feature `server` the proxy itself.

pub mod deploy_flags;
mod port;
#[cfg(feature = "server")]
pub mod server;

pub use port::{KamalProxyCli, command, flags};
