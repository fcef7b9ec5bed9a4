//! What is `set` in a recipe, and what that comes to.

use super::super::marks::Mark;
use super::super::reader::Reader;
use super::{Datum, Span};

/// Settings by name, the last one of a name first.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings(Vec<Setting>);

#[derive(Clone, Debug)]
struct Setting {
    name: String,
    value: Datum,
    span: Span,
}

/// Deeper than settings refer to each other.
const MAX_DEPTH: usize = 10;

impl Settings {
    pub(super) fn take(&mut self, how: &str, name: &str, values: &[Datum], span: Span) {
        let known = self.get(name).cloned();
        let values: Vec<Datum> = values.iter().map(|value| settled(value, name, known.as_ref())).collect();
        let value = match (how, known) {
            // Where another has said it, that counts.
            ("set_if_empty" | "ask", Some(_)) => return,
            ("append", Some(known)) => Datum::List([known].into_iter().chain(values).collect()),
            ("append", None) => Datum::List(values),
            ("remove", Some(known)) => without(&known, &values),
            ("remove", None) => return,
            _ => values.into_iter().next().unwrap_or(Datum::Unknown),
        };
        self.0.retain(|setting| setting.name != name);
        self.0.push(Setting { name: name.to_owned(), value, span });
    }

    pub(super) fn add(&mut self, over: &Self) {
        for setting in &over.0 {
            self.0.retain(|known| known.name != setting.name);
            self.0.push(setting.clone());
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Datum> {
        self.0.iter().find(|setting| setting.name == name).map(|setting| &setting.value)
    }

    pub(super) fn span(&self, name: &str) -> Option<Span> {
        self.0.iter().find(|setting| setting.name == name).map(|setting| setting.span)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = (&str, Span)> {
        self.0.iter().map(|setting| (setting.name.as_str(), setting.span))
    }

    /// A setting's text.
    pub(super) fn text(&self, reader: &mut Reader<'_>, name: &str) -> Option<String> {
        self.spelled(reader, self.get(name)?, 0)
    }

    /// The texts of a setting that is a list, or one alone.
    pub(super) fn texts(&self, reader: &mut Reader<'_>, name: &str) -> Vec<String> {
        self.get(name).map(|value| self.each(reader, value, 0)).unwrap_or_default()
    }

    /// The entries of a setting that is a mapping.
    pub(super) fn pairs(&self, reader: &mut Reader<'_>, name: &str) -> Vec<(String, String)> {
        let Some(Datum::Map(pairs)) = self.get(name) else { return Vec::new() };
        let pair =
            |(key, value): &(Datum, Datum)| Some((self.spelled(reader, key, 0)?, self.spelled(reader, value, 0)?));
        pairs.iter().filter_map(pair).collect()
    }

    pub(super) fn each(&self, reader: &mut Reader<'_>, value: &Datum, depth: usize) -> Vec<String> {
        match value {
            Datum::List(items) if depth < MAX_DEPTH => {
                items.iter().flat_map(|item| self.each(reader, item, depth + 1)).collect()
            }
            Datum::Fetch(name, default) if depth < MAX_DEPTH => match (self.get(name), default) {
                (Some(value), _) => self.each(reader, value, depth + 1),
                (None, Some(default)) => self.each(reader, default, depth + 1),
                (None, None) => Vec::new(),
            },
            value => self.spelled(reader, value, depth).into_iter().collect(),
        }
    }

    /// A value as a text; `None` for what only running the recipe would tell.
    pub(super) fn spelled(&self, reader: &mut Reader<'_>, value: &Datum, depth: usize) -> Option<String> {
        if depth > MAX_DEPTH {
            return None;
        }
        match value {
            Datum::Bool(value) => Some(value.to_string()),
            Datum::Int(value) => Some(value.to_string()),
            Datum::Symbol(text) => Some(text.clone()),
            Datum::Text(parts) => parts.iter().map(|part| self.spelled(reader, part, depth + 1)).collect(),
            Datum::Fetch(name, default) => match (self.get(name), default) {
                (Some(value), _) => self.spelled(reader, value, depth + 1),
                (None, Some(default)) => self.spelled(reader, default, depth + 1),
                (None, None) => None,
            },
            Datum::Variable(name, default) => {
                let fallback = default.as_ref().and_then(|default| self.spelled(reader, default, depth + 1));
                let ruby = match &fallback {
                    Some(text) => format!("ENV.fetch('{name}', {})", reader.marks.ruby(text)),
                    None => format!("ENV['{name}']"),
                };
                let fallback = fallback.map(|text| reader.marks.settled(&text)).unwrap_or_default();
                Some(reader.marks.add(Mark { ruby, variable: Some(name.clone()), fallback, required: false }))
            }
            Datum::Nil | Datum::List(_) | Datum::Map(_) | Datum::Unknown => None,
        }
    }
}

/// A value that refers to what its own setting was before: `set :x, fetch(:x, []).push("y")`.
fn settled(value: &Datum, name: &str, known: Option<&Datum>) -> Datum {
    match value {
        Datum::Fetch(own, default) if own == name => match (known, default) {
            (Some(known), _) => known.clone(),
            (None, Some(default)) => (**default).clone(),
            (None, None) => Datum::Nil,
        },
        Datum::List(items) => Datum::List(items.iter().map(|item| settled(item, name, known)).collect()),
        other => other.clone(),
    }
}

fn without(known: &Datum, values: &[Datum]) -> Datum {
    match known {
        Datum::List(items) => {
            Datum::List(items.iter().filter(|item| !values.contains(item)).map(|item| without(item, values)).collect())
        }
        other => other.clone(),
    }
}
