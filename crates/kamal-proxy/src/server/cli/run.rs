//! `run`: the proxy as a process, with the process's signals, environment, files and standard output (spec 10.1).

#![expect(clippy::disallowed_methods, reason = "here the proxy gets what the process has")]

use std::time::Duration;
use std::{env, io};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::paths;
use crate::server::builder::Proxy;
use crate::server::observe::log::Level;
use crate::server::start::StartError;

/// Files for other things than clients and what they ask for: threads, listeners, commands, health checks.
const OTHER_FILES: u64 = 96;

/// Where to listen and how much to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RunOptions {
    pub(super) debug: bool,
    pub(super) http_port: u16,
    pub(super) https_port: u16,
    /// Zero means that metrics are not published.
    pub(super) metrics_port: u16,
    pub(super) http3: bool,
    /// Connections of clients at the same time; zero means any number.
    pub(super) max_connections: usize,
    /// Whether to take over from a proxy that runs, and how long that one may take to finish.
    pub(super) takeover: Option<Duration>,
}

/// Runs until told to stop by SIGTERM or SIGINT, or until a successor has taken over.
pub(super) fn run(options: RunOptions) -> Result<(), StartError> {
    let files = raise_file_limit();
    paths::claim_data_dir()?;
    let roots = rustls_native_certs::load_native_certs().certs;
    let mut proxy = Proxy::builder()
        .listen(options.http_port)
        .https(options.https_port)
        .http3_if_there(options.http3)
        .max_connections(places(options.max_connections, files))
        .state(paths::state_path())
        .control(paths::socket_path())
        .handover(paths::handover_path())
        .temporary(env::temp_dir())
        .variables(|name| env::var(name).ok())
        .trusted_roots(roots.iter().map(|root| root.to_vec()))
        .log(io::stdout(), if options.debug { Level::Debug } else { Level::Info });
    if options.metrics_port > 0 {
        proxy = proxy.metrics(options.metrics_port);
    }
    if let Some(limit) = options.takeover {
        proxy = proxy.take_over(limit);
    }
    Builder::new_current_thread().enable_io().build()?.block_on(async {
        let (mut ends, mut reloads) = (Ends::new()?, signal(SignalKind::hangup())?);
        let proxy = tokio::select! {
            proxy = proxy.start() => proxy?,
            () = ends.any() => return Ok(()),
        };
        loop {
            tokio::select! {
                () = ends.any() => proxy.stop().await,
                // What goes wrong is in the log.
                _ = reloads.recv() => drop(proxy.reload().await),
                () = proxy.ended() => return Ok(()),
            }
        }
    })
}

/// Lets the process open as many files as it may: two per request, and login shells allow for a thousand. Gives how many
/// that are; `None` means any number.
fn raise_file_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    // Without it the proxy works as long as there are few connections.
    if setrlimit(Resource::Nofile, raised).is_ok() { raised.current } else { limit.current }
}

/// How many clients may be connected at the same time: no more than were asked for, and than there are files for, each of
/// them with a connection to a target. With more, those that are served would fail, and no command would be heard.
fn places(asked: usize, files: Option<u64>) -> usize {
    let Some(files) = files else { return asked };
    let most = usize::try_from(files.saturating_sub(OTHER_FILES) / 2).unwrap_or(usize::MAX).max(1);
    if asked == 0 { most } else { asked.min(most) }
}

/// The signals that end the process.
struct Ends {
    terminate: Signal,
    interrupt: Signal,
}

impl Ends {
    fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_files_left_for_targets_and_commands() {
        for (asked, files, places_there_are) in [
            (0, None, 0),
            (5, None, 5),
            (0, Some(256), 80),
            (50, Some(256), 50),
            (500, Some(256), 80),
            (0, Some(10), 1),
            (0, Some(u64::MAX), usize::MAX / 2 - 48),
        ] {
            assert_eq!(places(asked, files), places_there_are, "{asked} {files:?}");
        }
    }
}
