//! The deploy engine: configuration, model, observe, plan and run, without any IO.

pub mod batch;
pub mod build;
pub mod cancel;
pub mod command_line;
pub mod config;
pub mod engine;
pub mod error;
pub mod event;
pub mod fleet;
pub mod gate;
pub mod glob;
pub mod hint;
pub mod keyring;
pub mod machine;
pub mod name;
pub mod naming;
pub mod op;
pub mod output;
pub mod plan;
pub mod ports;
pub mod query;
pub mod redact;
pub mod render;
pub mod request;
pub mod run;
pub mod secret;
pub mod secrets;
pub mod shell;
pub mod state;
pub mod step;
pub mod targets;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
