//! What targets may say and what they may not, byte by byte; and clients that pause (RFC 9112).

use std::time::Duration;

use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::support::{PATIENCE, Proxy, Upstream, request, text};

/// A target that hands each connection to somebody.
async fn target<F: Future<Output = ()> + Send + 'static>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// The next request without a body; `None` when there is no more.
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    while stream.read_buf(&mut request).await.unwrap_or(0) > 0 {
        if request.ends_with(b"\r\n\r\n") {
            return Some(String::from_utf8_lossy(&request).into_owned());
        }
    }
    None
}

/// Says the path's number of what is in the list, in pieces of some bytes, and closes when it is told to.
async fn teller(said: &'static [&'static str]) -> String {
    target(move |mut stream| async move {
        while let Some(line) = head(&mut stream).await {
            let number = line.split([' ', '/']).nth(2).and_then(|number| number.parse::<usize>().ok());
            let answer = number.map_or("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", |number| said[number]);
            for piece in answer.as_bytes().chunks(11) {
                if stream.write_all(piece).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
            let lower = answer.to_ascii_lowercase();
            if !lower.contains("content-length") && !lower.contains("chunked") {
                return;
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_target_may_say() {
    const SAID: &[&str] = &[
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n5\r\nhello\r\n0\r\nX-T: t\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        "HTTP/1.1 200\nContent-Length: 5\n\nhello",
    ];
    let proxy = Proxy::start();
    proxy.ok(&format!("deploy app --target {}", teller(SAID).await));
    for round in 0..2 {
        for number in 0..SAID.len() {
            let reply = proxy.get(&format!("http://localhost/{number}")).await;
            assert_eq!((reply.status, reply.body.as_str()), (200, "hello"), "{number} in round {round}");
            assert!(!reply.headers.contains_key("link"));
        }
    }
}

// A target that answers HEAD with a body, and a moment later: that is nobody's answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_nobody_asked_for_is_not_the_next_answer() {
    let address = target(|mut stream| async move {
        while let Some(line) = head(&mut stream).await {
            let said = if line.starts_with("HEAD") { "" } else { "right" };
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{said}");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
            if line.starts_with("HEAD") {
                let pause = line.split([' ', '/']).nth(2).unwrap().parse().unwrap();
                sleep(Duration::from_micros(pause)).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong").await;
            }
        }
    })
    .await;
    let proxy = Proxy::start();
    proxy.ok(&format!("deploy app --target {address}"));
    let mut stream = TcpStream::connect(proxy.http).await.unwrap();
    for pause in [0, 100, 1_000, 3_000, 20_000] {
        for between in [0, 1_000, 30_000] {
            stream.write_all(format!("HEAD /{pause} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
            sleep(Duration::from_micros(between)).await;
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
            let mut reply = Vec::new();
            while String::from_utf8_lossy(&reply).matches("\r\n\r\n").count() < 2 || !reply.ends_with(b"right") {
                let read = timeout(Duration::from_secs(3), stream.read_buf(&mut reply)).await;
                assert!(matches!(read, Ok(Ok(1..))), "{pause} {between}: {}", reply.escape_ascii());
            }
            assert!(!String::from_utf8_lossy(&reply).contains("wrong"), "{pause} {between}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_target_may_not_say() {
    const SAID: &[&str] = &[
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a\r\n b\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "220 smtp.example.com ESMTP content-length\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: content-length\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 200 OK",
    ];
    const BROKEN: &[&str] = &[
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloo\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    ];
    let proxy = Proxy::start();
    proxy.ok(&format!("deploy app --target {}", teller(SAID).await));
    for number in 0..SAID.len() {
        let reply = proxy.get(&format!("http://localhost/{number}")).await;
        assert_eq!(reply.status, 502, "{number}: {}", reply.body);
    }
    // Too late for another status: the client has to see that it did not get everything.
    proxy.ok(&format!("deploy app --target {}", teller(BROKEN).await));
    for number in 0..BROKEN.len() {
        let mut stream = TcpStream::connect(proxy.http).await.unwrap();
        stream.write_all(format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut reply)).await.unwrap();
        assert!(!reply.ends_with(b"0\r\n\r\n"), "{}", reply.escape_ascii());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_any_length_both_ways() {
    let proxy = Proxy::start();
    let echo = Upstream::start(|request| async move { text(200, request.collect().await.unwrap().to_bytes()) }).await;
    proxy.ok(&format!("deploy app --target {}", echo.address));
    for length in [0, 1, 1000, 8191, 8192, 8193, 65_535, 65_537, 3_000_000] {
        let body: String = (0..length).map(|at| char::from(b'a' + u8::try_from(at % 23).unwrap())).collect();
        let reply = proxy.send(request("POST", "http://localhost/", body.clone())).await;
        assert!(reply.status == 200 && reply.body == body, "{length}: {} of {}", reply.body.len(), reply.status);
    }
}

/// Reads until that many answers have come whole.
async fn answers(stream: &mut TcpStream, count: usize) -> String {
    let mut reply = Vec::new();
    while String::from_utf8_lossy(&reply).matches("hello").count() < count {
        let read = timeout(PATIENCE, stream.read_buf(&mut reply)).await.expect("an answer in time").unwrap();
        assert!(read > 0, "closed after {}", reply.escape_ascii());
    }
    String::from_utf8(reply).unwrap()
}

// A connection that is quiet for a while is put aside, which its client must not notice.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_pause() {
    let proxy = Proxy::start();
    proxy.ok(&format!("deploy app --target {}", Upstream::named("hello").await.address));
    let pause = Duration::from_millis(400);
    let mut stream = TcpStream::connect(proxy.http).await.unwrap();
    sleep(pause).await;
    for _ in 0..3 {
        stream.write_all(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        answers(&mut stream, 1).await;
        sleep(pause).await;
    }
    stream.write_all(b"GET /a HTTP/1.1\r\nHo").await.unwrap();
    sleep(pause).await;
    // The end of one and the beginning of the next.
    stream.write_all(b"st: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nX-").await.unwrap();
    answers(&mut stream, 1).await;
    sleep(pause).await;
    stream.write_all(b"Y: z\r\n").await.unwrap();
    sleep(pause).await;
    stream.write_all(b"\r\nGET /c HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let reply = answers(&mut stream, 2).await;
    assert_eq!(reply.matches("HTTP/1.1 200").count(), 2, "{reply}");
    let mut rest = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    for path in ["/a", "/b", "/c"] {
        proxy.logged(|line| line["path"] == path && line["status"] == 200).await;
    }
}

// A client that sends on while it is answered must not be taken for one that begins another request.
#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_a_body_is_not_a_request() {
    let proxy = Proxy::start();
    let target = Upstream::start(|_| async { text(403, "no thanks") }).await;
    proxy.ok(&format!("deploy app --target {}", target.address));
    let mut stream = TcpStream::connect(proxy.http).await.unwrap();
    stream.write_all(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n").await.unwrap();
    let mut reply = Vec::new();
    while !reply.ends_with(b"no thanks") {
        assert!(timeout(PATIENCE, stream.read_buf(&mut reply)).await.unwrap().unwrap() > 0);
    }
    sleep(Duration::from_millis(400)).await;
    let _ = stream.write_all(b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let _ = timeout(PATIENCE, stream.read_to_end(&mut reply)).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&reply).matches("HTTP/1.1").count(), 1, "{}", reply.escape_ascii());
    assert_eq!(proxy.count(|line| line["path"] == "/smuggled"), 0);
}

// A target may answer without reading what it was sent, and close; what little it was sent has to be there by then.
#[tokio::test(flavor = "multi_thread")]
async fn a_small_body_comes_with_its_head() {
    let proxy = Proxy::start();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            let whole =
                request[..length].starts_with(b"GET /up ") || request[..length].ends_with(b"hello\r\n0\r\n\r\n");
            let status = if whole { "200 OK" } else { "400 Bad Request" };
            let reply = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
    });
    proxy.ok(&format!("deploy app --target {address}"));
    for _ in 0..5 {
        let mut stream = TcpStream::connect(proxy.http).await.unwrap();
        let head = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(format!("{head}5\r\nhello\r\n0\r\n\r\n").as_bytes()).await.unwrap();
        let mut reply = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut reply)).await.unwrap().unwrap();
        assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
    }
}
