//! Whole operations on the simulated fleet.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod aftermath;
mod cluster;
mod covered;
mod deploys;
mod details;
mod diagnosed;
mod drills;
mod embedded;
mod errors;
mod faults;
mod gone;
mod guarded;
mod harness;
mod histories;
mod hooks;
mod images;
mod interrupted;
mod loadbalancer;
mod local;
mod locks;
mod meddled;
mod outlook;
mod partial;
mod plans;
mod relayed;
mod release;
mod reviewed;
mod roles;
mod rollouts;
mod seams;
mod secrets;
mod services;
mod stream;
mod surveyed;
mod table;
mod uploads;
