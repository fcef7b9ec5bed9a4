//! How Ruby prints its values: `to_s`, which is what Kamal makes of a value whose type it does not look at, and
//! `inspect`, in which lists and mappings print what they hold.

use super::yaml::scalar::float_text;
use super::yaml::{Entry, Form, Kind, Node};
use crate::shell::escape::named;

/// Ruby's `to_s`. Dates are as written.
pub(crate) fn text(node: &Node) -> String {
    match &node.kind {
        Kind::Null => String::new(),
        Kind::Text(text) | Kind::Symbol(text) | Kind::Date(text) => text.clone(),
        _ => inspect(node),
    }
}

fn inspect(node: &Node) -> String {
    match &node.kind {
        Kind::Null => "nil".to_owned(),
        Kind::Bool(value) => value.to_string(),
        Kind::Int(value) => value.to_string(),
        Kind::Float(value) => float_text(*value),
        Kind::Text(text) => quote(text),
        Kind::Symbol(text) => format!(":{text}"),
        Kind::Date(text) => text.clone(),
        Kind::List(items) => format!("[{}]", items.iter().map(inspect).collect::<Vec<_>>().join(", ")),
        Kind::Map(map) => {
            let pair = |(name, entry): (&String, &Entry)| {
                let name = match entry.form {
                    Form::Text => quote(name),
                    Form::Symbol => format!(":{name}"),
                    Form::Other => name.clone(),
                };
                format!("{name}=>{}", inspect(&entry.value))
            };
            format!("{{{}}}", map.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}

/// `String#inspect`.
pub(crate) fn quote(text: &str) -> String {
    let mut out = "\"".to_owned();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            other if named(other).is_some() => out.extend(named(other)),
            '#' if characters.peek().is_some_and(|next| matches!(next, '{' | '$' | '@')) => out.push_str("\\#"),
            other if other.is_control() || matches!(other, '\u{2028}' | '\u{2029}') => {
                out.push_str(&format!("\\u{:04X}", u32::from(other)));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::super::source::Span;
    use super::*;

    #[test]
    fn texts_are_quoted_as_ruby_inspects_them() {
        let text = "\0\x07\x08\t\n\x0b\x0c\r\x1b\x7f\u{a0}\u{2028}é🙂\"\\#{a}#b#$a#";
        let quoted = "\"\\u0000\\a\\b\\t\\n\\v\\f\\r\\e\\u007F\u{a0}\\u2028é🙂\\\"\\\\\\#{a}#b\\#$a#\"";
        assert_eq!(quote(text), quoted);
    }

    #[test]
    fn lists_and_mappings_print_what_they_hold() {
        let span = Span::default();
        let node = |kind| Node { span, kind };
        let entry = |form, kind| Entry { key: span, form, value: node(kind) };
        let map = [
            ("a".to_owned(), entry(Form::Text, Kind::Int(1))),
            ("b".to_owned(), entry(Form::Symbol, Kind::Null)),
            ("1".to_owned(), entry(Form::Other, Kind::List(vec![node(Kind::Float(1.5)), node(Kind::Bool(true))]))),
        ];
        assert_eq!(text(&node(Kind::Map(map.into_iter().collect()))), r#"{"a"=>1, :b=>nil, 1=>[1.5, true]}"#);
        assert_eq!(text(&node(Kind::Null)), "");
        assert_eq!(text(&node(Kind::Symbol("x".to_owned()))), "x");
    }
}
