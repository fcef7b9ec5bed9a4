//! Many readers of much, and slow ones, cost little memory.

use std::fs::{self, File};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

#[path = "../../../../../tests/shared/memory.rs"]
mod shared;

use shared::peak;

const LAYER: u64 = 300 * 1024 * 1024;

/// Puts a large blob into the registry without pushing it: its content is nothing at all, which costs no disk.
fn large(registry: &Registry) -> Digest {
    let blobs = registry.folder().join("blobs/sha256");
    let file = blobs.join("new");
    File::create(&file).unwrap().set_len(LAYER).unwrap();
    let digest = Algorithm::Sha256.of_file(&File::open(&file).unwrap()).unwrap();
    fs::rename(file, blobs.join(digest.hex())).unwrap();
    digest
}

/// Asks for a blob and reads it, in a way of its own; tells how much came after the head.
async fn pull(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    digest: &Digest,
    pause: Option<Duration>,
    limit: u64,
) -> u64 {
    let (mut stream, mut came, mut buffer) = (stream, 0, vec![0; 64 * 1024]);
    let request = format!("GET /v2/app/blobs/{digest} HTTP/1.1\r\nhost: registry\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    while came < limit {
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            length => came += length as u64,
        }
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
    }
    came
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_pull_a_large_layer_at_once() {
    let (_folder, registry) = registry();
    let digest = large(&registry);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { registry.serve(listener).await });
    // One that is slow, and one that stops reading, hold up nobody.
    let slow = tokio::spawn({
        let digest = digest.clone();
        async move {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            pull(stream, &digest, Some(Duration::from_millis(20)), 2_000_000).await
        }
    });
    let mut stuck = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET /v2/app/blobs/{digest} HTTP/1.1\r\nhost: registry\r\n\r\n");
    stuck.write_all(request.as_bytes()).await.unwrap();
    let pulls = (0..8).map(|_| {
        let digest = digest.clone();
        tokio::spawn(async move {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            pull(stream, &digest, None, u64::MAX).await
        })
    });
    for pull in pulls.collect::<Vec<_>>() {
        let came = pull.await.unwrap();
        assert!(came > LAYER && came < LAYER + 1000, "{came}");
    }
    assert!(slow.await.unwrap() >= 2_000_000);
    drop(stuck);
    let peak = peak("self").unwrap();
    assert!(peak < 100 * 1024 * 1024, "{peak}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushing_a_large_layer_takes_little_memory() {
    let (_folder, registry) = registry();
    let mut stream = connect(&registry);
    let head = format!(
        "POST /v2/app/blobs/uploads/?digest={} HTTP/1.1\r\nhost: registry\r\ncontent-length: {LAYER}\r\nconnection: close\r\n\r\n",
        sha256(b"something else"),
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![7; 1024 * 1024];
    for _ in 0..LAYER / 1024 / 1024 {
        stream.write_all(&piece).await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    // Also that it is wrong is told, at the end.
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request") && answer.contains("DIGEST_INVALID"), "{answer}");
    let peak = peak("self").unwrap();
    assert!(peak < 100 * 1024 * 1024, "{peak}");
}
