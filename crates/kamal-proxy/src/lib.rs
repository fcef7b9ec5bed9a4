//! The proxy port, and behind the feature `server` the proxy itself, for any program to have inside it. The program
//! `kamal-proxy` is behind the feature `program`.

pub mod deploy_flags;
mod port;
#[cfg(feature = "server")]
pub mod server;

pub use port::{KamalProxyCli, command, flags};
