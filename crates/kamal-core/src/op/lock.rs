//! `lock` (spec chapter 8): the deploy lock by hand.

use serde::{Deserialize, Serialize};

use super::{Facts, Policy, Row, Scope};
use crate::{
    error::Error,
    plan::{Draft, Kind, KnownAnswer, Stage, Work},
};

/// A lock command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Lock {
    /// Shows who holds it.
    Status,
    /// Takes it, and keeps it.
    Acquire {
        /// Why.
        message: String,
    },
    /// Gives it back, whoever holds it.
    Release,
}

impl Lock {
    pub(super) fn row(&self) -> Row {
        let about = |row: Row| Row { policy: Policy::Alone, observes: true, ..row };
        match self {
            Self::Status => about(Row::asks("lock", "status", Scope::Lock)),
            Self::Acquire { .. } => about(Row::changes("lock", "acquire", Scope::Lock)),
            Self::Release => about(Row::changes("lock", "release", Scope::Lock)),
        }
    }

    pub(super) fn draft(&self, facts: &Facts<'_>) -> Result<Draft, Error> {
        let host = facts.primary_host()?.clone();
        let held = facts.state(&host).and_then(|state| state.lock.as_ref());
        let tell = |text: &str| {
            Stage::new(
                Kind::Look,
                Work::Tell(vec![KnownAnswer { host: None, heading: String::new(), text: text.to_owned() }]),
            )
        };
        Ok(match (self, held) {
            (Self::Status, Some(held)) => Draft::of([tell(&held.to_string())]),
            (Self::Status | Self::Release, None) => Draft::of([tell("There is no deploy lock")]),
            (Self::Release, Some(_)) => {
                Draft::of([Stage::new(Kind::Unlock, Work::Unlock { host }), tell("Released the deploy lock")])
            }
            (Self::Acquire { message }, _) => {
                let work = Work::Lock { host, message: Some(message.clone()) };
                Draft::of([Stage::new(Kind::Lock, work), tell("Acquired the deploy lock")])
            }
        })
    }
}
