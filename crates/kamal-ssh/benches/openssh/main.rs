//! This adapter beside OpenSSH's own programs, in one run against one sshd: `cargo xtask bench ssh`. Only ratios count.
//!
//! The distance to hosts is that of a relay in a process of its own, so that what is measured of this process, its
//! memory too, is the adapter's alone. Needs root, `sshd`, `ssh`, `scp` and `ssh-keygen`.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be taken is worth no error of its own")]

#[path = "../../../../tests/shared/figure.rs"]
mod figure;
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

use figure::Figure;
use server::Server;

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("relay") {
        return relay::serve(&arguments.collect::<Vec<_>>());
    }
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    // The fleet comes first: the highest memory is asked for after it, and a file to send would be part of it.
    let figures = runtime.block_on(async {
        let mut figures = fleet::measure(&server).await;
        figures.extend(sequence::measure(&server).await);
        figures.extend(transfer::measure(&server).await);
        figures
    });
    let mut out = std::io::stdout().lock();
    figures.iter().try_for_each(|figure| writeln!(out, "{}", figure.line())).unwrap();
}

/// The median of some measurements.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
