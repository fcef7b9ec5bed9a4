//! Ctrl-C and SIGTERM: the first asks the engine to stop, which puts things right and gives the lock back; the second
//! ends the process at once.

use kamal_core::cancel::Cancel;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

/// A request to stop that comes with the first signal.
pub(crate) fn cancel() -> Cancel {
    let (Ok(interrupt), Ok(terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        return Cancel::never();
    };
    let (sender, receiver) = oneshot::channel::<()>();
    tokio::spawn(watch(interrupt, terminate, sender));
    Cancel::when(async move {
        // A sender that is gone is no request.
        if receiver.await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

async fn watch(mut interrupt: Signal, mut terminate: Signal, asked: oneshot::Sender<()>) {
    next(&mut interrupt, &mut terminate).await;
    anstream::eprintln!(
        "\nStopping: hosts go back to what they had, and the lock is released. Once more to stop at once."
    );
    if asked.send(()).is_err() {
        leave();
    }
    next(&mut interrupt, &mut terminate).await;
    leave();
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
}

#[expect(clippy::exit, reason = "the user asked twice")]
fn leave() -> ! {
    std::process::exit(130);
}
