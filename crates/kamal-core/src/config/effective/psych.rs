//! YAML in the form Ruby's Psych prints: which spelling it asks libyaml for, value by value (`yaml_tree.rb`).

use super::super::yaml::scalar::{float_text, resolve};
use super::super::yaml::{Form, Kind};
use super::emitter::{Emitter, Style};
use super::value::{Key, Value};

/// Prints a document, which is a mapping.
pub(in crate::config) fn print(value: &Value) -> String {
    let mut out = Emitter::new();
    node(value, &mut out, 0, Place::Root);
    out.finish()
}

/// What a value stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    /// Behind a mapping's key.
    Entry,
    /// Behind a list's dash.
    Item,
}

/// `indent` is that of the collection the value stands in.
fn node(value: &Value, out: &mut Emitter, indent: usize, place: Place) {
    let below = if place == Place::Root { 0 } else { indent + 2 };
    match value {
        Value::Scalar(kind) => {
            let (text, style, tag) = spelling(kind);
            out.tag(tag);
            out.scalar(&text, style, below, false);
        }
        Value::List(items) if items.is_empty() => out.empty("[]"),
        Value::Map { tag, entries } if entries.is_empty() => {
            out.tag(*tag);
            out.empty("{}");
        }
        Value::List(items) => {
            // A list below a key stands at the key's own level.
            let level = if place == Place::Entry { indent } else { below };
            for item in items {
                out.line(level);
                out.indicator("-");
                node(item, out, level, Place::Item);
            }
        }
        Value::Map { tag, entries } => {
            out.tag(*tag);
            for (key, value) in entries {
                out.line(below);
                let place = print_key(key, out, below);
                node(value, out, below, place);
            }
        }
    }
}

/// Prints a key, and tells what its value stands in: behind one that is set apart it goes on as in a list.
fn print_key(key: &Key, out: &mut Emitter, indent: usize) -> Place {
    let (text, style, tag) = match key.form {
        Form::Text => string(&key.text),
        Form::Symbol => (format!(":{}", key.text), Style::Plain, None),
        Form::Other => (key.text.clone(), Style::Plain, None),
    };
    // libyaml's limit for a key that needs no `? `.
    if text.len() + tag.map_or(0, str::len) <= 128 && !Emitter::has_breaks(&text) {
        out.tag(tag);
        out.scalar(&text, style, indent + 2, true);
        out.colon();
        Place::Entry
    } else {
        out.indicator("?");
        out.tag(tag);
        out.scalar(&text, style, indent + 2, false);
        out.line(indent);
        out.indicator(":");
        Place::Item
    }
}

fn spelling(kind: &Kind) -> (String, Style, Option<&'static str>) {
    let plain = |text: String| (text, Style::Plain, None);
    match kind {
        Kind::Null | Kind::List(_) | Kind::Map(_) => plain(String::new()),
        Kind::Bool(value) => plain(value.to_string()),
        Kind::Int(value) => plain(value.to_string()),
        Kind::Float(value) if value.is_nan() => plain(".nan".to_owned()),
        Kind::Float(value) if value.is_infinite() => plain(if *value > 0.0 { ".inf" } else { "-.inf" }.to_owned()),
        Kind::Float(value) => plain(float_text(*value)),
        Kind::Date(text) => plain(text.clone()),
        Kind::Symbol(text) => plain(format!(":{text}")),
        Kind::Text(text) => string(text),
    }
}

/// `visit_String`.
fn string(text: &str) -> (String, Style, Option<&'static str>) {
    let owned = text.to_owned();
    // `/\n(?!\Z)/`
    if text.match_indices('\n').any(|(at, _)| !matches!(&text[at + 1..], "" | "\n")) {
        return (owned, Style::Literal, None);
    }
    if text == "<<" {
        return (owned, Style::Single, Some("!!str"));
    }
    if matches!(text, "y" | "n") || odd_start(text) {
        return (owned, Style::Double, None);
    }
    if matches!(resolve(text).kind, Kind::Text(_)) && !is_bad_octal(text) {
        (owned, Style::Plain, None)
    } else {
        (owned, Style::Single, None)
    }
}

/// `/^[^[:word:]][^"]*$/`, which looks at every line, and for which a newline is no word.
fn odd_start(text: &str) -> bool {
    let mut start = 0;
    loop {
        let rest = &text[start..];
        let Some(first) = rest.chars().next() else { return false };
        if !(first.is_alphanumeric() || first == '_') {
            let tail = &rest[first.len_utf8()..];
            let end = tail.find('\n').unwrap_or(tail.len());
            if !tail[..end].contains('"') {
                return true;
            }
        }
        match rest.find('\n') {
            Some(end) => start += end + 1,
            None => return false,
        }
    }
}

