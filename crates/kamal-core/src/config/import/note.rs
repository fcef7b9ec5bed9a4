//! What an import says besides its draft.

use std::fmt;

/// Something that was not taken over, or not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// The file it is about.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What it is about: `services/web/privileged`.
    pub what: String,
    /// Why, and what to do.
    pub why: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.what, self.why)
    }
}
