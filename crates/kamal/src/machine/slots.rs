//! How many programs secrets are fetched with may run at the same time.

use std::{
    num::NonZero,
    sync::{Condvar, Mutex, PoisonError},
};

use super::Environment;

/// More help nobody: the programs wait for a network, but some of them take 100 MB of memory each.
const MOST: usize = 32;

/// Places for running programs.
#[derive(Debug)]
pub(super) struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

/// A place taken, given back when dropped.
#[derive(Debug)]
pub(super) struct Slot<'s>(&'s Slots);

impl Slots {
    /// As many as `KAMAL_SECRETS_JOBS` says. 1 is for password managers whose programs ask on the terminal unexpectedly
    /// and would talk at the same time.
    pub(super) fn new(environment: &Environment) -> Self {
        let jobs = environment.get("KAMAL_SECRETS_JOBS").and_then(|jobs| jobs.parse().ok());
        Self { free: Mutex::new(jobs.map_or(MOST, NonZero::get)), freed: Condvar::new() }
    }

    /// Waits for a place.
    pub(super) fn take(&self) -> Slot<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Slot(self)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}
