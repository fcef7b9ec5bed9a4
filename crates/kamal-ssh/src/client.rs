//! Our side of the protocol: what russh asks back while a connection lives.

use std::sync::Arc;

use russh::{
    client::{DisconnectReason, Handler},
    keys::PublicKeyOrCertificate,
};

use crate::{
    fault::{Cause, Fault},
    host_key::HostKeyCheck,
};

/// Answers russh.
pub(crate) struct Client {
    pub(crate) host_key: Arc<HostKeyCheck>,
    pub(crate) cause: Cause,
}

impl Handler for Client {
    type Error = Fault;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Fault> {
        // The files were read before; at most one line is written here.
        self.host_key.check(shown).map_err(Fault::HostKey)?;
        Ok(true)
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Fault>) -> Result<(), Fault> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                self.cause.note(format!("the server said: {}", info.message.trim()));
                Ok(())
            }
            DisconnectReason::Error(error) => {
                match &error {
                    Fault::Russh(russh::Error::KeepaliveTimeout) => self.cause.note("the host stopped answering"),
                    Fault::Russh(error) => self.cause.note(error.to_string()),
                    Fault::HostKey(kind) => self.cause.note(kind.to_string()),
                }
                Err(error)
            }
        }
    }
}
