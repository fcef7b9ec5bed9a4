//! The proxy port, and behind the feature `server` the proxy itself.

mod port;

pub use port::{KamalProxyCli, command, flags};
