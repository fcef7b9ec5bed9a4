//! Assignments in all their forms.

use super::super::ast::{Argument, Expression, Place, Target};
use super::{Found, Run, Stop, Value};

impl Run<'_> {
    pub(super) fn assign(&mut self, target: &Target, value: Value, place: Place) -> Result<(), Stop> {
        match target {
            Target::Variable(name) => self.scope.set(name, value),
            Target::Global(name) | Target::Constant(name) => drop(self.globals.insert(name.clone(), value)),
            Target::Index(receiver, index) => {
                let receiver = self.value(receiver)?;
                let mut arguments = self.arguments(index)?.0;
                arguments.push(value);
                self.send(&receiver, "[]=", &arguments, place)?;
            }
            Target::Attribute(receiver, name) => {
                let receiver = self.value(receiver)?;
                self.send(&receiver, &format!("{name}="), &[value], place)?;
            }
            Target::Splat(inner) => {
                if let Some(inner) = inner {
                    self.assign(inner, value, place)?;
                }
            }
            Target::Nested(targets) => self.assign_each(targets, &value, place)?,
        }
        Ok(())
    }

    /// `a, *b, c = values`.
    pub(super) fn assign_each(&mut self, targets: &[Target], value: &Value, place: Place) -> Result<(), Stop> {
        let items = match value {
            Value::List(list) => list.items(),
            other => vec![other.clone()],
        };
        let splat = targets.iter().position(|target| matches!(target, Target::Splat(_)));
        let behind = splat.map_or(0, |splat| targets.len() - splat - 1);
        for (index, target) in targets.iter().enumerate() {
            let value = match splat {
                Some(splat) if index == splat => {
                    let end = items.len().saturating_sub(behind).max(splat);
                    let rest = items.get(splat..end).unwrap_or_default().to_vec();
                    self.list(rest)
                }
                // What is too few for those behind is taken by those before.
                Some(splat) if index > splat => {
                    let from = items.len().saturating_sub(behind).max(splat);
                    items.get(from + index - splat - 1).cloned().unwrap_or(Value::Nil)
                }
                _ => items.get(index).cloned().unwrap_or(Value::Nil),
            };
            self.assign(target, value, place)?;
        }
        Ok(())
    }

    pub(super) fn spread(&mut self, targets: &[Target], value: &Expression, place: Place) -> Found {
        let value = self.value(value)?;
        self.assign_each(targets, &value, place)?;
        Ok(value)
    }

    /// `a ||= b`, `list[0] += 1`: what stands on the left is looked at once.
    pub(super) fn update(&mut self, target: &Target, operator: &str, value: &Expression, place: Place) -> Found {
        match target {
            Target::Index(receiver, index) => {
                let receiver = self.value(receiver)?;
                let mut arguments = self.arguments(index)?.0;
                let before = self.send(&receiver, "[]", &arguments, place)?;
                let Some(after) = self.updated(&before, operator, value, place)? else { return Ok(before) };
                arguments.push(after.clone());
                self.send(&receiver, "[]=", &arguments, place)?;
                Ok(after)
            }
            Target::Attribute(receiver, name) => {
                let receiver = self.value(receiver)?;
                let before = self.send(&receiver, name, &[], place)?;
                let Some(after) = self.updated(&before, operator, value, place)? else { return Ok(before) };
                self.send(&receiver, &format!("{name}="), std::slice::from_ref(&after), place)?;
                Ok(after)
            }
            Target::Variable(_) | Target::Global(_) | Target::Constant(_) => {
                let before = match target {
                    Target::Variable(name) => self.scope.get(name).unwrap_or(Value::Nil),
                    Target::Global(name) | Target::Constant(name) => {
                        self.globals.get(name).cloned().unwrap_or(Value::Nil)
                    }
                    _ => Value::Nil,
                };
                let Some(after) = self.updated(&before, operator, value, place)? else { return Ok(before) };
                self.assign(target, after.clone(), place)?;
                Ok(after)
            }
            Target::Splat(_) | Target::Nested(_) => Err(Stop::unknown(place, "this cannot be assigned to")),
        }
    }

    /// The new value; `None` when the old one stays.
    fn updated(
        &mut self,
        before: &Value,
        operator: &str,
        value: &Expression,
        place: Place,
    ) -> Result<Option<Value>, Stop> {
        Ok(match operator {
            "||" if before.truthy() => None,
            "&&" if !before.truthy() => None,
            "||" | "&&" => Some(self.value(value)?),
            _ => {
                let value = self.value(value)?;
                Some(self.send(before, operator, &[value], place)?)
            }
        })
    }

    /// The values of arguments, and whether the last is a mapping of keywords.
    pub(super) fn arguments(&mut self, arguments: &[Argument]) -> Result<(Vec<Value>, bool), Stop> {
        let mut values = Vec::with_capacity(arguments.len());
        let mut keywords = false;
        for argument in arguments {
            match argument {
                Argument::Plain(value) => values.push(self.value(value)?),
                Argument::Splat(value) => match self.value(value)? {
                    Value::List(list) => values.extend(list.items()),
                    Value::Nil => {}
                    other => values.extend(super::methods::listed(self, &other, value.place)?),
                },
                Argument::Pairs(pairs) => {
                    let map = self.map_of(pairs, (0, 1))?;
                    if !map.is_empty() {
                        keywords = true;
                        values.push(Value::Map(map));
                    }
                }
            }
        }
        Ok((values, keywords))
    }
}
