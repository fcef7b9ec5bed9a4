//! What a target says before its answer, such as 103 Early Hints (RFC 8297), on its way to the client.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, StatusCode, Version};

use crate::server::wire::fields;

/// Bytes of hints that may wait; what comes beyond them is not passed on, as it may be left out.
const MOST: usize = 64 * 1024;

/// Hints that wait to be written, ready as bytes.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    some: AtomicBool,
    waiting: Mutex<Vec<u8>>,
}

impl Hints {
    /// Lets the task that serves the connection pass a hint on. It is the one that asks the target, so it need not be
    /// woken.
    pub(crate) fn push(&self, status: StatusCode, headers: &HeaderMap) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST {
            fields::status_line(Version::HTTP_11, status, None, &mut waiting);
            fields::write(headers, &mut waiting);
            waiting.extend_from_slice(b"\r\n");
            self.some.store(true, Ordering::Release);
        }
    }

    /// Appends what waits, unless there is enough already: a client need not read as fast as a target talks.
    pub(super) fn take(&self, out: &mut Vec<u8>) {
        if out.len() < MOST && self.some.load(Ordering::Acquire) {
            self.some.store(false, Ordering::Release);
            out.append(&mut std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner)));
        }
    }
}