/// `/\A0[0-7]*[89]/`: octal numbers to some readers.
fn is_bad_octal(text: &str) -> bool {
    text.strip_prefix('0')
        .is_some_and(|rest| rest.trim_start_matches(|c: char| ('0'..='7').contains(&c)).starts_with(['8', '9']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(value: Value) -> String {
        print(&Value::symbols([("a", Some(value))]))
    }

    /// As Psych 4.0.3 with libyaml 0.2.5 printed them.
    #[test]
    fn texts_are_spelled_as_in_ruby() {
        for (text, spelled) in [
            ("plain", "plain"),
            ("1.1.1.1", "1.1.1.1"),
            ("it's", "it's"),
            ("", "''"),
            ("yes", "'yes'"),
            ("1", "'1'"),
            ("1.5", "'1.5'"),
            ("190:20:30.15", "'190:20:30.15'"),
            ("08", "'08'"),
            ("0888", "'0888'"),
            ("2024-01-02", "'2024-01-02'"),
            ("y", r#""y""#),
            ("Y", "Y"),
            (":sym", r#"":sym""#),
            ("--log-opt", r#""--log-opt""#),
            (r#"max-size="10m""#, r#"max-size="10m""#),
            (r#""local""#, r#"'"local"'"#),
            ("a: b", "'a: b'"),
            ("a #b", "'a #b'"),
            ("a:", "'a:'"),
            ("a b: 'c'", "'a b: ''c'''"),
            (" ", r#"" ""#),
            ("a ", "'a '"),
            ("<<", "!!str '<<'"),
            ("é", "é"),
            ("🙂", r#""\U0001F642""#),
            ("a🙂", r#""a\U0001F642""#),
            ("\u{a0}", "\"\u{a0}\""),
            ("\u{2028}", r#""\L""#),
            ("a\tb", r#""a\tb""#),
            ("\0", r#""\0""#),
            ("\x1b\x01", r#""\e\x01""#),
            ("a\r\nb", r#""a\r\nb""#),
            ("a\nb", "|-\n  a\n  b"),
            ("a\n\n", r#""a\n\n""#),
            ("\na", "|2-\n\n  a"),
        ] {
            assert_eq!(printed(Value::text(text)), format!("---\n:a: {spelled}\n"), "{text:?}");
        }
        assert_eq!(printed(Value::List(vec![Value::text("a\nb\n"); 2])), "---\n:a:\n- |\n  a\n  b\n- |\n  a\n  b\n");
    }

    #[test]
    fn long_lines_are_folded_at_blanks() {
        let line = "word ".repeat(20);
        let (words, plain) = (line.trim_end(), "word ".repeat(15));
        assert_eq!(printed(Value::text(words)), format!("---\n:a: {plain}word\n  word word word word\n"));
        assert_eq!(printed(Value::text(&line)), format!("---\n:a: '{plain}word\n  word word word word '\n"));
        let unbroken = "x".repeat(200);
        assert_eq!(printed(Value::text(&unbroken)), format!("---\n:a: {unbroken}\n"));
    }

    #[test]
    fn keys_that_are_long_or_of_several_lines_are_set_apart() {
        let keyed = |text: &str, form| {
            let key = Key { text: text.to_owned(), form };
            print(&Value::Map { tag: None, entries: vec![(key, Value::text("v"))] })
        };
        assert_eq!(keyed("1", Form::Text), "---\n'1': v\n");
        assert_eq!(keyed("1", Form::Other), "---\n1: v\n");
        assert_eq!(keyed("x", Form::Symbol), "---\n:x: v\n");
        assert_eq!(keyed("a\nb", Form::Text), "---\n? |-\n  a\n  b\n: v\n");
        let listed = |text: &str| {
            let key = Key { text: text.to_owned(), form: Form::Text };
            let list = Value::List(vec![Value::text("a"), Value::text("b")]);
            print(&Value::Map { tag: None, entries: vec![(key, list)] })
        };
        assert_eq!(listed("x"), "---\nx:\n- a\n- b\n");
        assert_eq!(listed("x\ny"), "---\n? |-\n  x\n  y\n: - a\n  - b\n");
        let long = "k".repeat(129);
        assert_eq!(keyed(&long, Form::Text), format!("---\n? {long}\n: v\n"));
    }

    #[test]
    fn collections_stand_in_each_other() {
        let null = || Value::Scalar(Kind::Null);
        let inner = Value::symbols([("x", Some(Value::List(vec![Value::text("1"), null()])))]);
        let value = Value::List(vec![Value::List(vec![Value::text("a"), Value::List(vec![])]), inner, null()]);
        assert_eq!(printed(value), "---\n:a:\n- - a\n  - []\n- :x:\n  - '1'\n  -\n-\n");
        let object = Value::object("!ruby/object:Foo", [("a", Value::text("b")), ("c", null())]);
        assert_eq!(printed(object), "---\n:a: !ruby/object:Foo\n  a: b\n  c:\n");
        assert_eq!(printed(Value::Map { tag: None, entries: vec![] }), "---\n:a: {}\n");
    }
}
