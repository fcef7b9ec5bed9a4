//! What a secrets file says and its grammar passes over in silence, as Kamal does: lines that are none, what stands behind
//! a `#` in a value, backslashes that are dropped. The values themselves are not told.

use std::fmt;

use super::dotenv::{Entry, Value, scan};
use super::expand::drops_backslashes;

/// Something passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lint {
    /// The line, from 1.
    pub line: usize,
    /// What it is.
    pub kind: LintKind,
}

/// What is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LintKind {
    /// A line that is no `KEY=value`.
    NoEntry,
    /// The rest of a key's value, from a `#` on.
    Cut(String),
    /// Backslashes in a key's value.
    Backslashes(String),
}

impl fmt::Display for LintKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEntry => {
                f.write_str("this line is ignored: it is no KEY=value, with letters, digits, _ and . in KEY")
            }
            Self::Cut(key) => {
                write!(
                    f,
                    "{key} ends before the `#`, which begins a comment; put the value in single quotes to keep it"
                )
            }
            Self::Backslashes(key) => write!(
                f,
                "{key} loses its backslashes; put the value in single quotes, or write two for each, to keep them"
            ),
        }
    }
}

/// Everything a file says in vain, in the order of its lines.
pub(crate) fn lints(text: &str) -> Vec<Lint> {
    let scanned = scan(text);
    let mut found: Vec<Lint> = scanned.skipped.into_iter().map(|line| Lint { line, kind: LintKind::NoEntry }).collect();
    for (entry, cut) in &scanned.entries {
        found.extend(of_entry(entry, *cut));
    }
    found.sort_by_key(|lint| lint.line);
    found
}

fn of_entry(entry: &Entry, cut: bool) -> Option<Lint> {
    let (line, key) = (entry.line, entry.key.clone());
    let kind = match &entry.value {
        _ if cut => LintKind::Cut(key),
        Value::Bare(text) if drops_backslashes(text.expose(), false) => LintKind::Backslashes(key),
        Value::Quoted(text) if drops_backslashes(text.expose(), true) => LintKind::Backslashes(key),
        _ => return None,
    };
    Some(Lint { line, kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_in_vain_is_told_with_its_line() {
        let cut = |key: &str| LintKind::Cut(key.to_owned());
        let lost = |key: &str| LintKind::Backslashes(key.to_owned());
        for (text, kind) in [
            ("A=pa#word", Some(cut("A"))),
            ("A='x'#y", None),
            ("A=pa #word", None),
            ("A='pa#word'", None),
            ("A=\"pa#word\" # note", None),
            ("A=$(echo a#b)", None),
            ("MY-KEY=x", Some(LintKind::NoEntry)),
            ("just words", Some(LintKind::NoEntry)),
            ("export", None),
            ("# note", None),
            ("", None),
            ("A=C:\\new", Some(lost("A"))),
            ("A=\"C:\\d\"", Some(lost("A"))),
            ("A=\"a\\nb\"", None),
            ("A='C:\\new'", None),
            ("A=\\$X", None),
            ("A=\"say \\\"x\\\"\"", None),
            ("A=a\\\\b", None),
            ("A=$(printf 'a\\tb')", None),
        ] {
            let found = lints(&format!("X=1\n{text}\nY='a\nb'\nZ=1\n"));
            let expected: Vec<Lint> = kind.map(|kind| Lint { line: 2, kind }).into_iter().collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
