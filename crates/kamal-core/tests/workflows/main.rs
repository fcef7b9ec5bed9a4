//! Whole operations on the simulated fleet.

mod deploys;
mod faults;
mod harness;
mod hooks;
mod locks;
mod plans;
mod roles;
