//! A way to a server, which counts what goes over it, can be as long as one likes, and can be cut.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener as Blocking},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot},
    time::{Instant, sleep, sleep_until},
};

/// What goes over a cable in one piece.
const PIECE: usize = 32 << 10;

/// How many pieces may be under way in one direction of a long one.
const PIECES: usize = 4096;

/// Nothing goes over one that is never cut.
const NEVER: u64 = u64::MAX;

/// A port that leads to another, until this is dropped.
#[derive(Debug)]
pub struct Cable {
    /// The port.
    pub port: u16,
    ways: Arc<Ways>,
    _end: oneshot::Sender<()>,
}

#[derive(Debug)]
struct Ways {
    up: Direction,
    down: Direction,
    /// How long it takes one way.
    one_way: Duration,
}

#[derive(Debug)]
struct Direction {
    /// Bytes that went so far.
    gone: AtomicU64,
    /// After how many the connection they go by is cut, once.
    limit: AtomicU64,
}

impl Cable {
    /// One from a new port of an address of this machine to a server that is so far away.
    ///
    /// # Errors
    ///
    /// When there is no port left.
    pub fn lay(at: Ipv4Addr, to: SocketAddr, round_trip: Duration) -> io::Result<Self> {
        let listener = Blocking::bind((at, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let ways = Arc::new(Ways { up: Direction::new(), down: Direction::new(), one_way: round_trip / 2 });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (end, ended) = oneshot::channel();
        let carried = ways.clone();
        thread::spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    _ = accept(listener, to, carried) => {}
                    _ = ended => {}
                }
            });
        });
        Ok(Self { port, ways, _end: end })
    }

    /// Bytes that went to the server so far.
    #[must_use]
    pub fn up(&self) -> u64 {
        self.ways.up.gone.load(Relaxed)
    }

    /// Bytes that came from the server so far.
    #[must_use]
    pub fn down(&self) -> u64 {
        self.ways.down.gone.load(Relaxed)
    }

    /// Cuts a connection once that many bytes went to the server, by all of them.
    pub fn cut_after_up(&self, bytes: u64) {
        self.ways.up.limit.store(bytes, Relaxed);
    }

    /// Cuts a connection once that many bytes came from the server, by all of them.
    pub fn cut_after_down(&self, bytes: u64) {
        self.ways.down.limit.store(bytes, Relaxed);
    }

    /// Whether it was cut as it was asked to be.
    #[must_use]
    pub fn was_cut(&self) -> bool {
        [&self.ways.up, &self.ways.down].iter().all(|way| way.limit.load(Relaxed) == NEVER)
    }
}

async fn accept(listener: Blocking, to: SocketAddr, ways: Arc<Ways>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (client, _) = listener.accept().await?;
        let ways = ways.clone();
        // Whoever is cut off sees it himself.
        tokio::spawn(async move { ways.carry(client, to).await });
    }
}

impl Ways {
    async fn carry(&self, client: TcpStream, to: SocketAddr) -> io::Result<()> {
        // The handshake of TCP takes a round trip too, but that of this machine is over already.
        sleep(self.one_way * 2).await;
        let server = TcpStream::connect(to).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        let upward = self.up.carry(from_client, to_server, self.one_way);
        let downward = self.down.carry(from_server, to_client, self.one_way);
        // What ends one way ends both, and drops what is left.
        tokio::select! { ended = downward => ended, Err(error) = upward => Err(error) }
    }
}

impl Direction {
    fn new() -> Self {
        Self { gone: AtomicU64::new(0), limit: AtomicU64::new(NEVER) }
    }

    /// Counts what goes, and tells whether this is where it is cut.
    fn ends_with(&self, length: usize) -> bool {
        let gone = self.gone.fetch_add(length as u64, Relaxed) + length as u64;
        gone > self.limit.load(Relaxed) && self.limit.swap(NEVER, Relaxed) != NEVER
    }

    /// Passes on what comes, each piece as late as it should be.
    async fn carry(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, one_way: Duration) -> io::Result<()> {
        let (sender, mut pieces) = mpsc::channel::<(Instant, Vec<u8>)>(if one_way.is_zero() { 1 } else { PIECES });
        let reading = async move {
            let mut buffer = vec![0; PIECE];
            loop {
                let length = from.read(&mut buffer).await?;
                if length == 0 {
                    return Ok(());
                }
                if self.ends_with(length) {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                if sender.send((Instant::now() + one_way, buffer[..length].to_vec())).await.is_err() {
                    return Ok(());
                }
            }
        };
        let writing = async move {
            while let Some((due, piece)) = pieces.recv().await {
                if !one_way.is_zero() {
                    sleep_until(due).await;
                }
                to.write_all(&piece).await?;
            }
            to.shutdown().await
        };
        tokio::try_join!(reading, writing).map(drop)
    }
}
