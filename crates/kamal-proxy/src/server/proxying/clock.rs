//! Clocks for the time a target has to answer.
//!
//! Nearly every one of them is thrown away before it has run out. To the runtime, making one for each request and taking
//! it back are two walks through its timers under their lock; setting one that runs to a later time is the change of a
//! number. So they are kept, on the thread they were made on. A clock belongs to a runtime, so only threads that never
//! have another one keep any.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// Clocks kept by a thread. One that is kept holds on to the task it woke or would have woken until it runs out.
const KEPT: usize = 512;

thread_local! {
    /// `None` where this thread keeps none.
    static CLOCKS: RefCell<Option<Vec<Pin<Box<Sleep>>>>> = const { RefCell::new(None) };
}

/// Begins to keep clocks on this thread, which must not serve any runtime but one.
pub(crate) fn keep_here() {
    CLOCKS.set(Some(Vec::new()));
}

/// Resolves when its time is over.
#[derive(Debug)]
pub(super) struct Clock(Option<Pin<Box<Sleep>>>);

impl Clock {
    pub(super) fn set(time: Duration) -> Self {
        let kept = CLOCKS.with_borrow_mut(|clocks| clocks.as_mut().and_then(Vec::pop));
        Self(Some(match kept {
            Some(mut clock) => {
                clock.as_mut().reset(Instant::now() + time);
                clock
            }
            None => Box::pin(sleep(time)),
        }))
    }
}

impl Future for Clock {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().map_or(Poll::Ready(()), |clock| clock.as_mut().poll(cx))
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        let Some(clock) = self.0.take() else { return };
        // At the end of a thread there is nowhere left to keep it.
        let _ = CLOCKS.try_with(|clocks| {
            if let Some(clocks) = clocks.borrow_mut().as_mut().filter(|clocks| clocks.len() < KEPT) {
                clocks.push(clock);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_used_again_keeps_the_time() {
        keep_here();
        for seconds in [30, 10, 60, 10] {
            let begun = Instant::now();
            Clock::set(Duration::from_secs(seconds)).await;
            assert_eq!(begun.elapsed().as_secs(), seconds);
            // Given back before it ran out.
            drop(Clock::set(Duration::from_secs(20)));
            assert!(CLOCKS.with_borrow(|clocks| clocks.as_ref().is_some_and(|clocks| clocks.len() == 1)));
        }
    }

    // The runtime of a test, or of whoever embeds the proxy, may end before its thread does.
    #[test]
    fn a_clock_is_of_no_runtime_but_its_own() {
        for _ in 0..2 {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async { Clock::set(Duration::from_millis(1)).await });
        }
    }
}
