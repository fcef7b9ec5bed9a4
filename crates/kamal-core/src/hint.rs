//! What would put something right, apart from what went wrong: a command prints both, a program shows them its own way.

use serde::{Deserialize, Serialize};

/// A sentence a person can follow to put something right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hint(pub(crate) String);

/// What a line with a hint begins with, in texts that hold both.
const MARK: &str = "help: ";

impl Hint {
    /// A hint.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The sentence.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a text says, and the hints that stand on lines of their own in it, behind `help: `.
    pub(crate) fn apart(text: &str) -> (String, Vec<Self>) {
        let (hints, told): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with(MARK));
        (told.join("\n"), hints.into_iter().map(|line| Self::new(&line[MARK.len()..])).collect())
    }
}

impl std::fmt::Display for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_stand_apart_from_what_happened() {
        let (told, hints) = Hint::apart("a: no login\nhelp: log in\nb: no program\nhelp: install it");
        assert_eq!(told, "a: no login\nb: no program");
        assert_eq!(hints, [Hint::new("log in"), Hint::new("install it")]);
    }
}
