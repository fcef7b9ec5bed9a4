//! The listening end of the control socket.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::protocol::{Answer, Request};
use crate::server::observe::log::Log;
use crate::server::router::Router;

/// Longer requests are refused; the longest sensible one is a few kilobytes. Bytes.
const LONGEST_REQUEST: u64 = 1024 * 1024;

/// The socket, removed when dropped.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ControlSocket {
    /// Listens, in place of whatever was at the path before. Only the owner may connect.
    pub(crate) fn bind(path: PathBuf) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(Self { listener, path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Answers requests until dropped. A command under way is finished even if its client leaves.
    pub(crate) async fn serve(&self, router: Arc<Router>, log: Log) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let router = Arc::clone(&router);
                    tokio::spawn(async move {
                        // A client that leaves early does not want the answer.
                        let _ = converse(stream, &router).await;
                    });
                }
                Err(error) => {
                    log.error("Error accepting RPC connection", &[("error", error.to_string().into())]);
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

async fn converse(stream: UnixStream, router: &Router) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        if (&mut lines).take(LONGEST_REQUEST).read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let answer = match serde_json::from_slice(&line) {
            Ok(request) => answer(router, request).await,
            Err(error) => Answer::Error(format!("request not understood: {error}")),
        };
        let mut text = serde_json::to_vec(&answer)?;
        text.push(b'\n');
        write.write_all(&text).await?;
    }
}

async fn answer(router: &Router, request: Request) -> Answer {
    let result = match request {
        Request::List => return Answer::Services(router.list()),
        Request::Deploy(request) => router.deploy(*request).await,
        Request::Remove { service } => router.remove(&service).await,
        Request::Pause(request) => router.pause(request).await,
        Request::Stop(request) => router.stop(request).await,
        Request::Resume { service } => router.resume(&service).await,
        Request::RolloutDeploy(request) => router.rollout_deploy(request).await,
        Request::RolloutSet(request) => router.rollout_set(request).await,
        Request::RolloutStop { service } => router.rollout_stop(&service).await,
    };
    result.map_or_else(|error| Answer::Error(error.to_string()), |()| Answer::Done)
}
