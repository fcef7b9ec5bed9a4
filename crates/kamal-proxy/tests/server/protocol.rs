//! HTTP/1 to the letter, over raw sockets (spec 8.1, 8.3).

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::support::{PATIENCE, Proxy, Upstream, text};

/// Sends text as it is and reads until the proxy closes or nothing more is expected.
async fn raw(proxy: &Proxy, text: &str, enough: impl Fn(&str) -> bool) -> String {
    let mut stream = TcpStream::connect(proxy.http).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let length = tokio::time::timeout(PATIENCE, stream.read(&mut chunk)).await.expect("an answer").unwrap();
        reply.extend_from_slice(&chunk[..length]);
        let so_far = String::from_utf8_lossy(&reply).into_owned();
        if length == 0 || enough(&so_far) {
            return so_far;
        }
    }
}

// spec 11.O.225, 11.O.227, 8.1
#[tokio::test(flavor = "multi_thread")]
async fn forms_of_requests() {
    let proxy = Proxy::start();
    let mirror = Upstream::mirror().await;
    proxy.ok(&format!("deploy app --target {}", mirror.address));

    let reply = raw(&proxy, "GET /old HTTP/1.0\r\n\r\n", |_| false).await;
    assert!(reply.contains(&format!("\"host\":\"{}\"", mirror.address)), "{reply}");
    assert!(reply.contains("\"x-forwarded-host\":\"\""), "{reply}");

    let reply =
        raw(&proxy, "GET http://b.com/abs?x HTTP/1.1\r\nHost: a.com\r\nConnection: close\r\n\r\n", |_| false).await;
    assert!(reply.contains("\"uri\":\"/abs?x\"") && reply.contains("\"host\":\"b.com\""), "{reply}");

    let two = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let reply = raw(&proxy, two, |_| false).await;
    assert!(reply.find("\"uri\":\"/1\"").unwrap() < reply.find("\"uri\":\"/2\"").unwrap(), "{reply}");

    let reply = raw(&proxy, "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", |_| false).await;
    assert!(reply.starts_with("HTTP/1.1 200 ") && reply.to_lowercase().contains("content-length: 0"), "{reply}");

    for bad in
        ["GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n"]
    {
        assert!(raw(&proxy, bad, |_| false).await.starts_with("HTTP/1.1 400 "), "{bad}");
    }
    let reply = raw(&proxy, "PURGE /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", |_| false).await;
    assert!(reply.contains("\"method\":\"PURGE\""), "{reply}");
}

// 8.1: the length is dropped where chunks say otherwise, so that both sides see the same end.
#[tokio::test(flavor = "multi_thread")]
async fn a_length_beside_chunks_counts_for_nothing() {
    let proxy = Proxy::start();
    let mirror = Upstream::mirror().await;
    proxy.ok(&format!("deploy app --target {}", mirror.address));
    let both = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
                7\r\nchunked\r\n0\r\n\r\n";
    let reply = raw(&proxy, both, |_| false).await;
    if reply.starts_with("HTTP/1.1 200 ") {
        assert!(reply.contains("\"body\":7") && !reply.contains("\"content-length\":\"4\""), "{reply}");
    } else {
        assert!(reply.starts_with("HTTP/1.1 400 "), "{reply}");
    }
    let twice = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab";
    assert!(raw(&proxy, twice, |_| false).await.starts_with("HTTP/1.1 400 "));
}

