//! What is the caller's own may panic: that is a refusal like any other, after which hosts are led back and the deploy lock is
//! given back, rather than the end of everything in the middle of it.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;

use crate::ports::Refusal;

/// Makes a panic a refusal that says what it said.
pub(super) async fn refusing<T>(own: impl Future<Output = Result<T, Refusal>> + Send) -> Result<T, Refusal> {
    AssertUnwindSafe(own).catch_unwind().await.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Err(format!("it panicked: {}", text.unwrap_or("without a text")).into())
    })
}
