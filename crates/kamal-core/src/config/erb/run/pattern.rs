//! `case … in`.

use super::super::ast::{Branch, Expression, Pattern, Place};
use super::super::value::Key;
use super::{Found, Run, Stop, Value};

impl Run<'_> {
    pub(super) fn matches(
        &mut self,
        subject: &Expression,
        branches: &[Branch],
        otherwise: Option<&[Expression]>,
        place: Place,
    ) -> Found {
        let subject = self.value(subject)?;
        for branch in branches {
            let mut fits = self.takes(&branch.pattern, &subject, place)?;
            if fits && let Some(guard) = &branch.guard {
                fits = self.value(guard)?.truthy();
            }
            if fits {
                return self.body(&branch.body);
            }
        }
        match otherwise {
            Some(body) => self.body(body),
            None => {
                self.measure(&subject, place)?;
                Err(Stop::raise(place, "NoMatchingPatternError", subject.inspect()))
            }
        }
    }

    fn takes(&mut self, pattern: &Pattern, subject: &Value, place: Place) -> Result<bool, Stop> {
        self.step(place)?;
        match pattern {
            Pattern::Value(value) => {
                let value = self.value(value)?;
                self.fits(&value, subject, place)
            }
            Pattern::Name(name) => {
                self.scope.set(name, subject.clone());
                Ok(true)
            }
            Pattern::Bound(inner, name) => {
                let fits = self.takes(inner, subject, place)?;
                if fits {
                    self.scope.set(name, subject.clone());
                }
                Ok(fits)
            }
            Pattern::Either(patterns) => {
                for pattern in patterns {
                    if self.takes(pattern, subject, place)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Pattern::Map(entries) => {
                let Value::Map(map) = subject else { return Ok(false) };
                for (name, pattern) in entries {
                    let Some(value) = map.get(&Key::Symbol(name.clone())) else { return Ok(false) };
                    match pattern {
                        Some(pattern) if !self.takes(pattern, &value, place)? => return Ok(false),
                        Some(_) => {}
                        None => self.scope.set(name, value),
                    }
                }
                Ok(true)
            }
            Pattern::List(before, rest, after) => {
                let Value::List(list) = subject else { return Ok(false) };
                let items = list.items();
                let least = before.len() + after.len();
                if items.len() < least || rest.is_none() && items.len() > least {
                    return Ok(false);
                }
                let (head, tail) = (before.len(), items.len() - after.len());
                for (pattern, item) in before.iter().zip(&items).chain(after.iter().zip(&items[tail..])) {
                    if !self.takes(pattern, item, place)? {
                        return Ok(false);
                    }
                }
                if let Some(Some(name)) = rest {
                    let rest = self.list(items[head..tail].to_vec());
                    self.scope.set(name, rest);
                }
                Ok(true)
            }
        }
    }
}
