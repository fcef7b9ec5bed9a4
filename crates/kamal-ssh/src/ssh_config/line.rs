//! One line of an OpenSSH configuration file: `Keyword words`, `Keyword=words`, words in double quotes.

/// A line that says something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// In lower case.
    pub(super) keyword: String,
    pub(super) words: Vec<String>,
    /// Everything after the keyword as it stands, for commands.
    pub(super) rest: String,
}

impl Line {
    /// Takes a line apart; nothing for a comment or an empty line.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
        let (keyword, rest) = line.split_at_checked(end)?;
        let rest = rest.trim_start();
        let rest = rest.strip_prefix('=').unwrap_or(rest).trim();
        Some(Self { keyword: keyword.to_ascii_lowercase(), words: words(rest), rest: rest.to_owned() })
    }
}

fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => (quoted, begun) = (!quoted, true),
            '\\' if matches!(chars.peek(), Some('"' | '\\')) => {
                word.extend(chars.next());
                begun = true;
            }
            // A comment at the end of a line.
            '#' if !quoted && !begun => break,
            c if c.is_whitespace() && !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}
