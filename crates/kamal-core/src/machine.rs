//! The deploy state machine: which phase may follow which. The runner moves through it and every move is an event, so
//! that a display, a log and a test all see the same states.

use serde::{Deserialize, Serialize};

/// Where an operation stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// Hosts were observed and a plan was made.
    #[default]
    Planned,
    /// The image was built and pushed.
    Built,
    /// Every host has the image.
    Delivered,
    /// The deploy lock is ours.
    Locked,
    /// New containers are being started.
    Booting,
    /// As many requests as were asked for are led to new containers beside those that are live.
    Split,
    /// Every host answers from its new container.
    Switched,
    /// Old containers were stopped.
    Drained,
    /// The image was tagged, and what is old removed.
    Pruned,
    /// Finished.
    Done,
    /// Something failed after a host had switched: hosts go back to what they had.
    RollingBack,
    /// Every host answers from its old container again.
    RolledBack,
    /// Ended without success.
    Failed,
}

impl Phase {
    /// True when an operation may move from this phase to the next one. Operations that need no build or no lock of
    /// their own step over these phases; anything may fail.
    #[must_use]
    pub(crate) fn may_become(self, next: Phase) -> bool {
        use Phase::{
            Booting, Built, Delivered, Done, Drained, Failed, Locked, Planned, Pruned, RolledBack, RollingBack, Split,
            Switched,
        };
        matches!(
            (self, next),
            // Without a lock of its own an operation steps over it.
            (Planned, Built | Delivered | Locked | Booting | Done)
                // `build push` ends there.
                | (Built, Delivered | Booting | Done)
                | (Delivered, Booting | Done)
                | (Locked, Built | Delivered | Booting | Done)
                | (Booting, Switched | RollingBack)
                // A rollout ends there, or goes on from it where its containers run already, or takes all back.
                | (Planned | Locked | Delivered | Booting, Split)
                | (Split, Drained | Done)
                // Boot groups: the next group boots after the last one drained.
                | (Switched, Drained | Booting | RollingBack)
                | (Drained, Pruned | Booting | RollingBack | Done)
                // Hosts that are upgraded one after another.
                | (Pruned, Booting | Done)
                | (RollingBack, RolledBack)
                | (RolledBack, Failed)
        ) || (next == Failed && !matches!(self, Done | Failed))
    }
}

/// An operation on its way through the phases.
#[derive(Debug, Default)]
pub(crate) struct Machine(Phase);

/// A move the table does not allow: the plan had its stages in an order that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operation cannot go from {from:?} to {to:?}; please report this")]
#[non_exhaustive]
pub struct IllegalMove {
    /// The phase it is in.
    pub from: Phase,
    /// The phase that was to be next.
    pub to: Phase,
}

impl Machine {
    /// Moves to a phase. Returns whether it moved; staying is no move.
    ///
    /// # Errors
    ///
    /// When the table does not allow it.
    pub(crate) fn enter(&mut self, to: Phase) -> Result<bool, IllegalMove> {
        if self.0 == to {
            return Ok(false);
        }
        if !self.0.may_become(to) {
            return Err(IllegalMove { from: self.0, to });
        }
        self.0 = to;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::Phase::{self, *};

    const ALL: [Phase; 13] = [
        Planned,
        Built,
        Delivered,
        Locked,
        Booting,
        Split,
        Switched,
        Drained,
        Pruned,
        Done,
        RollingBack,
        RolledBack,
        Failed,
    ];

    fn walk(phases: &[Phase]) -> bool {
        phases.windows(2).all(|pair| pair[0].may_become(pair[1]))
    }

    #[test]
    fn deploy_setup_and_rollback_walk_legally() {
        assert!(walk(&[Planned, Built, Delivered, Booting, Switched, Drained, Pruned, Done]));
        assert!(walk(&[Planned, Locked, Built, Delivered, Booting, Switched, Drained, Pruned, Done]));
        assert!(walk(&[Planned, Locked, Booting, Switched, Drained, Done]));
        assert!(walk(&[Planned, Locked, Delivered, Booting, RollingBack, RolledBack, Failed]));
    }

    #[test]
    fn rollouts_walk_legally() {
        assert!(walk(&[Planned, Locked, Built, Delivered, Booting, Split, Done]));
        assert!(walk(&[Planned, Locked, Split, Drained, Done]));
        assert!(!Split.may_become(Switched) && !Split.may_become(RollingBack));
    }

    #[test]
    fn ends_are_ends_and_everything_else_may_fail() {
        for phase in ALL {
            assert_eq!(phase.may_become(Failed), !matches!(phase, Done | Failed), "{phase:?}");
            assert!(!Done.may_become(phase) && !Failed.may_become(phase));
        }
    }

    #[test]
    fn traffic_never_moves_before_the_image_is_there_nor_old_containers_stop_before_the_switch() {
        assert!(!Planned.may_become(Switched));
        assert!(!Booting.may_become(Drained));
        assert!(!Booting.may_become(Pruned));
        assert!(!RollingBack.may_become(Done));
    }
}
