//! Every benchmark in one run on one machine, so that figures can be held against each other, and the book's chapter of
//! what was found.

mod chart;
mod page;

use std::{fs, process::Command};

use super::{config, far, figures::Figures, fleet, proxy, registry, ssh};
use crate::{
    by_hand,
    command::{self, note},
    error::{Context, Result},
    programs::Profile,
    workspace,
};

/// How often what takes seconds is done.
const ROUNDS: u32 = 7;
/// How many hosts a large layer goes to.
const HOSTS: u8 = 8;

/// Runs everything and writes what was found; tells whether all reached what it has to.
///
/// # Errors
///
/// When a benchmark fails, or files cannot be written.
pub fn run() -> Result<bool> {
    let mut figures = Figures::default();
    config::measure(&mut figures)?;
    fleet::measure(&mut figures)?;
    by_hand::deploy(ROUNDS, &mut figures)?;
    far::measure(ROUNDS, &mut figures)?;
    registry::measure(HOSTS, ROUNDS, Profile::Quick, &mut figures)?;
    ssh(&mut figures)?;
    proxy::compare(&mut figures)?;
    let written = page::write(figures.chapters(), &machine()?)?;
    note(format_args!("wrote {written}"));
    Ok(figures.reached())
}

/// What it ran on, in a sentence: figures of another machine are others.
fn machine() -> Result<String> {
    let read = |path: &str| fs::read_to_string(path).context(|| format!("reading {path}"));
    let processors = read("/proc/cpuinfo")?;
    let value = |text: &str, key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix(':').map(str::trim));
        line.unwrap_or("?").to_owned()
    };
    let count = processors.lines().filter(|line| line.starts_with("processor")).count();
    let memory = value(&read("/proc/meminfo")?, "MemTotal").trim_end_matches(" kB").parse::<f64>().unwrap_or(f64::NAN);
    let kernel = read("/proc/sys/kernel/osrelease")?;
    let commit = command::run(Command::new("git").args(["log", "-1", "--format=%h of %as"]).current_dir(workspace()))?;
    Ok(format!(
        "{count} × {}, {:.0} GB of memory, Linux {}; commit {}",
        value(&processors, "model name"),
        memory / 1e6,
        kernel.trim(),
        commit.trim()
    ))
}
