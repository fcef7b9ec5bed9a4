//! Whole operations on the simulated fleet.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cluster;
mod covered;
mod deploys;
mod diagnosed;
mod embedded;
mod errors;
mod faults;
mod gone;
mod harness;
mod histories;
mod hooks;
mod images;
mod local;
mod locks;
mod meddled;
mod plans;
mod release;
mod reviewed;
mod roles;
mod seams;
mod secrets;
mod small;
mod surveyed;
mod table;
mod uploads;
