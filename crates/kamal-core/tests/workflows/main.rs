//! Whole operations on the simulated fleet.

mod deploys;
mod harness;
