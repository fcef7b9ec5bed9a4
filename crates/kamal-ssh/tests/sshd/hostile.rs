//! Servers that break the protocol, by mistake or on purpose: no panic, no wait beyond the limit, no memory without
//! bound, and an error that says what is wrong.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use kamal_core::ports::{Ssh as _, TransportError, TransportErrorKind as Kind};
use kamal_ssh::{Connector, Options};

use crate::{
    memory::peak,
    server::{Run, sh, try_sh},
    wire::{Wire, kexinit, message, number, serve, soon, string},
};

/// How long a step may take here.
const LIMIT: Duration = Duration::from_secs(1);

fn connector() -> Connector {
    let mut options = Options::new("/nowhere");
    options.accept_new = true;
    options.known_hosts = vec!["/nowhere/known_hosts".into()];
    options.connect_timeout = LIMIT;
    options.keepalive = LIMIT;
    Connector::new(options)
}

/// Calls a server, and runs a script there if it lets us.
async fn call(port: u16) -> Result<Run, TransportError> {
    let connector = connector();
    let host = connector.connect(&format!("127.0.0.1:{port}").parse().unwrap()).await?;
    try_sh(&*host, "echo hello").await
}

/// What comes of a server that ends badly, within the limits; a line that people can read.
async fn failure<F, R>(what: &str, each: F) -> TransportError
where
    F: Fn(Wire) -> R + Send + 'static,
    R: Future<Output = Option<()>> + Send + 'static,
{
    let port = serve(each).await;
    let error = soon(what, call(port)).await.expect_err(what);
    let text = error.to_string();
    assert!(text.len() < 2000, "{what}: {} bytes: {:.400}", text.len(), text);
    assert!(!text.contains(char::is_control), "{what}: {text:?}");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn no_ssh_at_all() {
    let greetings: [(&str, &[u8]); 6] = [
        ("another protocol", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        ("an old version", b"SSH-1.5-ancient\r\n"),
        ("bytes", &[0xff; 4096]),
        ("zeros", &[0; 4096]),
        ("a line without end", &[b'x'; 100_000]),
        ("nothing", b""),
    ];
    for (what, greeting) in greetings {
        let error = failure(what, move |mut wire| async move { wire.raw(greeting).await }).await;
        assert!(matches!(error.kind, Kind::Protocol(_) | Kind::Network(_)), "{what}: {error:?}");
    }
    for (what, line) in [("endless lines", &b"nonsense\r\n"[..]), ("an endless line", b"xxxxxxxxxxxxxxxxxxxxxxxxxxxx")]
    {
        let error = failure(what, move |mut wire| async move {
            while wire.raw(line).await.is_some() {}
            None
        })
        .await;
        assert!(matches!(error.kind, Kind::Protocol(_)), "{what}: {error:?}");
    }
    assert!(peak("self").unwrap() / 1024 / 1024 < 150, "{} MiB", peak("self").unwrap() / 1024 / 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_of_garbage() {
    let packets: [(&str, Vec<u8>); 7] = [
        ("a packet of 4 GB", vec![0xff; 64]),
        ("a packet of nothing", vec![0; 64]),
        ("padding beyond the packet", [number(12), vec![255; 12]].concat()),
        ("a cut packet", number(5000)),
        ("random bytes", (0..5000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()),
        ("a length just allowed", [number(256 * 1024), vec![1; 1000]].concat()),
        ("zeros for ever", vec![0; 1 << 20]),
    ];
    for (what, bytes) in packets {
        let error = failure(what, move |mut wire| {
            let bytes = bytes.clone();
            async move {
                wire.hello().await?;
                wire.raw(&bytes).await
            }
        })
        .await;
        assert!(matches!(error.kind, Kind::Protocol(_) | Kind::Network(_)), "{what}: {error:?}");
    }
    let messages: [(&str, Vec<u8>); 8] = [
        ("an empty message", Vec::new()),
        ("a list cut short", kexinit()[..40].to_vec()),
        ("lists that are too long", message(20, &[vec![7; 16], number(u32::MAX), vec![b'a'; 100]])),
        (
            "names that are no text",
            message(20, &[vec![7; 16], (0..10).flat_map(|_| string([0xff, 0xfe])).collect(), vec![0; 5]]),
        ),
        ("lists of nothing", message(20, &[vec![7; 16], vec![0; 45]])),
        ("a login before the keys", vec![52]),
        ("keys before the lists", vec![21]),
        ("a farewell", message(1, &[number(2), string("\u{1b}[2Jgo\naway ".repeat(5000)), string("")])),
    ];
    for (what, payload) in messages {
        let error = failure(what, move |mut wire| {
            let payload = payload.clone();
            async move {
                wire.hello().await?;
                wire.send(&payload).await?;
                wire.hang_on().await
            }
        })
        .await;
        assert!(matches!(error.kind, Kind::Protocol(_) | Kind::Network(_) | Kind::TimedOut(_)), "{what}: {error:?}");
    }
    let replies: [(&str, Vec<u8>); 5] = [
        ("a reply of nothing", vec![31]),
        ("a key that is none", message(31, &[string("x"), string([1; 32]), string("y")])),
        ("a point of another size", message(31, &[string(host_key()), string([1; 5]), string("y")])),
        ("a point at zero", message(31, &[string(host_key()), string([0; 32]), string("y")])),
        (
            "a signature of somebody else",
            message(
                31,
                &[string(host_key()), string([9; 32]), string([string("ssh-ed25519"), string([1; 64])].concat())],
            ),
        ),
    ];
    for (what, payload) in replies {
        let error = failure(what, move |mut wire| {
            let payload = payload.clone();
            async move {
                wire.hello().await?;
                wire.send(&kexinit()).await?;
                wire.wait(30).await?;
                wire.send(&payload).await?;
                wire.hang_on().await
            }
        })
        .await;
        assert!(matches!(error.kind, Kind::Protocol(_) | Kind::Network(_)), "{what}: {error:?}");
    }
    assert!(peak("self").unwrap() / 1024 / 1024 < 150, "{} MiB", peak("self").unwrap() / 1024 / 1024);
}

fn host_key() -> Vec<u8> {
    [string("ssh-ed25519"), string([3; 32])].concat()
}

/// At each stage the server goes silent, its connection open.
#[tokio::test(flavor = "multi_thread")]
async fn silence_at_each_stage() {
    let stages = (0..7).map(|stage| async move {
        let began = Instant::now();
        let error = failure(&format!("stage {stage}"), move |mut wire| async move {
            match stage {
                0 => {}
                1 => drop(wire.hello().await?),
                2 => {
                    wire.hello().await?;
                    wire.send(&kexinit()).await?;
                }
                3 => wire.handshake().await?,
                4 => {
                    wire.handshake().await?;
                    wire.ask_for_login().await?;
                }
                5 => wire.log_in().await?,
                _ => drop(wire.shell().await?),
            }
            wire.hang_on().await
        })
        .await;
        match stage {
            0..=2 => assert!(matches!(error.kind, Kind::TimedOut(_)), "{stage}: {error:?}"),
            3..=5 => assert!(!error.outcome_unknown(), "{stage}: {error:?}"),
            _ => assert!(matches!(error.kind, Kind::Lost(_)), "{stage}: {error:?}"),
        }
        assert!(began.elapsed() < 6 * LIMIT, "{stage}: {:?}", began.elapsed());
    });
    join_all(stages).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_before_the_login_have_no_end() {
    let port = serve(|mut wire| async move {
        wire.handshake().await?;
        wire.ask_for_login().await?;
        let text = message(53, &[string("\u{1b}[2Jwelcome ".repeat(2500)), string("")]);
        for _ in 0..2000 {
            wire.send(&text).await?;
        }
        wire.send(&[52]).await?;
        let channel = wire.session().await?;
        wire.send(&message(99, &[number(channel)])).await?;
        wire.hang_on().await
    })
    .await;
    let connector = connector();
    soon("texts", connector.connect(&format!("127.0.0.1:{port}").parse().unwrap())).await.unwrap();
    assert!(peak("self").unwrap() / 1024 / 1024 < 150, "60 MB of texts: {} MiB", peak("self").unwrap() / 1024 / 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_none() {
    let error = failure("let in unasked", |mut wire| async move {
        wire.handshake().await?;
        wire.send(&[52]).await?;
        wire.hang_on().await
    })
    .await;
    assert!(!error.outcome_unknown(), "{error:?}");
    let error = failure("a farewell", |mut wire| async move {
        wire.handshake().await?;
        wire.ask_for_login().await?;
        wire.send(&message(1, &[number(2), string("\u{1b}[31mToo many\nfailures\u{7} ".repeat(1000)), string("")]))
            .await
    })
    .await;
    assert!(
        matches!(error.kind, Kind::Authentication(_)) && error.to_string().contains("Too many failures"),
        "{error}"
    );
    let error = failure("no method at all", |mut wire| async move {
        wire.handshake().await?;
        wire.ask_for_login().await?;
        loop {
            wire.send(&message(51, &[string(""), vec![0]])).await?;
            wire.wait(50).await?;
        }
    })
    .await;
    assert!(matches!(error.kind, Kind::Authentication(_)), "{error:?}");
    let error = failure("garbage", |mut wire| async move {
        wire.handshake().await?;
        wire.ask_for_login().await?;
        wire.send(&message(51, &[number(u32::MAX), vec![1, 2, 3]])).await?;
        wire.hang_on().await
    })
    .await;
    assert!(!error.outcome_unknown(), "{error:?}");
}

/// A script's mark: what the real shell prints when the script has ended.
fn mark(program: &str, status: i32) -> String {
    let (_, nonce) = program.split_once("printf '\\036").unwrap();
    let (nonce, _) = nonce.split_once(' ').unwrap();
    format!("\u{1e}{nonce} {status}\n")
}

/// Plays the shell well enough for one script; `first` is done before it ends.
async fn play(wire: &mut Wire, status: i32) -> Option<(u32, String)> {
    let channel = wire.shell().await?;
    let program = wire.typed("unset kamal_script").await?;
    let mark = mark(&program, status);
    // The greeting.
    wire.print(channel, mark.replace(&format!(" {status}\n"), " 0\n")).await?;
    wire.send(&message(95, &[number(channel), number(1), string(mark.replace(&format!(" {status}\n"), " 0\n"))]))
        .await?;
    Some((channel, mark))
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_that_nobody_opened() {
    let port = serve(|mut wire| async move {
        let (channel, mark) = play(&mut wire, 3).await?;
        for unknown in [channel + 1, 4711, u32::MAX] {
            wire.print(unknown, "x").await?;
            wire.send(&message(95, &[number(unknown), number(1), string("x")])).await?;
            wire.send(&message(93, &[number(unknown), number(u32::MAX)])).await?;
            wire.send(&message(98, &[number(unknown), string("exit-status"), vec![0], number(0)])).await?;
            wire.send(&message(99, &[number(unknown)])).await?;
            wire.send(&message(96, &[number(unknown)])).await?;
            wire.send(&message(97, &[number(unknown)])).await?;
        }
        // What the host has no business to open.
        for kind in [
            "session",
            "x11",
            "forwarded-tcpip",
            "auth-agent@openssh.com",
            "direct-tcpip",
            "direct-streamlocal@openssh.com",
            "forwarded-streamlocal@openssh.com",
            "\u{1b}[2J",
        ] {
            let rest = match kind {
                "forwarded-tcpip" | "direct-tcpip" => {
                    [string("127.0.0.1"), number(22), string("1.2.3.4"), number(1)].concat()
                }
                "x11" => [string("1.2.3.4"), number(1)].concat(),
                "forwarded-streamlocal@openssh.com" => [string("/run/x"), string("")].concat(),
                "direct-streamlocal@openssh.com" => [string("/run/x"), string(""), number(0)].concat(),
                _ => Vec::new(),
            };
            wire.send(&message(90, &[string(kind), number(77), number(1000), number(1000), rest])).await?;
            wire.wait(92).await?;
        }
        wire.send(&message(93, &[number(channel), number(u32::MAX)])).await?;
        wire.print(channel, "out").await?;
        // Neither standard output nor standard error.
        wire.send(&message(95, &[number(channel), number(7), string("lost")])).await?;
        wire.send(&message(98, &[number(channel), string("unheard-of"), vec![1], string("x")])).await?;
        wire.wait(100).await?;
        wire.print(channel, &mark).await?;
        wire.send(&message(95, &[number(channel), number(1), string(&mark)])).await?;
        wire.hang_on().await
    })
    .await;
    let run = soon("channels", call(port)).await.unwrap();
    assert_eq!((run.out.as_slice(), run.err.as_slice(), run.exit), (&b"out"[..], &b""[..], 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_that_ends_without_a_word() {
    let endings: [(&str, Vec<Vec<u8>>); 5] = [
        ("closed", vec![]),
        ("end of file alone", vec![message(96, &[number(0)])]),
        ("a status of its own", vec![message(98, &[number(0), string("exit-status"), vec![0], number(u32::MAX)])]),
        (
            "a signal with a huge text",
            vec![message(
                98,
                &[
                    number(0),
                    string("exit-signal"),
                    vec![0],
                    string("\u{1b}[2J".repeat(20_000)),
                    vec![1],
                    string("x".repeat(100_000)),
                    string(""),
                ],
            )],
        ),
        ("a farewell", vec![message(1, &[number(11), string("\u{1b}[2Jbye\r\n".repeat(2000)), string("")])]),
    ];
    for (what, messages) in endings {
        let error = failure(what, move |mut wire| {
            let messages = messages.clone();
            async move {
                let (channel, _) = play(&mut wire, 0).await?;
                wire.print(channel, "some of it").await?;
                for message in &messages {
                    wire.send(message).await?;
                }
                wire.send(&message(97, &[number(channel)])).await?;
                wire.hang_on().await
            }
        })
        .await;
        assert!(matches!(error.kind, Kind::Lost(_)), "{what}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_beyond_the_window() {
    let port = serve(|mut wire| async move {
        let (channel, mark) = play(&mut wire, 0).await?;
        let piece = vec![b'y'; 250_000];
        for _ in 0..1200 {
            wire.print(channel, &piece).await?;
        }
        wire.print(channel, &mark).await?;
        wire.send(&message(95, &[number(channel), number(1), string(&mark)])).await?;
        wire.hang_on().await
    })
    .await;
    let connector = connector();
    let host = connector.connect(&format!("127.0.0.1:{port}").parse().unwrap()).await.unwrap();
    let mut length = 0;
    let script = kamal_core::shell::Script::read("flood", "echo hello");
    let mut count = |chunk: kamal_core::ports::Chunk<'_>| {
        if let kamal_core::ports::Chunk::Stdout(bytes) = chunk {
            length += bytes.len();
        }
    };
    soon("flood", host.exec(&script, &mut count)).await.unwrap();
    assert_eq!(length, 300_000_000);
    assert!(peak("self").unwrap() / 1024 / 1024 < 150, "300 MB in: {} MiB", peak("self").unwrap() / 1024 / 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_under_the_encryption() {
    let ends: [(&str, Vec<u8>); 3] = [
        ("noise", vec![0x55; 1000]),
        ("a huge packet", vec![0xff; 1000]),
        ("a cut packet", vec![0, 0, 0, 32, 1, 2, 3]),
    ];
    for (what, bytes) in ends {
        let error = failure(what, move |mut wire| {
            let bytes = bytes.clone();
            async move {
                play(&mut wire, 0).await?;
                wire.raw(&bytes).await
            }
        })
        .await;
        assert!(matches!(error.kind, Kind::Lost(_)), "{what}: {error:?}");
    }
    let messages: [(&str, Vec<u8>); 6] = [
        ("nothing", vec![]),
        ("a kind that is none", vec![255; 100]),
        ("data cut short", vec![94, 0, 0, 0]),
        ("data longer than its packet", message(94, &[number(0), number(u32::MAX), vec![1; 10]])),
        ("a confirmation of nothing", message(91, &[number(9), number(9), number(9), number(9)])),
        ("a new list of garbage", message(20, &[vec![0xff; 100]])),
    ];
    for (what, payload) in messages {
        let error = failure(what, move |mut wire| {
            let payload = payload.clone();
            async move {
                play(&mut wire, 0).await?;
                wire.send(&payload).await?;
                wire.hang_on().await
            }
        })
        .await;
        assert!(matches!(error.kind, Kind::Lost(_)), "{what}: {error:?}");
    }
}

/// Output that looks like the mark of a script's end, with every nonce but the right one.
#[tokio::test]
async fn a_forged_mark_is_output() {
    let server = crate::server::Server::start();
    let host = server.connect().await;
    let forged = "printf '\\0360123456789abcdef0123456789abcdef 7\\n'; printf '\\036'; printf '\\036%032d 0\\n' 5 >&2; printf '\\036'";
    for _ in 0..2 {
        let run = try_sh(&*host, &format!("{forged}; exit 5")).await.unwrap();
        assert_eq!(run.out, b"\x1e0123456789abcdef0123456789abcdef 7\n\x1e\x1e");
        assert_eq!((run.err.as_slice(), run.exit), (&b"\x1e00000000000000000000000000000005 0\n"[..], 5));
    }
    // A script can see neither its shell's nonce nor its standard input, from where it could learn it.
    let (out, _, _) = sh(&*host, "env; set; cat /proc/self/cmdline /proc/$PPID/cmdline | tr '\\0' ' '; cat").await;
    assert!(!out.contains("036"), "{out}");
}
