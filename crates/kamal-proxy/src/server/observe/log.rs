//! The log: one JSON object per line, in the shape of Go's `slog` (spec 9.1).
//!
//! Lines are put into buffers from which a thread writes them in batches, so that a slow reader never
//! holds up a request. When a buffer is full, lines are dropped and counted, and the count is logged. Each thread has a
//! buffer of its own: its lines are in order, those of different threads by batches.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

const SHARDS: usize = 16;
/// Bytes that may wait in one buffer.
const MOST: usize = 2 * 1024 * 1024;
/// Bytes of one text in a line.
const LONGEST: usize = 4 * 1024;
/// What an emptied buffer may keep of its room.
const KEPT: usize = 64 * 1024;
/// How long the writer lets lines gather. One that is woken for each line costs two futex calls a request: half of the
/// time under load spent in the kernel.
const GATHER: Duration = Duration::from_millis(10);

/// How much a line of the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Level {
    /// What only whoever looks for a fault wants to read.
    Debug,
    /// A line per request, and what commands did.
    Info,
    /// What went wrong and was got over.
    Warn,
    /// What was not done.
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

/// The log ends with its last handle.
#[derive(Debug)]
struct Inner {
    lines: Arc<Lines>,
    /// `None` where nobody wants to read it.
    writer: Option<Writer>,
    lowest: Level,
}

#[derive(Debug)]
struct Writer {
    thread: Thread,
    /// Until the log was closed.
    end: Mutex<Option<JoinHandle<()>>>,
}

/// What is between those who log and the writer.
#[derive(Debug, Default)]
struct Lines {
    shards: [Mutex<Vec<u8>>; SHARDS],
    dropped: AtomicU64,
    /// Whether the writer has to be woken for a line.
    idle: AtomicBool,
    closed: AtomicBool,
}

thread_local! {
    /// The number of the buffer this thread uses, in whichever log.
    static SHARD: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS
    };
}

impl Log {
    /// Starts the writer thread; lines below `lowest` are not written.
    pub(crate) fn start(lowest: Level, out: impl Write + Send + 'static) -> io::Result<Self> {
        let lines = Arc::new(Lines::default());
        let theirs = Arc::clone(&lines);
        let writer = thread::Builder::new().name("log".into()).spawn(move || write_all(&theirs, out))?;
        let writer = Writer { thread: writer.thread().clone(), end: Mutex::new(Some(writer)) };
        Ok(Self(Arc::new(Inner { lines, writer: Some(writer), lowest })))
    }

    /// A log nobody reads.
    pub(crate) fn none() -> Self {
        Self(Arc::new(Inner { lines: Arc::default(), writer: None, lowest: Level::Error }))
    }

    /// Whether lines of a level are written.
    pub(crate) fn takes(&self, level: Level) -> bool {
        self.0.writer.is_some() && level >= self.0.lowest
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
        if !self.takes(level) {
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
        let Inner { lines, writer: Some(writer), .. } = &*self.0 else { return };
        let dropped = lines.dropped.load(Ordering::Relaxed);
        if dropped > 0 && lines.dropped.compare_exchange(dropped, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let mut note = Line::new(Level::Warn, "Log lines dropped");
            note.value("count", &Value::from(dropped));
            if !lines.add(&note.finish()) {
                lines.dropped.fetch_add(dropped, Ordering::Relaxed);
            }
        }
        if !lines.add(&line.finish()) {
            lines.dropped.fetch_add(1, Ordering::Relaxed);
        }
        // The writer says that it is idle before it looks for the last time: one of the two sees the other.
        if lines.idle.load(Ordering::SeqCst) {
            writer.thread.unpark();
        }
    }

    /// Waits until everything queued so far has been written, and the writer has ended. What comes later is lost.
    pub(crate) fn close(&self) {
        let Inner { lines, writer: Some(writer), .. } = &*self.0 else { return };
        lines.closed.store(true, Ordering::SeqCst);
        writer.thread.unpark();
        if let Some(end) = writer.end.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // One that panicked, as whoever is written to did, has ended as well.
            let _ = end.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.lines.closed.store(true, Ordering::SeqCst);
        self.writer.iter().for_each(|writer| writer.thread.unpark());
    }
}

impl Lines {
    /// Whether there was room.
    fn add(&self, line: &[u8]) -> bool {
        let mut shard = self.shards[SHARD.with(|shard| *shard)].lock().unwrap_or_else(PoisonError::into_inner);
        let room = shard.len() + line.len() <= MOST;
        if room {
            shard.extend_from_slice(line);
        }
        room
    }

