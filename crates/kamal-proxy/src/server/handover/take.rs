//! The side of the new process that is to serve from now on.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::{TcpListener, UnixStream};
use tokio::time::timeout;

use super::{Estate, READY, Take, VERSION, YOURS, wire};
use crate::server::go_duration::GoDuration;
use crate::server::listen::address::ListenAddress;

/// How long the predecessor may take to answer: it waits for a command that is just changing what is served.
const PATIENCE: Duration = Duration::from_secs(20);
/// A state larger than any that makes sense. Bytes.
const LARGEST: u64 = 1024 * 1024 * 1024;

/// What a predecessor handed over, and the line to it.
#[derive(Debug)]
pub(crate) struct Taken {
    stream: UnixStream,
    sockets: Vec<(String, OwnedFd)>,
    pub(crate) estate: Estate,
}

/// Asks the proxy that runs for everything; `None` when none does.
pub(crate) async fn take(path: &Path, drain_timeout: GoDuration) -> io::Result<Option<Taken>> {
    let stream = match UnixStream::connect(path).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    timeout(PATIENCE, ask(stream, drain_timeout)).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?.map(Some)
}

async fn ask(mut stream: UnixStream, drain_timeout: GoDuration) -> io::Result<Taken> {
    let take = serde_json::to_string(&Take { version: VERSION, drain_timeout })?;
    stream.write_all(format!("{take}\n").as_bytes()).await?;

    let mut length = [0; 8];
    let (received, descriptors) = {
        let stream = &stream;
        stream.async_io(Interest::READABLE, || wire::receive(stream, &mut length)).await?
    };
    if received == 0 {
        return Err(io::Error::other("the proxy that runs does not want to be replaced by this version"));
    }
    stream.read_exact(&mut length[received..]).await?;
    let length = u64::from_be_bytes(length);
    if length > LARGEST {
        return Err(io::Error::other("the proxy that runs does not speak this language"));
    }
    let mut body = Vec::new();
    (&mut stream).take(length).read_to_end(&mut body).await?;
    let estate: Estate = serde_json::from_slice(&body)?;
    if estate.sockets.len() != descriptors.len() {
        return Err(io::Error::other("sockets were lost on the way"));
    }
    let sockets = estate.sockets.iter().cloned().zip(descriptors).collect();
    Ok(Taken { stream, sockets, estate })
}

impl Taken {
    /// The listening socket of a name, if it was handed over and is where one is asked for.
    pub(crate) fn listener(&mut self, name: &str, asked: ListenAddress) -> io::Result<Option<TcpListener>> {
        let Some(at) = self.sockets.iter().position(|(given, _)| given == name) else { return Ok(None) };
        let listener = std::net::TcpListener::from(self.sockets.swap_remove(at).1);
        if !asked.is_met_by(listener.local_addr()?) {
            return Ok(None);
        }
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener).map(Some)
    }

    /// Tells the predecessor that this process serves, and waits until it has stopped accepting.
    pub(crate) async fn ready(mut self) -> io::Result<()> {
        self.stream.write_all(format!("{READY}\n").as_bytes()).await?;
        let mut answer = String::new();
        let mut lines = BufReader::new(self.stream);
        let read = lines.read_line(&mut answer);
        timeout(PATIENCE, read).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        if answer.trim_end() == YOURS { Ok(()) } else { Err(io::Error::other("the predecessor has gone")) }
    }
}
