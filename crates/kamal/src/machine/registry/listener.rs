//! The registry's port on this machine, which builders push to. Several runs may want it at the same time: one of them has
//! it, told by the claim of a file, and as all of them keep their images in the same folder the others need it no less
//! served by that one. When it ends, the next one goes on.

use std::{
    fs::{self, File, TryLockError},
    io,
    net::Ipv4Addr,
    path::Path,
    time::Duration,
};

use kamal_core::ports::RegistryError;
use kamal_docker::registry::Registry;
use tokio::{net::TcpListener, task::JoinHandle};

/// How often to look whether whoever has the port has ended. Builders try again for longer.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The port, ours or another run's, until this is dropped.
#[derive(Debug)]
pub(super) struct Listener {
    _serving: Task,
}

/// A task that ends when this is dropped.
#[derive(Debug)]
pub(super) struct Task(JoinHandle<()>);

impl Task {
    pub(super) fn of(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Listener {
    pub(super) async fn begin(registry: &Registry, port: u16) -> Result<Self, RegistryError> {
        let claims = registry.folder().with_file_name("ports");
        let path = claims.join(port.to_string());
        let io = |source| RegistryError::Io { what: format!("cannot claim {}", path.display()), source };
        let registry = registry.clone();
        let serving = match claim(&path).map_err(io)? {
            Some(claim) => {
                let listener = listen(port).await?;
                Task::of(serve(registry, listener, claim))
            }
            None => Task::of(async move {
                let (claim, listener) = succeed(&path, port).await;
                serve(registry, listener, claim).await;
            }),
        };
        Ok(Self { _serving: serving })
    }
}

async fn serve(registry: Registry, listener: TcpListener, _claim: File) {
    // It fails only when the system has no more files to give, of which the builder tells.
    let _ = registry.serve(listener).await;
}

async fn listen(port: u16) -> Result<TcpListener, RegistryError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => RegistryError::PortTaken { port },
        _ => RegistryError::Io { what: format!("cannot listen on port {port} of this machine"), source },
    })
}

/// Waits until nobody has the port any more.
async fn succeed(path: &Path, port: u16) -> (File, TcpListener) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if let Ok(Some(claim)) = claim(path)
            && let Ok(listener) = listen(port).await
        {
            return (claim, listener);
        }
    }
}

/// The claim of a port, unless another run has it. The system takes it back from whoever ends.
fn claim(path: &Path) -> io::Result<Option<File>> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = File::options().create(true).append(true).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
#[path = "../../../../../tests/shared/free_port.rs"]
mod free_port;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn answers(port: u16) -> bool {
        let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return false };
        stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text.starts_with("HTTP/1.1 200")
    }

    #[tokio::test]
    async fn one_run_goes_on_where_another_ends() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(folder.path().join("registry")).unwrap();
        let port = free_port::free_port();
        let first = Listener::begin(&registry, port).await.unwrap();
        let second = Listener::begin(&registry, port).await.unwrap();
        assert!(answers(port).await);
        drop(first);
        let began = std::time::Instant::now();
        while !answers(port).await {
            assert!(began.elapsed() < Duration::from_secs(10), "nobody goes on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        drop(second);
        while answers(port).await {
            assert!(began.elapsed() < Duration::from_secs(10), "it is served for ever");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn a_port_of_somebody_else_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(folder.path().join("registry")).unwrap();
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = Listener::begin(&registry, port).await.unwrap_err();
        assert!(matches!(error, RegistryError::PortTaken { port: named } if named == port), "{error}");
        assert!(error.to_string().contains("kamal-docker-registry"), "{error}");
    }
}
