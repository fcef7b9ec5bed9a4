//! A run: an operation at work in a task of its own, so that whoever asked for it can go away without leaving a host half
//! done or the deploy lock held.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::{self, FutureExt as _};
use kamal_core::{
    cancel::{Cancel, Canceller},
    engine::Engine,
    run::Report,
};
use tokio::{runtime::Handle, task::JoinHandle};

use crate::{
    error::Error,
    events::{Both, EventLog, EventStream},
    project::Project,
    work::joined,
};

/// An operation at work. A future of its report, which need not be polled for the work to go on.
///
/// ```
/// # use kamal::{core::testing::SimFleet, prelude::*};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # const DEPLOY: &str = "service: shop\nimage: acme/shop\nservers: [h1, h2]\nbuilder: {arch: amd64}\n\
/// #     registry: {username: me, password: [PASSWORD]}\n";
/// # let fleet = SimFleet::new(["h1", "h2"]);
/// # let project = Project::builder().text(DEPLOY).world(fleet.world()).secret_map([("PASSWORD", "x")]).build().await?;
/// let run = project.deploy(&Version::parse("v1")?).run();
/// let mut events = run.events();
/// while let Some(event) = events.next().await {
///     if let EventKind::Phase { phase, .. } = event.kind {
///         println!("{phase:?}");
///     }
/// }
/// let report = run.await?;
///
/// // Stopped on its way, it leaves hosts as they were.
/// let run = project.deploy(&Version::parse("v2")?).run();
/// let error = run.stop().await.expect_err("stopped");
/// assert_eq!(error.kind(), ErrorKind::Cancelled);
/// assert!(fleet.serving().iter().all(|serving| *serving.version == *"v1"));
/// # Ok(())
/// # }
/// ```
///
/// Dropping it before its end asks it to stop: it leads hosts back to what they served, gives the deploy lock back and
/// ends, for which its runtime has to live on. [`Run::stop`] waits for that, [`Run::detach`] lets it go on instead.
#[must_use = "a run that is dropped is stopped; await it, or `detach` it"]
#[derive(Debug)]
pub struct Run {
    work: Work,
    stop: Canceller,
    log: Arc<EventLog>,
    detached: bool,
}

#[derive(Debug)]
enum Work {
    Begun(JoinHandle<Result<Report, Error>>),
    Impossible,
}

impl Run {
    /// Begins work of a project's engine that heeds the request to stop it is given.
    pub(crate) fn begin<F>(project: &Project, also: Cancel, work: impl FnOnce(Engine, Cancel) -> F) -> Self
    where
        F: Future<Output = Result<Report, Error>> + Send + 'static,
    {
        let log = EventLog::new();
        let told = Arc::clone(&log);
        let engine = project.engine_told_by(|listener| Arc::new(Both { listener, log: told }));
        let (stop, asked) = Cancel::pair();
        let work = work(engine, either(asked, also));
        let completion = log.until_dropped();
        let work = async move {
            let _completion = completion;
            work.await
        };
        let work = Handle::try_current().map_or(Work::Impossible, |runtime| Work::Begun(runtime.spawn(work)));
        Self { work, stop, log, detached: false }
    }

    /// Asks it to stop: what has begun is brought to a safe end. The run is then awaited as before.
    pub fn cancel(&self) {
        self.stop.cancel();
    }

    /// Insists on its end within a second: what has begun is left as it is, and the deploy lock is given back if there is
    /// time for it. The run is then awaited as before.
    pub fn insist(&self) {
        self.stop.insist();
    }

    /// Whether it has come to its end.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match &self.work {
            Work::Begun(task) => task.is_finished(),
            Work::Impossible => true,
        }
    }

    /// Asks it to stop, and waits until it has.
    ///
    /// # Errors
    ///
    /// As awaiting it: that it was stopped, unless it had come to its end before.
    pub async fn stop(self) -> Result<Report, Error> {
        self.cancel();
        self.await
    }

    /// What happens, from the beginning, however late one asks; as often as one likes.
    #[must_use]
    pub fn events(&self) -> EventStream {
        self.log.stream()
    }

    /// What stops it, for somebody else to keep. Dropping it stops nothing.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.stop.clone()
    }

    /// Lets it go on by itself to its end.
    pub fn detach(mut self) {
        self.detached = true;
    }
}

/// A request that comes when one of two does.
fn either(one: Cancel, other: Cancel) -> Cancel {
    let insisted = {
        let (one, other) = (one.clone(), other.clone());
        async move {
            future::select(pin!(one.wait_for_insistence()), pin!(other.wait_for_insistence())).await;
        }
    };
    let asked = async move {
        future::select(pin!(one.wait()), pin!(other.wait())).await;
    };
    Cancel::when(asked).insisting(insisted)
}

impl Future for Run {
    type Output = Result<Report, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.work {
            Work::Begun(task) => task.poll_unpin(cx).map(joined),
            Work::Impossible => Poll::Ready(Err(Error::NoRuntime)),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.detached {
            self.cancel();
        }
    }
}