// 8.3: HEAD keeps the length of what GET would send; nothing follows 304 and 204.
#[tokio::test(flavor = "multi_thread")]
async fn responses_without_bodies() {
    let proxy = Proxy::start();
    let target = Upstream::start(|request| async move {
        match request.uri().path() {
            "/304" => text(304, ""),
            "/204" => text(204, ""),
            _ => text(200, "twelve bytes"),
        }
    })
    .await;
    for buffering in ["", "--buffer-requests --buffer-responses"] {
        proxy.ok(&format!("deploy app --target {} {buffering}", target.address));
        let ask = async |line: &str| {
            let reply =
                raw(&proxy, &format!("{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), |_| false).await;
            let (head, body) = reply.split_once("\r\n\r\n").unwrap();
            (head.to_lowercase(), body.to_owned())
        };
        let (head, body) = ask("HEAD /").await;
        assert!(head.contains("content-length: 12"), "{buffering}: {head}");
        assert_eq!(body, "");
        for path in ["/304", "/204"] {
            let (head, body) = ask(&format!("GET {path}")).await;
            assert!(head.starts_with(&format!("http/1.1 {}", &path[1..])), "{head}");
            assert_eq!(body, "");
        }
    }
}

// 12.3 D11: a target that has made up its mind is heard although the client has not finished.
#[tokio::test(flavor = "multi_thread")]
async fn early_responses() {
    let proxy = Proxy::start();
    let target = Upstream::start(|_| async { text(403, "no thanks") }).await;
    proxy.ok(&format!("deploy app --target {}", target.address));
    let begun = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nbeginning";
    let reply = raw(&proxy, begun, |reply| reply.ends_with("no thanks")).await;
    assert!(reply.starts_with("HTTP/1.1 403 "), "{reply}");
    // And nobody else has to wait for the end of that upload.
    assert_eq!(proxy.get("http://localhost/").await.status, 403);
}

// 8.3: a client that waits to be asked for its body is asked, unless the body is not wanted.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_wait_to_be_asked_for() {
    let proxy = Proxy::start();
    let mirror = Upstream::mirror().await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
    for buffering in ["", "--buffer-requests"] {
        proxy.ok(&format!("deploy app --target {} {buffering}", mirror.address));
        let mut stream = TcpStream::connect(proxy.http).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut asked = [0; 25];
        tokio::time::timeout(PATIENCE, stream.read_exact(&mut asked)).await.expect("to be asked").unwrap();
        assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(b"hello").await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        assert!(reply.starts_with("HTTP/1.1 200 ") && reply.contains("\"body\":5"), "{reply}");
    }
    proxy.ok(&format!("deploy app --target {} --buffer-requests --max-request-body 4", mirror.address));
    let reply = raw(&proxy, head, |_| false).await;
    assert!(reply.starts_with("HTTP/1.1 413 "), "{reply}");
}

// 12.3 D6: trailers pass in both directions.
#[tokio::test(flavor = "multi_thread")]
async fn trailers() {
    let proxy = Proxy::start();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (seen, mut requests) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let seen = seen.clone();
            tokio::spawn(async move {
                let mut request = Vec::new();
                let done = |text: &[u8]| text.starts_with(b"GET") || text.windows(7).any(|end| end == b"0\r\nX-Su");
                while !done(&request) {
                    if stream.read_buf(&mut request).await.unwrap() == 0 {
                        break;
                    }
                }
                seen.send(String::from_utf8_lossy(&request).into_owned()).unwrap();
                let reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Check\r\nConnection: close\r\n\r\n\
                             2\r\nok\r\n0\r\nX-Check: fine\r\n\r\n";
                stream.write_all(reply.as_bytes()).await.unwrap();
            });
        }
    });
    proxy.ok(&format!("deploy app --target {address}"));
    requests.recv().await.unwrap();
    let request = "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\
                   Connection: close\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 42\r\n\r\n";
    let reply = raw(&proxy, request, |_| false).await;
    assert!(reply.to_lowercase().contains("x-check: fine"), "{reply}");
    let request = requests.recv().await.unwrap();
    assert!(request.contains("X-Su"), "{request}");
}

// 8.3: a target that breaks off in the middle is not taken for one that finished.
#[tokio::test(flavor = "multi_thread")]
async fn broken_off_responses() {
    let proxy = Proxy::start();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            let (declared, body) = if request[..length].starts_with(b"GET /up ") { (4, "good") } else { (8, "half") };
            let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {declared}\r\n\r\n{body}");
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
    });
    for buffering in ["", "--buffer-responses"] {
        proxy.ok(&format!("deploy app --target {address} {buffering}"));
        let reply = raw(&proxy, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", |_| false).await;
        if buffering.is_empty() {
            // Cut off by the connection's end, not passed off as all there was.
            assert!(reply.is_empty() || (reply.contains("Content-Length: 8") && reply.ends_with("half")), "{reply}");
        } else {
            assert_eq!(reply, "");
        }
    }
}

/// A target that is healthy and answers all else with the same.
async fn always(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|length| length > 0) {
                    let healthy = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                    let answer = if request.starts_with(b"GET /up ") { healthy } else { answer };
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    address
}

