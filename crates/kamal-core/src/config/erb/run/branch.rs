//! Branches and loops, and what may go wrong.

use std::rc::Rc;

use super::super::ast::{Argument, Begin, Body, Expression, Place, Rescue, Target};
use super::super::methods;
use super::super::value::{Error, ancestors};
use super::{Found, Run, Stop, Value};

/// How often a `begin` may be tried again.
const MAX_TRIES: usize = 100;

impl Run<'_> {
    pub(super) fn repeat(&mut self, condition: &Expression, body: &[Expression], first: bool, place: Place) -> Found {
        let mut first = first;
        while std::mem::take(&mut first) || self.value(condition)?.truthy() {
            self.step(place)?;
            match self.body(body) {
                Ok(_) | Err(Stop::Next(_)) => {}
                Err(Stop::Break(0, value)) => return Ok(value),
                Err(other) => return Err(other),
            }
        }
        Ok(Value::Nil)
    }

    pub(super) fn for_each(
        &mut self,
        targets: &[Target],
        list: &Expression,
        body: &[Expression],
        place: Place,
    ) -> Found {
        let list = self.value(list)?;
        for item in methods::listed(self, &list, place)? {
            self.step(place)?;
            match targets {
                [only] => self.assign(only, item, place)?,
                several => self.assign_each(several, &item, place)?,
            }
            match self.body(body) {
                Ok(_) | Err(Stop::Next(_)) => {}
                Err(Stop::Break(0, value)) => return Ok(value),
                Err(other) => return Err(other),
            }
        }
        Ok(list)
    }

    pub(super) fn case(
        &mut self,
        subject: Option<&Expression>,
        branches: &[(Vec<Argument>, Body)],
        otherwise: &[Expression],
        place: Place,
    ) -> Found {
        let subject = match subject {
            Some(subject) => Some(self.value(subject)?),
            None => None,
        };
        for (values, body) in branches {
            for value in values {
                // One by one: those behind the one that fits are not looked at.
                for value in self.arguments(std::slice::from_ref(value))?.0 {
                    let fits = match &subject {
                        Some(subject) => self.fits(&value, subject, place)?,
                        None => value.truthy(),
                    };
                    if fits {
                        return self.body(body);
                    }
                }
            }
        }
        self.body(otherwise)
    }

    /// Ruby's `===`.
    pub(in super::super) fn fits(&mut self, pattern: &Value, subject: &Value, place: Place) -> Result<bool, Stop> {
        match pattern {
            Value::Module(class) => Ok(is_a(subject, class)),
            Value::Regexp(_) => match subject {
                Value::Text(_) | Value::Symbol(_) => {
                    Ok(self.send(pattern, "match", std::slice::from_ref(subject), place)?.truthy())
                }
                _ => Ok(false),
            },
            Value::Range(range) => Ok(methods::covers(range, subject)),
            Value::Proc(block) => Ok(self.invoke(block, std::slice::from_ref(subject), place)?.truthy()),
            _ => self.equal(pattern, subject, place),
        }
    }

    pub(super) fn begin(&mut self, begin: &Begin, place: Place) -> Found {
        let mut tries = 0;
        let done = loop {
            match self.attempt(begin, place) {
                Err(Stop::Retry) if tries < MAX_TRIES => tries += 1,
                done => break done,
            }
        };
        if !begin.ensure.is_empty() {
            self.body(&begin.ensure)?;
        }
        done
    }

    fn attempt(&mut self, begin: &Begin, place: Place) -> Found {
        let error = match self.body(&begin.body) {
            Ok(value) if begin.otherwise.is_empty() => return Ok(value),
            Ok(_) => return self.body(&begin.otherwise),
            Err(Stop::Raise(error)) => error,
            Err(other) => return Err(other),
        };
        for rescue in &begin.rescues {
            if self.rescues(rescue, &error, place)? {
                let value = Value::Error(Rc::clone(&error));
                let before = self.rescued.replace(value.clone());
                if let Some(target) = &rescue.target {
                    self.assign(target, value, place)?;
                }
                let done = self.body(&rescue.body);
                self.rescued = before;
                return done;
            }
        }
        Err(Stop::Raise(error))
    }

    fn rescues(&mut self, rescue: &Rescue, error: &Rc<Error>, place: Place) -> Result<bool, Stop> {
        let error = Value::Error(Rc::clone(error));
        if rescue.classes.is_empty() {
            return Ok(is_a(&error, "StandardError"));
        }
        for class in self.arguments(&rescue.classes)?.0 {
            if self.fits(&class, &error, place)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The exception being rescued.
    pub(in super::super) fn current_error(&self) -> Option<Value> {
        self.rescued.clone()
    }
}

/// Whether a value is of a class, or of one below it.
pub(in super::super) fn is_a(value: &Value, class: &str) -> bool {
    let own = value.class();
    &*own == class
        || ancestors(&own).contains(&class)
        || matches!(class, "Object" | "BasicObject" | "Kernel")
        || matches!((value, class), (Value::Module(_), "Class"))
}
