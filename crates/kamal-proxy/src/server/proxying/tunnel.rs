//! What follows a 101: bytes both ways until one side has had enough (spec 8.8).

use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;

use crate::server::observe::access::Record;
use crate::server::target::Claim;

/// An upgraded connection about to begin.
#[derive(Debug)]
pub(crate) struct Tunnel {
    client: OnUpgrade,
    target: TcpStream,
    /// What the target said right after its answer.
    first: Bytes,
    claim: Claim,
}

impl Tunnel {
    pub(crate) fn new(client: OnUpgrade, (target, first): (TcpStream, Bytes), claim: Claim) -> Self {
        Self { client, target, first, claim }
    }

    /// Copies until both sides are done, one fails, or the target is drained. The end of the record is the end of the
    /// session.
    pub(crate) async fn run(mut self, record: Box<Record>) {
        let session = async {
            let mut client = TokioIo::new(self.client.await.ok()?);
            // A broken connection is how most sessions end.
            client.write_all(&self.first).await.ok()?;
            client.flush().await.ok()?;
            copy_bidirectional(&mut client, &mut self.target).await.ok()
        };
        tokio::select! {
            _ = session => {}
            () = self.claim.until_upgraded_cut() => {}
        }
        drop(record);
    }
}
