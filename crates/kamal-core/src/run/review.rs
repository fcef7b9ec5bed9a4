//! What was reviewed must be what is done.

use crate::{error::Error, plan::Plan};

/// A plan that was reviewed: all of it, or its digest.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reviewed<'r> {
    Digest(&'r str),
    Plan(&'r Plan),
}

impl<'r> Reviewed<'r> {
    pub(super) fn digest(digest: &'r str) -> Self {
        Self::Digest(digest)
    }

    pub(super) fn plan(plan: &'r Plan) -> Self {
        Self::Plan(plan)
    }

    /// Fails unless the plan that was found is the one that was reviewed.
    pub(super) fn compare(&self, found: &Plan) -> Result<(), Error> {
        match self {
            Self::Plan(plan) => self.compare_left(plan, found),
            Self::Digest(digest) if *digest == found.digest() => Ok(()),
            Self::Digest(digest) => Err(Error::PlanChanged {
                reviewed: (*digest).to_owned(),
                found: found.digest(),
                differences: Vec::new(),
            }),
        }
    }

    /// Fails unless what is found left to do is what was left of the plan that was reviewed.
    pub(super) fn compare_left(&self, left: &Plan, found: &Plan) -> Result<(), Error> {
        let (reviewed, now) = (left.digest(), found.digest());
        if reviewed == now {
            return Ok(());
        }
        Err(Error::PlanChanged { reviewed, found: now, differences: left.differences(found) })
    }
}
