//! This adapter beside OpenSSH's own programs, in one run against one sshd: `cargo xtask bench ssh`. Only ratios count.
//!
//! The distance to hosts is that of a relay in a process of its own, so that what is measured of this process, its
//! memory too, is the adapter's alone. Needs root, `sshd`, `ssh`, `scp` and `ssh-keygen`.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be taken is worth no error of its own")]

mod fleet;
#[path = "../../../../tests/shared/free_port.rs"]
mod free_port;
mod hosts;
#[path = "../../../../tests/shared/memory.rs"]
mod memory;
mod relay;
mod sequence;
mod server;
mod transfer;

use std::io::Write as _;

use server::Server;

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("relay") {
        return relay::serve(&arguments.collect::<Vec<_>>());
    }
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    // The fleet comes first: the highest memory is asked for after it, and a file to send would be part of it.
    let rows = runtime.block_on(async {
        let mut rows = fleet::measure(&server).await;
        rows.extend(sequence::measure(&server).await);
        rows.extend(transfer::measure(&server).await);
        rows
    });
    let reached = rows.iter().all(Row::reached);
    let mut out = std::io::stdout().lock();
    rows.iter().try_for_each(|row| writeln!(out, "{row}")).unwrap();
    assert!(reached, "a target was missed");
}

/// A number and what it should be.
struct Row {
    what: String,
    measured: String,
    value: f64,
    target: Target,
}

enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Row {
    fn reached(&self) -> bool {
        match self.target {
            Target::AtMost(most) => self.value <= most,
            Target::AtLeast(least) => self.value >= least,
        }
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:<44} {:<40} {:>7.2}", self.what, self.measured, self.value)?;
        let verdict = if self.reached() { "reached" } else { "MISSED" };
        match self.target {
            Target::AtMost(most) => write!(f, "  at most {most}: {verdict}"),
            Target::AtLeast(least) => write!(f, "  at least {least}: {verdict}"),
        }
    }
}

/// The median of some measurements.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
