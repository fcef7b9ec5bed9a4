//! Hosts that cost next to nothing: an SSH server that lets everybody in and runs a shell, in the relay's process. A
//! hundred of OpenSSH's would measure how fast this machine starts processes, since it has to be all of them.

use std::{collections::HashMap, process::Stdio, sync::Arc, time::Duration};

use russh::{
    Channel, ChannelId,
    keys::{Algorithm, PrivateKey},
    server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey, run_stream},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, copy, split},
    process::Command,
};

/// What all hosts share.
pub(crate) fn config() -> Arc<Config> {
    let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap();
    // As with OpenSSH, being told which ways in there are takes no time.
    Arc::new(Config { keys: vec![key], auth_rejection_time: Duration::ZERO, ..Config::default() })
}

/// Serves one connection.
pub(crate) async fn serve(config: Arc<Config>, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    if let Ok(session) = run_stream(config, stream, Guest::default()).await {
        // However it ends, the client is the one to say so.
        let _ = session.await;
    }
}

#[derive(Default)]
struct Guest(HashMap<ChannelId, Channel<Msg>>);

impl Handler for Guest {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _user: &str, _key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.0.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)?;
        if let Some(channel) = self.0.remove(&channel) {
            let command = String::from_utf8_lossy(command).into_owned();
            tokio::spawn(run(channel, command));
        }
        Ok(())
    }
}

async fn run(channel: Channel<Msg>, command: String) {
    let piped = Stdio::piped;
    let mut shell = Command::new("sh");
    let shell = shell.args(["-c", &command]).stdin(piped()).stdout(piped()).stderr(piped()).kill_on_drop(true);
    let mut child = shell.spawn().unwrap();
    let (mut input, mut out, mut err) =
        (child.stdin.take().unwrap(), child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let mut errors = channel.make_writer_ext(Some(1));
    let (mut from, mut to) = split(channel.into_stream());
    let feed = async {
        let _ = copy(&mut from, &mut input).await;
        drop(input);
    };
    // What ends first ends all: the client closes, or the shell is gone.
    tokio::select! {
        () = feed => {}
        _ = async { tokio::join!(copy(&mut out, &mut to), copy(&mut err, &mut errors)) } => {}
    }
    let _ = to.shutdown().await;
}
