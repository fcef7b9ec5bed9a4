//! Promises about uploads.

use futures_util::future::join;

use super::{
    Promise,
    bench::{Bench, must},
    promises,
};
use crate::shell::escape::word;

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
