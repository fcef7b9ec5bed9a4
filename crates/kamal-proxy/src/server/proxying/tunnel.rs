//! What follows a 101: bytes both ways until one side has had enough (spec 8.8).

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;

use crate::server::connections::Busy;
use crate::server::observe::access::Record;
use crate::server::target::Claim;

/// A target's end of an upgraded connection.
#[derive(Debug)]
pub(crate) struct Tunnel {
    target: TcpStream,
    /// What the target said right after its answer.
    first: Bytes,
    claim: Claim,
}

/// An upgraded connection about to begin. Its record ends with it.
#[derive(Debug)]
pub(crate) struct Session {
    tunnel: Tunnel,
    _record: Box<Record>,
    _place: Busy,
}

impl Tunnel {
    pub(crate) fn new((target, first): (TcpStream, Bytes), claim: Claim) -> Self {
        Self { target, first, claim }
    }
}

impl Session {
    pub(crate) fn new(tunnel: Tunnel, record: Box<Record>, place: Busy) -> Self {
        Self { tunnel, _record: record, _place: place }
    }

    /// Copies until both sides are done, one fails, or the target is drained. `early` is what the client said already.
    pub(crate) async fn run<S>(self: Box<Self>, mut client: S, early: Bytes)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut session = *self;
        let Tunnel { target, first, claim } = &mut session.tunnel;
        let copied = async {
            // A broken connection is how most sessions end.
            target.write_all(&early).await.ok()?;
            client.write_all(first).await.ok()?;
            client.flush().await.ok()?;
            copy_bidirectional(&mut client, target).await.ok()
        };
        tokio::select! {
            _ = copied => {}
            () = claim.until_upgraded_cut() => {}
        }
    }
}
