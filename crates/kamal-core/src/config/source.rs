//! A configuration file's text and the way back from an offset to a line and column, so that every diagnostic can
//! point at what the user wrote (not at what ERB made of it).

/// A configuration file as handed in by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The path as it is to be shown in messages, `config/deploy.yml`.
    pub path: String,
    /// The whole text, ERB not yet evaluated.
    pub text: String,
}

impl Source {
    /// A file's path and text.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }
}

/// A stretch of one of the files of a load, in characters of its text before ERB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Span {
    /// 0 is the base file, 1 the destination's.
    pub(crate) file: usize,
    /// The first character.
    pub(crate) start: usize,
    /// One past the last character.
    pub(crate) end: usize,
}

/// A place as people count: lines and columns from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// The line's text.
    pub(crate) snippet: String,
    /// How many characters of the line are meant, at least one.
    pub(crate) width: usize,
}

/// Finds the place of a span in the text.
pub(crate) fn place(text: &str, span: Span) -> Place {
    let (mut line, mut line_start, mut offset) = (1, 0, 0);
    for (index, character) in text.chars().enumerate() {
        if index >= span.start {
            break;
        }
        offset = index + 1;
        if character == '\n' {
            line += 1;
            line_start = index + 1;
        }
    }
    let start = span.start.min(offset);
    let snippet = text.lines().nth(line - 1).unwrap_or_default().to_owned();
    let length = snippet.chars().count();
    let column = start.saturating_sub(line_start);
    let rest = snippet.chars().skip(column).collect::<String>();
    let room = rest.trim_end().chars().count().max(1);
    let width = span.end.saturating_sub(start).clamp(1, room);
    Place { line, column: column.min(length) + 1, snippet, width }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_characters_not_bytes() {
        let found = place("é: ü\nkéy: välue\n", Span { file: 0, start: 10, end: 15 });
        assert_eq!((found.line, found.column, found.width), (2, 6, 5));
        assert_eq!(found.snippet, "kéy: välue");
    }

    #[test]
    fn a_span_over_lines_marks_its_first_line() {
        let found = place("a:\n  b\n  c\n", Span { file: 0, start: 5, end: 11 });
        assert_eq!((found.line, found.column, found.width), (2, 3, 1));
    }

    #[test]
    fn an_empty_text_has_a_place() {
        let found = place("", Span { file: 0, start: 9, end: 9 });
        assert_eq!((found.line, found.column, found.width), (1, 1, 1));
    }
}
