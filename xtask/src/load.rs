//! Requests that keep flowing while something is deployed: paced, on connections that are kept open like browsers'
//! and load balancers' or on one each, every answer noted.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// A load under way.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    tally: Arc<Mutex<Tally>>,
    began: Instant,
    clients: Vec<JoinHandle<()>>,
}

/// What became of the requests.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Requests sent.
    pub sent: u64,
    /// Requests without a whole answer of status 200, each with the reason.
    pub failed: Vec<String>,
    /// Answers per version, in the order the versions were first seen.
    pub versions: Vec<(String, u64)>,
    /// Milliseconds per answer, counted.
    pub latencies: BTreeMap<u64, u64>,
    /// How long the load ran.
    pub took: Duration,
}

impl Load {
    /// Starts `clients` connections of `rate` requests a second each.
    #[must_use]
    pub fn start(to: SocketAddr, host: &str, clients: u32, rate: u32) -> Self {
        Self::begin(to, host, clients, rate, true)
    }

    /// Starts `clients` that send `rate` requests a second each, every one over a new connection.
    #[must_use]
    pub fn start_unkept(to: SocketAddr, host: &str, clients: u32, rate: u32) -> Self {
        Self::begin(to, host, clients, rate, false)
    }

    fn begin(to: SocketAddr, host: &str, clients: u32, rate: u32, keep: bool) -> Self {
        let (stop, tally) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Tally::default())));
        let clients = (0..clients)
            .map(|_| {
                let (stop, tally, host) = (stop.clone(), tally.clone(), host.to_owned());
                thread::spawn(move || client(to, &host, Duration::from_secs(1) / rate, keep, &stop, &tally))
            })
            .collect();
        Self { stop, tally, began: Instant::now(), clients }
    }

    /// Requests sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).sent
    }

    /// What became of the requests so far.
    #[must_use]
    pub fn so_far(&self) -> Tally {
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Tally { took: self.began.elapsed(), ..tally }
    }

    /// Waits for the answers under way and returns what became of all.
    #[must_use]
    pub fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            // A client that panicked has counted what it sent.
            drop(client.join());
        }
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Tally { took: self.began.elapsed(), ..tally }
    }
}

impl Tally {
    /// Requests a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.sent as f64 / self.took.as_secs_f64().max(0.001)
    }

    /// The latency in milliseconds below which a share of the answers came.
    #[must_use]
    pub fn percentile(&self, share: f64) -> u64 {
        let answered: u64 = self.latencies.values().sum();
        let wanted = (answered as f64 * share).ceil() as u64;
        let mut seen = 0;
        let slow = self.latencies.iter().find(|(_, count)| {
            seen += **count;
            seen >= wanted
        });
        slow.map_or(0, |(latency, _)| *latency)
    }
}

fn client(to: SocketAddr, host: &str, pace: Duration, keep: bool, stop: &AtomicBool, tally: &Mutex<Tally>) {
    let mut connection = None;
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let answer = request(&mut connection, to, host);
        if !keep {
            connection = None;
        }
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        {
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.sent += 1;
            match answer {
                Ok(version) => {
                    *tally.latencies.entry(took).or_default() += 1;
                    match tally.versions.iter_mut().find(|(seen, _)| *seen == version) {
                        Some((_, count)) => *count += 1,
                        None => tally.versions.push((version, 1)),
                    }
                }
                Err(error) => {
                    connection = None;
                    tally.failed.push(error.to_string());
                }
            }
        }
        next += pace;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// Sends one request and returns the version that answered.
fn request(connection: &mut Option<BufReader<TcpStream>>, to: SocketAddr, host: &str) -> io::Result<String> {
    let stream = match connection {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect_timeout(&to, Duration::from_secs(5))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(30)))?;
            connection.insert(BufReader::new(stream))
        }
    };
    stream.get_mut().write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: load\r\n\r\n").as_bytes())?;
    let (mut line, mut length, mut version, mut close) = (String::new(), 0, String::new(), false);
    if stream.read_line(&mut line)? == 0 {
        return Err(io::Error::other("the connection was closed before an answer came"));
    }
    let status = line.trim().to_owned();
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().map_err(io::Error::other)?,
            "x-version" => version = value.to_owned(),
            "connection" => close = value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    if close {
        *connection = None;
    }
    if status.starts_with("HTTP/1.1 200") { Ok(version) } else { Err(io::Error::other(format!("answered {status}"))) }
}

/// Asks once which version answers.
///
/// # Errors
///
/// When there is no whole answer of status 200.
pub fn ask(to: SocketAddr, host: &str) -> io::Result<String> {
    request(&mut None, to, host)
}
