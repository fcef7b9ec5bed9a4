//! Whole operations on the simulated fleet.

mod deploys;
mod faults;
mod harness;
