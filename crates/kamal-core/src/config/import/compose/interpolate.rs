//! `${NAME:-default}` and its like.

use std::collections::HashMap;

use super::super::marks::{Mark, Marks};

/// What `.env` says, which Compose looks variables up in.
pub(super) type Variables = HashMap<String, String>;

/// A text with marks in the places of its variables; `None` when a brace is not closed.
pub(super) fn interpolate(text: &str, variables: &Variables, marks: &mut Marks) -> Option<String> {
    let text = Marks::cleaned(text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(inside) = rest.strip_prefix('{') {
            let end = closing(inside)?;
            out.push_str(&braced(&inside[..end], variables, marks)?);
            rest = &inside[end + 1..];
        } else {
            let name = name(rest);
            rest = &rest[name.len()..];
            out.push_str(&if name.is_empty() { "$".to_owned() } else { variable(name, None, variables, marks) });
        }
    }
    out.push_str(rest);
    Some(out)
}

/// Where the brace is closed again, of which others may stand inside.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn name(text: &str) -> &str {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    if starts { &text[..end] } else { "" }
}

/// How a variable stands in for something else.
enum Otherwise {
    /// `-`, and with a colon also where it is blank.
    Default(String, bool),
    Required,
    /// `+`: what is put where there is one.
    Instead(String),
}

fn braced(text: &str, variables: &Variables, marks: &mut Marks) -> Option<String> {
    let name = name(text);
    let behind = &text[name.len()..];
    let (colon, behind) = behind.strip_prefix(':').map_or((false, behind), |behind| (true, behind));
    let mut signs = behind.chars();
    let otherwise = match signs.next() {
        None if name.is_empty() || colon => return None,
        None => None,
        Some('-') => Some(Otherwise::Default(interpolate(signs.as_str(), variables, marks)?, colon)),
        Some('?') => Some(Otherwise::Required),
        Some('+') => Some(Otherwise::Instead(interpolate(signs.as_str(), variables, marks)?)),
        Some(_) => return None,
    };
    Some(variable(name, otherwise.as_ref(), variables, marks))
}

fn variable(name: &str, otherwise: Option<&Otherwise>, variables: &Variables, marks: &mut Marks) -> String {
    let known = variables.get(name).map(String::as_str);
    let (ruby, fallback, required) = match otherwise {
        Some(Otherwise::Instead(text)) => {
            let ruby = format!("ENV['{name}'].to_s.empty? ? '' : {}", marks.ruby(text));
            (ruby, if known.is_some() { marks.settled(text) } else { String::new() }, false)
        }
        _ if known.is_some() => {
            let text = Marks::cleaned(known.unwrap_or_default());
            (format!("ENV.fetch('{name}', {})", marks.ruby(&text)), text, false)
        }
        Some(Otherwise::Default(text, false)) => {
            (format!("ENV.fetch('{name}', {})", marks.ruby(text)), marks.settled(text), false)
        }
        Some(Otherwise::Default(text, true)) => {
            (format!("ENV['{name}'].presence || {}", marks.ruby(text)), marks.settled(text), false)
        }
        Some(Otherwise::Required) => (format!("ENV['{name}']"), String::new(), true),
        None => (format!("ENV['{name}']"), String::new(), false),
    };
    marks.add(Mark { ruby, variable: Some(name.to_owned()), fallback, required })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(text: &str) -> String {
        let mut marks = Marks::default();
        let variables = [("SET".to_owned(), "it's".to_owned())].into_iter().collect();
        let text = interpolate(text, &variables, &mut marks).unwrap_or_else(|| "not closed".to_owned());
        marks.yaml(&text)
    }

    #[test]
    fn variables_are_asked_for_when_the_draft_is_loaded() {
        for (text, right) in [
            ("a$$b", "a$b"),
            ("redis:$TAG", "\"redis:<%= ENV['TAG'] %>\""),
            ("${TAG}", "\"<%= ENV['TAG'] %>\""),
            ("${TAG:-16}", "\"<%= ENV['TAG'].presence || '16' %>\""),
            ("${TAG-16}", "\"<%= ENV.fetch('TAG', '16') %>\""),
            ("${TAG:?set it}", "\"<%= ENV['TAG'] %>\""),
            ("${A:-${B-c}}", "\"<%= ENV['A'].presence || (ENV.fetch('B', 'c')).to_s %>\""),
            ("${SET}", "\"<%= ENV.fetch('SET', 'it\\'s') %>\""),
            ("${A:+b}", "\"<%= ENV['A'].to_s.empty? ? '' : 'b' %>\""),
            ("${A", "not closed"),
            ("${}", "not closed"),
            ("1$", "1$"),
        ] {
            assert_eq!(spelled(text), right, "{text}");
        }
    }
}
