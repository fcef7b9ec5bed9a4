//! Distance: connections to many addresses of this machine, served so much later in both directions, by one sshd or by
//! as many hosts of our own.

use std::{
    net::{Ipv4Addr, TcpStream as Blocking},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use kamal_core::name::HostName;
use russh::server::Config;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, duplex, split},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

use crate::{free_port::free_port, hosts, server::wait_for};

/// How many pieces may be under way in one direction.
const PIECES: usize = 4096;
const BUFFER: usize = 64 << 10;

/// A relay in a process of its own; killed when dropped.
pub(crate) struct Relay {
    port: u16,
    child: Child,
}

impl Relay {
    /// Leads so many hosts, each `round_trip` away, to the sshd at `port`; 0 for hosts of our own.
    pub(crate) fn start(port: u16, hosts: u8, round_trip: Duration) -> Self {
        let own = free_port();
        let numbers = [own.to_string(), port.to_string(), hosts.to_string(), round_trip.as_millis().to_string()];
        let mut command = Command::new(std::env::current_exe().unwrap());
        let child = command.arg("relay").args(numbers).stdin(Stdio::null()).spawn().unwrap();
        wait_for(|| Blocking::connect((address(hosts), own)).is_ok());
        Self { port: own, child }
    }

    /// Host `number`, from 1.
    pub(crate) fn host(&self, number: u8) -> HostName {
        HostName::parse(format!("root@{}:{}", address(number), self.port)).expect("a host")
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 77, number)
}

/// What the relay's process does: port, sshd's port, hosts, milliseconds.
pub(crate) fn serve(arguments: &[String]) {
    let numbers: Vec<u64> = arguments.iter().map(|number| number.parse().unwrap()).collect();
    let [port, sshd, hosts, round_trip] = numbers[..] else { panic!("the relay takes four numbers") };
    let one_way = Duration::from_millis(round_trip) / 2;
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let config = hosts::config();
        let mut tasks = Vec::new();
        for number in 1..=u8::try_from(hosts).unwrap() {
            let listener = TcpListener::bind((address(number), u16::try_from(port).unwrap())).await.unwrap();
            tasks.push(tokio::spawn(accept(listener, u16::try_from(sshd).unwrap(), one_way, config.clone())));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
}

async fn accept(listener: TcpListener, sshd: u16, one_way: Duration, config: Arc<Config>) {
    loop {
        let (near, _) = listener.accept().await.unwrap();
        let config = config.clone();
        tokio::spawn(async move {
            near.set_nodelay(true).unwrap();
            // The handshake of TCP takes a round trip too, but that of loopback is over already.
            sleep(one_way * 2).await;
            if sshd == 0 {
                let (far, host) = duplex(BUFFER);
                tokio::spawn(hosts::serve(config, host));
                connect(near, far, one_way).await;
            } else if let Ok(far) = TcpStream::connect(("127.0.0.1", sshd)).await {
                far.set_nodelay(true).unwrap();
                connect(near, far, one_way).await;
            }
        });
    }
}

/// Carries both ways until both have ended.
async fn connect(near: impl AsyncRead + AsyncWrite, far: impl AsyncRead + AsyncWrite, one_way: Duration) {
    let ((near_reads, near_writes), (far_reads, far_writes)) = (split(near), split(far));
    tokio::join!(carry(near_reads, far_writes, one_way), carry(far_reads, near_writes, one_way));
}

/// Passes on what comes, each piece as late as it should be.
async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, one_way: Duration) {
    let (sender, mut pieces) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES);
    let reading = async move {
        let mut buffer = vec![0; BUFFER];
        while let Ok(length) = from.read(&mut buffer).await
            && length > 0
        {
            let _ = sender.send((Instant::now() + one_way, buffer[..length].to_vec())).await;
        }
    };
    let writing = async move {
        while let Some((due, piece)) = pieces.recv().await {
            sleep_until(due).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(reading, writing);
}
