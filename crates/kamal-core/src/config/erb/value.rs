//! Ruby's values, and how they print.

use super::super::ruby::quote;
use super::super::yaml::scalar::float_text;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Symbol(String),
    List(Vec<Value>),
}

impl Value {
    pub(super) fn truthy(&self) -> bool {
        !matches!(self, Self::Nil | Self::Bool(false))
    }

    /// Roughly the bytes it takes.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Text(text) | Self::Symbol(text) => text.len(),
            Self::List(items) => items.iter().map(|item| size_of::<Self>() + item.weight()).sum(),
            Self::Nil | Self::Bool(_) | Self::Int(_) | Self::Float(_) => 0,
        }
    }

    /// Ruby's `to_s`.
    pub(super) fn print(&self) -> String {
        match self {
            Self::Nil => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => float_text(*value),
            Self::Text(text) | Self::Symbol(text) => text.clone(),
            Self::List(_) => self.inspect(),
        }
    }

    /// Ruby's `inspect`.
    pub(super) fn inspect(&self) -> String {
        match self {
            Self::Nil => "nil".to_owned(),
            Self::Text(text) => quote(text),
            Self::Symbol(text) => format!(":{text}"),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(Self::inspect).collect();
                format!("[{}]", items.join(", "))
            }
            other => other.print(),
        }
    }

    /// ActiveSupport's `blank?`, which Kamal loads.
    pub(super) fn blank(&self) -> bool {
        match self {
            Self::Nil | Self::Bool(false) => true,
            Self::Text(text) => text.trim().is_empty(),
            Self::Symbol(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Bool(true) | Self::Int(_) | Self::Float(_) => false,
        }
    }

    /// What Ruby calls such a thing in its complaints.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
            Self::Int(_) => "an instance of Integer",
            Self::Float(_) => "an instance of Float",
            Self::Text(_) => "an instance of String",
            Self::Symbol(_) => "an instance of Symbol",
            Self::List(_) => "an instance of Array",
        }
    }
}

/// Ruby's `String#to_i`: the number at the beginning, 0 when there is none.
pub(super) fn leading_int(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let mut number = sign.to_owned();
    let mut last = '_';
    for character in digits.chars() {
        match character {
            '0'..='9' => number.push(character),
            '_' if last != '_' => {}
            _ => break,
        }
        last = character;
    }
    if number.len() == sign.len() { Some(0) } else { number.parse().ok() }
}

/// Ruby's `String#to_f`.
pub(super) fn leading_float(text: &str) -> f64 {
    let text = text.trim_start();
    let mut end = 0;
    let mut point = false;
    for (at, character) in text.char_indices() {
        match character {
            '0'..='9' => {}
            '-' | '+' if at == 0 => {}
            '.' if !point && text[at + 1..].starts_with(|c: char| c.is_ascii_digit()) => point = true,
            _ => break,
        }
        end = at + 1;
    }
    text[..end].parse().unwrap_or(0.0)
}
