//! Clients and a server of our own, for what the load generators cannot do: WebSockets and idle connections.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use super::Sample;
use crate::error::{Context, Error, Result};

/// A text frame of 64 bytes as clients send them; its mask is zero.
const FRAME: [u8; 70] = {
    let mut frame = [b'x'; 70];
    (frame[0], frame[1]) = (0x81, 0x80 | 64);
    (frame[2], frame[3], frame[4], frame[5]) = (0, 0, 0, 0);
    frame
};
const TIMEOUT: Duration = Duration::from_secs(20);

/// A server that sends back what it is sent, once the protocol was switched; before that it is healthy.
#[derive(Debug)]
pub(super) struct Echo {
    pub(super) address: SocketAddr,
}

impl Echo {
    /// Starts it; it lasts as long as this process.
    pub(super) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context(|| "listening for echoes".to_owned())?;
        let address = listener.local_addr().context(|| "listening for echoes".to_owned())?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is no concern of the others.
                thread::spawn(move || echo(stream));
            }
        });
        Ok(Self { address })
    }
}

fn echo(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(head) = read_head(&mut reader)? {
        if !head.to_ascii_lowercase().contains("upgrade: websocket") {
            reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        }
        // The answer to the one key our clients send; HAProxy wants to see it.
        reader.get_mut().write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n",
        )?;
        let mut buffer = [0; 4096];
        loop {
            let read = reader.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            reader.get_mut().write_all(&buffer[..read])?;
        }
    }
    Ok(())
}

/// The head of a message; `None` when the connection ended before one.
pub(super) fn read_head(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut head = String::new();
    loop {
        let before = head.len();
        if reader.read_line(&mut head)? == 0 {
            return Ok(None);
        }
        if head.len() - before <= 2 {
            return Ok(Some(head));
        }
    }
}

pub(super) fn connect(to: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(BufReader::new(stream))
}

/// A WebSocket through a proxy.
pub(super) fn websocket(to: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let mut stream = connect(to)?;
    stream.get_mut().write_all(
        b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    )?;
    match read_head(&mut stream)? {
        Some(head) if head.starts_with("HTTP/1.1 101") => Ok(stream),
        other => Err(io::Error::other(format!("no WebSocket: {other:?}"))),
    }
}

/// Sends a frame and waits for it to come back.
pub(super) fn bounce(stream: &mut BufReader<TcpStream>) -> io::Result<()> {
    let mut back = [0; FRAME.len()];
    stream.get_mut().write_all(&FRAME)?;
    stream.read_exact(&mut back)
}

/// Frames to and fro on so many connections.
pub(super) fn echoes(to: SocketAddr, connections: usize, time: Duration) -> Result<Sample> {
    let client = move || -> io::Result<Vec<f64>> {
        let mut stream = websocket(to)?;
        let (begin, mut times) = (Instant::now(), Vec::new());
        while begin.elapsed() < time {
            let sent = Instant::now();
            bounce(&mut stream)?;
            times.push(sent.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(times)
    };
    let clients = (0..connections).map(|_| thread::spawn(client)).collect::<Vec<_>>();
    let mut times = Vec::new();
    for client in clients {
        let came = client.join().unwrap_or_else(|_| Err(io::Error::other("a client panicked")));
        times.extend(came.context(|| format!("sending frames through {to}"))?);
    }
    let rate = times.len() as f64 / time.as_secs_f64();
    Sample::of(rate, times, 0).ok_or_else(|| Error::Refused(format!("{to}: no frame came back")))
}

/// Opens connections, asks once on each, and leaves them open. Not more than a thousand a second: what a burst of requests
/// takes for a moment is no memory of idle connections, but allocators keep it.
pub(super) fn idle(to: SocketAddr, connections: usize) -> Result<Vec<TcpStream>> {
    let one = |_| {
        thread::sleep(Duration::from_millis(1));
        idle_once(to).context(|| format!("connecting to {to}"))
    };
    (0..connections).map(one).collect()
}

/// One such connection.
pub(super) fn idle_once(to: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = connect(to)?;
    stream.get_mut().write_all(b"GET /up HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")?;
    read_head(&mut stream)?;
    let mut body = [0; 2];
    stream.read_exact(&mut body)?;
    Ok(stream.into_inner())
}

/// Asks for a long answer and goes away in the midst of it.
pub(super) fn abort(to: SocketAddr) -> io::Result<()> {
    let mut stream = connect(to)?;
    stream.get_mut().write_all(b"GET /1m HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")?;
    let mut some = [0; 4096];
    stream.read_exact(&mut some)
}

/// Begins a request and takes its time.
pub(super) fn dawdle(to: SocketAddr) -> io::Result<()> {
    let mut stream = connect(to)?;
    for byte in b"GET /1k HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n" {
        stream.get_mut().write_all(&[*byte])?;
        thread::sleep(Duration::from_millis(20));
    }
    stream.read_to_end(&mut Vec::new()).map(drop)
}
