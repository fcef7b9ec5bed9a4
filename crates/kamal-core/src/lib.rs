//! The deploy engine: configuration, model, observe, plan and run, without any IO.

pub mod config;
pub mod name;
pub mod ports;
pub mod secret;
pub mod shell;
