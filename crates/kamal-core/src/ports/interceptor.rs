//! Own steps between the stages of an operation.

use async_trait::async_trait;

use crate::{
    error::HostError,
    event::{EventKind, Tone},
    fleet::{Captured, Fleet},
    name::HostName,
    plan::{Plan, Stage},
    shell::{Script, Text},
    state::HostState,
};

/// Why an own step failed.
pub type Refusal = Box<dyn std::error::Error + Send + Sync>;

/// Called by the one runner before and after every stage of every operation that is run. An error ends the operation as a
/// failing step would: the deploy lock is given back, and hosts that have switched to new containers go back to those they
/// had for as long as these still run, which is until the stage that retires them
/// ([`Kind::Retire`](crate::plan::Kind::Retire) or [`Kind::Finish`](crate::plan::Kind::Finish)) begins. A request to stop
/// ends what is under way here at once.
///
/// Before [`Kind::Boot`](crate::plan::Kind::Boot) every host has the image and nothing new runs. A proxied host switches
/// in one command with its container's health check, so what new containers are to be tried with comes after that stage:
/// all of them answer then, and an error leads all hosts back.
#[async_trait]
pub trait Interceptor: Send + Sync + std::fmt::Debug {
    /// A stage is about to begin.
    ///
    /// # Errors
    ///
    /// Why it is not to.
    async fn before(&self, _moment: &Moment<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    /// A stage has come to its end, and went well.
    ///
    /// # Errors
    ///
    /// Why what it did is not to stay.
    async fn after(&self, _moment: &Moment<'_>) -> Result<(), Refusal> {
        Ok(())
    }
}

/// Where an operation stands, and a way to its hosts.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The plan that is followed.
    pub plan: &'a Plan,
    /// The stage.
    pub stage: &'a Stage,
    /// Whether this run holds the deploy lock.
    pub locked: bool,
    fleet: &'a Fleet<'a>,
}

impl<'a> Moment<'a> {
    pub(crate) fn new(plan: &'a Plan, stage: &'a Stage, locked: bool, fleet: &'a Fleet<'a>) -> Self {
        Self { plan, stage, locked, fleet }
    }

    /// Runs shell text on a host, in the login directory, and returns what it printed. A non-zero exit is data.
    ///
    /// # Errors
    ///
    /// When the host cannot be reached, or the request to stop comes.
    pub async fn run(&self, host: &HostName, text: impl Into<Text> + Send) -> Result<Captured, HostError> {
        self.fleet.capture(host, &Script::write("own step", text.into())).await
    }

    /// Looks at a host: what runs there, where the proxy leads.
    ///
    /// # Errors
    ///
    /// When the host cannot be reached, or the request to stop comes.
    pub async fn observe(&self, host: &HostName) -> Result<HostState, HostError> {
        self.fleet.observe(host).await
    }

    /// Says something to whoever listens.
    pub fn say(&self, text: impl Into<String>) {
        self.fleet.emit(EventKind::tell(Tone::Info, text));
    }
}
