//! What a target says before its answer, such as 103 Early EarlyHints (RFC 8297), on its way to the client.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, Response, StatusCode, Version};

use super::wire::fields;

/// EarlyHints that may wait, and bytes of one; what comes beyond them is not passed on, as it may be left out.
const WAITING: usize = 16;
const LONGEST: usize = 16 * 1024;
/// Those that are passed on before one answer, where each of them is a message of its own.
pub(crate) const MOST: usize = 64;

/// One of them.
#[derive(Debug)]
pub(crate) struct Hint {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
}

/// EarlyHints that wait to be written.
#[derive(Debug, Default)]
pub(crate) struct EarlyHints {
    some: AtomicBool,
    waiting: Mutex<Vec<Hint>>,
}

impl Hint {
    /// Appends it as HTTP/1.1 has it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        fields::status_line(Version::HTTP_11, self.status, None, out);
        fields::write(&self.headers, out);
        out.extend_from_slice(b"\r\n");
    }
}

impl From<Hint> for Response<()> {
    fn from(hint: Hint) -> Self {
        let mut response = Self::new(());
        *response.status_mut() = hint.status;
        *response.headers_mut() = hint.headers;
        response
    }
}

impl EarlyHints {
    /// Lets the task that serves the client pass a hint on. It is the one that asks the target, so it need not be woken.
    pub(crate) fn push(&self, status: StatusCode, headers: HeaderMap) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING && fields::length(&headers) <= LONGEST {
            waiting.push(Hint { status, headers });
            self.some.store(true, Ordering::Release);
        }
    }

    /// What waits by now.
    pub(crate) fn take(&self) -> Vec<Hint> {
        // Asked at every turn, and there is nearly never one.
        if !self.some.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.some.store(false, Ordering::Release);
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
