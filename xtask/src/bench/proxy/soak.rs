//! What goes on for long: deploys under full load, and a mix of well and badly behaved clients.

use std::{
    io,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{generators, servers::Servers, sockets};
use crate::{
    command::print,
    error::{Context, Result},
    load::Load,
};

/// How often memory is looked at.
const LOOK: Duration = Duration::from_secs(20);
/// Between two deploys, so that each meets the load at another moment and all are over before it is.
const PAUSE: Duration = Duration::from_millis(250);
/// What memory may grow by between the middle and the end, beside a tenth of itself: allocators keep what they got.
const SLACK: u64 = 4 * 1024 * 1024;

/// Deploys again and again under full load; gives back how many requests failed.
pub(super) fn deploys(servers: &Servers, count: usize) -> Result<u64> {
    let url = format!("http://{}/1k", servers.named("ours")?.http);
    let load = generators::background(&url, 64, 20)?;
    let begin = Instant::now();
    for number in 1..=count {
        deploy(servers, number)?;
        thread::sleep(PAUSE);
    }
    let took = begin.elapsed();
    let output = load.wait_with_output().context(|| "waiting for `wrk`".to_owned())?;
    let (failed, all) = generators::failures(&String::from_utf8_lossy(&output.stdout));
    print(format_args!(
        "{count} deploys in {:.1} s under full load: {failed} of {all} requests failed",
        took.as_secs_f64()
    ))?;
    Ok(failed)
}

fn deploy(servers: &Servers, number: usize) -> Result<()> {
    let target = servers.targets[number % servers.targets.len()].to_string();
    servers.command(&["deploy", "app", "--target", &target])
}

/// Everything at once, memory looked at over time; gives back whether it stayed flat and nothing failed.
pub(super) fn mixed(servers: &Servers, time: Duration) -> Result<bool> {
    let ours = servers.named("ours")?;
    let (http, https) = (ours.http, ours.https.map_or(0, |https| https.port()));
    let stop = AtomicBool::new(false);
    let load = Load::start(http, "127.0.0.1", 8, 40);
    let begin = Instant::now();
    let seen = thread::scope(|scope| {
        let repeat = |action: fn(SocketAddr) -> io::Result<()>, pause: u64| {
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    // What becomes of these is not asked; they are here to be a nuisance.
                    let _ = action(http);
                    thread::sleep(Duration::from_millis(pause));
                }
            });
        };
        repeat(sockets::abort, 50);
        repeat(sockets::dawdle, 10);
        repeat(|to| sockets::idle_once(to).map(drop), 10);
        repeat(
            |to| {
                let mut socket = sockets::websocket(to)?;
                (0..20).try_for_each(|_| sockets::bounce(&mut socket))
            },
            50,
        );
        let watched = watch(servers, begin, time, https);
        stop.store(true, Ordering::Relaxed);
        watched
    })?;
    let tally = load.stop();
    print(format_args!("{} of {} paced requests failed", tally.failed.len(), tally.sent))?;
    for reason in tally.failed.iter().take(5) {
        print(format_args!("  {reason}"))?;
    }
    let middle = seen.get(seen.len() / 2).copied().unwrap_or(0);
    let last = seen.last().copied().unwrap_or(0);
    let flat = last <= middle + middle / 10 + SLACK;
    print(format_args!("target: memory stays flat: {}", if flat { "reached" } else { "MISSED" }))?;
    Ok(flat && tally.failed.is_empty())
}

/// Deploys and makes new TLS connections, and notes the memory in use.
fn watch(servers: &Servers, begin: Instant, time: Duration, https: u16) -> Result<Vec<u64>> {
    let ours = servers.named("ours")?;
    let url = format!("https://localhost:{https}/1k");
    let (mut seen, mut number) = (Vec::new(), 0);
    while begin.elapsed() < time {
        let until = Instant::now() + LOOK;
        while Instant::now() < until {
            number += 1;
            deploy(servers, number)?;
            generators::http2(&url, 8, 1, &servers.folder.join("h2load"))?;
            generators::http1(&url, 8, 1)?;
            thread::sleep(Duration::from_secs(1));
        }
        let memory = ours.memory();
        let minutes = begin.elapsed().as_secs_f64() / 60.0;
        print(format_args!("{minutes:>6.1} min  {number:>4} deploys  {:>7.1} MiB", memory as f64 / 1_048_576.0))?;
        seen.push(memory);
    }
    Ok(seen)
}
