//! Our side of the protocol: what russh asks back while a connection lives.

use std::{path::PathBuf, sync::Arc};

use russh::{
    Channel, Names,
    client::{ChannelOpenHandle, DisconnectReason, Handler, Msg, Session},
    keys::PublicKeyOrCertificate,
};
use tokio::net::UnixStream;

use crate::{
    displayable::{displayable, displayable_bytes},
    fault::{Cause, Fault},
    forward::Forwards,
    host_key::{HostKeyCheck, describe_shown},
    trace::{Stage, Trace},
};

/// Answers russh.
pub(crate) struct Client {
    pub(crate) host_key: Arc<HostKeyCheck>,
    pub(crate) cause: Cause,
    pub(crate) forwards: Forwards,
    /// The agent the host may use, if it was asked for.
    pub(crate) agent: Option<PathBuf>,
    pub(crate) trace: Trace,
}

impl Handler for Client {
    type Error = Fault;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Fault> {
        // The files were read before; at most one line is written here.
        self.trace.begin(Stage::HostKey);
        self.trace.note(Stage::HostKey, || describe_shown(shown));
        self.host_key.check(shown)?;
        Ok(true)
    }

    async fn kex_done(&mut self, _secret: Option<&[u8]>, names: &Names, session: &mut Session) -> Result<(), Fault> {
        self.trace.note(Stage::Handshake, || {
            let version = displayable_bytes(session.remote_sshid());
            format!("{version}, {}, {}", names.kex.as_ref(), names.cipher.as_ref())
        });
        Ok(())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _address: &str,
        port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Fault> {
        // Dropping the reply refuses.
        if let Some(place) = self.forwards.place(port) {
            reply.accept().await;
            place.send(channel);
        }
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Fault> {
        let Some(socket) = self.agent.clone() else { return Ok(()) };
        // In a task of its own: the whole connection waits for this function.
        tokio::spawn(async move {
            if let Ok(mut agent) = UnixStream::connect(socket).await {
                reply.accept().await;
                // Either side may end it at any time.
                let _ = tokio::io::copy_bidirectional(&mut channel.into_stream(), &mut agent).await;
            }
        });
        Ok(())
    }

    // A server has no business to open any other channel here, and russh would let it. Dropping the reply refuses.

    async fn server_channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Fault> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _to: &str,
        _port: u32,
        _from: &str,
        _from_port: u32,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Fault> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket: &str,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Fault> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket: &str,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Fault> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _from: &str,
        _from_port: u32,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Fault> {
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Fault>) -> Result<(), Fault> {
        self.forwards.clear();
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                self.cause.note(format!("the server said: {}", displayable(&info.message)));
                Ok(())
            }
            DisconnectReason::Error(error) => {
                match &error {
                    Fault::Russh(russh::Error::KeepaliveTimeout) => self.cause.note("the host stopped answering"),
                    Fault::Russh(error) => self.cause.note(displayable(&error.to_string())),
                    Fault::HostKey(kind) => self.cause.note(kind.to_string()),
                    Fault::UnknownHost(_) => {}
                }
                Err(error)
            }
        }
    }
}
