//! A request to stop, as a value: the command line turns Ctrl-C into one, an embedder whatever it likes.

use futures_util::{
    FutureExt,
    future::{BoxFuture, Either, Shared, select},
};

/// A request to stop. Clones are the same request.
#[derive(Clone)]
pub struct Cancel(Shared<BoxFuture<'static, ()>>);

impl Cancel {
    /// A request that comes when the future ends.
    pub fn when(requested: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(requested.boxed().shared())
    }

    /// A request that never comes.
    #[must_use]
    pub fn never() -> Self {
        Self::when(std::future::pending())
    }

    /// True once it has come.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.0.clone().now_or_never().is_some()
    }

    /// Waits until it comes.
    pub async fn wait(&self) {
        self.0.clone().await;
    }

    /// Runs a future unless the request comes first; the future is dropped then.
    pub async fn guard<T>(&self, future: impl Future<Output = T> + Send) -> Option<T> {
        match select(self.0.clone(), std::pin::pin!(future)).await {
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
