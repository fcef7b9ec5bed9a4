//! Calls, with their arguments and blocks.

use std::rc::Rc;

use super::super::ast::{self, Place};
use super::super::methods;
use super::super::value::Callable;
use super::{Found, Proc, Run, Stop, Value};

impl Run<'_> {
    pub(super) fn called(&mut self, call: &ast::Call, place: Place) -> Found {
        let receiver = match &call.receiver {
            Some(receiver) => {
                if let ast::Kind::Call(inner) = &receiver.kind
                    && &*inner.name == "_erbout"
                    && inner.receiver.is_none()
                {
                    return self.erbout(call, place);
                }
                Some(self.value(receiver)?)
            }
            None => None,
        };
        if call.safe && receiver.as_ref().is_some_and(Value::is_nil) {
            return Ok(Value::Nil);
        }
        let (values, keywords) = self.arguments(&call.arguments)?;
        let (block, tag) = match &call.block {
            Some(passed) => {
                let block = self.passed(passed, place)?;
                let tag = block.as_ref().map(|block| block.tag);
                (block, tag)
            }
            None => (None, None),
        };
        let done = match receiver {
            Some(receiver) => {
                let receiver = &receiver;
                let call = methods::Call { place, receiver, name: &call.name, values: &values, keywords, block };
                methods::call(self, &call)
            }
            None => match self.defined.get(&call.name).cloned() {
                Some(code) => self.own(&code, values, keywords, block, place),
                None => {
                    let receiver = &Value::Main;
                    let call = methods::Call { place, receiver, name: &call.name, values: &values, keywords, block };
                    methods::function(self, &call)
                }
            },
        };
        match done {
            Err(Stop::Break(from, value)) if Some(from) == tag => Ok(value),
            done => done,
        }
    }

    /// The block of a call.
    fn passed(&mut self, passed: &ast::Passed, place: Place) -> Result<Option<Rc<Proc>>, Stop> {
        match passed {
            ast::Passed::Written(block) => {
                let tag = self.tag();
                let scope = Rc::clone(&self.scope);
                let kind = Callable::Code(Rc::clone(block), scope);
                Ok(Some(self.kept(Proc { kind, lambda: false, tag })))
            }
            ast::Passed::Value(value) => match self.value(value)? {
                Value::Nil => Ok(None),
                Value::Proc(block) => Ok(Some(block)),
                Value::Symbol(name) => Ok(Some(self.callable(Callable::Method(name)))),
                Value::Map(map) => Ok(Some(self.callable(Callable::Bound(Value::Map(map), "[]".into())))),
                other => {
                    let message = format!("wrong argument type {} (expected Proc)", other.class());
                    Err(Stop::raise(place, "TypeError", message))
                }
            },
        }
    }

    /// `_erbout << text`: the text so far, to be added to.
    fn erbout(&mut self, call: &ast::Call, place: Place) -> Found {
        let (values, _) = self.arguments(&call.arguments)?;
        match (&*call.name, &values[..]) {
            ("<<" | "concat", [value]) => {
                let text = self.print(value, place)?;
                self.write(place, &text, false)
            }
            _ => Err(Stop::unknown(place, "`_erbout` is understood only with `<<`")),
        }
    }
}
