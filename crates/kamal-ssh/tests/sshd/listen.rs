//! Ports a host listens on for us.

use std::time::{Duration, Instant};

use kamal_core::ports::{Exec, Ssh as _};
use kamal_ssh::{Connector, ForwardError, RemoteForward, Stream};
use tokio::{
    io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

use crate::{
    free_port::free_port,
    memory::peak,
    server::{Server, kill, sh, try_sh},
};

/// Nothing here takes that long unless it stands still.
const LIMIT: Duration = Duration::from_secs(120);

async fn near(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

/// Writes so many bytes that nobody has to keep.
async fn generate(to: &mut (impl AsyncWrite + Unpin), size: usize) -> std::io::Result<()> {
    let piece = [7; 60_000];
    let mut left = size;
    while left > 0 {
        let now = left.min(piece.len());
        to.write_all(&piece[..now]).await?;
        left -= now;
    }
    to.shutdown().await
}

/// Reads to the end and tells how much there was.
async fn swallow(mut from: TcpStream) -> std::io::Result<usize> {
    let (mut buffer, mut size) = (vec![0; 256 << 10], 0);
    loop {
        match from.read(&mut buffer).await? {
            0 => return Ok(size),
            now => size += now,
        }
    }
}

/// Runs commands until the given future is done; tells how many, and how long the slowest took.
async fn commands_beside<T>(host: &dyn Exec, work: impl Future<Output = T>) -> (T, usize, Duration) {
    let (mut count, mut slowest) = (0, Duration::ZERO);
    let commands = async {
        loop {
            let began = Instant::now();
            assert_eq!(sh(host, "echo in").await.0, "in\n");
            slowest = slowest.max(began.elapsed());
            count += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let done = tokio::select! {
        done = timeout(LIMIT, work) => done.expect("nothing stands still"),
        () = commands => unreachable!(),
    };
    (done, count, slowest)
}

/// A server, a connection to it, and a port it listens on.
async fn listening(server: &Server) -> (Connector, std::sync::Arc<dyn Exec>, RemoteForward, u16) {
    let connector = Connector::new(server.options());
    let host = connector.connect(&server.host()).await.unwrap();
    let port = free_port();
    let forward = connector.forward_remote(&server.host(), port).await.unwrap();
    (connector, host, forward, port)
}

async fn accepted(forward: &mut RemoteForward) -> Stream {
    timeout(LIMIT, forward.accept()).await.unwrap().unwrap()
}

#[tokio::test]
async fn both_directions_and_their_ends() {
    let server = Server::start();
    let (_connector, _host, mut forward, port) = listening(&server).await;
    let mut near = near(port).await;
    let mut far = accepted(&mut forward).await;
    near.write_all(b"question").await.unwrap();
    near.shutdown().await.unwrap();
    let mut text = String::new();
    far.read_to_string(&mut text).await.unwrap();
    far.write_all(b"answer").await.unwrap();
    far.shutdown().await.unwrap();
    let mut answer = String::new();
    near.read_to_string(&mut answer).await.unwrap();
    assert_eq!((text.as_str(), answer.as_str()), ("question", "answer"));
}

#[tokio::test]
async fn only_the_loopback_is_listened_on() {
    let server = Server::with("GatewayPorts clientspecified\n");
    let (_connector, host, _forward, port) = listening(&server).await;
    let (out, _, _) = sh(&*host, "cat /proc/net/tcp /proc/net/tcp6").await;
    let suffix = format!(":{port:04X}");
    let listens = out.lines().filter_map(|line| line.split_whitespace().nth(1)).filter(|at| at.ends_with(&suffix));
    assert_eq!(listens.collect::<Vec<_>>(), [format!("0100007F{suffix}")]);
}

/// 300 MB on one connection to the port, seven others beside it, and commands beside them all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn much_goes_through_while_commands_run() {
    let server = Server::start();
    let (_connector, host, mut forward, port) = listening(&server).await;
    let sizes: [usize; 8] = [300 << 20, 9 << 20, 8 << 20, 7 << 20, 6 << 20, 5 << 20, 4 << 20, 0];
    let mut work = JoinSet::new();
    for size in sizes {
        let near = near(port).await;
        let mut far = accepted(&mut forward).await;
        work.spawn(async move { generate(&mut far, size).await.map(|()| 0) });
        work.spawn(swallow(near));
    }
    let (ends, count, slowest) = commands_beside(&*host, work.join_all()).await;
    let came: usize = ends.into_iter().map(Result::unwrap).sum();
    assert_eq!(came, sizes.iter().sum::<usize>());
    assert!(count > 10, "{count} commands");
    assert!(slowest < Duration::from_secs(5), "a command waited for {slowest:?}");
    let most = peak("self").unwrap() / 1_000_000;
    assert!(most < 100, "{most} MB");
}

/// What `docker pull` is when the disk is slow.
#[tokio::test]
async fn a_slow_reader_holds_up_nobody_else() {
    let server = Server::start();
    let (_connector, host, mut forward, port) = listening(&server).await;
    let lazy = near(port).await;
    let mut far = accepted(&mut forward).await;
    let stuck = tokio::spawn(async move { generate(&mut far, 100 << 20).await });
    let quick = near(port).await;
    let mut far = accepted(&mut forward).await;
    let work = async { tokio::join!(generate(&mut far, 40 << 20), swallow(quick)) };
    let ((sent, came), count, slowest) = commands_beside(&*host, work).await;
    sent.unwrap();
    assert_eq!(came.unwrap(), 40 << 20);
    assert!(count > 1 && slowest < Duration::from_secs(5), "{count} commands, {slowest:?}");
    assert!(!stuck.is_finished(), "so much fits nowhere");
    assert_eq!(swallow(lazy).await.unwrap(), 100 << 20);
    stuck.await.unwrap().unwrap();
}

/// In the other direction only so long, since then the whole connection waits.
#[tokio::test]
async fn who_sends_what_nobody_reads_is_cut_off() {
    let server = Server::start();
    let (_connector, host, mut forward, port) = listening(&server).await;
    let mut flood = near(port).await;
    let mut far = accepted(&mut forward).await;
    let flood = tokio::spawn(async move { generate(&mut flood, 200 << 20).await });
    let mut later = near(port).await;
    let mut other = accepted(&mut forward).await;
    timeout(Duration::from_secs(30), flood).await.expect("it ends").unwrap().unwrap_err();
    let error = tokio::io::copy(&mut far, &mut tokio::io::sink()).await.unwrap_err();
    assert!(error.to_string().contains("not read"), "{error}");
    later.write_all(b"x").await.unwrap();
    assert_eq!(other.read_u8().await.unwrap(), b'x');
    assert_eq!(sh(&*host, "echo in").await.0, "in\n");
    let most = peak("self").unwrap() / 1_000_000;
    assert!(most < 100, "{most} MB");
}

/// A reader that is slow but reads is waited for.
#[tokio::test]
async fn who_is_read_slowly_is_not_cut_off() {
    let server = Server::start();
    let (_connector, _host, mut forward, port) = listening(&server).await;
    let mut near = near(port).await;
    let mut far = accepted(&mut forward).await;
    let sending = tokio::spawn(async move { generate(&mut near, 30 << 20).await });
    let (mut buffer, mut size) = (vec![0; 1 << 20], 0);
    loop {
        match far.read(&mut buffer).await.unwrap() {
            0 => break,
            now => size += now,
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(size, 30 << 20);
    sending.await.unwrap().unwrap();
}

/// The writer only writes, as a server in the middle of an answer does, while many words about the window arrive.
#[tokio::test]
async fn who_leaves_in_the_middle_holds_up_nobody() {
    let server = Server::start();
    let (_connector, host, mut forward, port) = listening(&server).await;
    let mut near = near(port).await;
    let mut far = accepted(&mut forward).await;
    let sending = tokio::spawn(async move { generate(&mut far, 400 << 20).await });
    let mut buffer = vec![0; 1 << 20];
    let mut left: usize = 60 << 20;
    while left > 0 {
        left = left.saturating_sub(near.read(&mut buffer).await.unwrap());
    }
    drop(near);
    timeout(LIMIT, sending).await.expect("its end is noticed").unwrap().unwrap_err();
    assert_eq!(timeout(LIMIT, sh(&*host, "echo in")).await.unwrap().0, "in\n");
}

#[tokio::test]
async fn what_is_dropped_is_closed() {
    let server = Server::start();
    let (_connector, _host, mut forward, port) = listening(&server).await;
    let near = near(port).await;
    drop(accepted(&mut forward).await);
    assert_eq!(timeout(LIMIT, swallow(near)).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_cut_connection_ends_streams_and_the_forward() {
    let server = Server::start();
    let (_connector, host, mut forward, port) = listening(&server).await;
    let near = near(port).await;
    let mut far = accepted(&mut forward).await;
    let mut idle = {
        let _second = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        accepted(&mut forward).await
    };
    let sending = tokio::spawn(async move { generate(&mut far, 1 << 30).await });
    let receiving = tokio::spawn(swallow(near));
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.sessions().into_iter().for_each(kill);
    timeout(LIMIT, sending).await.expect("it is noticed").unwrap().unwrap_err();
    let came = timeout(LIMIT, receiving).await.unwrap().unwrap();
    assert!(came.is_err() || came.is_ok_and(|came| came < 1 << 30));
    timeout(LIMIT, idle.read_to_end(&mut Vec::new())).await.expect("it is noticed").ok();
    assert!(timeout(LIMIT, forward.accept()).await.unwrap().is_none());
    assert!(try_sh(&*host, "echo in").await.is_ok(), "the next command connects again");
}

#[tokio::test]
async fn several_at_once() {
    let server = Server::start();
    let (connector, _host, mut first, first_port) = listening(&server).await;
    let second_port = free_port();
    let mut second = connector.forward_remote(&server.host(), second_port).await.unwrap();
    let (mut to_second, mut to_first) = (near(second_port).await, near(first_port).await);
    to_first.write_all(b"1").await.unwrap();
    to_second.write_all(b"2").await.unwrap();
    assert_eq!(accepted(&mut first).await.read_u8().await.unwrap(), b'1');
    assert_eq!(accepted(&mut second).await.read_u8().await.unwrap(), b'2');
    let again = connector.forward_remote(&server.host(), first_port).await.unwrap_err();
    assert!(matches!(again, ForwardError::Taken { port, .. } if port == first_port), "{again}");
    drop(second);
    to_first.write_all(b"still").await.unwrap();
}

#[tokio::test]
async fn it_ends_when_it_is_dropped() {
    let server = Server::start();
    let (connector, _host, forward, port) = listening(&server).await;
    drop(forward);
    let deadline = Instant::now() + LIMIT;
    while TcpListener::bind(("127.0.0.1", port)).await.is_err() {
        assert!(Instant::now() < deadline, "the port is still taken");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut forward = connector.forward_remote(&server.host(), port).await.unwrap();
    let _near = near(port).await;
    accepted(&mut forward).await;
}

/// The most connections there may be to a port: those beyond are refused, and there is room again when some end.
#[tokio::test]
async fn connections_have_a_limit() {
    let server = Server::start();
    let (_connector, _host, mut forward, port) = listening(&server).await;
    let mut kept = Vec::new();
    for _ in 0..64 {
        let near = near(port).await;
        kept.push((near, accepted(&mut forward).await));
    }
    assert_eq!(timeout(LIMIT, swallow(near(port).await)).await.unwrap().unwrap_or(0), 0);
    drop(kept);
    let deadline = Instant::now() + LIMIT;
    loop {
        assert!(Instant::now() < deadline, "no room is made");
        let _near = near(port).await;
        if timeout(Duration::from_millis(200), forward.accept()).await.is_ok() {
            break;
        }
    }
}

#[tokio::test]
async fn who_says_no_and_why() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().unwrap().port();
    let free = free_port();
    for (config, port, is_taken) in [
        (String::new(), taken, Some(true)),
        (String::new(), free, None),
        ("AllowTcpForwarding no\n".to_owned(), free, Some(false)),
        ("AllowTcpForwarding local\n".to_owned(), free, Some(false)),
        ("DisableForwarding yes\n".to_owned(), free, Some(false)),
        ("PermitListen none\n".to_owned(), free, Some(false)),
        (format!("PermitListen {}\n", free_port()), free, Some(false)),
        (format!("PermitListen {free}\n"), free, None),
        ("AllowTcpForwarding remote\n".to_owned(), free, None),
        ("AllowTcpForwarding remote\n".to_owned(), taken, Some(true)),
    ] {
        let server = Server::with(&config);
        let connector = Connector::new(server.options());
        let host = connector.connect(&server.host()).await.unwrap();
        let ended = connector.forward_remote(&server.host(), port).await.map(drop);
        let found = match &ended {
            Ok(()) => None,
            Err(ForwardError::Taken { .. }) => Some(true),
            Err(ForwardError::Forbidden { .. }) => Some(false),
            Err(other) => panic!("{config}: {other}"),
        };
        assert_eq!(found, is_taken, "{config} port {port}: {ended:?}");
        if let Err(error) = ended {
            assert!(error.to_string().contains(&server.host().to_string()), "{error}");
        }
        assert_eq!(sh(&*host, "echo in").await.0, "in\n");
    }
}
