//! The log: one JSON object per line on standard output, in the shape of Go's `slog` (spec 9.1).
//!
//! Lines go through a bounded queue to a thread that writes them in batches, so that a slow reader of standard output
//! never holds up a request. When the queue is full, lines are dropped and counted, and the count is logged.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

/// Lines waiting for the writer; at some 500 bytes each this is 8 MiB at worst.
const QUEUE: usize = 16 * 1024;
/// Bytes written at once.
const BATCH: usize = 64 * 1024;
/// After writing, the writer lets lines gather. One that waits at the queue is woken for nearly every line: two futex
/// calls a request, half of the time under load spent in the kernel. The queue has room for a million lines a second.
const GATHER: Duration = Duration::from_millis(10);

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// A handle on the log; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: SyncSender<Entry>,
    lowest: Level,
    dropped: AtomicU64,
}

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    /// Asks the writer to answer once everything before it is written.
    Flush(SyncSender<()>),
}

impl Log {
    /// Starts the writer thread; lines below `lowest` are not written.
    pub(crate) fn start(lowest: Level, out: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, lines) = sync_channel(QUEUE);
        thread::Builder::new().name("log".into()).spawn(move || write_all(&lines, out))?;
        Ok(Self(Arc::new(Inner { queue, lowest, dropped: AtomicU64::new(0) })))
    }

    pub(crate) fn debug(&self, message: &str, attributes: &[(&str, Value)]) {
        self.event(Level::Debug, message, attributes);
    }

    pub(crate) fn info(&self, message: &str, attributes: &[(&str, Value)]) {
        self.event(Level::Info, message, attributes);
    }

    pub(crate) fn warn(&self, message: &str, attributes: &[(&str, Value)]) {
        self.event(Level::Warn, message, attributes);
    }

    pub(crate) fn error(&self, message: &str, attributes: &[(&str, Value)]) {
        self.event(Level::Error, message, attributes);
    }

    fn event(&self, level: Level, message: &str, attributes: &[(&str, Value)]) {
        if level < self.0.lowest {
            return;
        }
        let mut line = Line::new(level, message);
        for (key, value) in attributes {
            line.value(key, value);
        }
        self.send(line);
    }

    /// Queues a finished line.
    pub(crate) fn send(&self, line: Line) {
        let dropped = self.0.dropped.load(Ordering::Relaxed);
        if dropped > 0 && self.0.dropped.compare_exchange(dropped, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let mut note = Line::new(Level::Warn, "Log lines dropped");
            note.value("count", &Value::from(dropped));
            if self.0.queue.try_send(Entry::Line(note.finish())).is_err() {
                self.0.dropped.fetch_add(dropped, Ordering::Relaxed);
            }
        }
        if let Err(TrySendError::Full(_)) = self.0.queue.try_send(Entry::Line(line.finish())) {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything queued so far has been written.
    pub(crate) fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.0.queue.send(Entry::Flush(done)).is_ok() {
            let _ = wait.recv();
        }
    }
}

fn write_all(lines: &Receiver<Entry>, mut out: impl Write) {
    let mut batch = Vec::with_capacity(BATCH);
    while let Ok(first) = lines.recv() {
        let mut next = Some(first);
        while let Some(entry) = next {
            match entry {
                Entry::Line(line) => batch.extend_from_slice(&line),
                Entry::Flush(done) => {
                    write_batch(&mut batch, &mut out);
                    let _ = done.send(());
                }
            }
            next = if batch.len() < BATCH { lines.try_recv().ok() } else { None };
        }
        let full = batch.len() >= BATCH;
        write_batch(&mut batch, &mut out);
        if !full {
            thread::sleep(GATHER);
        }
    }
}

/// A closed standard output is no reason to stop serving, so errors are passed over.
fn write_batch(batch: &mut Vec<u8>, out: &mut impl Write) {
    if !batch.is_empty() {
        let _ = out.write_all(batch).and_then(|()| out.flush());
        batch.clear();
    }
}

