//! What comes back of a run, and the questions it asks hosts.

use std::time::Duration;

use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};

use crate::{
    doctor::Checkup,
    error::{Cover, HostError},
    event::EventKind,
    fleet::{Captured, Fleet},
    name::HostName,
    plan::{KnownAnswer, Plan, Question},
    query::Query,
    redact::Redactor,
    secret::Secret,
    shell::Script,
    status::Status,
};

/// How it went.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// How long it took.
    pub took: Duration,
    /// What was done.
    pub plan: Plan,
    /// What was asked and answered, in the order of the plan.
    pub answers: Vec<Answer>,
    /// How the fleet is, where that was asked.
    pub status: Option<Status>,
    /// What a checkup found, where one was asked for.
    pub checkup: Option<Checkup>,
    /// What is left for the caller to perform with a terminal or a screen of its own.
    pub attach: Option<Question>,
}

/// An answer to show.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The host it is about.
    pub host: Option<HostName>,
    /// What it is shown under: `App`, `Proxy`, `Accessory db`; nothing for none.
    pub heading: String,
    /// The answer, without secrets, or why there is none.
    pub outcome: Result<Captured, HostError>,
    raw: Option<Secret>,
}

impl Answer {
    pub(super) fn new(host: Option<HostName>, heading: String, outcome: Result<Captured, HostError>) -> Self {
        Self { host, heading, outcome, raw: None }
    }

    /// As listeners are told of it.
    pub(super) fn event(&self) -> EventKind {
        let (host, heading) = (self.host.clone(), self.heading.clone());
        match &self.outcome {
            Ok(Captured { stdout, stderr, status }) => EventKind::Answer {
                host,
                heading,
                stdout: stdout.clone(),
                stderr: stderr.clone(),
                status: Some(*status),
            },
            Err(error) => {
                EventKind::Answer { host, heading, stdout: String::new(), stderr: error.to_string(), status: None }
            }
        }
    }

    /// What was printed on standard output, as it came: for another program, which needs it as it is.
    #[must_use]
    pub fn raw(&self) -> Option<&Secret> {
        self.raw.as_ref()
    }
}

impl Cover for Answer {
    fn cover(&mut self, redactor: &Redactor) {
        match &mut self.outcome {
            Ok(captured) => {
                self.raw = Some(Secret::new(captured.stdout.as_str()));
                captured.stdout.cover(redactor);
                captured.stderr.cover(redactor);
            }
            Err(error) => error.cover(redactor),
        }
    }
}

impl Cover for Report {
    fn cover(&mut self, redactor: &Redactor) {
        self.answers.cover(redactor);
        self.status.iter_mut().for_each(|status| status.cover(redactor));
        self.checkup.iter_mut().for_each(|checkup| checkup.cover(redactor));
    }
}

/// Asks questions side by side and returns the answers in their order, whichever hosts fail.
pub(crate) async fn ask(fleet: &Fleet<'_>, questions: &[Question]) -> Vec<Answer> {
    let one = |question: &Question| -> BoxFuture<'_, Answer> {
        let Question { host, heading, query } = question.clone();
        async move {
            let outcome = fleet.capture(&host, &script(fleet, &query)).await;
            Answer::new(Some(host), heading, outcome)
        }
        .boxed()
    };
    join_all(questions.iter().map(one)).await
}

/// The script of a question.
#[must_use]
pub fn script(fleet: &Fleet<'_>, query: &Query) -> Script {
    let text = fleet.world.docker.query(query, fleet.config, &*fleet.world.entropy);
    let label = if query.runs_a_command() { "exec" } else { "ask" };
    Script::asking(label, query.clone(), text)
}

impl From<KnownAnswer> for Answer {
    fn from(told: KnownAnswer) -> Self {
        let captured = Captured { stdout: told.text, ..Captured::default() };
        Self::new(told.host, told.heading, Ok(captured))
    }
}
