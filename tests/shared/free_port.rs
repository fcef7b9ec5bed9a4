//! A port that nobody listens on, and that nobody else is given: tests run side by side, as processes of their own.

use std::{
    net::{TcpListener, UdpSocket},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener},
    },
    process,
    sync::Mutex,
};

/// Below the ports that Linux hands out by itself (`ip_local_port_range`), so that no connection takes one.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// What this process has reserved: a name for each port, which the kernel frees when the process ends.
static RESERVED: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());

/// A port of 127.0.0.1, for TCP and UDP, kept for this process until it ends.
pub(crate) fn free_port() -> u16 {
    let mut reserved = RESERVED.lock().expect("nothing fails while this is held");
    // Processes begin in different places, so that few meet.
    let first = usize::try_from(process::id()).expect("32 bits at least") * 7 % PORTS.len();
    let port = PORTS.cycle().skip(first).take(PORTS.len()).find_map(|port| {
        let name = SocketAddr::from_abstract_name(format!("kamal-test-port-{port}")).expect("a short name");
        let mark = UnixListener::bind_addr(&name).ok()?;
        let (tcp, udp) = (TcpListener::bind(("127.0.0.1", port)), UdpSocket::bind(("127.0.0.1", port)));
        (tcp.is_ok() && udp.is_ok()).then(|| reserved.push(mark))?;
        Some(port)
    });
    port.expect("a port is free")
}
