//! A template cut into text and code, with ERB's trim mode `-`: `-%>` swallows the line end after it, `<%-` the blanks
//! before it.

/// A stretch of a template.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text to copy.
    Text { text: String, start: usize },
    /// Ruby.
    Code {
        source: String,
        /// Where the source begins, in characters.
        start: usize,
        /// Where the tag begins and ends.
        tag: (usize, usize),
        /// `<%=`.
        output: bool,
    },
}

/// A tag that is never closed, at this character.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unclosed(pub(super) usize);

/// Cuts a template.
pub(super) fn pieces(template: &str) -> Result<Vec<Piece>, Unclosed> {
    let mut cutter = Cutter { template, rest: template, at: 0, text: String::new(), text_start: 0, pieces: Vec::new() };
    while let Some(tag) = cutter.rest.find("<%") {
        cutter.copy(tag);
        if cutter.rest.starts_with("<%%") {
            cutter.text.push_str("<%");
            cutter.skip(3);
            // What follows no longer stands where counting from the beginning of the text would put it.
            cutter.flush();
        } else {
            cutter.tag()?;
        }
    }
    cutter.copy(cutter.rest.len());
    cutter.flush();
    Ok(cutter.pieces)
}

struct Cutter<'a> {
    template: &'a str,
    rest: &'a str,
    /// Characters before `rest`.
    at: usize,
    text: String,
    text_start: usize,
    pieces: Vec<Piece>,
}

impl Cutter<'_> {
    fn skip(&mut self, bytes: usize) {
        let (skipped, rest) = self.rest.split_at(bytes);
        self.at += skipped.chars().count();
        self.rest = rest;
    }

    fn copy(&mut self, bytes: usize) {
        self.text.push_str(&self.rest[..bytes]);
        self.skip(bytes);
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.pieces.push(Piece::Text { text: std::mem::take(&mut self.text), start: self.text_start });
        }
        self.text_start = self.at;
    }

    fn tag(&mut self) -> Result<(), Unclosed> {
        let tag_start = self.at;
        let mark = self.rest[2..].chars().next().filter(|mark| matches!(mark, '=' | '#' | '-'));
        if mark == Some('-') {
            self.trim_blanks();
        }
        self.flush();
        self.skip(2 + usize::from(mark.is_some()));
        let start = self.at;
        let end = self.close().ok_or(Unclosed(tag_start))?;
        let mut source = self.rest[..end].to_owned();
        self.skip(end + 2);
        if let Some(trimmed) = source.strip_suffix('-') {
            source = trimmed.to_owned();
            let line_end = ["\r\n", "\n"].into_iter().find(|line_end| self.rest.starts_with(line_end));
            self.skip(line_end.map_or(0, str::len));
        }
        if mark != Some('#') {
            let source = source.replace("%%>", "%>");
            self.pieces.push(Piece::Code { source, start, tag: (tag_start, self.at), output: mark == Some('=') });
        }
        self.text_start = self.at;
        Ok(())
    }

    /// Takes the blanks before `<%-` away when nothing else stands before it on its line.
    fn trim_blanks(&mut self) {
        let blank = [' ', '\t'];
        let before = self.template[..self.template.len() - self.rest.len()].trim_end_matches(blank);
        if before.is_empty() || before.ends_with('\n') {
            self.text.truncate(self.text.trim_end_matches(blank).len());
        }
    }

    /// The end of the code: the first `%>` that is not `%%>`.
    fn close(&self) -> Option<usize> {
        let mut from = 0;
        loop {
            let found = from + self.rest[from..].find("%>")?;
            if found == 0 || !self.rest[..found].ends_with('%') {
                return Some(found);
            }
            from = found + 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(template: &str) -> String {
        let pieces = pieces(template).unwrap();
        pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text { text, .. } => text.clone(),
                Piece::Code { source, output: true, .. } => format!("[={source}]"),
                Piece::Code { source, .. } => format!("[{source}]"),
            })
            .collect()
    }

    #[test]
    fn tags_trim_as_they_say() {
        assert_eq!(show("a\n  <%- x -%>\nb <%= y %>\n"), "a\n[ x ]b [= y ]\n");
        assert_eq!(show("a <%- x %>\n"), "a [ x ]\n");
        assert_eq!(show("  <%- x -%>\n  <%- y -%>\n  z"), "[ x ][ y ]  z");
        assert_eq!(show("<%# note %>a<%% b %>"), "a<% b %>");
        assert_eq!(show("<%= 'a' -%>\r\nb"), "[= 'a' ]b");
    }

    #[test]
    fn places_are_those_of_the_template() {
        let found = pieces("é <%= x %>\nb").unwrap();
        assert_eq!(
            found,
            [
                Piece::Text { text: "é ".to_owned(), start: 0 },
                Piece::Code { source: " x ".to_owned(), start: 5, tag: (2, 10), output: true },
                Piece::Text { text: "\nb".to_owned(), start: 10 },
            ]
        );
    }

    #[test]
    fn an_unclosed_tag_is_found() {
        assert_eq!(pieces("ab <% x"), Err(Unclosed(3)));
    }
}
