//! Work that blocks, on threads for that.

use tokio::runtime::Handle;

use crate::error::Error;

/// Does what may block a thread. A panic goes on where this is awaited.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let runtime = Handle::try_current().map_err(|_| Error::NoRuntime)?;
    match runtime.spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Nobody aborts it but a runtime that ends.
            Err(_) => Err(Error::NoRuntime),
        },
    }
}
