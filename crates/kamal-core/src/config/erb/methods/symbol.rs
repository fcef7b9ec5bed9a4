//! Symbols, which are names.

use std::rc::Rc;

use super::super::value::{Callable, Value};
use super::{Method, plain};

pub(super) const METHODS: &[Method] = &[
    plain("to_sym", 0, 0, |_, call| Ok(call.receiver.clone())),
    plain("to_s name id2name", 0, 0, |_, call| Ok(Value::text(call.subject()?))),
    plain("to_proc", 0, 0, |run, call| {
        let name: Rc<str> = call.subject()?.into();
        Ok(Value::Proc(run.callable(Callable::Method(name))))
    }),
    plain("length size empty? start_with? end_with? [] =~ match match?", 0, 4, |run, call| {
        run.send(&Value::text(call.subject()?), call.name, call.values, call.place)
    }),
    plain("upcase downcase capitalize swapcase succ", 0, 0, |run, call| {
        let changed = run.send(&Value::text(call.subject()?), call.name, &[], call.place)?;
        Ok(Value::symbol(&changed.print()))
    }),
];
