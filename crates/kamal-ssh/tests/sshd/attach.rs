//! Interactive commands.

use std::time::Duration;

use kamal_core::{
    ports::{Exit, Ssh as _},
    secret::Secret,
    shell::{Script, Text},
};
use kamal_ssh::{Connector, Pty, Size, Terminal};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    sync::watch,
};

use crate::server::{Server, sh};

/// Reads until a text has come.
async fn expect(from: &mut DuplexStream, wanted: &str) -> String {
    let mut seen = String::new();
    let mut buffer = [0; 1024];
    while !seen.contains(wanted) {
        let read = tokio::time::timeout(Duration::from_secs(20), from.read(&mut buffer)).await;
        let length = read.unwrap_or_else(|_| panic!("{wanted:?} does not come: {seen:?}")).unwrap();
        assert_ne!(length, 0, "{wanted:?} did not come: {seen:?}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    seen
}

#[tokio::test]
async fn a_terminal_with_a_size_and_signals() {
    let server = Server::start();
    let connector = Connector::new(server.options());
    let (mut keyboard, mut input) = duplex(1024);
    let (mut output, mut screen) = duplex(1024);
    let (_sizes, size) = watch::channel(Size { columns: 91, rows: 23 });
    let script = Script::write("console", "echo $TERM; stty size; tty; read line; echo got $line; exec sleep 60");
    let name = server.host();
    let pty = Some(Pty { term: "vt220".to_owned(), size });
    let terminal = Terminal { input: &mut input, output: &mut output, error: &mut tokio::io::sink(), pty };
    let attached = connector.attach(&name, Some(&script), terminal);
    let user = async {
        let seen = expect(&mut screen, "/dev/pts/").await;
        assert!(seen.contains("vt220\r\n23 91\r\n"), "{seen:?}");
        keyboard.write_all(b"words\n").await.unwrap();
        expect(&mut screen, "got words").await;
        keyboard.write_all(b"\x03").await.unwrap();
        // Nobody reads the rest.
        tokio::io::copy(&mut screen, &mut tokio::io::sink()).await
    };
    let exit = tokio::select! {
        exit = attached => exit.unwrap(),
        _ = user => panic!("the screen closed"),
    };
    assert_eq!(exit, Exit(130), "ended by the interrupt key");
}

#[tokio::test]
async fn new_sizes_arrive() {
    let server = Server::start();
    let connector = Connector::new(server.options());
    let (_keyboard, mut input) = duplex(1024);
    let (mut output, mut screen) = duplex(1024);
    let (sizes, size) = watch::channel(Size { columns: 80, rows: 24 });
    let script = Script::write(
        "console",
        "echo ready; until stty size | grep -q '^31 '; do sleep 0.05; done; stty size; exit 5",
    );
    let name = server.host();
    let pty = Some(Pty { term: "xterm".to_owned(), size });
    let terminal = Terminal { input: &mut input, output: &mut output, error: &mut tokio::io::sink(), pty };
    let attached = connector.attach(&name, Some(&script), terminal);
    let user = async {
        expect(&mut screen, "ready").await;
        sizes.send(Size { columns: 101, rows: 31 }).unwrap();
        expect(&mut screen, "31 101").await;
    };
    let (exit, ()) = tokio::join!(attached, user);
    assert_eq!(exit.unwrap(), Exit(5));
}

#[tokio::test]
async fn pipes_pass_bytes_and_both_outputs() {
    let server = Server::start();
    let connector = Connector::new(server.options());
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let script = Script::read("copy", "cat; echo done >&2; exit 3");
    let terminal = Terminal { input: &mut &content[..], output: &mut out, error: &mut err, pty: None };
    let exit = connector.attach(&server.host(), Some(&script), terminal).await.unwrap();
    assert_eq!((exit, err.as_slice()), (Exit(3), &b"done\n"[..]));
    assert!(out == content);
    // Without a script, the login shell.
    let mut out = Vec::new();
    let terminal =
        Terminal { input: &mut &b"echo $0; exit 4\n"[..], output: &mut out, error: &mut tokio::io::sink(), pty: None };
    assert_eq!(connector.attach(&server.host(), None, terminal).await.unwrap(), Exit(4));
    assert!(out.starts_with(b"-"), "{out:?}");
}

#[tokio::test]
async fn a_secret_is_no_argument() {
    let server = Server::start();
    let connector = Connector::new(server.options());
    let mut text = Text::from("echo ");
    text.push_secret(Secret::new("hunter2"))
        .push("; cat /proc/$$/cmdline | tr '\\0' ' '; ls -a | grep -c '^.kamal-[0-9a-f]*$'");
    let mut out = Vec::new();
    let terminal =
        Terminal { input: &mut tokio::io::empty(), output: &mut out, error: &mut tokio::io::sink(), pty: None };
    connector.attach(&server.host(), Some(&Script::read("secret", text)), terminal).await.unwrap();
    let out = String::from_utf8(out).unwrap();
    assert_eq!(out.matches("hunter2").count(), 1, "{out}");
    assert!(out.ends_with("0\n"), "the file is gone: {out}");
}

#[tokio::test]
async fn one_session_is_enough() {
    let server = Server::with("MaxSessions 1\n");
    let connector = Connector::new(server.options());
    let host = connector.connect(&server.host()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(sh(&*host, "echo x").await.0, "x\n");
        let mut out = Vec::new();
        let terminal =
            Terminal { input: &mut tokio::io::empty(), output: &mut out, error: &mut tokio::io::sink(), pty: None };
        let script = Script::read("echo", "echo y");
        connector.attach(&server.host(), Some(&script), terminal).await.unwrap();
        assert_eq!(out, b"y\n");
    }
}
