//! Somebody who answers questions, for tests.

use std::sync::{Arc, Mutex};

use kamal_core::secret::Secret;
use kamal_ssh::{Attendant, Question, QuestionKind};

/// Gives answers in order, then none, and remembers what was asked and warned of.
#[derive(Debug, Default)]
pub(crate) struct ScriptedAttendant {
    answers: Mutex<Vec<String>>,
    pub(crate) asked: Mutex<Vec<Question>>,
    pub(crate) warned: Mutex<Vec<String>>,
}

impl ScriptedAttendant {
    pub(crate) fn saying(answers: &[&str]) -> Arc<Self> {
        let answers = answers.iter().rev().map(|answer| (*answer).to_owned()).collect();
        Arc::new(Self { answers: Mutex::new(answers), ..Self::default() })
    }

    pub(crate) fn kinds(&self) -> Vec<QuestionKind> {
        self.asked.lock().unwrap().iter().map(|question| question.kind).collect()
    }
}

impl Attendant for ScriptedAttendant {
    fn ask(&self, question: &Question) -> Option<Secret> {
        self.asked.lock().unwrap().push(question.clone());
        self.answers.lock().unwrap().pop().map(Secret::new)
    }

    fn warn(&self, text: &str) {
        self.warned.lock().unwrap().push(text.to_owned());
    }
}
