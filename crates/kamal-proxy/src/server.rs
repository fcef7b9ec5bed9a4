//! The proxy itself: HTTP and HTTPS in, requests to containers out, and switching between containers without dropping
//! a request.
//!
//! A program that wants a proxy inside it builds and starts a [`Proxy`], and tells it what to do by its [`Handle`]. The
//! program `kamal-proxy` (the feature `program`) is such a program. What is deployed is kept in a state file and taken up again at the
//! next start. The module follows the behaviour of basecamp/kamal-proxy, so that either can take the other's place.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use kamal_proxy::server::{DeployOptions, Proxy};
//!
//! let proxy = Proxy::builder().listen(8080).state("/var/lib/app/proxy.state").start().await?;
//! proxy.deploy("app", DeployOptions::to("10.0.0.7:3000".parse()?)).await?;
//! proxy.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What belongs to the process
//!
//! A proxy keeps everything it knows to itself, so that several run side by side. What is left that a process has but
//! once is used, not changed: the clock, the source of random numbers, and the working directory, which paths that are
//! relative are relative to. Scratch memory is kept by thread and holds nothing of one proxy that another could see. The
//! program a service names to change the DNS inherits the environment.

mod balancer;
mod body;
mod builder;
#[cfg(feature = "program")]
mod cli;
mod client;
mod connections;
mod control;
mod cookies;
mod deploy_options;
mod deployed;
mod early_hints;
mod error_pages;
mod forwarded;
mod front;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod go_duration;
mod handle;
mod handover;
mod host;
#[cfg(feature = "program")]
mod layers;
mod life;
mod listen;
mod middleware;
mod observe;
mod options;
mod path;
mod pause;
mod peers;
mod proxying;
mod rollout;
mod router;
mod routes;
mod service;
mod sockets;
mod start;
mod state;
mod surroundings;
mod switches;
mod target;
mod tasks;
mod tls;
mod watch;
mod wire;
mod workers;

pub use builder::{Builder, Proxy};
#[cfg(feature = "program")]
pub use cli::main;
pub use deploy_options::{Acme, Compression, DeployOptions, HealthCheck, RateLimit, RolloutOptions, Tls};
pub use deployed::{DeployedService, ServiceState};
pub use handle::Handle;
pub use listen::address::ListenAddress;
pub use observe::log::Level;
pub use options::OptionsError;
pub use router::{CommandError, Unhealthy};
pub use service::AssetsError;
pub use sockets::Addresses;
pub use start::StartError;
pub use switches::{MaintenanceOptions, PauseOptions};
pub use target::address::{Address, AddressError};
pub use target::failure::{CheckFailure, SeenResponse};
