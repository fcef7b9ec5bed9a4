//! Whoever runs the program, and the one desk at which questions wait for them: with many hosts, one after another.

use std::{
    collections::HashSet,
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

use kamal_core::secret::Secret;

/// Answers questions and hears warnings.
pub trait Attendant: Send + Sync + Debug {
    /// An answer, or nothing when nobody can give one. May block: it is called on a thread of its own, never twice at
    /// once.
    fn ask(&self, question: &Question) -> Option<Secret>;

    /// Something to know that stops nothing.
    fn warn(&self, text: &str);
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What is asked, as it is shown.
    pub text: String,
    /// What kind of answer is wanted.
    pub kind: QuestionKind,
}

/// What kind of answer a question wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QuestionKind {
    /// `yes`, `no` or the fingerprint: may be seen while typed.
    HostKey,
    /// The passphrase of a key: is not shown.
    Passphrase,
    /// A password, or another answer a server asks for: is not shown.
    Hidden,
    /// An answer a server asks for that may be seen while typed.
    Shown,
}

/// Where questions wait for their turn.
#[derive(Debug, Default)]
pub(crate) struct QuestionQueue {
    attendant: Option<Arc<dyn Attendant>>,
    turn: tokio::sync::Mutex<()>,
    warned: Mutex<HashSet<String>>,
}

impl QuestionQueue {
    pub(crate) fn new(attendant: Option<Arc<dyn Attendant>>) -> Self {
        Self { attendant, ..Self::default() }
    }

    /// Asks, unless the question has been settled by the time it is this one's turn.
    pub(crate) async fn ask_unless(&self, settled: impl Fn() -> bool + Send, question: Question) -> Answer {
        let Some(attendant) = self.attendant.clone() else { return Answer::Nobody };
        let _turn = self.turn.lock().await;
        if settled() {
            return Answer::Settled;
        }
        let answer = tokio::task::spawn_blocking(move || attendant.ask(&question)).await.ok().flatten();
        answer.map_or(Answer::Nobody, Answer::Given)
    }

    /// Asks.
    pub(crate) async fn ask(&self, kind: QuestionKind, text: String) -> Option<Secret> {
        match self.ask_unless(|| false, Question { text, kind }).await {
            Answer::Given(answer) => Some(answer),
            Answer::Nobody | Answer::Settled => None,
        }
    }

    /// Warns, once for each text.
    pub(crate) fn warn(&self, text: &str) {
        let Some(attendant) = &self.attendant else { return };
        if self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned()) {
            attendant.warn(text);
        }
    }

    /// True when there is somebody to ask.
    pub(crate) fn attended(&self) -> bool {
        self.attendant.is_some()
    }
}

/// What became of a question.
#[derive(Debug)]
pub(crate) enum Answer {
    Given(Secret),
    /// It need not be asked any more.
    Settled,
    /// Nobody can answer.
    Nobody,
}
