//! Ctrl-C, SIGTERM and a closed terminal: the first asks the engine to stop, which brings what has begun to a safe end and
//! gives the lock back; a second one insists on an end within a second, in which the lock is given back and nothing else.

use std::time::Duration;

use kamal_core::cancel::Cancel;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use crate::output;

/// How long the end that somebody insists on may take: that of giving the lock back, and of saying so.
const AT_MOST: Duration = Duration::from_secs(1);

/// A request to stop that comes with the first signal.
pub(crate) fn cancel() -> Cancel {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let Ok(signals) = kinds.into_iter().map(signal).collect::<Result<Vec<_>, _>>() else { return Cancel::never() };
    let ((asks, asked), (insists, insisted)) = (oneshot::channel(), oneshot::channel());
    tokio::spawn(watch(signals, asks, insists));
    Cancel::when(sent(asked)).insisting(sent(insisted))
}

async fn sent(request: oneshot::Receiver<()>) {
    // A sender that is gone is no request.
    if request.await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn watch(mut signals: Vec<Signal>, asked: oneshot::Sender<()>, insisted: oneshot::Sender<()>) {
    next(&mut signals).await;
    // Asked before anything is said: nobody may be there to listen.
    if asked.send(()).is_err() {
        leave();
    }
    output::complain("\nStopping: what has begun is brought to a safe end. Once more to stop at once.");
    next(&mut signals).await;
    if insisted.send(()).is_ok() {
        tokio::time::sleep(AT_MOST).await;
    }
    leave();
}

async fn next(signals: &mut [Signal]) {
    let waits = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
    futures_util::future::select_all(waits).await;
}

#[expect(clippy::exit, reason = "the user asked twice")]
fn leave() -> ! {
    std::process::exit(130);
}