thread_local! {
    /// The last second a line was written in, and how that is written.
    static SECOND: Cell<(i64, [u8; 19])> = const { Cell::new((i64::MIN, [b'0'; 19])) };
}

/// One line under construction: `time`, `level`, `msg`, then attributes in the order they are added.
#[derive(Debug)]
pub(crate) struct Line(Vec<u8>);

impl Line {
    pub(crate) fn new(level: Level, message: &str) -> Self {
        let mut line = Self(Vec::with_capacity(640));
        line.0.extend_from_slice(b"{\"time\":\"");
        line.now();
        line.0.extend_from_slice(b"\",\"level\":\"");
        line.0.extend_from_slice(level.name().as_bytes());
        line.0.extend_from_slice(b"\",\"msg\":");
        line.text(message);
        line
    }

    pub(crate) fn str(&mut self, key: &str, value: &str) {
        self.key(key);
        self.text(value);
    }

    pub(crate) fn int(&mut self, key: &str, value: i64) {
        self.key(key);
        let _ = serde_json::to_writer(&mut self.0, &value);
    }

    fn value(&mut self, key: &str, value: &Value) {
        self.key(key);
        let _ = write!(self.0, "{value}");
    }

    /// Keys are names, in which nothing needs escaping.
    fn key(&mut self, key: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn text(&mut self, text: &str) {
        let special = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
        // Looks at all of it, which is faster than to stop at the first.
        if text.bytes().fold(false, |found, byte| found | special(byte)) {
            // Writing to memory cannot fail, and a string always serialises.
            let _ = serde_json::to_writer(&mut self.0, text);
        } else {
            self.0.push(b'"');
            self.0.extend_from_slice(text.as_bytes());
            self.0.push(b'"');
        }
    }

    /// The time of day changes with every line, the rest of it once a second.
    fn now(&mut self) {
        let now = Timestamp::now();
        let seconds = SECOND.with(|kept| {
            let (second, mut text) = kept.get();
            if second != now.as_second() {
                // `2026-11-24T03:28:46Z`; the year has four digits for another while.
                let whole = Timestamp::from_second(now.as_second()).unwrap_or(now).to_string();
                text = whole.as_bytes().first_chunk().copied().unwrap_or(text);
                kept.set((now.as_second(), text));
            }
            text
        });
        self.0.extend_from_slice(&seconds);
        let mut fraction = *b".000000000Z";
        let mut rest = now.subsec_nanosecond().unsigned_abs();
        for digit in fraction[1..10].iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
        }
        self.0.extend_from_slice(&fraction);
    }

    fn finish(mut self) -> Vec<u8> {
        self.0.extend_from_slice(b"}\n");
        self.0
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;

    use super::*;

    /// An output that can be read back.
    #[derive(Clone, Default)]
    pub(crate) struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Sink {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_json_in_order_and_below_the_level_they_are_left_out() {
        let sink = Sink::default();
        let log = Log::start(Level::Info, sink.clone()).unwrap();
        log.debug("hidden", &[]);
        log.info("Deployed", &[("service", "a\"b<c>".into()), ("hosts", vec!["x", ""].into()), ("tls", false.into())]);
        log.flush();
        let text = sink.text();
        assert!(text.starts_with("{\"time\":\"20"), "{text}");
        assert!(
            text.ends_with(
                "Z\",\"level\":\"INFO\",\"msg\":\"Deployed\",\"service\":\"a\\\"b<c>\",\"hosts\":[\"x\",\"\"],\"tls\":false}\n"
            ),
            "{text}"
        );
    }

    /// An output nobody reads.
    struct Stuck(Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_reader_holds_nobody_up() {
        let (release, held) = sync_channel(0);
        let log = Log::start(Level::Info, Stuck(held)).unwrap();
        for _ in 0..QUEUE * 2 {
            log.info("x", &[]);
        }
        assert!(log.0.dropped.load(Ordering::Relaxed) > 0);
        drop(release);
        log.flush();
    }
}
