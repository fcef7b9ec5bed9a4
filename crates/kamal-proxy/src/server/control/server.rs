//! The listening end of the control socket.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::client::{ClientError, call};
use super::protocol::{Answer, Request};
use super::socket_file::SocketFile;
use crate::server::connections::Connections;
use crate::server::observe::log::Log;
use crate::server::router::{CommandError, Router, Unhealthy};
use crate::server::tasks::Tasks;

/// Longer requests are refused; the longest sensible one is a few kilobytes. Bytes.
const LONGEST_REQUEST: u64 = 1024 * 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers requests until dropped. A command under way is finished even if its client leaves.
pub(crate) async fn serve(
    socket: &SocketFile,
    router: &Arc<Router>,
    connections: &Arc<Connections>,
    tasks: &Tasks,
    log: &Log,
) {
    loop {
        match socket.accept().await {
            Ok(stream) => {
                let (router, connections) = (Arc::clone(router), Arc::clone(connections));
                let path = Arc::from(socket.path());
                tasks.spawn(async move {
                    // A client that leaves early does not want the answer.
                    let _ = converse(stream, &router, &connections, path).await;
                });
            }
            Err(error) => {
                log.error("Error accepting RPC connection", &[("error", error.to_string().into())]);
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(
    stream: UnixStream,
    router: &Router,
    connections: &Arc<Connections>,
    path: Arc<Path>,
) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        if (&mut lines).take(LONGEST_REQUEST).read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let _busy = connections.busy();
        let answer = match serde_json::from_slice(&line) {
            Ok(request) => answer(router, connections, request, &path).await,
            Err(error) => Answer::Error(format!("request not understood: {error}")),
        };
        let mut text = serde_json::to_vec(&answer)?;
        text.push(b'\n');
        write.write_all(&text).await?;
    }
}

async fn answer(router: &Router, connections: &Connections, request: Request, path: &Arc<Path>) -> Answer {
    match perform(router, connections, request.clone()).await {
        // Whoever took over is at the same path by now.
        Err(CommandError::HandedOver) => {
            let path = Arc::clone(path);
            match spawn_blocking(move || call(&path, &request)).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(ClientError::Refused(text))) => Answer::Error(text),
                Ok(Err(ClientError::Unhealthy { error, failure })) => Answer::Unhealthy { error, failure },
                _ => Answer::Error(CommandError::HandedOver.to_string()),
            }
        }
        Ok(answer) => answer,
        Err(error) => {
            let text = error.to_string();
            match error {
                CommandError::Unhealthy(Unhealthy { cause: Some(failure), .. }) => {
                    Answer::Unhealthy { error: text, failure }
                }
                _ => Answer::Error(text),
            }
        }
    }
}

async fn perform(router: &Router, connections: &Connections, request: Request) -> Result<Answer, CommandError> {
    match request {
        Request::List => {
            let services = router.list().into_iter().map(|service| (service.name.clone(), service.into()));
            return Ok(Answer::Services(services.collect()));
        }
        Request::Watch(request) => return Ok(Answer::Text(router.watch(request).await?)),
        Request::Leave { drain_timeout } => {
            // Another proxy serves what this one serves now, and would not hear of a change.
            let _held = router.hold().await;
            connections.see_off(drain_timeout.as_std()).await;
            return Ok(Answer::Done);
        }
        Request::Deploy(request) => router.deploy(*request).await,
        Request::Reload => router.reload().await,
        Request::Remove { service } => router.remove(&service).await,
        Request::Pause(request) => router.pause(request).await,
        Request::Stop(request) => router.stop(request).await,
        Request::Resume { service } => router.resume(&service).await,
        Request::RolloutDeploy(request) => router.rollout_deploy(request).await,
        Request::RolloutSet(request) => router.rollout_set(request).await,
        Request::RolloutStop { service } => router.rollout_stop(&service).await,
    }?;
    Ok(Answer::Done)
}
