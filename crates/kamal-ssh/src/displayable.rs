//! What a server says, made fit to be shown: it may be of any length, and must not move the cursor.

/// How much of it is shown, in characters.
const SHOWN: usize = 300;

/// A text of a server's in one line, without what a terminal would obey.
pub(crate) fn displayable(text: &str) -> String {
    let plain = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut line = plain.collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(SHOWN) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// Bytes of a server's, likewise.
pub(crate) fn displayable_bytes(bytes: &[u8]) -> String {
    displayable(&String::from_utf8_lossy(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_short_line_that_moves_no_cursor() {
        assert_eq!(displayable(" Go\u{1b}[2J\r\n away\u{7}\u{9b}1m, é \n"), "Go [2J away 1m, é");
        assert_eq!(displayable(&"é".repeat(300)), "é".repeat(300));
        assert_eq!(displayable(&"é".repeat(301)), format!("{}…", "é".repeat(300)));
        assert_eq!(displayable_bytes(b"\xff ok \0"), "\u{fffd} ok");
        assert_eq!(displayable(""), "");
    }
}
