//! The side of the proxy that runs and is to be replaced.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{READY, Take, VERSION, YOURS, wire};
use crate::server::router::Router;

/// How long a successor may take from one message to the next; commands wait that long too.
const PATIENCE: Duration = Duration::from_secs(20);
const LONGEST_LINE: u64 = 1024;

/// Hands everything over. `Ok` means that the successor serves and this process is to finish, within the time given;
/// after an error this process goes on as before.
pub(crate) async fn hand_over(
    stream: UnixStream,
    router: &Router,
    sockets: &[(&str, BorrowedFd<'_>)],
) -> io::Result<Duration> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    let take: Take = serde_json::from_str(&line(&mut lines).await?)?;
    if take.version != VERSION {
        return Err(io::Error::other(format!("the successor speaks version {}, not {VERSION}", take.version)));
    }
    // Whatever would change what is served waits until it is clear who serves.
    let held = router.hold().await;
    let names = sockets.iter().map(|(name, _)| (*name).to_owned()).collect();
    let body = serde_json::to_vec(&held.estate(names)?)?;

    let length = (body.len() as u64).to_be_bytes();
    let descriptors: Vec<_> = sockets.iter().map(|(_, socket)| *socket).collect();
    let stream: &UnixStream = write.as_ref();
    let sent = stream.async_io(Interest::WRITABLE, || wire::send(stream, &length, &descriptors)).await?;
    write.write_all(&length[sent..]).await?;
    write.write_all(&body).await?;

    let answer = line(&mut lines).await?;
    if answer != READY {
        return Err(io::Error::other(format!("the successor says {answer:?}")));
    }
    held.give_up();
    // If it does not hear this, it serves all the same.
    let _ = write.write_all(format!("{YOURS}\n").as_bytes()).await;
    Ok(take.drain_timeout.as_std())
}

async fn line(lines: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<String> {
    let mut text = String::new();
    let mut limited = lines.take(LONGEST_LINE);
    let read = limited.read_line(&mut text);
    match timeout(PATIENCE, read).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? {
        0 => Err(io::Error::other("the successor has gone")),
        _ => Ok(text.trim_end().to_owned()),
    }
}
