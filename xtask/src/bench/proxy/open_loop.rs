//! Requests at a pace of their own, whether answers come or not. What one takes counts from when it was due, not from when it
//! was sent: a server that stalls would be asked less while it does, and the wait of those that were not sent would be
//! left out (coordinated omission).

use std::{
    io::{self, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use rustix::thread::{CpuSet, sched_setaffinity};

use super::{
    Sample,
    sockets::{connect, read_head},
};
use crate::error::{Context, Error, Result};

const CONNECTIONS: u32 = 64;
const REQUEST: &[u8] = b"GET /1k HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
/// What all clients need to be on their marks.
const MARKS: Duration = Duration::from_millis(50);
/// After so many times the time it was to take, what is still due is not sent any more; it counts as late as that.
const HOPELESS: u32 = 2;

/// So many requests a second for some time, from one processor.
pub(super) fn paced(to: SocketAddr, rate: u32, time: Duration, processor: usize) -> Result<Sample> {
    let interval = Duration::from_secs(1) * CONNECTIONS / rate;
    let begin = Instant::now() + MARKS;
    let client = move |number: u32| -> io::Result<Vec<f64>> {
        let mut only = CpuSet::new();
        only.set(processor);
        sched_setaffinity(None, &only)?;
        let mut stream = connect(to)?;
        let mut due = begin + interval * number / CONNECTIONS;
        let mut times = Vec::new();
        while due < begin + time {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if begin.elapsed() < time * HOPELESS {
                ask(&mut stream)?;
            }
            times.push(due.elapsed().as_secs_f64() * 1000.0);
            due += interval;
        }
        Ok(times)
    };
    let clients: Vec<_> = (0..CONNECTIONS).map(|number| thread::spawn(move || client(number))).collect();
    let mut times = Vec::new();
    for client in clients {
        let came = client.join().unwrap_or_else(|_| Err(io::Error::other("a client panicked")));
        times.extend(came.context(|| format!("asking {to}"))?);
    }
    let took = begin.elapsed().max(time);
    let rate = times.len() as f64 / took.as_secs_f64();
    Sample::of(rate, times, 0).ok_or_else(|| Error::Refused(format!("{to}: nothing was due")))
}

fn ask(stream: &mut BufReader<TcpStream>) -> io::Result<()> {
    stream.get_mut().write_all(REQUEST)?;
    let head = read_head(stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(io::Error::other(format!("answered {head:?}")));
    }
    stream.read_exact(&mut [0; 1024])
}

#[cfg(test)]
mod tests {
    use std::{io::BufRead, net::TcpListener};

    use super::*;

    /// A server that is away for a moment is seen to be, in more than the one request that met it.
    #[test]
    fn who_was_due_while_the_server_stalled_has_waited() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let began = Instant::now();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let mut stream = BufReader::new(stream);
                    while let Ok(Some(_)) = read_head(&mut stream) {
                        let stall = Duration::from_millis(400)..Duration::from_millis(600);
                        if stall.contains(&began.elapsed()) {
                            thread::sleep(stall.end.saturating_sub(began.elapsed()));
                        }
                        let answer = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[b'x'; 1024]].concat();
                        if stream.get_mut().write_all(&answer).is_err() {
                            break;
                        }
                        stream.consume(0);
                    }
                });
            }
        });
        // Each connection is due every 64 ms: three or so of its fifteen requests fall into the stall.
        let sample = paced(to, 1000, Duration::from_secs(1), 0).unwrap();
        assert!(sample.p50 < 100.0 && sample.p99 > 150.0, "{sample:?}");
        assert!(sample.rate > 900.0, "{sample:?}");
    }
}
