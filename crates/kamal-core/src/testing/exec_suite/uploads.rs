//! Promises about uploads.

use std::io;

use futures_util::{StreamExt, future::join, stream};

use super::{
    Promise,
    bench::{Bench, must},
    promises,
};
use crate::{
    ports::{Content, Pieces},
    shell::escape::word,
};

pub(super) const PROMISES: &[Promise] = promises! {
    "an upload brings every byte": every_byte,
    "an upload may be empty, or large": sizes,
    "an upload has the mode that was asked for": modes,
    "an upload makes its folder, below the login directory": folders,
    "an upload replaces what was there, whatever its mode": replaces,
    "an upload may have an odd name": odd_names,
    "an upload leaves nothing beside the file": nothing_beside,
    "an upload is never seen in part": never_in_part,
    "an upload is never seen at a wider mode": never_wider,
    "uploads may overlap": overlapping,
    "an upload tells how far it is": progress,
    "an upload may be read while it goes": streamed,
    "an upload that cannot be read to its end leaves what was there": broken_off,
};

/// A file's content.
async fn content(bench: &Bench, name: &str) -> Result<Vec<u8>, String> {
    Ok(bench.run(&format!("cat {}", bench.word(name))).await?.out)
}

async fn holds(bench: &Bench, name: &str, expected: &[u8]) -> Result<(), String> {
    let found = content(bench, name).await?;
    must(found == expected, || format!("{name} holds {} bytes, not the {} it was given", found.len(), expected.len()))
}

async fn every_byte(bench: &Bench) -> Result<(), String> {
    let all: Vec<u8> = (0..=255).chain(*b"END\n'\"$x`y`\\").collect();
    bench.upload(&all, "all", 0o600).await?;
    holds(bench, "all", &all).await
}

async fn sizes(bench: &Bench) -> Result<(), String> {
    for size in [0, 1, 4096, 3_000_000] {
        let bytes: Vec<u8> = (0..size).map(|at: u32| (at % 251) as u8).collect();
        bench.upload(&bytes, "sized", 0o644).await?;
        holds(bench, "sized", &bytes).await?;
    }
    Ok(())
}

async fn modes(bench: &Bench) -> Result<(), String> {
    for (mode, letters) in [(0o600, "-rw-------"), (0o644, "-rw-r--r--"), (0o755, "-rwxr-xr-x"), (0o400, "-r--------")]
    {
        bench.upload(b"x", "moded", mode).await?;
        let listed = bench.told(&format!("ls -l {}", bench.word("moded"))).await?;
        must(listed.starts_with(letters), || format!("asked for {mode:o} it is {listed}"))?;
    }
    Ok(())
}

async fn folders(bench: &Bench) -> Result<(), String> {
    bench.upload(b"x", "a/b/c", 0o600).await?;
    let path = word(&bench.path("a/b/c"));
    bench.expect(&format!("cd && cat ./{path}"), "x", "", 0).await
}

async fn replaces(bench: &Bench) -> Result<(), String> {
    for (content, mode) in [(&b"a longer one"[..], 0o400), (b"short", 0o755), (b"short", 0o755), (b"last", 0o600)] {
        bench.upload(content, "same", mode).await?;
        holds(bench, "same", content).await?;
    }
    Ok(())
}

async fn odd_names(bench: &Bench) -> Result<(), String> {
    for name in ["it's $HOME", "a \"b\" `c`", "-n", "ä漢", "x;echo>pwned"] {
        bench.upload(b"x", name, 0o600).await?;
        holds(bench, name, b"x").await?;
    }
    Ok(())
}

async fn nothing_beside(bench: &Bench) -> Result<(), String> {
    for content in [&b"one"[..], b"two", &[0; 200_000]] {
        bench.upload(content, "alone/file", 0o600).await?;
        let found = bench.told(&format!("ls -A {}", bench.word("alone"))).await?;
        must(found == "file\n", || format!("beside it lies {found:?}"))?;
    }
    Ok(())
}

