//! What follows a 101: bytes both ways until one side has had enough (spec 8.8).

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use crate::server::observe::access::Record;
use crate::server::target::Claim;
use crate::server::target::pool::Connection;

/// An upgraded connection about to begin.
#[derive(Debug)]
pub(crate) struct Tunnel {
    client: OnUpgrade,
    target: OnUpgrade,
    connection: Connection,
    claim: Claim,
}

impl Tunnel {
    pub(crate) fn new(client: OnUpgrade, target: OnUpgrade, connection: Connection, claim: Claim) -> Self {
        Self { client, target, connection, claim }
    }

    /// Copies until both sides are done, one fails, or the target is drained. The end of the record is the end of the
    /// session.
    pub(crate) async fn run(self, record: Box<Record>) {
        let session = async {
            let (client, target) = tokio::try_join!(self.client, self.target).ok()?;
            // A broken connection is how most sessions end.
            copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(target)).await.ok()
        };
        tokio::select! {
            _ = session => {}
            () = self.claim.until_upgraded_cut() => {}
        }
        drop((self.connection, record));
    }
}
