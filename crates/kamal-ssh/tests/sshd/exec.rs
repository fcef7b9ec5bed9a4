//! Running scripts.

use std::time::Duration;

use futures_util::future::join_all;
use kamal_core::{
    ports::{Chunk, TransportErrorKind},
    shell::Script,
};

use crate::server::{Server, children, kill, sh, try_sh};

#[tokio::test]
async fn scripts_follow_each_other_in_one_shell() {
    let server = Server::start();
    let host = server.connect().await;
    let (first, _, _) = sh(&*host, "echo $PPID $$; cd /tmp; export LEFT=behind; set -e; umask 077").await;
    let (second, _, _) = sh(&*host, "echo $PPID $$ ${LEFT-}; pwd >&2").await;
    assert_eq!(first, second, "the same shell, and nothing left behind");
    assert_eq!(sh(&*host, "echo out; echo err >&2; exit 7").await, ("out\n".into(), "err\n".into(), 7));
    assert_eq!(sh(&*host, "printf no-newline; printf e >&2; false").await, ("no-newline".into(), "e".into(), 1));
    assert_eq!(sh(&*host, "cat").await, (String::new(), String::new(), 0), "standard input is empty");
    assert_eq!(sh(&*host, "").await, (String::new(), String::new(), 0));
    assert_eq!(sh(&*host, "kill -TERM $(exec sh -c 'echo $PPID')").await.2, 143);
}

#[tokio::test]
async fn what_a_script_breaks_ends_with_it() {
    let server = Server::start();
    let host = server.connect().await;
    for broken in [
        "if",
        "'",
        "echo \"",
        ")",
        "}; exit 3",
        "${x?gone}",
        ". /does/not/exist",
        "exec /does/not/exist",
        "set -u; $nothing",
        "exec 1>&- 2>&-",
    ] {
        let run = try_sh(&*host, broken).await.unwrap_or_else(|error| panic!("{broken}: {error}"));
        assert!(run.exit != 0 || broken.contains(">&-"), "{broken}: {run:?}");
        assert_eq!(sh(&*host, "echo fine").await.0, "fine\n", "after {broken}");
    }
    assert_eq!(sh(&*host, "printf '%s\\n' 'it'\\''s' \"a\\\\b\" '$x' # comment").await.0, "it's\na\\b\n$x\n");
    assert_eq!(sh(&*host, "cat <<'END'\none '\n\\two\nEND\necho three").await.0, "one '\n\\two\nthree\n");
}

/// Where bash is the host's `sh`, as on Fedora and Arch.
#[tokio::test]
async fn bash_as_sh_is_the_same() {
    let (_folder, line) = Server::login_program(
        "login",
        "#!/bin/sh\nd=$(mktemp -d); ln -s /bin/bash $d/sh; PATH=$d:$PATH; export PATH; eval \"$SSH_ORIGINAL_COMMAND\"\n",
    );
    let server = Server::with(&line);
    let host = server.connect().await;
    assert_ne!(sh(&*host, "echo ${BASH_VERSION-none}").await.0, "none\n");
    for broken in ["if", "'", "echo \"", ")", "${x?gone}", "exec /does/not/exist", "return 4", "break"] {
        try_sh(&*host, broken).await.unwrap_or_else(|error| panic!("{broken}: {error}"));
        assert_eq!(sh(&*host, "echo fine").await.0, "fine\n", "after {broken}");
    }
    let run = sh(&*host, "secret=hunter2; exec sh -c 'kill -KILL $$'").await;
    assert_eq!(run.2, 137);
    assert!(!run.1.contains("hunter2"), "bash shows the script when a signal ends it: {}", run.1);
    let long = format!("cat <<'END' | wc -c\n{}END\n", "0123456789abcde\n".repeat(20_000));
    assert_eq!(sh(&*host, &long).await.0.trim(), "320000");
}

#[tokio::test]
async fn output_is_binary_and_streamed() {
    let server = Server::start();
    let host = server.connect().await;
    let run = try_sh(&*host, "head -c 3000000 /dev/zero; printf '\\036\\036\\377\\000'").await.unwrap();
    assert_eq!(run.out.len(), 3_000_004);
    assert!(run.out.ends_with(b"\x1e\x1e\xff\0"));
    let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
    let go = server.file("go");
    let waiting = format!("echo now; until [ -e {} ]; do sleep 0.02; done; echo then", go.display());
    let script = Script::read("stream", waiting);
    let mut take = |chunk: Chunk<'_>| {
        if let Chunk::Stdout(bytes) = chunk {
            send.send(bytes.to_vec()).unwrap();
        }
    };
    let running = host.exec(&script, &mut take);
    tokio::pin!(running);
    tokio::select! {
        _ = &mut running => panic!("it cannot end"),
        first = receive.recv() => assert_eq!(first.unwrap(), b"now\n"),
    }
    // What runs on a host goes on without us, so it has to have an end.
    std::fs::write(go, "").unwrap();
    running.await.unwrap();
    assert_eq!(receive.recv().await.unwrap(), b"then\n");
}

