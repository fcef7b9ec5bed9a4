//! A way to a server that counts what goes over it, and can be cut.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Nothing goes over one that is never cut.
const NEVER: u64 = u64::MAX;

/// A port that leads to another.
#[derive(Debug, Clone, Default)]
pub struct Cable {
    /// Bytes that went to the server.
    up: Arc<AtomicU64>,
    /// Bytes that came from the server.
    down: Arc<AtomicU64>,
    /// After how many of the latter the connection they came by is cut, once.
    limit: Arc<AtomicU64>,
}

impl Cable {
    /// One from a new port, which is told, to `port`, for as long as the runtime is there.
    ///
    /// # Errors
    ///
    /// When there is no port left.
    pub async fn to(port: u16) -> io::Result<(u16, Self)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let own_port = listener.local_addr()?.port();
        let cable = Self::default();
        cable.cut_after(NEVER);
        let carried = cable.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let cable = carried.clone();
                tokio::spawn(async move { cable.carry(client, port).await });
            }
        });
        Ok((own_port, cable))
    }

    /// Cuts a connection once that many bytes came from the server, by all of them.
    pub fn cut_after(&self, bytes: u64) {
        self.limit.store(bytes, Relaxed);
    }

    /// Bytes that went to the server so far.
    #[must_use]
    pub fn up(&self) -> u64 {
        self.up.load(Relaxed)
    }

    /// Bytes that came from the server so far.
    #[must_use]
    pub fn down(&self) -> u64 {
        self.down.load(Relaxed)
    }

    /// Whether it was cut as it was asked to be.
    #[must_use]
    pub fn was_cut(&self) -> bool {
        self.limit.load(Relaxed) == NEVER
    }

    async fn carry(&self, client: TcpStream, port: u16) -> io::Result<()> {
        let server = TcpStream::connect(("127.0.0.1", port)).await?;
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let upward = async {
            let mut buffer = vec![0; 32 * 1024];
            loop {
                let length = from_client.read(&mut buffer).await?;
                if length == 0 {
                    return to_server.shutdown().await;
                }
                self.up.fetch_add(length as u64, Relaxed);
                to_server.write_all(&buffer[..length]).await?;
            }
        };
        let downward = async {
            let mut buffer = vec![0; 32 * 1024];
            loop {
                let length = from_server.read(&mut buffer).await?;
                let came = self.down.fetch_add(length as u64, Relaxed) + length as u64;
                let limit = self.limit.load(Relaxed);
                if length == 0 || (came > limit && self.limit.swap(NEVER, Relaxed) != NEVER) {
                    return Ok(());
                }
                to_client.write_all(&buffer[..length]).await?;
            }
        };
        // What ends one way ends both, and drops what is left.
        tokio::select! { ended = downward => ended, Err(error) = upward => Err(error) }
    }
}
