//! A shell between two scripts. Somebody has to go on reading from it: a program left in the background that prints
//! would fill the channel, and a full channel holds up the whole connection.

use std::sync::Arc;

use tokio::{sync::Notify, task::JoinHandle};

use crate::shell::Shell;

/// A shell that waits, and the task that reads from it meanwhile.
#[derive(Debug)]
pub(crate) struct Idle {
    wanted: Arc<Notify>,
    task: JoinHandle<Option<Shell>>,
}

impl Idle {
    pub(crate) fn new(mut shell: Shell) -> Self {
        let wanted = Arc::new(Notify::new());
        let told = wanted.clone();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = told.notified() => Some(shell),
                () = shell.idle() => None,
            }
        });
        Self { wanted, task }
    }

    /// The shell, unless it has ended meanwhile.
    pub(crate) async fn take(mut self) -> Option<Shell> {
        self.wanted.notify_one();
        (&mut self.task).await.ok().flatten()
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        // Otherwise the task would keep the connection open for ever.
        self.task.abort();
    }
}