#[tokio::test]
async fn large_scripts_and_their_output_pass_each_other() {
    let server = Server::start();
    let host = server.connect().await;
    let text = format!("cat <<'END'\n{}END\n", "é 0123456789 it's $x \\ \u{81}\n".repeat(60_000));
    let (out, _, exit) = sh(&*host, &text).await;
    assert_eq!((out.lines().count(), exit), (60_000, 0));
    assert!(out.lines().all(|line| line == "é 0123456789 it's $x \\ \u{81}"));
    // More than a window in both directions at once.
    let text = format!("head -c 15000000 /dev/zero; : '{}'", "x".repeat(4_000_000));
    assert_eq!(try_sh(&*host, &text).await.unwrap().out.len(), 15_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_run_side_by_side() {
    let server = Server::start();
    let host = server.connect().await;
    let folder = server.file("meet");
    std::fs::create_dir(&folder).unwrap();
    // Each waits for all the others, so that they end only if they run at the same time.
    let scripts = (0..8).map(|n| {
        let text =
            format!("cd {}; touch {n}; until [ $(ls | wc -l) -ge 8 ]; do sleep 0.02; done; echo {n}", folder.display());
        let host = host.clone();
        async move { sh(&*host, &text).await.0 }
    });
    assert_eq!(join_all(scripts).await, (0..8).map(|n| format!("{n}\n")).collect::<Vec<_>>());
    let scripts = (0..40).map(|n| {
        let host = host.clone();
        async move { sh(&*host, &format!("sleep 0.05; echo {n}")).await.0 }
    });
    assert_eq!(join_all(scripts).await, (0..40).map(|n| format!("{n}\n")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_is_enough() {
    let server = Server::with("MaxSessions 1\n");
    let host = server.connect().await;
    let scripts = (0..6).map(|n| {
        let host = host.clone();
        async move { sh(&*host, &format!("echo {n}")).await.0 }
    });
    assert_eq!(join_all(scripts).await, (0..6).map(|n| format!("{n}\n")).collect::<Vec<_>>());
    let file = server.file("up");
    host.upload(b"content", file.to_str().unwrap(), 0o644).await.unwrap();
    assert_eq!(sh(&*host, &format!("cat {}", file.display())).await.0, "content");
}

#[tokio::test]
async fn a_cancelled_script_spoils_nothing() {
    let server = Server::start();
    let host = server.connect().await;
    for _ in 0..3 {
        let cancelled =
            tokio::time::timeout(Duration::from_millis(100), sh(&*host, "echo stale; sleep 1; echo stale")).await;
        assert!(cancelled.is_err());
        assert_eq!(sh(&*host, "echo fresh").await, ("fresh\n".into(), String::new(), 0));
    }
}

#[tokio::test]
async fn noisy_logins_are_not_heard() {
    let (_folder, line) = Server::login_program(
        "login",
        "#!/bin/sh\necho welcome; printf 'no newline'; echo warning >&2; eval \"$SSH_ORIGINAL_COMMAND\"\n",
    );
    let server = Server::with(&line);
    let host = server.connect().await;
    assert_eq!(sh(&*host, "echo out; echo err >&2").await, ("out\n".into(), "err\n".into(), 0));
    assert_eq!(sh(&*host, "echo out; echo err >&2").await, ("out\n".into(), "err\n".into(), 0));
    let file = server.file("up");
    host.upload(b"clean", file.to_str().unwrap(), 0o600).await.unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"clean");
}

#[tokio::test]
async fn a_login_that_runs_nothing_says_why() {
    let (_folder, line) = Server::login_program("login", "#!/bin/sh\necho 'This account is closed.'; exit 1\n");
    let server = Server::with(&line);
    let host = server.connect().await;
    let error = try_sh(&*host, "echo x").await.unwrap_err();
    assert!(matches!(error.kind, TransportErrorKind::Protocol(_)), "{error:?}");
    assert!(error.to_string().contains("This account is closed."), "{error}");
    assert!(!error.outcome_unknown());
}

#[tokio::test]
async fn programs_left_in_the_background_disturb_nobody() {
    let server = Server::start();
    let host = server.connect().await;
    assert_eq!(sh(&*host, "(sleep 0.1; head -c 40000000 /dev/zero) & echo started").await.0, "started\n");
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(25)).await;
        let (out, _, _) = sh(&*host, "echo next").await;
        assert!(out.contains("next\n"), "{} bytes", out.len());
    }
}

#[tokio::test]
async fn a_connection_cut_during_a_script_leaves_its_outcome_unknown() {
    let server = Server::start();
    let host = server.connect().await;
    let error = server
        .interrupted(&*host, || {
            for session in server.sessions() {
                for child in children(session) {
                    kill(child);
                }
                kill(session);
            }
        })
        .await;
    assert!(error.outcome_unknown(), "{error:?}");
    assert!(error.to_string().contains("while running: test"), "{error}");
    // The next script gets a new connection by itself.
    assert_eq!(sh(&*host, "echo again").await.0, "again\n");
}

#[tokio::test]
async fn a_shell_that_is_killed_is_lost_and_replaced() {
    let server = Server::start();
    let host = server.connect().await;
    let error = try_sh(&*host, "kill -KILL $$; sleep 5").await.unwrap_err();
    assert!(error.outcome_unknown(), "{error:?}");
    assert_eq!(sh(&*host, "echo again").await.0, "again\n");
}
