//! `kamal secrets` through the real command (spec 3.3, 3.4): stand-in programs on a PATH of their own, which answer as
//! the vendors' programs were recorded to, and only to the exact arguments they expect.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod bench;
mod cases;
mod command;
mod config;
mod covered;
mod files;
mod hosts;
mod print;
mod together;
mod vendors;
