//! Memory for the heads of one connection's requests, over HTTP/2 and HTTP/3: compressed, a few bytes stand for as many as
//! their sender likes.

use http::HeaderMap;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::server::wire::fields;

/// Bytes of all that are kept at the same time.
const KEPT: usize = 8 * 1024 * 1024;
/// Bytes of those on their way to targets at the same time, of the ones that are no small matter.
const ON_THEIR_WAY: usize = 512 * 1024;
/// Bytes of one that is a small matter.
const SMALL: usize = 16 * 1024;
/// What a header takes besides its name and its value.
const EACH: usize = 112;

/// What is left of it.
#[derive(Debug)]
pub(super) struct Heads {
    kept: Semaphore,
    on_their_way: Semaphore,
}

impl Default for Heads {
    fn default() -> Self {
        Self { kept: Semaphore::new(KEPT), on_their_way: Semaphore::new(ON_THEIR_WAY) }
    }
}

impl Heads {
    /// Room for a head that has come; `None` where too many are kept already.
    pub(super) fn keep(&self, headers: &HeaderMap) -> Option<SemaphorePermit<'_>> {
        let size = fields::length(headers) + headers.len() * EACH;
        self.kept.try_acquire_many(u32::try_from(size).ok()?).ok()
    }

    /// Waits until a head may go on its way; a small one may at once.
    pub(super) async fn send(&self, headers: &HeaderMap) -> Option<SemaphorePermit<'_>> {
        let length = fields::length(headers);
        if length <= SMALL {
            return None;
        }
        // Never closed.
        self.on_their_way.acquire_many(u32::try_from(length.min(ON_THEIR_WAY)).ok()?).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::poll;
    use http::HeaderValue;

    use super::*;

    fn head(count: usize, value: &str) -> HeaderMap {
        (0..count).map(|_| (http::header::COOKIE, HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn many_headers_of_nothing_take_room_too() {
        let heads = Heads::default();
        let (few, many) = (head(20, "0123456789"), head(3800, "x"));
        let kept: Vec<_> = (0..250).map_while(|_| heads.keep(&few)).collect();
        assert_eq!(kept.len(), 250);
        let kept = std::iter::repeat_with(|| heads.keep(&many)).map_while(|kept| kept).collect::<Vec<_>>();
        assert!(kept.len() < 20, "{}", kept.len());
        drop(kept);
        assert!(heads.keep(&many).is_some());
    }

    #[tokio::test]
    async fn large_ones_wait_for_each_other() {
        let (heads, large) = (Heads::default(), head(1, &"x".repeat(200 * 1024)));
        let first = heads.send(&large).await;
        let _second = heads.send(&large).await;
        let mut third = pin!(heads.send(&large));
        assert!(poll!(third.as_mut()).is_pending());
        assert!(heads.send(&head(1, "small")).await.is_none());
        drop(first);
        assert!(poll!(third.as_mut()).is_ready());
    }
}
