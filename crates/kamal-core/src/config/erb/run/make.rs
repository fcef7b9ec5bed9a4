//! Making values: each costs what it takes, and none is too large to be gone through.

use std::rc::Rc;

use super::super::ast::{Argument, Expression, Pair, Part, Place};
use super::super::value::{Range, Regexp};
use super::{Found, Key, Map, Run, Stop, Value};

/// As many items of a list cost as much as a step.
const STEP_ITEMS: usize = 8;

/// Lists in lists, and values in one value, for what goes through all of them.
const MAX_NESTED: usize = 50;
const MAX_VALUES: usize = 50_000;

impl Run<'_> {
    pub(super) fn regexp_of(&mut self, parts: &[Part], flags: &str, place: Place) -> Found {
        let source = self.join(parts, place)?;
        self.regexp(&source, flags, place).map(Value::Regexp)
    }

    pub(in super::super) fn regexp(&mut self, source: &str, flags: &str, place: Place) -> Result<Rc<Regexp>, Stop> {
        self.steps += source.len();
        Regexp::new(source, flags).map(Rc::new).map_err(|message| Stop::unknown(place, message))
    }

    pub(super) fn list_of(&mut self, items: &[Argument]) -> Found {
        let items = self.arguments(items)?.0;
        Ok(self.list(items))
    }

    /// A new list.
    pub(in super::super) fn list(&mut self, items: Vec<Value>) -> Value {
        self.steps += items.len() / STEP_ITEMS;
        Value::List(self.heap.list(items))
    }

    /// A new list of texts.
    pub(in super::super) fn texts<T: Into<String>>(&mut self, texts: impl IntoIterator<Item = T>) -> Value {
        let texts = texts.into_iter().map(|text| Value::text(text)).collect();
        self.list(texts)
    }

    /// A new mapping.
    pub(in super::super) fn map(&mut self, pairs: Vec<(Value, Value)>, place: Place) -> Result<Map, Stop> {
        self.steps += pairs.len() / STEP_ITEMS;
        let map = self.heap.map(indexmap::IndexMap::new());
        for (name, value) in pairs {
            let key = self.key(&name, place)?;
            map.set(key, name, value);
        }
        Ok(map)
    }

    pub(super) fn map_of(&mut self, pairs: &[Pair], place: Place) -> Result<Map, Stop> {
        let mut found = Vec::new();
        for pair in pairs {
            match pair {
                Pair::Entry(name, value) => found.push((self.value(name)?, self.value(value)?)),
                Pair::Splat(other) => match self.value(other)? {
                    Value::Map(map) => found.extend(map.pairs()),
                    Value::Nil => {}
                    other => {
                        let message = format!("no implicit conversion of {} into Hash", other.class());
                        return Err(Stop::raise(place, "TypeError", message));
                    }
                },
            }
        }
        self.map(found, place)
    }

    pub(in super::super) fn key(&mut self, value: &Value, place: Place) -> Result<Key, Stop> {
        self.measure(value, place)?;
        Ok(Key::from(value))
    }

    /// Makes sure that something may go through all that a value holds: it may hold itself, or one thing many times.
    pub(in super::super) fn measure(&mut self, value: &Value, place: Place) -> Result<(), Stop> {
        let mut left = MAX_VALUES;
        if !measured(value, MAX_NESTED, &mut left) {
            return Err(Stop::limit(place, "this template makes too large a value"));
        }
        self.steps += (MAX_VALUES - left) / STEP_ITEMS;
        Ok(())
    }

    /// Ruby's `==`.
    pub(in super::super) fn equal(&mut self, left: &Value, right: &Value, place: Place) -> Result<bool, Stop> {
        self.measure(left, place)?;
        self.measure(right, place)?;
        Ok(left.same(right))
    }

    pub(super) fn range(
        &mut self,
        first: Option<&Expression>,
        last: Option<&Expression>,
        exclusive: bool,
        place: Place,
    ) -> Found {
        let (first, mut last) = (self.optional(first)?, self.optional(last)?);
        if matches!(last, Value::Float(end) if end == f64::INFINITY) {
            last = Value::Nil;
        }
        let plain = |value: &Value| {
            matches!(
                value,
                Value::Nil | Value::Int(_) | Value::Float(_) | Value::Text(_) | Value::Date(_) | Value::Time(_)
            )
        };
        if !plain(&first) || !plain(&last) {
            return Err(Stop::raise(place, "ArgumentError", "bad value for range"));
        }
        Ok(Value::Range(Rc::new(Range { first, last, exclusive })))
    }
}

fn measured(value: &Value, depth: usize, left: &mut usize) -> bool {
    let Some(rest) = left.checked_sub(1) else { return false };
    *left = rest;
    match value {
        Value::List(list) => depth > 0 && list.items().iter().all(|item| measured(item, depth - 1, left)),
        Value::Map(map) => {
            depth > 0
                && map
                    .pairs()
                    .iter()
                    .all(|(key, value)| measured(key, depth - 1, left) && measured(value, depth - 1, left))
        }
        _ => true,
    }
}
