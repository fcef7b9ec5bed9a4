//! Chores of the workspace, as a library, so that the end-to-end tests use the very sandbox people use.
//!
//! `cargo xtask` is the command line of it; see [`sandbox`] for hosts on this machine, [`hello`] for an app to deploy to
//! them, [`ci`] and [`tidy`] for the checks every change must pass.

pub mod bench;
pub mod book;
pub mod by_hand;
pub mod cable;
pub mod cases;
pub mod ci;
mod citations;
pub mod command;
pub mod demo;
pub mod dist;
pub mod error;
pub mod faults;
#[path = "../../tests/shared/figure.rs"]
mod figure;
pub mod fuzz;
pub mod hello;
pub mod load;
pub mod noise;
pub mod parity;
pub mod programs;
pub mod project;
mod promises;
pub mod reach;
pub mod sandbox;
pub mod schema;
mod stage;
pub mod surface;
pub mod tidy;

use std::path::Path;

/// The root of the workspace this crate was built from.
#[must_use]
pub fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}
