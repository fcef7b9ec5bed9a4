//! Why an expression has no value: something is wrong, or something further out is to go on.

use std::rc::Rc;

use super::TemplateFault;
use super::ast::Place;
use super::value::{Error, Value};

/// What ends an evaluation early.
#[derive(Debug)]
pub(super) enum Stop {
    /// Not understood, or beyond a limit: nothing in the template can rescue that.
    TemplateFault(Box<TemplateFault>),
    /// An exception.
    Raise(Rc<Error>),
    /// Ends the call with this block.
    Break(u64, Value),
    /// Ends the block.
    Next(Value),
    /// Ends the method or lambda.
    Return(u64, Value),
    /// Begins the `begin` anew.
    Retry,
    /// `throw`, by its tag.
    Throw(Value, Value),
}

impl Stop {
    pub(super) fn unknown(place: Place, message: impl Into<String>) -> Self {
        Self::TemplateFault(Box::new(TemplateFault::unknown(place, message)))
    }

    pub(super) fn limit(place: Place, message: impl Into<String>) -> Self {
        Self::TemplateFault(Box::new(TemplateFault::fault(place, message)))
    }

    /// An exception whose message is for Ruby and for the user.
    pub(super) fn raise(place: Place, class: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Raise(Rc::new(Error { class: class.into(), told: message.clone(), message, place }))
    }

    /// An exception that tells the user something else than it tells Ruby.
    pub(super) fn tell(place: Place, class: &str, message: String, told: String) -> Self {
        Self::Raise(Rc::new(Error { class: class.into(), message, told, place }))
    }

    /// What is left of it when nothing in the template has taken it.
    pub(super) fn trouble(self, place: Place) -> TemplateFault {
        match self {
            Self::TemplateFault(trouble) => *trouble,
            Self::Raise(error) => {
                let told = if error.told.is_empty() { error.class.to_string() } else { error.told.clone() };
                TemplateFault::fault(error.place, told)
            }
            Self::Break(..) | Self::Next(_) | Self::Return(..) | Self::Retry => {
                TemplateFault::unknown(place, "there is nothing here to leave")
            }
            Self::Throw(tag, _) => TemplateFault::fault(place, format!("uncaught throw {}", tag.inspect())),
        }
    }
}
