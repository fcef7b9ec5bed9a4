//! The threads that serve connections: one per processor, each with a runtime of its own.
//!
//! A client's connection stays on its thread, and so do the connections to targets it uses: nothing of a request crosses
//! from one thread to another, and no thread has to be woken for it. That took half of the kernel's time and a quarter
//! of the whole off a request, against one runtime with several threads. Whoever embeds the proxy may have it serve on a
//! runtime of theirs all the same.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, available_parallelism};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::proxying::clock;

/// The threads; when this is dropped they end, and what they are doing is cut.
#[derive(Debug)]
pub(crate) struct Threads(Vec<Thread>);

#[derive(Debug)]
struct Thread {
    runtime: Handle,
    /// Dropping it ends the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Hands work to the threads, in turn.
#[derive(Debug)]
pub(crate) struct Workers {
    runtimes: Vec<Handle>,
    next: AtomicUsize,
    /// Ends what is under way on a runtime that goes on without the proxy.
    cut: Option<CancellationToken>,
}

/// How many threads there are where nobody says: one for each processor the process may use.
pub(crate) fn processors() -> usize {
    available_parallelism().map_or(1, usize::from)
}

impl Threads {
    /// Starts so many threads.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        (0..count).map(Thread::start).collect::<io::Result<_>>().map(Self)
    }

    pub(crate) fn workers(&self) -> Arc<Workers> {
        let runtimes = self.0.iter().map(|thread| thread.runtime.clone()).collect();
        Arc::new(Workers { runtimes, next: AtomicUsize::new(0), cut: None })
    }
}

impl Workers {
    /// Does all work on one runtime, until it is cut.
    pub(crate) fn on(runtime: &Handle, cut: CancellationToken) -> Arc<Self> {
        let runtimes = vec![runtime.clone(); processors()];
        Arc::new(Self { runtimes, next: AtomicUsize::new(0), cut: Some(cut) })
    }

    /// Runs something on the thread whose turn it is; `make` gets its number.
    pub(crate) fn spawn<F>(&self, make: impl FnOnce(usize) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let number = self.next.fetch_add(1, Ordering::Relaxed) % self.runtimes.len();
        let (runtime, work) = (&self.runtimes[number], make(number));
        match &self.cut {
            None => drop(runtime.spawn(work)),
            Some(cut) => drop(runtime.spawn(cut.clone().run_until_cancelled_owned(work))),
        }
    }
}

impl Thread {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name(format!("worker {number}")).spawn(move || {
            clock::keep_here();
            // Nothing is ever sent.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        })?;
        Ok(Self { runtime: handle, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // One that panicked has ended as well.
            let _ = thread.join();
        }
    }
}
