//! The load generators, and what they say: wrk for HTTP/1.1, h2load for HTTP/2.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use super::Sample;
use crate::{
    command::run,
    error::{Context, Error, Result},
};

/// The command that asks for `url` on so many connections.
fn wrk(url: &str, connections: usize, seconds: u32) -> Command {
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", "--latency", "--timeout", "10s"]).arg(format!("-c{connections}")).arg(format!("-d{seconds}s"));
    wrk.arg(url);
    wrk
}

/// Asks over HTTP/1.1 on connections that are kept.
pub(super) fn http1(url: &str, connections: usize, seconds: u32) -> Result<Sample> {
    let said = run(&mut wrk(url, connections, seconds))?;
    read_wrk(&said).ok_or_else(|| Error::Refused(format!("{url}: wrk said\n{said}")))
}

/// The same in the background, to see requests fail while something happens.
pub(super) fn background(url: &str, connections: usize, seconds: u32) -> Result<Child> {
    let mut wrk = wrk(url, connections, seconds);
    wrk.stdout(Stdio::piped()).spawn().context(|| "starting `wrk`".to_owned())
}

/// Asks over HTTP/2: so many connections, ten streams on each.
pub(super) fn http2(url: &str, connections: usize, seconds: u32, log: &Path) -> Result<Sample> {
    // It would add to the log of the round before.
    let _ = std::fs::remove_file(log);
    let mut h2load = Command::new("h2load");
    h2load.args(["-m", "10", "-t", "1"]).arg("-c").arg(connections.to_string()).arg("-D").arg(seconds.to_string());
    let said = run(h2load.arg(format!("--log-file={}", log.display())).arg(url))?;
    let lines = std::fs::read_to_string(log).context(|| format!("reading {}", log.display()))?;
    read_h2load(&said, &lines).ok_or_else(|| Error::Refused(format!("{url}: h2load said\n{said}")))
}

/// Requests that failed, of all, by what wrk says.
pub(super) fn failures(said: &str) -> (u64, u64) {
    let number = |text: &str| text.trim_matches(',').parse::<u64>().unwrap_or(0);
    let line = |marker: &str| said.lines().find(|line| line.contains(marker));
    let errors = line("Socket errors:").map_or(0, |line| line.split_whitespace().map(number).sum());
    let refused = line("Non-2xx").and_then(|line| line.split_whitespace().last()).map_or(0, number);
    let all = line("requests in").and_then(|line| line.split_whitespace().next()).map_or(0, number);
    (errors + refused, all)
}

fn read_wrk(said: &str) -> Option<Sample> {
    let field = |marker: &str| {
        let mut words = said.lines().find(|line| line.trim_start().starts_with(marker))?.split_whitespace();
        words.nth(1)
    };
    let rate = field("Requests/sec:")?.parse().ok()?;
    let sample = Sample { rate, p50: millis(field("50%")?)?, p99: millis(field("99%")?)?, failed: failures(said).0 };
    Some(sample)
}

fn millis(text: &str) -> Option<f64> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let factor = match &text[unit..] {
        "us" => 0.001,
        "ms" => 1.0,
        "s" => 1000.0,
        _ => return None,
    };
    Some(text[..unit].parse::<f64>().ok()? * factor)
}

/// The log has a line for each request: when it began, its status, microseconds.
fn read_h2load(said: &str, log: &str) -> Option<Sample> {
    let finished = said.lines().find(|line| line.starts_with("finished in"))?;
    let rate = finished.split_whitespace().find_map(|word| word.parse::<f64>().ok())?;
    let mut times = Vec::new();
    let mut failed = 0;
    for line in log.lines() {
        let mut fields = line.split('\t').skip(1);
        failed += u64::from(fields.next()? != "200");
        times.push(fields.next()?.parse::<f64>().ok()? / 1000.0);
    }
    Sample::of(rate, times, failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRK: &str = "Running 1s test @ http://x/\n  Latency Distribution\n     50%  650.00us\n     75%    1.50ms\n     \
                       99%    1.02s\n  13000 requests in 1.00s, 15MB read\n  Socket errors: connect 1, read 2, write 0, \
                       timeout 3\n  Non-2xx or 3xx responses: 4\nRequests/sec:  12987.50\n";

    #[test]
    fn what_wrk_says() {
        let sample = read_wrk(WRK).expect("a whole answer");
        assert_eq!((sample.rate, sample.p50, sample.p99, sample.failed), (12987.5, 0.65, 1020.0, 10));
        assert_eq!(failures(WRK), (10, 13000));
        assert!(read_wrk("unable to connect").is_none());
    }

    #[test]
    fn what_h2load_says() {
        let log = "1700000\t200\t1000\n1700001\t200\t3000\n1700002\t502\t9000\n";
        let sample = read_h2load("finished in 1.00s, 3.50 req/s, 4KB/s", log).expect("a whole answer");
        assert_eq!((sample.rate, sample.p50, sample.p99, sample.failed), (3.5, 3.0, 9.0, 1));
    }
}
