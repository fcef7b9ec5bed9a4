//! Work in tasks of its own: what blocks, on threads for that, and what becomes of any.

use tokio::{runtime::Handle, task::JoinError};

use crate::error::Error;

/// Does what may block a thread. A panic goes on where this is awaited.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let runtime = Handle::try_current().map_err(|_| Error::NoRuntime)?;
    joined(runtime.spawn_blocking(work).await)
}

/// What a task came to. A panic goes on where the task is awaited.
pub(crate) fn joined<T>(task: Result<Result<T, Error>, JoinError>) -> Result<T, Error> {
    match task {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Nobody aborts it but a runtime that ends.
            Err(_) => Err(Error::NoRuntime),
        },
    }
}
