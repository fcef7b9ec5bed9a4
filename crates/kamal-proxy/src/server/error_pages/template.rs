//! The part of Go's `html/template` that error pages use (spec 8.5): `{{ .Message }}`, `{{ if .Message }}` with
//! `else` and `end`, comments, and the markers that trim white space.

/// A parsed page.
#[derive(Debug)]
pub(crate) struct Template(Vec<Node>);

#[derive(Debug)]
enum Node {
    Text(String),
    Message,
    If { then: Vec<Node>, otherwise: Vec<Node> },
}

/// Why a page is not a template this proxy understands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error("unclosed action")]
    Unclosed,
    #[error("unexpected {{{{{0}}}}}")]
    Unexpected(String),
    #[error("missing {{{{end}}}}")]
    MissingEnd,
}

/// A piece of the source: text, or the inside of an action.
enum Piece<'a> {
    Text(&'a str),
    Action(&'a str),
}

impl Template {
    pub(crate) fn parse(source: &str) -> Result<Self, TemplateError> {
        let pieces = split(source)?;
        let mut at = 0;
        let (nodes, end) = nodes(&pieces, &mut at)?;
        match end {
            None => Ok(Self(nodes)),
            Some(word) => Err(TemplateError::Unexpected(word.to_owned())),
        }
    }

    pub(crate) fn render(&self, message: Option<&str>) -> String {
        let mut out = String::new();
        render(&self.0, message.unwrap_or(""), &mut out);
        out
    }
}

fn render(nodes: &[Node], message: &str, out: &mut String) {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Message => out.push_str(&escape(message)),
            Node::If { then, otherwise } => render(if message.is_empty() { otherwise } else { then }, message, out),
        }
    }
}

/// Escapes text for HTML, quotes included, as Go does.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

fn split(mut rest: &str) -> Result<Vec<Piece<'_>>, TemplateError> {
    let mut pieces = Vec::new();
    let mut trim_next = false;
    loop {
        let trimmed = |text: &'_ str| if trim_next { text.len() - text.trim_start().len() } else { 0 };
        let Some(open) = rest.find("{{") else {
            pieces.push(Piece::Text(&rest[trimmed(rest)..]));
            return Ok(pieces);
        };
        let text = &rest[..open];
        let mut text = &text[trimmed(text)..];
        rest = &rest[open + 2..];
        if let Some(after) = rest.strip_prefix("- ") {
            text = text.trim_end();
            rest = after;
        }
        pieces.push(Piece::Text(text));
        // A comment may contain braces.
        let from =
            if rest.trim_start().starts_with("/*") { rest.find("*/").ok_or(TemplateError::Unclosed)? } else { 0 };
        let close = rest[from..].find("}}").ok_or(TemplateError::Unclosed)? + from;
        let mut action = &rest[..close];
        rest = &rest[close + 2..];
        trim_next = action.ends_with(" -");
        if trim_next {
            action = &action[..action.len() - 2];
        }
        let action = action.trim();
        if !(action.starts_with("/*") && action.ends_with("*/")) {
            pieces.push(Piece::Action(action));
        }
    }
}

/// Reads up to an `else` or `end` that belongs to the caller, which is given back, or to the end of the source.
fn nodes<'a>(pieces: &[Piece<'a>], at: &mut usize) -> Result<(Vec<Node>, Option<&'a str>), TemplateError> {
    let mut out = Vec::new();
    while let Some(piece) = pieces.get(*at) {
        *at += 1;
        let action = match piece {
            Piece::Text(text) => {
                out.push(Node::Text((*text).to_owned()));
                continue;
            }
            Piece::Action(action) => *action,
        };
        match action.split_whitespace().collect::<Vec<_>>()[..] {
            [".Message"] => out.push(Node::Message),
            ["else" | "end"] => return Ok((out, Some(action))),
            ["if", ".Message"] => {
                let (then, mut end) = nodes(pieces, at)?;
                let mut otherwise = Vec::new();
                if end == Some("else") {
                    (otherwise, end) = nodes(pieces, at)?;
                }
                match end {
                    Some("end") => out.push(Node::If { then, otherwise }),
                    Some(word) => return Err(TemplateError::Unexpected(word.to_owned())),
                    None => return Err(TemplateError::MissingEnd),
                }
            }
            _ => return Err(TemplateError::Unexpected(action.to_owned())),
        }
    }
    Ok((out, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders() {
        for (source, message, page) in [
            ("a {{ .Message }} b", Some("<x & \"y\">"), "a &lt;x &amp; &#34;y&#34;&gt; b"),
            ("{{if .Message}}m{{else}}n{{end}}", Some("x"), "m"),
            ("{{if .Message}}m{{else}}n{{end}}", Some(""), "n"),
            ("{{if .Message}}m{{else}}n{{end}}", None, "n"),
            ("a {{/* }} */}}b", None, "a b"),
            ("a \n{{- .Message -}}\n b", Some("m"), "amb"),
        ] {
            assert_eq!(Template::parse(source).unwrap().render(message), page, "{source}");
        }
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        for source in ["{{", "{{ if .Message }}", "{{ end }}", "{{ .Other }}", "{{ if .Message }}{{ else }}{{ else }}"]
        {
            assert!(Template::parse(source).is_err(), "{source}");
        }
    }
}
