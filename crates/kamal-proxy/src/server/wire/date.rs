//! The time as headers have it (RFC 9110, 5.6.7).

use std::cell::RefCell;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

thread_local! {
    /// The second, and how it is written: a thread answers many requests in one.
    static NOW: RefCell<(i64, String)> = const { RefCell::new((0, String::new())) };
}

/// Shows the time, written out.
pub(in crate::server) fn with_now<T>(show: impl FnOnce(&str) -> T) -> T {
    let now = Timestamp::now();
    NOW.with_borrow_mut(|(second, text)| {
        if *second != now.as_second() || text.is_empty() {
            // Only years beyond four digits cannot be written.
            *text = DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap_or_default();
            *second = now.as_second();
        }
        show(text)
    })
}
