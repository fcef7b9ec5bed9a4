//! The proxy beside nginx, HAProxy and Caddy, all in one run: the same server behind each, access logs on in each.

mod generators;
mod knee;
mod open_loop;
mod servers;
mod soak;
mod sockets;

use std::{path::PathBuf, thread, time::Duration};

use self::{
    servers::{Room, Server, Servers},
    sockets::Echo,
};
use super::figures::Figures;
use crate::{command::note, error::Result, figure::Figure, programs, sandbox::require_packages};

const PROGRAMS: [(&str, &str); 7] = [
    ("nginx", "nginx-light"),
    ("haproxy", "haproxy"),
    ("caddy", "caddy"),
    ("wrk", "wrk"),
    ("h2load", "nghttp2-client"),
    ("openssl", "openssl"),
    ("taskset", "util-linux"),
];
const ROUNDS: usize = 5;
const SECONDS: u32 = 1;
const DEPLOYS: usize = 50;
const SERVICES: usize = 1000;
/// As many as HAProxy takes where a process may have 20 000 files open: two for each, and some.
const IDLE: usize = 9_500;
/// The most an idle connection may cost, in KiB.
const IDLE_TARGET: f64 = 2.0;
/// How much slower many services may seem before it is more than noise.
const NOISE: f64 = 0.9;

/// What one measurement gave.
#[derive(Debug, Clone, Copy)]
struct Sample {
    rate: f64,
    /// Milliseconds.
    p50: f64,
    p99: f64,
    failed: u64,
}

/// What is asked of every server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    Plain(usize),
    Tls,
    Http2,
    Large,
    WebSocket,
}

/// What the targets are about.
const AIMED_AT: Load = Load::Plain(64);

const LOADS: [Load; 7] =
    [Load::Plain(1), Load::Plain(64), Load::Plain(1024), Load::Tls, Load::Http2, Load::Large, Load::WebSocket];

impl Load {
    fn name(self) -> String {
        match self {
            Self::Plain(connections) => format!("HTTP/1.1, {connections} connections"),
            Self::Tls => "TLS, HTTP/1.1, 64 connections".to_owned(),
            Self::Http2 => "TLS, HTTP/2, 8 x 10 streams".to_owned(),
            Self::Large => "1 MiB bodies, 16 connections".to_owned(),
            Self::WebSocket => "WebSocket echo, 16 connections".to_owned(),
        }
    }

    /// How often it is measured in a round. With the targets' own, the 99th percentile of a second has to be no accident.
    fn times(self) -> usize {
        if self == AIMED_AT { 3 } else { 1 }
    }

    /// `None` where the server does not do such a thing.
    fn measure(self, server: &Server, servers: &Servers) -> Result<Option<Sample>> {
        let plain = |file: &str| format!("http://{}/{file}", server.http);
        let secure = server.https.map(|https| format!("https://localhost:{}/1k", https.port()));
        match (self, secure) {
            (Self::Plain(connections), _) => generators::http1(&plain("1k"), connections, SECONDS).map(Some),
            (Self::Large, _) => generators::http1(&plain("1m"), 16, SECONDS).map(Some),
            (_, None) => Ok(None),
            (Self::Tls, Some(url)) => generators::http1(&url, 64, SECONDS).map(Some),
            (Self::Http2, Some(url)) => generators::http2(&url, 8, SECONDS, &servers.folder.join("h2load")).map(Some),
            (Self::WebSocket, _) => sockets::echoes(server.http, 16, Duration::from_secs(SECONDS.into())).map(Some),
        }
    }
}

impl Sample {
    fn of(rate: f64, mut times: Vec<f64>, failed: u64) -> Option<Self> {
        times.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied();
        Some(Self { rate, p50: at(0.5)?, p99: at(0.99)?, failed })
    }

    /// The median of each figure.
    fn median(samples: &[Self]) -> Self {
        let middle = |figure: fn(&Self) -> f64| {
            let mut figures = samples.iter().map(figure).collect::<Vec<_>>();
            figures.sort_unstable_by(f64::total_cmp);
            figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
        };
        Self {
            rate: middle(|sample| sample.rate),
            p50: middle(|sample| sample.p50),
            p99: middle(|sample| sample.p99),
            failed: samples.iter().map(|sample| sample.failed).sum(),
        }
    }
}

