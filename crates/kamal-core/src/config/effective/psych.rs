//! YAML in the form Ruby's Psych prints: lists at the level of their key, quotes only where Ruby puts them.

use super::super::yaml::scalar::{float_text, resolve};
use super::super::yaml::{Kind, Map, Node};

/// Prints a document.
pub(super) fn print(node: &Node) -> String {
    let mut out = "---".to_owned();
    match &node.kind {
        Kind::Map(map) if !map.is_empty() => {
            out.push('\n');
            print_map(map, 0, &mut out);
        }
        Kind::List(items) if !items.is_empty() => {
            out.push('\n');
            print_list(items, 0, &mut out);
        }
        _ => {
            out.push(' ');
            out.push_str(&scalar(node, 0));
            out.push('\n');
        }
    }
    out
}

fn print_map(map: &Map, indent: usize, out: &mut String) {
    for (index, (key, entry)) in map.iter().enumerate() {
        if index > 0 {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(&string(key, indent));
        out.push(':');
        match &entry.value.kind {
            Kind::Map(map) if !map.is_empty() => {
                out.push('\n');
                out.push_str(&" ".repeat(indent + 2));
                print_map(map, indent + 2, out);
            }
            Kind::List(items) if !items.is_empty() => {
                out.push('\n');
                out.push_str(&" ".repeat(indent));
                print_list(items, indent, out);
            }
            Kind::Null => out.push('\n'),
            _ => {
                out.push(' ');
                out.push_str(&scalar(&entry.value, indent));
                out.push('\n');
            }
        }
    }
}

fn print_list(items: &[Node], indent: usize, out: &mut String) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(&" ".repeat(indent));
        }
        out.push('-');
        match &item.kind {
            Kind::Map(map) if !map.is_empty() => {
                out.push(' ');
                print_map(map, indent + 2, out);
            }
            Kind::List(items) if !items.is_empty() => {
                out.push(' ');
                print_list(items, indent + 2, out);
            }
            Kind::Null => out.push('\n'),
            _ => {
                out.push(' ');
                out.push_str(&scalar(item, indent));
                out.push('\n');
            }
        }
    }
}

fn scalar(node: &Node, indent: usize) -> String {
    match &node.kind {
        Kind::Null => String::new(),
        Kind::Bool(value) => value.to_string(),
        Kind::Int(value) => value.to_string(),
        Kind::Float(value) if value.is_nan() => ".nan".to_owned(),
        Kind::Float(value) if value.is_infinite() => if *value > 0.0 { ".inf" } else { "-.inf" }.to_owned(),
        Kind::Float(value) => float_text(*value),
        Kind::Date(text) => text.clone(),
        Kind::Symbol(text) => string(&format!(":{text}"), indent),
        Kind::Text(text) if text.starts_with(':') && text.len() > 1 => single(text),
        Kind::Text(text) => string(text, indent),
        Kind::List(_) => "[]".to_owned(),
        Kind::Map(_) => "{}".to_owned(),
    }
}

fn string(text: &str, indent: usize) -> String {
    let control = |c: char| c.is_control() && c != '\n';
    if text.chars().any(control) || text.trim().is_empty() && text.contains('\n') {
        return double(text);
    }
    if text.trim_end_matches('\n').contains('\n') && !text.starts_with([' ', '\n']) {
        return literal(text, indent);
    }
    if text.contains('\n') || matches!(text, "y" | "Y" | "n" | "N") {
        return double(text);
    }
    let symbol = text.starts_with(':') && text.len() > 1;
    let odd_start =
        text.starts_with(|c: char| !c.is_alphanumeric() && c != '_') && !text[1.min(text.len())..].contains('"');
    if odd_start && !symbol && text.is_char_boundary(1) {
        return double(text);
    }
    let resolved = resolve(text).kind;
    let as_it_looks = matches!(resolved, Kind::Text(_)) || symbol && matches!(resolved, Kind::Symbol(_));
    if !as_it_looks || is_old_float(text) {
        return single(text);
    }
    if plain_is_safe(text) { text.to_owned() } else { single(text) }
}

/// `0123.4`, which other YAML readers take for a number.
fn is_old_float(text: &str) -> bool {
    let rest = text.strip_prefix('0').map(|rest| rest.trim_start_matches(|c: char| ('0'..='7').contains(&c)));
    rest.and_then(|rest| rest.strip_prefix('.')).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn plain_is_safe(text: &str) -> bool {
    let starts_badly = text
        .starts_with(['#', ',', '[', ']', '{', '}', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`'])
        || matches!(text, "-" | "?" | ":")
        || ["- ", "? ", ": "].iter().any(|start| text.starts_with(start))
        || text.starts_with("---")
        || text.starts_with("...");
    !starts_badly
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':')
        && text.trim() == text
        && !text.is_empty()
}

fn single(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn double(text: &str) -> String {
    let mut out = "\"".to_owned();
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\x1b' => out.push_str("\\e"),
            other if other.is_control() => out.push_str(&format!("\\x{:02X}", u32::from(other))),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

fn literal(text: &str, indent: usize) -> String {
    let body = text.trim_end_matches('\n');
    let sign = match text.len() - body.len() {
        0 => "-",
        1 => "",
        _ => "+",
    };
    let margin = " ".repeat(indent + 2);
    let mut out = format!("|{sign}");
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.push_str(&margin);
            out.push_str(line);
        }
    }
    out
}
