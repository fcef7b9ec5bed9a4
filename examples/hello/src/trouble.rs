//! Ways to be broken before the first request comes.

use std::fs::File;
use std::io::Write;
use std::net::ToSocketAddrs;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use crate::log;
use crate::settings::Health;

const CHUNK: usize = 1 << 20;

/// Is broken as told. Some ways end here.
pub(crate) fn at_start(health: Health) -> Option<ExitCode> {
    match health {
        Health::Crash => {
            log("crashing at start, because HEALTH=crash");
            Some(ExitCode::from(3))
        }
        Health::Late => {
            log("warming up");
            thread::sleep(Duration::from_secs(8));
            None
        }
        Health::Idle => {
            log("nothing to serve");
            thread::sleep(Duration::from_secs(600));
            Some(ExitCode::SUCCESS)
        }
        Health::Abort => {
            log("aborting");
            std::process::abort();
        }
        Health::Hungry => {
            log("taking all memory");
            let mut taken = Vec::new();
            loop {
                taken.push(vec![1_u8; CHUNK]);
            }
        }
        Health::Full => failed(File::create("/full/file").and_then(|mut file| {
            loop {
                file.write_all(&[1; CHUNK])?;
            }
        })),
        // No server is asked for such a name, which would take its time.
        Health::Nameless => failed("database..invalid:5432".to_socket_addrs().map(drop)),
        _ => None,
    }
}

fn failed(result: std::io::Result<()>) -> Option<ExitCode> {
    let error = result.err()?;
    log(&format!("cannot start: {error}"));
    Some(ExitCode::FAILURE)
}