    /// Writes what there is; gives back whether there was anything.
    fn write(&self, batch: &mut Vec<u8>, out: &mut impl Write) -> bool {
        let mut any = false;
        for shard in &self.shards {
            std::mem::swap(batch, &mut *shard.lock().unwrap_or_else(PoisonError::into_inner));
            if !batch.is_empty() {
                any = true;
                // That nobody can read it is no reason to stop serving.
                let _ = out.write_all(batch).and_then(|()| out.flush());
                batch.clear();
                batch.shrink_to(KEPT);
            }
        }
        any
    }
}

fn write_all(lines: &Lines, mut out: impl Write) {
    let mut batch = Vec::new();
    loop {
        let closed = lines.closed.load(Ordering::SeqCst);
        let wrote = lines.write(&mut batch, &mut out);
        if closed {
            return;
        }
        if wrote {
            lines.idle.store(false, Ordering::SeqCst);
            thread::park_timeout(GATHER);
        } else if lines.idle.swap(true, Ordering::SeqCst) {
            // Idle was said and nothing has come since.
            thread::park();
            lines.idle.store(false, Ordering::SeqCst);
        }
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

    /// A number as a text.
    pub(crate) fn digits(&mut self, key: &str, number: u16) {
        self.key(key);
        self.0.push(b'"');
        let _ = serde_json::to_writer(&mut self.0, &number);
        self.0.push(b'"');
    }

    fn value(&mut self, key: &str, value: &Value) {
        match value {
            Value::String(text) => self.str(key, text),
            value => {
                self.key(key);
                let _ = write!(self.0, "{value}");
            }
        }
    }

    /// Keys are names, in which nothing needs escaping.
    fn key(&mut self, key: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    /// What is longer than anybody reads is cut: a line with all of it might find no room.
    fn text(&mut self, text: &str) {
        if text.len() > LONGEST {
            let end = (0..=LONGEST - '…'.len_utf8()).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            return self.text(&format!("{}…", &text[..end]));
        }
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
    use std::sync::mpsc::{Receiver, sync_channel};

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
        log.close();
        let text = sink.text();
        assert!(text.starts_with("{\"time\":\"20"), "{text}");
        assert!(
            text.ends_with(
                "Z\",\"level\":\"INFO\",\"msg\":\"Deployed\",\"service\":\"a\\\"b<c>\",\"hosts\":[\"x\",\"\"],\"tls\":false}\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn long_texts_are_cut() {
        let sink = Sink::default();
        let log = Log::start(Level::Info, sink.clone()).unwrap();
        let long = "é".repeat(LONGEST);
        let mut line = Line::new(Level::Info, "Request");
        line.str("path", &long);
        line.str("rest", &"x".repeat(LONGEST));
        log.send(line);
        log.info("Other", &[("path", long.into())]);
        log.close();
        let text = sink.text();
        assert!(text.len() < 4 * LONGEST && text.matches("é…\"").count() == 2, "{}", text.len());
        assert!(text.contains(&format!("\"rest\":\"{}\"", "x".repeat(LONGEST))), "what fits is whole");
        assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
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
        for _ in 0..2 * MOST / 50 {
            log.info("x", &[]);
        }
        assert!(log.0.lines.dropped.load(Ordering::Relaxed) > 0);
        drop(release);
        log.close();
    }

    #[test]
    fn nothing_is_lost_between_writing_and_idling() {
        let sink = Sink::default();
        let log = Log::start(Level::Info, sink.clone()).unwrap();
        for number in 0..50 {
            log.info("x", &[("number", number.into())]);
            // Written without being asked.
            let begin = std::time::Instant::now();
            while sink.text().lines().count() <= number {
                assert!(begin.elapsed() < Duration::from_secs(10), "line {number} is missing");
                thread::sleep(Duration::from_micros(300 * (number as u64 % 60)));
            }
        }
        let lines = sink.text().lines().map(str::to_owned).collect::<Vec<_>>();
        assert!(lines.iter().enumerate().all(|(at, line)| line.ends_with(&format!("\"number\":{at}}}"))));
    }
}
