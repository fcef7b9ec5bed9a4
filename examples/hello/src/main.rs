//! A tiny web server to deploy, so that the sandbox, the demo and the tests have a real app without a base image.
//!
//! It is a static binary for an image made `FROM scratch`, needs nothing from its surroundings, and can be told by its
//! environment to be broken in the ways real apps are:
//!
//! * `PORT`: where to listen; 80 unless told.
//! * `KAMAL_VERSION`: what `GET /` and the header `x-version` say.
//! * `HEALTH`: `fail` refuses health checks, `crash` ends at once with exit code 3; the other ways are in `settings`.
//! * `ECHO`: names of variables, with commas between them, that it logs at start, as careless apps do.
//!
//! `GET /protocol` is a page that says over which version of HTTP a browser fetched it.
//!
//! As process 1 of a container it gets no default action for SIGTERM, so it handles that signal itself.

mod connection;
mod settings;
mod trouble;

use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::settings::{Health, Settings};

/// How long requests under way may take once the server was told to stop. `docker stop` should return within a second.
const DRAIN: Duration = Duration::from_millis(800);

/// What all connections share.
#[derive(Debug)]
struct Server {
    settings: Settings,
    /// Set once by a signal: answer what is under way, keep nothing alive.
    stopping: AtomicBool,
    /// Requests read but not yet answered.
    busy: AtomicUsize,
    /// Requests for / that were read.
    asked: AtomicUsize,
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            log(&format!("cannot serve: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<ExitCode> {
    let settings = Settings::from_env().map_err(io::Error::other)?;
    for (name, value) in &settings.echo {
        log(&format!("{name}={value}"));
    }
    if let Some(code) = trouble::at_start(settings.health) {
        return Ok(code);
    }
    // Before the port opens: whoever sees the port open may already send the signal.
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let listener = if settings.health == Health::Loopback {
        TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port))?
    } else {
        TcpListener::bind((Ipv6Addr::UNSPECIFIED, settings.port))
            .or_else(|_| TcpListener::bind(("0.0.0.0", settings.port)))?
    };
    log(&format!("hello {} listens on {}", settings.version, listener.local_addr()?));
    if settings.health == Health::Fail {
        log("refusing health checks, because HEALTH=fail");
    }
    let server = Arc::new(Server {
        settings,
        stopping: AtomicBool::new(false),
        busy: AtomicUsize::new(0),
        asked: AtomicUsize::new(0),
    });
    accept_forever(listener, Arc::clone(&server));

    let signal = signals.forever().next();
    server.stopping.store(true, Ordering::SeqCst);
    log(&format!("stopping on signal {}", signal.unwrap_or_default()));
    let told = Instant::now();
    while server.busy.load(Ordering::SeqCst) > 0 && told.elapsed() < DRAIN {
        thread::sleep(Duration::from_millis(5));
    }
    Ok(ExitCode::SUCCESS)
}

fn accept_forever(listener: TcpListener, server: Arc<Server>) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            // A failed accept (out of descriptors, peer gone) concerns one connection, not the server.
            let Ok(stream) = stream else { continue };
            let server = Arc::clone(&server);
            thread::spawn(move || connection::serve(&stream, &server));
        }
    });
}

/// One line of the app's log, which `docker logs` shows.
fn log(line: &str) {
    let mut out = io::stdout().lock();
    // Nobody is left to tell when the log itself cannot be written.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
