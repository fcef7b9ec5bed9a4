//! A request to stop, as a value: the command line turns Ctrl-C into one, an embedder whatever it likes.

use std::sync::{Arc, Mutex, PoisonError};

use futures_channel::oneshot;
use futures_util::{
    FutureExt,
    future::{BoxFuture, Either, Shared, select},
};

/// A request to stop. Clones are the same request.
#[derive(Clone)]
pub struct Cancel {
    asked: StopSignal,
    insisted: StopSignal,
}

type StopSignal = Shared<BoxFuture<'static, ()>>;

/// Makes a request to stop. Clones make the same one; when all are dropped unused, it never comes.
#[derive(Clone, Debug)]
pub struct Canceller {
    ask: Sender,
    insist: Sender,
}

#[derive(Clone, Debug)]
struct Sender(Arc<Mutex<Option<oneshot::Sender<()>>>>);

impl Canceller {
    /// Asks to stop. Asking again changes nothing.
    pub fn cancel(&self) {
        self.ask.send();
    }

    /// Insists on an end within a second: nothing that has begun is waited for, and the hosts are left as they are, but the
    /// deploy lock is given back if there is time for it.
    pub fn insist(&self) {
        self.ask.send();
        self.insist.send();
    }
}

impl Sender {
    /// Someone who asks, and the asking, which never comes when it no longer can.
    fn pair() -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (sender, receiver) = oneshot::channel::<()>();
        let asked = async move {
            if receiver.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        (Self(Arc::new(Mutex::new(Some(sender)))), asked)
    }

    fn send(&self) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Nobody may listen any more.
        sender.and_then(|sender| sender.send(()).ok());
    }
}

impl Cancel {
    /// A request and who makes it. It needs no runtime: it can be made on any thread, and waited for on any.
    ///
    /// ```
    /// use kamal_core::cancel::Cancel;
    ///
    /// let (canceller, cancel) = Cancel::pair();
    /// assert!(!cancel.requested());
    /// canceller.cancel();
    /// assert!(cancel.requested());
    /// ```
    #[must_use]
    pub fn pair() -> (Canceller, Self) {
        let ((ask, asked), (insist, insisted)) = (Sender::pair(), Sender::pair());
        (Canceller { ask, insist }, Self::when(asked).insisting(insisted))
    }

    /// A request that comes when the future ends.
    pub fn when(requested: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { asked: requested.boxed().shared(), insisted: std::future::pending().boxed().shared() }
    }

    /// The same request, on which somebody insists when the future ends ([`Canceller::insist`]).
    #[must_use]
    pub fn insisting(mut self, insisted: impl Future<Output = ()> + Send + 'static) -> Self {
        self.insisted = insisted.boxed().shared();
        self
    }

    /// A request that never comes.
    #[must_use]
    pub fn never() -> Self {
        Self::when(std::future::pending())
    }

    /// True once it has come.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.asked.clone().now_or_never().is_some()
    }

    /// True once somebody insists on it.
    #[must_use]
    pub fn insisted(&self) -> bool {
        self.insisted.clone().now_or_never().is_some()
    }

    /// Waits until it comes.
    pub async fn wait(&self) {
        self.asked.clone().await;
    }

    /// Waits until somebody insists on it.
    pub async fn wait_for_insistence(&self) {
        self.insisted.clone().await;
    }

    /// Runs a future unless the request comes first; the future is dropped then.
    pub async fn guard<T>(&self, future: impl Future<Output = T> + Send) -> Option<T> {
        match select(self.asked.clone(), std::pin::pin!(future)).await {
            Either::Left(((), _)) => None,
            Either::Right((value, _)) => Some(value),
        }
    }
}

impl std::fmt::Debug for Cancel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cancel {{ requested: {} }}", self.requested())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_hears_of_it_and_a_dropped_canceller_asks_for_nothing() {
        let (canceller, cancel) = Cancel::pair();
        let other = canceller.clone();
        assert_eq!(cancel.wait().now_or_never(), None);
        drop(canceller);
        other.cancel();
        other.cancel();
        assert_eq!(cancel.clone().wait().now_or_never(), Some(()));

        let (canceller, cancel) = Cancel::pair();
        drop(canceller);
        assert_eq!((cancel.requested(), cancel.wait().now_or_never()), (false, None));
    }
}
