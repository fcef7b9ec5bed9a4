//! Blocks and lambdas.

use std::rc::Rc;

use super::super::value::{Callable, Value};
use super::{ANY, Method, plain};

pub(super) const METHODS: &[Method] = &[
    plain("call () yield === []", 0, ANY, |run, call| match call.receiver {
        Value::Proc(block) => run.invoke_with(block, call.values, call.keywords, call.place),
        _ => Err(call.unknown()),
    }),
    plain("to_proc", 0, 0, |_, call| Ok(call.receiver.clone())),
    plain("lambda?", 0, 0, |_, call| match call.receiver {
        Value::Proc(block) => Ok(Value::Bool(block.lambda)),
        _ => Err(call.unknown()),
    }),
    plain(">> <<", 1, 1, |run, call| match (call.receiver, call.value(0)) {
        (Value::Proc(own), Value::Proc(other)) => {
            let (first, second) = if call.name == ">>" { (own, other) } else { (other, own) };
            let kind = Callable::Chain(Rc::clone(first), Rc::clone(second));
            Ok(Value::Proc(run.callable(kind)))
        }
        _ => Err(call.unknown()),
    }),
];
