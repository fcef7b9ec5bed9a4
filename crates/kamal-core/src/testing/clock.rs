//! Virtual time: a sleep costs nothing, and a future that waits for something that can no longer happen is found at
//! once rather than by a timeout.
//!
//! [`VirtualClock::drive`] runs a future and lets time pass whenever it waits. Where somebody else runs it, a runtime for
//! instance, time passes by itself: whoever sleeps and is the next to wake lets all others have their turns, and when
//! nobody has begun to sleep meanwhile, it is time. Sleeps end in the order they are due and none ends early, on any
//! number of threads; only of what does not sleep, and goes on for long on another thread, it is not known that it is
//! still at work.

use std::{
    collections::BTreeMap,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::ports::Clock;

/// Seconds of the epoch at which every simulation begins: 2026-01-01T00:00:00Z.
const BEGINNING: Duration = Duration::from_secs(1_767_225_600);

/// How much virtual time an operation may take before it counts as stuck.
const FOR_EVER: Duration = Duration::from_secs(7 * 24 * 3600);

/// How often others have a turn before whoever is next lets time pass.
const TURNS: u32 = 32;

/// Time that passes only while everybody waits. Clones show the same time.
#[derive(Clone, Default)]
pub struct VirtualClock(Arc<Mutex<Time>>);

#[derive(Default)]
struct Time {
    now: Duration,
    next: u64,
    timers: BTreeMap<Key, Timer>,
    /// How many are at work in [`VirtualClock::drive`].
    drivers: usize,
}

type Key = (Duration, u64);

enum Timer {
    Wake(Waker),
    Act(Box<dyn FnOnce() + Send>),
}

/// A future waits for something that cannot happen any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stalled after {0:?} of virtual time: everybody waits and nothing is going to happen")]
pub struct Stalled(pub Duration);

impl VirtualClock {
    /// Runs a future to its end, letting time pass whenever it waits.
    ///
    /// # Errors
    ///
    /// When everybody waits for something that can no longer happen.
    pub fn drive<T>(&self, future: impl Future<Output = T>) -> Result<T, Stalled> {
        self.time().drivers += 1;
        let _driver = Driver(self);
        let mut future = pin!(future);
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        let limit = self.elapsed() + FOR_EVER;
        loop {
            while woken.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return Ok(value);
                }
            }
            if !self.advance() || self.elapsed() > limit {
                return Err(Stalled(self.elapsed()));
            }
        }
    }

    /// Lets everything happen that is due at some time.
    pub fn settle(&self) {
        while self.advance() {}
    }

    /// Does something later, whether or not anybody waits for it.
    pub fn after(&self, delay: Duration, act: impl FnOnce() + Send + 'static) {
        let mut time = self.time();
        let key = time.key(delay);
        time.timers.insert(key, Timer::Act(Box::new(act)));
    }

    /// Goes to the next timer and fires it; false when there is none.
    fn advance(&self) -> bool {
        let timer = {
            let mut time = self.time();
            let Some(((at, _), timer)) = time.timers.pop_first() else { return false };
            time.now = time.now.max(at);
            timer
        };
        match timer {
            Timer::Wake(waker) => waker.wake(),
            Timer::Act(act) => act(),
        }
        true
    }

    /// Wakes whoever sleeps and is next, where nobody drives.
    fn pass_on(&self) {
        let time = self.time();
        if time.drivers > 0 {
            return;
        }
        let next = time.sleepers().next().map(|(_, waker)| waker.clone());
        // Waking may take a turn at once.
        drop(time);
        next.into_iter().for_each(Waker::wake);
    }

    /// Lets time pass until then, and everything happen that is due before.
    fn pass(&self, until: Key) {
        loop {
            let mut time = self.time();
            match time.timers.first_entry() {
                Some(first) if *first.key() < until && matches!(first.get(), Timer::Act(_)) => {
                    let ((at, _), timer) = first.remove_entry();
                    time.now = time.now.max(at);
                    drop(time);
                    if let Timer::Act(act) = timer {
                        act();
                    }
                }
                _ => {
                    time.now = time.now.max(until.0);
                    return;
                }
            }
        }
    }

    fn time(&self) -> MutexGuard<'_, Time> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Time {
    fn key(&mut self, delay: Duration) -> Key {
        self.next += 1;
        (self.now + delay, self.next)
    }

    /// Who sleeps, the next to wake first.
    fn sleepers(&self) -> impl Iterator<Item = (Key, &Waker)> {
        self.timers.iter().filter_map(|(key, timer)| match timer {
            Timer::Wake(waker) => Some((*key, waker)),
            Timer::Act(_) => None,
        })
    }
}

/// Ends driving, in whatever way it ends.
struct Driver<'c>(&'c VirtualClock);

impl Drop for Driver<'_> {
    fn drop(&mut self) {
        self.0.time().drivers -= 1;
        self.0.pass_on();
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + BEGINNING + self.elapsed()
    }

    fn elapsed(&self) -> Duration {
        self.time().now
    }

    async fn sleep(&self, duration: Duration) {
        let key = self.time().key(duration);
        Sleep { clock: self, key, turns: 0, begun: 0 }.await;
    }
}

impl std::fmt::Debug for VirtualClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VirtualClock({:?})", self.elapsed())
    }
}

struct Sleep<'c> {
    clock: &'c VirtualClock,
    key: Key,
    /// How many turns the others had since this is the next to wake.
    turns: u32,
    /// How many sleeps had begun by then.
    begun: u64,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut time = self.clock.time();
        if time.now >= self.key.0 {
            return Poll::Ready(());
        }
        time.timers.insert(self.key, Timer::Wake(cx.waker().clone()));
        let is_next = time.sleepers().next().is_some_and(|(key, _)| key == self.key);
        if time.drivers > 0 || !is_next {
            return Poll::Pending;
        }
        if self.begun != time.next {
            (self.begun, self.turns) = (time.next, 0);
        }
        drop(time);
        self.turns += 1;
        if self.turns > TURNS {
            self.clock.pass(self.key);
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        let mut time = self.clock.time();
        time.timers.remove(&self.key);
        drop(time);
        self.clock.pass_on();
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::{join, pending, select};

    #[test]
    fn sleeps_end_in_the_order_they_are_due_and_cost_nothing() {
        let clock = VirtualClock::default();
        let ends = Mutex::new(Vec::new());
        let nap = async |seconds: u64| {
            clock.sleep(Duration::from_secs(seconds)).await;
            ends.lock().unwrap().push(seconds);
        };
        clock.drive(join(nap(3600), nap(5))).unwrap();
        assert_eq!(*ends.lock().unwrap(), [5, 3600]);
        assert_eq!(clock.elapsed(), Duration::from_secs(3600));
        assert_eq!(clock.now().to_string(), "2026-01-01T01:00:00Z");
    }

    #[test]
    fn a_future_that_waits_for_ever_is_a_stall() {
        let clock = VirtualClock::default();
        assert_eq!(clock.drive(pending::<()>()), Err(Stalled(Duration::ZERO)));
        let polling = async {
            loop {
                clock.sleep(Duration::from_secs(3600)).await;
            }
        };
        assert!(clock.drive::<()>(polling).is_err());
    }

    #[test]
    fn a_dropped_sleep_does_not_keep_the_clock_going() {
        let clock = VirtualClock::default();
        let (short, long) = (clock.sleep(Duration::from_secs(1)), clock.sleep(Duration::from_secs(60)));
        drop(clock.drive(select(short, long)).unwrap());
        clock.settle();
        assert_eq!(clock.elapsed(), Duration::from_secs(1));
    }
}
