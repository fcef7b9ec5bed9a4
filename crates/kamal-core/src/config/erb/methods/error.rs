//! Exceptions, and how they come about.

use std::rc::Rc;

use super::super::run::Run;
use super::super::stop::Stop;
use super::super::value::{Error, Value, is_error};
use super::{Call, Method, plain};

pub(super) const METHODS: &[Method] = &[
    plain("message to_s full_message detailed_message", 0, 0, |_, call| Ok(Value::text(own(call)?.message.clone()))),
    plain("backtrace backtrace_locations cause", 0, 0, |_, _| Ok(Value::Nil)),
    plain("status", 0, 0, |_, _| Ok(Value::Int(1))),
    plain("exception", 0, 0, |_, call| Ok(call.receiver.clone())),
];

/// Classes of exceptions.
pub(super) const CLASS: &[Method] = &[plain("new exception", 0, 1, |run, call| {
    let Value::Module(class) = call.receiver else { return Err(call.unknown()) };
    let message = match call.values.first() {
        Some(message) => run.print(message, call.place)?,
        None => class.to_string(),
    };
    Ok(Value::Error(Rc::new(Error { class: Rc::clone(class), told: message.clone(), message, place: call.place })))
})];

fn own<'a>(call: &'a Call<'_>) -> Result<&'a Error, Stop> {
    if let Value::Error(error) = call.receiver { Ok(error) } else { Err(call.unknown()) }
}

/// What `raise` with these arguments ends the evaluation with.
pub(super) fn raised(run: &mut Run<'_>, call: &Call<'_>) -> Result<Stop, Stop> {
    Ok(match (call.value(0), call.values.get(1)) {
        (Value::Nil, None) => match run.current_error() {
            Some(Value::Error(error)) => Stop::Raise(error),
            _ => call.raise("RuntimeError", "unhandled exception"),
        },
        (Value::Text(text), None) => call.raise("RuntimeError", text.borrow().clone()),
        (Value::Error(error), None) => Stop::Raise(Rc::clone(error)),
        (Value::Module(class), message) if is_error(class) => {
            let message = match message {
                Some(message) => run.print(message, call.place)?,
                None => class.to_string(),
            };
            call.raise(class, message)
        }
        _ => return Err(call.raise("TypeError", "exception class/object expected")),
    })
}
