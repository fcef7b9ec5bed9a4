//! The part of Go's `html/template` that error pages use (spec 8.5): `{{ .Message }}`, `{{ if .Message }}` with
//! `else` and `end`, comments, and the markers that trim white space. A message is written as befits its place.

use super::context::{Context, Escape};

/// A parsed page.
#[derive(Debug)]
pub(crate) struct Template(Vec<Node>);

#[derive(Debug)]
enum Node {
    Text(String),
    Message(Escape),
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
    #[error("{{{{if}}}} branches end in different contexts")]
    Branches,
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
        let (nodes, end) = nodes(&pieces, &mut at, &mut Context::default())?;
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
            Node::Message(escape) => out.push_str(&escape.apply(message)),
            Node::If { then, otherwise } => render(if message.is_empty() { otherwise } else { then }, message, out),
        }
    }
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
fn nodes<'a>(
    pieces: &[Piece<'a>],
    at: &mut usize,
    context: &mut Context,
) -> Result<(Vec<Node>, Option<&'a str>), TemplateError> {
    let mut out = Vec::new();
    while let Some(piece) = pieces.get(*at) {
        *at += 1;
        let action = match piece {
            Piece::Text(text) => {
                context.read(text);
                out.push(Node::Text((*text).to_owned()));
                continue;
            }
            Piece::Action(action) => *action,
        };
        match action.split_whitespace().collect::<Vec<_>>()[..] {
            [".Message"] => {
                out.push(Node::Message(context.escape()));
                context.passed();
            }
            ["else" | "end"] => return Ok((out, Some(action))),
            ["if", ".Message"] => {
                let mut without = context.clone();
                let (then, mut end) = nodes(pieces, at, context)?;
                let mut otherwise = Vec::new();
                if end == Some("else") {
                    (otherwise, end) = nodes(pieces, at, &mut without)?;
                }
                if *context != without {
                    return Err(TemplateError::Branches);
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
            ("<p title={{ .Message }} x>{{ .Message }}", Some("a b"), "<p title=a&#32;b x>a b"),
            (
                "<script>f({{if .Message}}{{.Message}}{{end}})</script>{{.Message}}",
                Some("<"),
                "<script>f(\"\\u003c\")</script>&lt;",
            ),
        ] {
            assert_eq!(Template::parse(source).unwrap().render(message), page, "{source}");
        }
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        for source in [
            "{{",
            "{{ if .Message }}",
            "{{ end }}",
            "{{ .Other }}",
            "{{ if .Message }}{{ else }}{{ else }}",
            "{{ if .Message }}<p {{ end }}>",
        ] {
            assert!(Template::parse(source).is_err(), "{source}");
        }
    }
}