// 8.3, 12.3 D4: hints go on to those who know what they are, and leave no mark on the response.
#[tokio::test(flavor = "multi_thread")]
async fn hints_before_the_response() {
    const ANSWER: &str = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\n\r\n\
                          HTTP/1.1 103 Early Hints\r\nLink: </b.js>\r\n\r\nHTTP/1.1 404 Not Found\r\n\
                          Date: today\r\nContent-Length: 4\r\n\r\nnone";
    let proxy = Proxy::start();
    let target = always(ANSWER).await;
    for buffering in ["", "--buffer-responses"] {
        proxy.ok(&format!("deploy app --target {target} {buffering}"));
        let old = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
        let reply = raw(&proxy, old, |reply| reply.ends_with("none")).await;
        assert!(reply.starts_with("HTTP/1.0 404 "), "{reply}");
        let reply = raw(&proxy, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", |reply| reply.ends_with("none")).await;
        let expected = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b.js>\r\n\r\n\
                        HTTP/1.1 404 Not Found\r\nDate: today\r\nContent-Length: 4\r\n\r\nnone";
        assert_eq!(reply, expected, "{buffering}");
    }
}

// 8.1: one request after the other on one connection, whatever their bodies are like, also when all come at once.
#[tokio::test(flavor = "multi_thread")]
async fn requests_with_bodies_one_after_the_other() {
    let proxy = Proxy::start();
    let mirror = Upstream::mirror().await;
    let known = "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    let chunked = "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n4\r\nlo, \r\n0\r\n\r\n";
    let none = "DELETE /3 HTTP/1.1\r\nHost: a\r\n\r\n";
    let old = "POST /4 HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi";
    let last = "PUT /5 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nConnection: close\r\n\r\n!";
    let all = [known, chunked, none, old, "\r\n", last].concat();
    for buffering in ["", "--buffer-requests"] {
        proxy.ok(&format!("deploy app --target {} {buffering}", mirror.address));
        for piece in [all.len(), 1, 37] {
            let mut stream = TcpStream::connect(proxy.http).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (mut from, mut to) = stream.split();
            let send = async {
                for piece in all.as_bytes().chunks(piece) {
                    to.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
            };
            let mut reply = String::new();
            let ((), read) = tokio::join!(send, tokio::time::timeout(PATIENCE, from.read_to_string(&mut reply)));
            read.expect("an end").unwrap();
            let bodies = [("/1", 5), ("/2", 7), ("/3", 0), ("/4", 2), ("/5", 1)];
            let mut rest = reply.as_str();
            for (uri, length) in bodies {
                let at = rest.find(&format!("\"uri\":\"{uri}\"")).unwrap_or_else(|| panic!("{uri}: {reply}"));
                let line = &rest[..at + rest[at..].find('}').unwrap_or(0)];
                assert!(rest.contains(&format!("\"body\":{length}")) || line.is_empty(), "{uri}: {rest}");
                rest = &rest[at + 1..];
            }
            assert_eq!(reply.matches("HTTP/1.1 200").count() + reply.matches("HTTP/1.0 200").count(), 5, "{reply}");
            assert!(reply.contains("HTTP/1.0 200") && reply.contains("Connection: keep-alive"), "{reply}");
        }
    }
}

// A client that is told why it is refused gets to read it, although it has not said everything yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let proxy = Proxy::start();
    let target = Upstream::named("app").await;
    proxy.ok(&format!("deploy app --target {} --buffer-requests --max-request-body 1000", target.address));
    let body = "x".repeat(200 * 1024);
    for (head, status) in [
        ("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n", "413"),
        ("POST / HTTP/1.1\r\nHost: a\r\nX : 1\r\n", "400"),
    ] {
        for _ in 0..20 {
            let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
            let reply = raw(&proxy, &request, |_| false).await;
            assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{reply}");
        }
    }
}

// A request's body and its response may flow at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn both_ways_at_once() {
    let proxy = Proxy::start();
    let echo = Upstream::start(|request| async move {
        if request.uri().path() == "/up" {
            return text(200, "up");
        }
        let body = http_body_util::BodyExt::map_err(request.into_body(), std::io::Error::other);
        http::Response::new(http_body_util::BodyExt::boxed(body))
    })
    .await;
    proxy.ok(&format!("deploy app --target {}", echo.address));
    let stream = TcpStream::connect(proxy.http).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    to.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
    let mut seen = String::new();
    for round in 0..20 {
        to.write_all(format!("8\r\nround {round:02}\r\n").as_bytes()).await.unwrap();
        let answer = async {
            while !seen.contains(&format!("round {round:02}")) {
                let mut chunk = [0; 4096];
                let length = from.read(&mut chunk).await.unwrap();
                assert!(length > 0, "{seen}");
                seen.push_str(std::str::from_utf8(&chunk[..length]).unwrap());
            }
        };
        tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| panic!("round {round}: {seen}"));
    }
    // And one that sends everything before it reads anything is not kept waiting for ever.
    let large = tokio::spawn(async move {
        let chunk = format!("10000\r\n{}\r\n", "y".repeat(0x10000));
        for _ in 0..16 {
            to.write_all(chunk.as_bytes()).await.unwrap();
        }
        to.write_all(b"0\r\n\r\n").await.unwrap();
        to
    });
    let mut got = 0;
    let read = async {
        let mut chunk = vec![0; 65536];
        let mut tail = Vec::new();
        while !tail.ends_with(b"0\r\n\r\n") {
            let length = from.read(&mut chunk).await.unwrap();
            assert!(length > 0);
            got += chunk[..length].iter().filter(|byte| **byte == b'y').count();
            tail.extend_from_slice(&chunk[..length]);
            tail.drain(..tail.len().saturating_sub(8));
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("the end");
    assert_eq!(got, 16 * 0x10000);
    drop(large.await.unwrap());
}
