//! How much a proxy on one processor takes before requests begin to queue, and how long they take well below that.

use std::{path::Path, thread, time::Duration};

use super::{
    Sample, compared,
    open_loop::paced,
    servers::{Room, Server, Servers},
    sockets::Echo,
};
use crate::{
    bench::figures::Figures,
    command::note,
    error::{Error, Result},
};

/// The processor of those who ask and of the server behind.
const OUTSIDE: usize = 0;
/// The processor of the proxies.
const INSIDE: usize = 1;
/// Who is measured.
const MEASURED: [&str; 3] = ["nginx", "ours", "haproxy"];
const ROUNDS: usize = 3;
const TIME: Duration = Duration::from_secs(1);
/// Requests a second to begin with, and what they grow by each time.
const FIRST: u32 = 4000;
const GROWTH: f64 = 1.1;
/// The 99th percentile beyond which requests queue, in milliseconds.
const QUEUED: f64 = 10.0;
/// A second with an accident in it is measured again, so often.
const TRIES: usize = 3;
/// Requests a second that none of them is busy with.
const EASY: u32 = 4000;

/// Measures each proxy alone on a processor, with requests that do not wait for answers.
pub(super) fn measure(proxy: &Path, figures: &mut Figures) -> Result<()> {
    if thread::available_parallelism().map_or(1, usize::from) < 2 {
        return Err(Error::Refused("a proxy on a processor of its own needs a machine that has two".to_owned()));
    }
    let echo = Echo::start()?;
    let servers = Servers::start(proxy, &echo, [OUTSIDE, INSIDE].map(Room::Processor))?;
    let measured = MEASURED.iter().map(|name| servers.named(name)).collect::<Result<Vec<_>>>()?;
    figures.begin("The proxy on one processor, logs on, requests that do not wait for answers")?;
    let mut knees = vec![Vec::new(); measured.len()];
    let mut easy = vec![Vec::new(); measured.len()];
    for round in 1..=ROUNDS {
        note(format_args!("round {round} of {ROUNDS}"));
        for (i, server) in measured.iter().enumerate() {
            knees[i].push(knee(server)?);
            easy[i].push(paced(server.http, EASY, 3 * TIME, OUTSIDE)?);
        }
    }
    let rows = |samples: &[Vec<Sample>]| -> Vec<(&str, Sample)> {
        MEASURED.iter().zip(samples).map(|(name, samples)| (*name, Sample::median(samples))).collect()
    };
    let of = |rows: &[(&str, Sample)], name: &str, figure: fn(&Sample) -> f64| {
        rows.iter().find(|(found, _)| *found == name).map_or(f64::NAN, |(_, sample)| figure(sample))
    };
    let (knees, easy) = (rows(&knees), rows(&easy));
    let what = format!("the most with a 99th percentile below {QUEUED} ms");
    let most = compared(&what, "requests/s", "ours", &knees, |sample| sample.rate);
    figures.add(most.at_least(of(&knees, "haproxy", |sample| sample.rate)))?;
    let what = format!("p99 of {EASY} requests/s");
    let p99 = compared(&what, "ms", "ours", &easy, |sample| sample.p99);
    figures.add(p99.at_most(of(&easy, "nginx", |sample| sample.p99)))
}

/// What it did at the highest rate without a queue.
fn knee(server: &Server) -> Result<Sample> {
    let mut best = Sample { rate: 0.0, p50: f64::NAN, p99: f64::NAN, failed: 0 };
    let mut rate = FIRST;
    loop {
        let mut keeps_up = None;
        for _ in 0..TRIES {
            let sample = paced(server.http, rate, TIME, OUTSIDE)?;
            if sample.p99 < QUEUED {
                keeps_up = Some(sample);
                break;
            }
        }
        match keeps_up {
            Some(sample) => best = sample,
            None => return Ok(best),
        }
        rate = (f64::from(rate) * GROWTH) as u32;
    }
}
