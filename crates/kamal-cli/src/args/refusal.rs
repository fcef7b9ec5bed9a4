//! What is wrong with a command line, in Kamal's words (spec kamal.md 1.1).

use std::fmt::{self, Display, Formatter};

/// Why a command line is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// A prefix of several commands.
    #[error("Ambiguous command {word} matches [{}]", .commands.join(", "))]
    Ambiguous {
        /// What was written.
        word: String,
        /// What it could mean.
        commands: Vec<String>,
    },
    /// No command.
    #[error("Could not find command \"{word}\".{hint}")]
    Unknown {
        /// What was written.
        word: String,
        /// What may have been meant.
        hint: Hint,
    },
    /// Too few words, or too many.
    #[error("ERROR: \"kamal {command}\" was called with {}\nUsage: \"kamal {usage}\"{hint}", called_with(.words))]
    Arity {
        /// The command.
        command: String,
        /// What it was called with.
        words: Vec<String>,
        /// How it is called.
        usage: String,
        /// What may have been meant.
        hint: Hint,
    },
    /// An `exec` of nothing.
    #[error("No command provided. You must specify a command to execute.")]
    NoCommand,
    /// Something else where a number belongs.
    #[error("Expected numeric value for '{switch}'; got {got:?}")]
    NoNumber {
        /// The option.
        switch: String,
        /// What was there.
        got: String,
    },
    /// Nothing where a value belongs.
    #[error("No value provided for option '{0}'")]
    NoValue(String),
    /// Options that have to be there.
    #[error("No value provided for required options '{}'", .0.join("', '"))]
    Missing(Vec<String>),
    /// One key with two values.
    #[error("You can't specify '{key}' more than once in option '{switch}'; got {}", .got.join(" and "))]
    Twice {
        /// The key.
        key: String,
        /// The option.
        switch: String,
        /// The two.
        got: [String; 2],
    },
    /// An alias that cannot be used.
    #[error("aliases/{name}: {why}")]
    Alias {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A value an option or a command does not take.
    #[error("{}", .0.render().to_string().trim())]
    Value(#[from] clap::Error),
}

impl Refusal {
    /// A command that nobody knows.
    pub(super) fn unknown(word: &str) -> Self {
        Self::Unknown { word: word.to_owned(), hint: Hint::default() }
    }

    /// With a further line, if the message has room for it.
    pub(super) fn hinted(mut self, line: Option<String>) -> Self {
        if let Self::Unknown { hint, .. } | Self::Arity { hint, .. } = &mut self {
            hint.0.extend(line);
        }
        self
    }
}

/// Further lines of a message.
#[derive(Debug, Default)]
pub(crate) struct Hint(Vec<String>);

impl Display for Hint {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| write!(f, "\n{line}"))
    }
}

fn called_with(words: &[String]) -> String {
    if words.is_empty() { "no arguments".to_owned() } else { format!("arguments {words:?}") }
}
