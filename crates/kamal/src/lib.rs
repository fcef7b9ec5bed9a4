//! Deploys web apps in containers to servers that have nothing but SSH and Docker, as [Kamal](https://kamal-deploy.org)
//! does: the deploy engine and its adapters put together, on tokio.
//!
//! A [`Project`] is a `deploy.yml` and everything it takes to act on it. Each of the command's operations is a method, or
//! [`Project::operation`]; an [`Operation`] is planned ([`Operation::plan`], which changes nothing) or run
//! ([`Operation::run`]). A [`Run`] is awaited, watched and cancelled; dropping it leads hosts back to what they served and
//! gives the deploy lock back.
//!
//! ```no_run
//! # async fn deploy() -> Result<(), kamal::Error> {
//! let project = kamal::Project::open("/srv/my-app").await?;
//! let version = project.version().await?;
//! let plan = project.deploy(&version).plan().await?;
//! println!("{plan}");
//! let report = project.deploy(&version).run().await?;
//! println!("deployed {version} in {:?}", report.took);
//! # Ok(())
//! # }
//! ```
//!
//! # What to look for where
//!
//! * A plan that is reviewed first, kept as JSON, and then done exactly or not at all: [`Project::apply`].
//! * What happens, as a stream for each run or a callback for all: [`Run::events`], [`ProjectBuilder::on_event`]. What a
//!   person reads is in [`EventKind::Say`](crate::core::EventKind::Say); secrets are covered in all of them.
//! * To stop a run: [`Run::cancel`], [`Run::stop`], dropping it, or [`Run::canceller`] for somebody else.
//! * What went wrong: [`Error::kind`] for programs, its text and [`Error::hints`] for people.
//! * Texts for files, secrets from elsewhere, another transport, another builder, own hooks and steps:
//!   [`ProjectBuilder`]. The ports are traits of [`core::ports`], written with
//!   [`macro@async_trait`]; the standard adapters are in [`machine`].
//! * Tests on simulated hosts, and a suite for one's own transport: the feature `testing` and `core::testing`.

mod builder;
mod error;
mod events;
mod files;
mod git;
pub mod machine;
mod nowhere;
mod operation;
mod project;
mod proxy_image;
mod run;
mod secret_map;
mod ssh_options;
mod work;

/// What implementations of the ports are written with.
pub use async_trait::async_trait;
pub use kamal_core as core;
pub use kamal_docker as docker;
pub use kamal_proxy as proxy;
pub use kamal_ssh as ssh;

pub use builder::{ProjectBuilder, ProxySource, first_lessons};
pub use error::{Error, NoVersion};
pub use events::EventStream;
pub use files::{CONFIG_FILE, ProjectFiles};
pub use git::version_of;
pub use operation::Operation;
pub use project::Project;
pub use run::Run;
pub use secret_map::SecretMap;

/// What most programs that deploy need.
pub mod prelude {
    pub use kamal_core::{
        error::ErrorKind,
        event::{Event, EventKind},
        name::{Destination, HostName, Version},
        op::Op,
        plan::Plan,
        run::Report,
    };

    pub use crate::{Error, Operation, Project, ProjectBuilder, Run};
}
