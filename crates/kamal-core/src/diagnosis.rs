//! Why a container did not become healthy: what was seen of it, compared with a table of causes. What a host prints is
//! read by the dialect it speaks ([`Docker::evidence`](crate::ports::Docker::evidence)); what it comes to is decided here,
//! by a pure function.

mod causes;
mod evidence;
mod expectation;
mod look;
mod table;

use serde::{Deserialize, Serialize};

pub use causes::{Cause, table_as_markdown};
pub use evidence::{Answer, Clue, ClueKind, Evidence, HealthCommand, Listener, Response};
pub use expectation::{Expectation, Probe};

use crate::{error::Cover, hint::Hint, redact::Redactor};
use look::Look;

/// Why a container did not become healthy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The row of the table.
    pub cause: Cause,
    /// What is the matter, in a sentence.
    pub said: String,
    /// What would put it right.
    pub advice: Hint,
    /// What was seen, a line each: how the container was, what it answered.
    pub seen: Vec<String>,
    /// The last lines of its log.
    pub log: Vec<String>,
}

impl Diagnosis {
    /// What is seen of a container that was expected to become healthy, and what it comes to: the first cause in the table
    /// whose signs are there.
    #[must_use]
    pub fn of(evidence: &Evidence, expected: &Expectation) -> Self {
        let look = Look { evidence, expected };
        let found = table::TABLE.iter().find_map(|row| Some((row, (row.signs)(&look)?)));
        let (row, values) = found.unwrap_or((&table::UNKNOWN, Vec::new()));
        Self {
            cause: row.cause,
            said: fill(row.says, &look, &values),
            advice: Hint::new(fill(row.advice, &look, &values)),
            seen: look.seen(),
            log: evidence.log.clone(),
        }
    }

    /// One that could not be made.
    pub(crate) fn impossible(why: &str) -> Self {
        let none = Self::of(&Evidence::default(), &Expectation::default());
        Self { said: format!("what happened could not be found out: {why}"), ..none }
    }
}

/// Puts values in the places of their names in braces.
fn fill(text: &str, look: &Look<'_>, values: &[(&str, String)]) -> String {
    let all = look.values();
    values.iter().chain(&all).fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// The reason first, then what was seen, then the log.
impl std::fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cause: {} ({})", self.said, self.cause.name())?;
        for line in &self.seen {
            write!(f, "\n{line}")?;
        }
        if !self.log.is_empty() {
            f.write_str("\nlast log lines:")?;
        }
        for line in &self.log {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

impl Cover for Diagnosis {
    fn cover(&mut self, redactor: &Redactor) {
        self.said.cover(redactor);
        self.advice.cover(redactor);
        self.seen.cover(redactor);
        self.log.cover(redactor);
    }
}

#[cfg(test)]
mod tests;
