//! The deploy engine: configuration, model, observe, plan and run, without any IO.
//!
//! A program that deploys takes the crate `kamal`, which brings the adapters along. This is for who brings their own: load
//! a configuration ([`config::load`]), give an [`Engine`] the outside ([`World`]), and have it plan or run a [`Request`] for
//! an operation ([`Op`]). Adapters find the traits in [`ports`], and what they render in [`step`], [`shell`] and [`naming`].

pub mod batch;
pub mod build;
pub mod cancel;
pub mod cluster;
pub mod command_line;
pub mod config;
pub mod diagnosis;
pub mod doctor;
pub mod engine;
pub mod error;
pub mod event;
pub mod fleet;
mod gate;
mod glob;
pub mod hint;
pub mod keyring;
pub mod lock;
mod machine;
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
pub mod status;
pub mod step;
mod table;
pub mod targets;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod vitals;

pub use cancel::Cancel;
pub use config::Config;
pub use engine::Engine;
pub use error::{Error, ErrorKind, HostError};
pub use event::{Event, EventKind};
pub use fleet::Fleet;
pub use hint::Hint;
pub use name::{Destination, HostName, Version};
pub use op::Op;
pub use plan::Plan;
pub use ports::World;
pub use redact::Redactor;
pub use request::Request;
pub use run::{Cx, Report, RunSettings};
pub use secret::Secret;
pub use targets::{Selection, Targets};

/// What most programs that use the engine need.
pub mod prelude {
    pub use crate::{
        Cancel, Config, Cx, Destination, Engine, Error, ErrorKind, Event, EventKind, Fleet, Hint, HostError, HostName,
        Op, Plan, Redactor, Report, Request, RunSettings, Secret, Selection, Targets, Version, World,
        config::{Source, TemplateWorld},
        ports::{
            Builder, Clock, Docker, Entropy, Events, Exec, Hooks, Interceptor, Local, Proxy, Secrets, Ssh, Templates,
        },
    };
}
