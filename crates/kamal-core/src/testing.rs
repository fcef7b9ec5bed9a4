//! A simulated fleet, for tests of the engine and of programs that embed it: hosts that behave rather than mocks that
//! expect. Containers start, stop and clash, the proxy leads somewhere, the lock is held, time is virtual, and any
//! effect can be made to fail.
//!
//! ```
//! use kamal_core::testing::SimFleet;
//!
//! let fleet = SimFleet::new(["10.0.0.1", "10.0.0.2"]);
//! let world = fleet.world();
//! let exec = fleet.drive(world.ssh.connect(&"10.0.0.1".parse().unwrap())).unwrap().unwrap();
//! assert_eq!(exec.host().as_str(), "10.0.0.1");
//! ```
//!
//! At every effect the fleet checks what must always hold; [`SimFleet::violations`] tells what did not.

mod chance;
mod clock;
mod container;
mod dialect;
mod drill;
mod exec;
mod exec_suite;
mod fault;
mod host;
mod invariants;
mod listener;
mod local;
mod lock;
mod operations;
mod registry;
mod sim;
mod swarm;
mod vault;

pub use crate::config::NoTemplateWorld;
pub use chance::SimEntropy;
pub use clock::{Stalled, VirtualClock};
pub use container::{SimContainer, SimMade};
pub use dialect::{SimDocker, SimProxy};
pub use drill::{Drill, Exercise, Outcome, Trial};
pub use exec_suite::{Broken, exec_suite};
pub use fault::{Effect, EffectKind, Fault, How};
pub use host::SimHost;
pub use listener::Recorder;
pub use local::{Ran, SimLocal};
pub use lock::{SimLease, SimLock};
pub use operations::every_operation;
pub use registry::SimRegistry;
pub use sim::{Serving, SimFleet};
pub use swarm::{SimService, SimSwarm, service_spec};
pub use vault::TableSecrets;
