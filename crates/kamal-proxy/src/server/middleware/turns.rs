//! So many at the same time. Among those who wait the latest is next, and the earliest is given up where too many do: who
//! makes a crowd waits behind it himself, and who comes later is not held up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// How many may wait.
const MOST: usize = 1024;

/// The turns there are.
#[derive(Debug)]
pub(super) struct Turns(Mutex<State>);

#[derive(Debug)]
struct State {
    free: usize,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

/// One of them, given back when dropped.
#[derive(Debug)]
pub(super) struct Turn(Option<Arc<Turns>>);

impl Turns {
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { free: count, waiting: VecDeque::new() })))
    }

    /// Waits for a turn; `None` where so many came since that it will not come.
    pub(super) async fn take(self: &Arc<Self>) -> Option<Turn> {
        let turn = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Some(Turn(Some(Arc::clone(self))));
            }
            if state.waiting.len() >= MOST {
                state.waiting.pop_front();
            }
            let (sender, turn) = oneshot::channel();
            state.waiting.push_back(sender);
            turn
        };
        turn.await.ok()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(mut turns) = self.0.take() else { return };
        loop {
            let mut state = turns.lock();
            let Some(next) = state.waiting.pop_back() else {
                state.free += 1;
                return;
            };
            drop(state);
            match next.send(Turn(Some(turns))) {
                Ok(()) => return,
                // That one waits no more.
                Err(mut turn) => match turn.0.take() {
                    Some(back) => turns = back,
                    None => return,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn the_latest_is_next_and_no_turn_is_lost() {
        let turns = Turns::new(1);
        let first = turns.take().await.unwrap();
        let mut early = pin!(turns.take());
        let mut late = pin!(turns.take());
        assert!(poll!(early.as_mut()).is_pending() && poll!(late.as_mut()).is_pending());
        {
            let mut gone = pin!(turns.take());
            assert!(poll!(gone.as_mut()).is_pending());
        }
        drop(first);
        let turn = late.await.unwrap();
        assert!(poll!(early.as_mut()).is_pending());
        drop(turn);
        drop(early.await.unwrap());
        assert_eq!(turns.lock().free, 1);
    }

    #[tokio::test]
    async fn the_earliest_of_too_many_is_given_up() {
        let turns = Turns::new(1);
        let _held = turns.take().await.unwrap();
        let mut earliest = pin!(turns.take());
        assert!(poll!(earliest.as_mut()).is_pending());
        let mut others: Vec<_> = (0..MOST).map(|_| Box::pin(turns.take())).collect();
        for other in &mut others {
            assert!(poll!(other.as_mut()).is_pending());
        }
        assert!(earliest.await.is_none());
    }
}