/// Measures everything and holds it against the targets.
///
/// # Errors
///
/// When something needed is missing or does not start, or a generator fails.
pub fn compare(figures: &mut Figures) -> Result<()> {
    let binary = prepare()?;
    let echo = Echo::start()?;
    note(format_args!("starting everything, {SERVICES} services among it"));
    let servers = Servers::start(&binary, &echo, [Room::Everywhere; 2])?;
    let crowded = servers.crowded(SERVICES, &echo)?;
    let ours = servers.named("ours")?;
    // Before any load: what was freed after one would be used again and not be seen.
    figures.begin("The proxy, logs on")?;
    let others = || servers.all.iter().filter(|server| server.name != ours.name);
    let kibibytes = |server: &Server| idle_memory(server).map(|each| each as f64 / 1024.0);
    let mut idle = Figure::new("memory of an idle connection", "KiB", kibibytes(ours)?).at_most(IDLE_TARGET);
    for server in others() {
        idle = idle.beside(server.name, kibibytes(server)?);
    }
    figures.add(idle)?;
    let mut table = LOADS.map(|load| (load, vec![Vec::new(); servers.all.len()]));
    let mut routing = [Vec::new(), Vec::new()];
    for round in 1..=ROUNDS {
        note(format_args!("round {round} of {ROUNDS}"));
        for (load, row) in &mut table {
            for _ in 0..load.times() {
                for (server, samples) in servers.all.iter().zip(&mut *row) {
                    samples.extend(load.measure(server, &servers)?);
                }
            }
        }
        for (server, samples) in [ours, &crowded].into_iter().zip(&mut routing) {
            samples.extend(AIMED_AT.measure(server, &servers)?);
        }
    }
    for (load, row) in &table {
        let row: Vec<_> = servers.all.iter().zip(row).map(|(server, all)| (server.name, Sample::median(all))).collect();
        let nginx = row.iter().find(|(name, _)| *name == "nginx").map_or(f64::NAN, |(_, sample)| sample.rate);
        let rate = compared(&load.name(), "requests/s", ours.name, &row, |sample| sample.rate);
        figures.add(if matches!(load, Load::WebSocket | Load::Large) { rate } else { rate.at_least(nginx) })?;
        let p99 = compared(&format!("{}, p99", load.name()), "ms", ours.name, &row, |sample| sample.p99);
        let slowest = row.iter().find(|(name, _)| *name == "nginx").map_or(f64::NAN, |(_, sample)| sample.p99);
        figures.add(if *load == AIMED_AT { p99.at_most(slowest) } else { p99 })?;
        let failed = row.iter().filter(|(name, _)| *name == ours.name).map(|(_, sample)| sample.failed).sum::<u64>();
        if failed > 0 {
            figures.add(Figure::new(format!("{}, failed", load.name()), "requests", failed as f64).at_most(0.0))?;
        }
    }
    let [one, many] = routing.map(|samples| Sample::median(&samples));
    let routed = Figure::new(format!("with {SERVICES} services"), "requests/s", many.rate);
    figures.add(routed.beside("with 1", one.rate).at_least(NOISE * one.rate))?;
    let failed = soak::deploys(&servers, DEPLOYS)? as f64;
    figures
        .add(Figure::new(format!("failed in {DEPLOYS} deploys under full load"), "requests", failed).at_most(0.0))?;
    drop((crowded, servers));
    knee::measure(&binary, figures)
}

/// A figure of every server that has it.
fn compared(what: &str, unit: &str, own: &str, row: &[(&str, Sample)], of: fn(&Sample) -> f64) -> Figure {
    let found = row.iter().map(|(name, sample)| (*name, of(sample))).filter(|(_, figure)| !figure.is_nan());
    let (ours, others): (Vec<_>, Vec<_>) = found.partition(|(name, _)| *name == own);
    let figure = Figure::new(what, unit, ours.first().map_or(f64::NAN, |(_, figure)| *figure));
    others.into_iter().fold(figure, |figure, (name, other)| figure.beside(name, other))
}

/// Mixed load for some minutes; gives back whether memory stayed flat and no request failed.
///
/// # Errors
///
/// As [`compare`].
pub fn soak(minutes: u64) -> Result<bool> {
    let binary = prepare()?;
    let echo = Echo::start()?;
    let servers = Servers::start(&binary, &echo, [Room::Everywhere; 2])?;
    soak::mixed(&servers, Duration::from_secs(60 * minutes))
}

fn prepare() -> Result<PathBuf> {
    require_packages(&PROGRAMS)?;
    programs::static_proxy(programs::Profile::Release)
}

fn idle_memory(server: &Server) -> Result<u64> {
    // The first connections also pay for what is made once.
    drop(sockets::idle(server.http, 64)?);
    let before = server.memory();
    let open = sockets::idle(server.http, IDLE)?;
    thread::sleep(Duration::from_secs(1));
    let each = server.memory().saturating_sub(before) / IDLE as u64;
    drop(open);
    Ok(each)
}
