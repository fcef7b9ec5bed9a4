//! Holding requests back while a service is paused, and turning them away while it is stopped (spec 5).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::deployed::ServiceState;
use super::go_duration::GoDuration;

/// Whether a service serves, in the form of the state file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PauseState {
    /// 0 running, 1 paused, 2 stopped.
    state: u8,
    stop_message: String,
    /// How long a request waits; kept from the last pause.
    fail_after: GoDuration,
}

impl PauseState {
    pub(crate) fn state(&self) -> ServiceState {
        match self.state {
            1 => ServiceState::Paused,
            2 => ServiceState::Stopped,
            _ => ServiceState::Running,
        }
    }
}

/// The switch of one service; it outlives deploys.
#[derive(Debug)]
pub(crate) struct Pause {
    running: AtomicBool,
    state: watch::Sender<PauseState>,
}

/// What became of a request that asked to pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Proceed,
    /// Turned away, with the message for the page.
    Stopped(Arc<str>),
    /// The wait was over before the pause was.
    Expired,
}

impl Pause {
    pub(crate) fn new(state: PauseState) -> Arc<Self> {
        Arc::new(Self {
            running: AtomicBool::new(state.state() == ServiceState::Running),
            state: watch::Sender::new(state),
        })
    }

    pub(crate) fn pause(&self, fail_after: GoDuration) {
        self.change(|state| {
            state.state = 1;
            state.stop_message.clear();
            state.fail_after = fail_after;
        });
    }

    pub(crate) fn stop(&self, message: String) {
        self.change(|state| {
            state.state = 2;
            state.stop_message = message;
        });
    }

    pub(crate) fn resume(&self) {
        self.change(|state| {
            state.state = 0;
            state.stop_message.clear();
        });
    }

    pub(crate) fn state(&self) -> PauseState {
        self.state.borrow().clone()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    /// Waits for the service to run again, each request for as long as was set when it came.
    pub(crate) async fn wait(&self) -> Outcome {
        if self.is_running() {
            return Outcome::Proceed;
        }
        let mut changes = self.state.subscribe();
        let mut deadline = None;
        loop {
            {
                let state = changes.borrow_and_update();
                match state.state {
                    1 => _ = deadline.get_or_insert_with(|| Instant::now() + state.fail_after.as_std()),
                    2 => return Outcome::Stopped(state.stop_message.as_str().into()),
                    _ => return Outcome::Proceed,
                }
            }
            let deadline = deadline.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                changed = changes.changed() => if changed.is_err() { return Outcome::Expired },
                () = sleep_until(deadline) => return Outcome::Expired,
            }
        }
    }

    fn change(&self, how: impl FnOnce(&mut PauseState)) {
        self.state.send_modify(|state| {
            how(state);
            self.running.store(state.state == 0, Ordering::Release);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(pause: &Arc<Pause>) -> tokio::task::JoinHandle<Outcome> {
        let pause = Arc::clone(pause);
        tokio::spawn(async move { pause.wait().await })
    }

    // spec 11.J.168, 11.J.169, 11.J.171, 11.J.172, 11.O.234
    #[tokio::test(start_paused = true)]
    async fn held_until_resumed_or_stopped() {
        let pause = Pause::new(PauseState::default());
        assert_eq!(pause.wait().await, Outcome::Proceed);

        pause.pause(GoDuration::from_secs(10));
        let waiting = held(&pause);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        pause.resume();
        assert_eq!(waiting.await.unwrap(), Outcome::Proceed);

        pause.pause(GoDuration::from_secs(10));
        let waiting = held(&pause);
        tokio::task::yield_now().await;
        pause.stop("later".into());
        assert_eq!(waiting.await.unwrap(), Outcome::Stopped("later".into()));
        assert_eq!(pause.wait().await, Outcome::Stopped("later".into()));
        assert_eq!(pause.state().state(), ServiceState::Stopped);
    }

    // spec 11.J.170, 11.O.234
    #[tokio::test(start_paused = true)]
    async fn a_request_waits_for_as_long_as_was_set_when_it_came() {
        let pause = Pause::new(PauseState::default());
        pause.pause(GoDuration::from_secs(1));
        let start = Instant::now();
        let waiting = held(&pause);
        tokio::task::yield_now().await;
        pause.pause(GoDuration::from_secs(100));
        assert_eq!(waiting.await.unwrap(), Outcome::Expired);
        assert_eq!(start.elapsed().as_secs(), 1);
    }
}
