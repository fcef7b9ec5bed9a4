//! A command to run elsewhere, as it was typed.

use serde::{Deserialize, Serialize};

use crate::shell::escape::word;

/// A command. One word is a line for the shell; several are arguments, each of which arrives as it was typed. But for the
/// first, where it has blanks: no program is called `bin/rails runner`, an alias stands for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandLine {
    /// A line that a shell reads.
    Shell(String),
    /// A program and its arguments.
    Words(Vec<String>),
}

impl CommandLine {
    /// The command made of these words; `None` when there is nothing to run.
    #[must_use]
    pub fn of(words: &[String]) -> Option<Self> {
        match words {
            [] => None,
            [line] => Some(line.trim()).filter(|line| !line.is_empty()).map(|line| Self::Shell(line.to_owned())),
            words => Some(Self::Words(words.to_vec())),
        }
    }

    /// Shell text that runs it.
    #[must_use]
    pub fn shell(&self) -> String {
        match self {
            Self::Shell(line) => line.clone(),
            Self::Words(words) => {
                let shown = |(at, text): (usize, &String)| match text.trim() {
                    line if at == 0 && line.contains(char::is_whitespace) => line.to_owned(),
                    _ => word(text),
                };
                words.iter().enumerate().map(shown).collect::<Vec<_>>().join(" ")
            }
        }
    }
}

/// As Kamal writes it into the audit log: words and blanks.
impl std::fmt::Display for CommandLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shell(line) => f.write_str(line),
            Self::Words(words) => f.write_str(&words.iter().map(|word| word.trim()).collect::<Vec<_>>().join(" ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Option<CommandLine> {
        CommandLine::of(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn several_words_are_arguments_and_one_is_a_line_as_is_a_first_one_with_blanks() {
        let shell = |words: &[&str]| of(words).map(|command| command.shell());
        assert_eq!(
            shell(&["printf", "<%s>", "two words", "", "it's"]).as_deref(),
            Some(r"printf '<%s>' 'two words' '' 'it'\''s'")
        );
        assert_eq!(shell(&[" echo $HOME | wc "]).as_deref(), Some("echo $HOME | wc"));
        assert_eq!((shell(&[]), shell(&["  "])), (None, None));
        assert_eq!(shell(&["bin/rails runner", "puts 1"]).as_deref(), Some("bin/rails runner 'puts 1'"));
        assert_eq!(shell(&["sh", "-c", "a b"]).as_deref(), Some("sh -c 'a b'"));
        assert_eq!(of(&["bin/rails", " db:seed"]).unwrap().to_string(), "bin/rails db:seed");
    }
}