async fn never_in_part(bench: &Bench) -> Result<(), String> {
    let size = 400_000;
    bench.upload(&vec![b'a'; size], "whole", 0o644).await?;
    let file = bench.word("whole");
    let done = bench.word("seen-whole");
    // Each look is at one file, from its beginning to its end: `cat` holds it open.
    let watch = format!(
        "while [ ! -e {done} ]; do cat {file} | tr -s ab | tr -d '\\n'; cat {file} | wc -c | tr -d ' \\n'; echo; done"
    );
    let writes = async {
        for byte in [b'b', b'a', b'b', b'a', b'b'] {
            bench.upload(&vec![byte; size], "whole", 0o644).await?;
        }
        bench.told(&format!(": > {done}")).await.map(drop)
    };
    let (seen, written) = join(bench.told(&watch), writes).await;
    written?;
    let seen = seen?;
    let whole = |line: &str| line == format!("a{size}") || line == format!("b{size}");
    match seen.lines().find(|line| !whole(line)) {
        Some(line) => Err(format!("it was seen as {line:?}")),
        None => Ok(()),
    }
}

async fn never_wider(bench: &Bench) -> Result<(), String> {
    let (folder, done) = (bench.word("private"), bench.word("seen-narrow"));
    bench.told(&format!("mkdir -p {folder}")).await?;
    let watch =
        format!("while [ ! -e {done} ]; do ls -lA {folder} 2>/dev/null | grep '^-' | grep -v '^-rw-------'; done; :");
    let writes = async {
        for _ in 0..5 {
            bench.upload(&[b'x'; 300_000], "private/file", 0o600).await?;
        }
        bench.told(&format!(": > {done}")).await.map(drop)
    };
    let (seen, written) = join(bench.told(&watch), writes).await;
    written?;
    let seen = seen?;
    must(seen.is_empty(), || format!("it was seen as {}", seen.lines().next().unwrap_or_default()))
}

async fn overlapping(bench: &Bench) -> Result<(), String> {
    let one = |number: u8| async move {
        let (name, content) = (format!("file-{number}"), vec![number; 100_000]);
        bench.upload(&content, &name, 0o600).await?;
        holds(bench, &name, &content).await
    };
    futures_util::future::join_all((0..8).map(one)).await.into_iter().collect()
}

async fn progress(bench: &Bench) -> Result<(), String> {
    let content = vec![7; 2_000_000];
    let mut told: Vec<u64> = Vec::new();
    let exec = bench.connect().await?;
    let uploaded = exec.upload_watched(&content, &bench.path("watched"), 0o600, &mut |sent| told.push(sent)).await;
    uploaded.map_err(|error| error.to_string())?;
    let total = content.len() as u64;
    must(told.iter().all(|sent| *sent <= total), || format!("of {total} bytes it sent {told:?}"))?;
    must(!told.is_empty(), || "it never told".to_owned())
}

/// Pieces of a file, the last of which may be one that cannot be read.
#[derive(Debug)]
struct Streamed {
    size: u64,
    pieces: Vec<Vec<u8>>,
    breaks: bool,
}

impl Content for Streamed {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self) -> Pieces<'_> {
        let end = self.breaks.then(|| Err(io::Error::other("the disk says no")));
        stream::iter(self.pieces.iter().cloned().map(Ok).chain(end)).boxed()
    }
}

async fn send(bench: &Bench, content: &Streamed, name: &str) -> Result<Result<(), String>, String> {
    let sent = bench.connect().await?.upload_content(content, &bench.path(name), 0o600, &mut |_| ()).await;
    Ok(sent.map_err(|error| error.to_string()))
}

async fn streamed(bench: &Bench) -> Result<(), String> {
    for pieces in [vec![], vec![b"x".to_vec()], vec![vec![1; 1_000_000], Vec::new(), vec![2; 7], vec![3; 300_000]]] {
        let all = pieces.concat();
        send(bench, &Streamed { size: all.len() as u64, pieces, breaks: false }, "streamed").await??;
        holds(bench, "streamed", &all).await?;
    }
    Ok(())
}

async fn broken_off(bench: &Bench) -> Result<(), String> {
    bench.upload(b"before", "kept", 0o600).await?;
    let pieces = vec![vec![1; 500_000], vec![2; 500_000]];
    for (size, breaks) in [(1_500_000, true), (1_500_000, false), (900_000, false)] {
        let content = Streamed { size, pieces: pieces.clone(), breaks };
        let Err(said) = send(bench, &content, "kept").await? else {
            return Err("it was taken for whole".to_owned());
        };
        must(!breaks || said.contains("the disk says no"), || format!("of why it says {said}"))?;
        holds(bench, "kept", b"before").await?;
    }
    // Whatever cleans up may do so a moment after.
    for _ in 0..20 {
        if bench.told(&format!("ls -A {} | grep -c kept", word(&bench.folder))).await?.trim() == "1" {
            return Ok(());
        }
        bench.told("sleep 0.1").await?;
    }
    Err("something is left beside it".to_owned())
}
