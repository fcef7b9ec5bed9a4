//! Shell programs as values: pieces of text, some of them secret, put together and quoted in one place.
//!
//! Nothing is run here. A [`Script`] prints redacted by construction; only an `Exec` adapter renders it with
//! [`Script::expose`], to write it into a shell's standard input, never into an argument.

pub mod escape;
mod split;
mod text;

use std::sync::Arc;

pub use split::split;
pub use text::Text;

use crate::{batch::Batch, query::Query};

/// Whether a script changes the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only looks.
    Read,
    /// It changes something.
    Write,
}

/// A program for a host's POSIX shell.
#[derive(Clone, Debug)]
pub struct Script {
    label: String,
    effect: Effect,
    text: Text,
    batch: Option<Arc<Batch>>,
    query: Option<Arc<Query>>,
}

impl Script {
    /// A script that only looks, under a short name for progress and timings.
    pub fn read(label: impl Into<String>, text: impl Into<Text>) -> Self {
        Self { label: label.into(), effect: Effect::Read, text: text.into(), batch: None, query: None }
    }

    /// A script that changes something.
    pub fn write(label: impl Into<String>, text: impl Into<Text>) -> Self {
        Self { label: label.into(), effect: Effect::Write, text: text.into(), batch: None, query: None }
    }

    /// A script that asks a question.
    #[must_use]
    pub(crate) fn asking(label: &str, query: Query, text: impl Into<Text>) -> Self {
        let effect = if query.runs_a_command() { Effect::Write } else { Effect::Read };
        Self { label: label.to_owned(), effect, text: text.into(), batch: None, query: Some(Arc::new(query)) }
    }

    /// The question it asks, when it is one.
    #[must_use]
    pub fn query(&self) -> Option<&Query> {
        self.query.as_deref()
    }

    /// Notes the steps it was made of.
    #[must_use]
    pub(crate) fn made_of(mut self, batch: Batch) -> Self {
        self.batch = Some(Arc::new(batch));
        self
    }

    /// The steps it was made of, when it was.
    #[must_use]
    pub fn batch(&self) -> Option<&Batch> {
        self.batch.as_deref()
    }

    /// What people see it called.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether it changes the host.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Its text, printable without its secrets.
    #[must_use]
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// Its text with its secrets in clear, wiped when dropped. For `Exec` adapters only.
    #[must_use]
    pub fn expose(&self) -> zeroize::Zeroizing<String> {
        self.text.expose()
    }
}
