//! Writes files on a host (spec 5.7 uses scp, which the host would need to have).
//!
//! A short text, such as an env file, goes through the shell that is open anyway, in one round trip; anything else
//! through the standard input of a channel of its own. Never through an argument. It lands beside its place at mode
//! 0600, is counted, gets its mode, and is then renamed, so that nobody ever sees it in part or at a wider mode.

use std::io;

use futures_util::stream::{self, Stream, StreamExt};
use kamal_core::ports::{Content, TransportErrorKind};
use russh::ChannelMsg;
use zeroize::Zeroizing;

use crate::{
    connection::{Connection, Failure},
    displayable::displayable_bytes,
    nonce::nonce,
    quote::quoted,
};

/// How much of the host's complaint is shown.
const COMPLAINT_KEPT: usize = 400;

/// Up to which size a text goes through the shell: bash reads its programs byte by byte.
const SHORT: usize = 32 << 10;

/// How much is sent before it is told of.
const PIECE: usize = 256 << 10;

/// Writes a file, relative to the login folder unless the path is absolute.
pub(crate) async fn upload(
    connection: &Connection,
    content: &[u8],
    to: &str,
    mode: u32,
    sent: &mut (dyn FnMut(u64) + Send),
) -> Result<(), Failure> {
    let label = format!("upload of {to}");
    if let Some(text) = short_text(content) {
        let end = format!("END_{}", nonce()?);
        let take = format!("head -c {} > ", content.len());
        let before = program(content.len() as u64, to, mode, &take, &format!("<<'{end}' "))?;
        let script = Zeroizing::new(format!("{before}\n{text}\n{end}\n"));
        // A host whose `head` knows no bytes gets the file the other way; so does one that fails, to hear why.
        if connection.exec(&label, &script, &mut |_| ()).await?.success() {
            return Ok(());
        }
    }
    send(connection, stream::iter(content.chunks(PIECE).map(Ok)), content.len() as u64, to, mode, sent).await
}

/// As [`upload`], of what is read while it goes: no more of it is in memory than a piece, and what the window of the
/// channel lets out.
pub(crate) async fn upload_content(
    connection: &Connection,
    content: &dyn Content,
    to: &str,
    mode: u32,
    sent: &mut (dyn FnMut(u64) + Send),
) -> Result<(), Failure> {
    send(connection, content.read(), content.size(), to, mode, sent).await
}

async fn send<P: AsRef<[u8]> + Send>(
    connection: &Connection,
    mut pieces: impl Stream<Item = io::Result<P>> + Unpin + Send,
    length: u64,
    to: &str,
    mode: u32,
    sent: &mut (dyn FnMut(u64) + Send),
) -> Result<(), Failure> {
    let label = format!("upload of {to}");
    let program = program(length, to, mode, "cat > ", "")?;
    let (channel, _permit) = connection.session().await?;
    let (mut reader, writer) = channel.split();
    if writer.exec(true, format!("exec sh -c {}", quoted(&program))).await.is_err() {
        return Err(connection.lost(&label, None).into());
    }
    let write = async {
        let mut gone = 0;
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            // A failure to send shows as the channel's end below.
            if writer.data(piece.as_ref()).await.is_err() {
                return Ok(());
            }
            gone += piece.as_ref().len() as u64;
            sent(gone);
        }
        let _ = writer.eof().await;
        Ok::<_, io::Error>(())
    };
    let read = async {
        let (mut complaint, mut status) = (Vec::new(), None);
        while let Some(message) = reader.wait().await {
            match message {
                ChannelMsg::ExtendedData { data, ext: 1 } => {
                    let room = COMPLAINT_KEPT.saturating_sub(complaint.len());
                    complaint.extend(data.iter().take(room));
                }
                ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
                ChannelMsg::ExitSignal { .. } => status = Some(255),
                ChannelMsg::Failure => {
                    complaint.extend_from_slice(b"the server refuses to run commands");
                    status = Some(255);
                    break;
                }
                ChannelMsg::Close => break,
                _ => {}
            }
        }
        (complaint, status)
    };
    let ended = {
        tokio::pin!(read, write);
        // The host may end before it has taken everything (a full disk), so the end decides, not the last byte sent.
        tokio::select! {
            biased;
            end = &mut read => Ok(end),
            written = &mut write => match written {
                Ok(()) => Ok(read.await),
                Err(unread) => Err(unread),
            },
        }
    };
    // A host that has not everything takes nothing.
    let _ = writer.close().await;
    let unread = |error| TransportErrorKind::Client(format!("cannot read what goes into {to}: {error}"));
    let (complaint, status) = ended.map_err(unread)?;
    match status {
        Some(0) => Ok(()),
        Some(_) => {
            Err(TransportErrorKind::Protocol(format!("cannot write {to}: {}", displayable_bytes(&complaint))).into())
        }
        None => Err(connection.lost(&label, None).into()),
    }
}

/// A text that every shell passes on unchanged.
fn short_text(content: &[u8]) -> Option<&str> {
    let plain = |byte: &u8| matches!(byte, b'\n' | b'\t' | b' '..=b'~' | 0x80..);
    if content.len() > SHORT || !content.iter().all(plain) {
        return None;
    }
    std::str::from_utf8(content).ok()
}

/// The program that writes a file with what `take` copies into the file named after it, `from` where that comes from.
fn program(length: u64, to: &str, mode: u32, take: &str, from: &str) -> Result<String, TransportErrorKind> {
    let bad = || TransportErrorKind::Client(format!("{to:?} is not the path of a file"));
    if to.is_empty() || to.ends_with('/') || to.contains(['\0', '\n']) {
        return Err(bad());
    }
    // A path that begins with a dash would be taken for an option.
    let path = if to.starts_with('-') { format!("./{to}") } else { to.to_owned() };
    let folder = path.rsplit_once('/').map_or(".", |(folder, _)| if folder.is_empty() { "/" } else { folder });
    let (folder, partial) = (quoted(folder), quoted(&format!("{path}.{}.part", nonce()?)));
    let (path, clean_up) = (quoted(&path), quoted(&format!("rm -f {partial}")));
    Ok(format!(
        "mkdir -p {folder} || exit; if [ -d {path} ]; then echo 'it is a folder' >&2; exit 1; fi; umask 077; \
         trap {clean_up} EXIT; {take}{partial} {from}&& [ $(wc -c < {partial}) -eq {length} ] && \
         chmod {mode:o} {partial} && mv -f {partial} {path}",
        mode = mode & 0o7777,
    ))
}
