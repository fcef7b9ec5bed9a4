//! Quoting for the remote shell.

/// Appends a text as one single-quoted word, whatever it holds.
pub(crate) fn push_quoted(out: &mut String, text: &str) {
    out.push('\'');
    let mut pieces = text.split('\'');
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        out.push_str("'\\''");
        out.push_str(piece);
    }
    out.push('\'');
}

/// A text as one single-quoted word.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    push_quoted(&mut out, text);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_survive() {
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted(""), "''");
    }
}
