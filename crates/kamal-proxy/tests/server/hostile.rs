//! Clients that mean harm: requests hidden in requests, heads without end, streams opened to be dropped (spec 8.1, 12.4.9).
//!
//! What is refused, is; what is not refused, reaches the target as one well-formed request and nothing else.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::{PATIENCE, Proxy, Upstream, text};
use super::tls;

/// A target that remembers each request: method, path, length of the body, and whether any header has `evil` in it.
async fn recorder() -> (Upstream, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let upstream = Upstream::start(move |request| {
        let sink = Arc::clone(&sink);
        async move {
            let evil = request.headers().iter().any(|(name, _)| name.as_str().contains("evil"));
            let line = format!("{} {}{}", request.method(), request.uri(), if evil { " evil" } else { "" });
            let body = http_body_util::BodyExt::collect(request).await.map(|body| body.to_bytes().len());
            sink.lock().unwrap().push(format!("{line} {}", body.unwrap_or(9999)));
            text(200, "fine")
        }
    })
    .await;
    (upstream, seen)
}

/// Sends bytes and reads what comes back, until the end or a moment of silence.
async fn exchange(proxy: &Proxy, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(proxy.http).await.unwrap();
    // The proxy may close before everything is sent.
    let _ = stream.write_all(bytes).await;
    let mut reply = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(Ok(length)) = tokio::time::timeout(Duration::from_millis(300), stream.read(&mut chunk)).await {
        if length == 0 {
            break;
        }
        reply.extend_from_slice(&chunk[..length]);
    }
    String::from_utf8_lossy(&reply).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_whose_end_is_unclear_are_refused() {
    let proxy = Proxy::start();
    let (target, seen) = recorder().await;
    proxy.ok(&format!("deploy app --target {}", target.address));
    let hidden = "0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    for head in [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 6",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\x0b: chunked",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer\x00-Encoding: chunked",
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked",
        "POST / HTTP/1.1\r\nHost: a\r\nX: a\r\n b: folded",
        "POST / HTTP/1.1\r\nHost: a\r\n Transfer-Encoding: chunked",
        "POST / HTTP/1.1\r\nHost: a\r\nX: nul\x00byte",
        "POST / HTTP/1.1\r\nHost: a\r\nX: return\rEvil: 1",
        "POST / HTTP/1.1\r\nHost: a\r\n: nameless",
        "POST / HTTP/1.1\r\nHost: a\r\nno colon",
        "POST / HTTP/1.1\r\nHost: a b",
        "POST / HTTP/1.1\r\nHost: a/b",
        "POST / HTTP/1.1\r\nHost: a@b",
        "POST / HTTP/1.1\r\nHost: \"a\"",
        "POST / HTTP/1.1\r\nHost: a\r\nHost: b",
        "POST / HTTP/1.1 evil\r\nHost: a",
        "POST / HTTP/1.2\r\nHost: a",
        "POST / HTTP/11.1\r\nHost: a",
        "POST /a b HTTP/1.1\r\nHost: a",
        "POST /a\x7fb HTTP/1.1\r\nHost: a",
        "PO\tST / HTTP/1.1\r\nHost: a",
        "POST other.test HTTP/1.1\r\nHost: a",
        "POST u@other.test HTTP/1.1\r\nHost: a",
        "POST * HTTP/1.1\r\nHost: a",
        "OPTIONS *a HTTP/1.1\r\nHost: a",
        "POST # HTTP/1.1\r\nHost: a",
        "POST /#/../admin HTTP/1.1\r\nHost: a",
        "POST http://u:p@other.test/ HTTP/1.1\r\nHost: a",
        "POST http:x HTTP/1.1\r\nHost: a",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808",
    ] {
        let reply = exchange(&proxy, format!("{head}\r\n\r\n{hidden}").as_bytes()).await;
        assert!(reply.starts_with("HTTP/1.1 400 "), "{head:?}: {reply:?}");
        assert_eq!(reply.matches("HTTP/1.1").count(), 1, "nothing after it is answered: {head:?}");
    }
    assert_eq!(*seen.lock().unwrap(), Vec::<String>::new());
}

// Both lengths given, the same length twice, lines that end in a bare LF: these may be read in one way only, and what
// follows is the client's own next request, not part of somebody else's.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_leniently_is_passed_on_strictly() {
    let proxy = Proxy::start();
    let (target, seen) = recorder().await;
    proxy.ok(&format!("deploy app --target {}", target.address));
    for (bytes, expected) in [
        (
            "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "POST /1 2",
        ),
        (
            "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 100\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "POST /2 2",
        ),
        ("POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "POST /3 2"),
        ("POST /4 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "POST /4 2"),
        (
            "POST /5 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;ext=\"a;b\"\r\nok\r\n0\r\n\r\n",
            "POST /5 2",
        ),
        ("POST /6 HTTP/1.1\nHost: a\nContent-Length: 2\n\nok", "POST /6 2"),
    ] {
        let reply = exchange(&proxy, bytes.as_bytes()).await;
        let requests = std::mem::take(&mut *seen.lock().unwrap());
        if reply.starts_with("HTTP/1.1 200 ") {
            assert_eq!(requests, [expected], "{bytes:?}");
        } else {
            assert!(reply.starts_with("HTTP/1.1 400 "), "{bytes:?}: {reply}");
            assert_eq!(requests, Vec::<String>::new());
        }
    }
    for chunks in [
        "2\nok\n0\n\n",
        "2\r\nokXX0\r\n\r\n",
        "-2\r\nok\r\n0\r\n\r\n",
        "2 \x00\r\nok\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\nok",
    ] {
        let bytes = format!(
            "POST /chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
        );
        let reply = exchange(&proxy, bytes.as_bytes()).await;
        assert!(!reply.contains(" 200 "), "{chunks:?}: {reply}");
    }
    assert!(seen.lock().unwrap().iter().all(|line| !line.contains("hidden")), "{:?}", seen.lock().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_have_limits() {
    let proxy = Proxy::start();
    let (target, seen) = recorder().await;
    proxy.ok(&format!("deploy app --target {}", target.address));
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(3 * 1024 * 1024));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(100_000));
    let path = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(3 * 1024 * 1024));
    for (bytes, statuses) in [(long, &["431"][..]), (many, &["431"]), (path, &["414", "431"])] {
        let reply = exchange(&proxy, bytes.as_bytes()).await;
        // A client that is still sending may find the connection reset before it reads why.
        let refused =
            reply.is_empty() || statuses.iter().any(|status| reply.starts_with(&format!("HTTP/1.1 {status} ")));
        assert!(refused, "{reply}");
    }
    assert_eq!(*seen.lock().unwrap(), Vec::<String>::new());
    let usual = format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {}\r\n\r\n", "x".repeat(32 * 1024));
    assert!(exchange(&proxy, usual.as_bytes()).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_have_a_limit_where_one_is_set() {
    let home = Arc::new(tempfile::tempdir().unwrap());
    let proxy = Proxy::start_in(home, &["--max-connections=2"]);
    let target = Upstream::named("app").await;
    proxy.ok(&format!("deploy app --target {}", target.address));
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(proxy.http).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        assert!(tokio::time::timeout(PATIENCE, stream.read(&mut [0; 64])).await.unwrap().unwrap() > 0);
        kept.push(stream);
    }
    assert_eq!(exchange(&proxy, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await, "");
    kept.pop();
    let start = std::time::Instant::now();
    while !exchange(&proxy, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .starts_with("HTTP/1.1 200 ")
    {
        assert!(start.elapsed() < PATIENCE, "a place becomes free");
    }
}

// Who is served already goes on, and whoever is in charge gets through.
#[tokio::test(flavor = "multi_thread")]
async fn when_files_run_out() {
    let proxy = Proxy::start_with_files(256);
    let target = Upstream::named("app").await;
    proxy.ok(&format!("deploy app --target {}", target.address));
    let mut first = TcpStream::connect(proxy.http).await.unwrap();
    let mut ask = async || {
        first.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut reply = Vec::new();
        while !reply.ends_with(b"app") {
            let read = tokio::time::timeout(PATIENCE, first.read_buf(&mut reply)).await;
            assert!(matches!(read, Ok(Ok(1..))), "{}", reply.escape_ascii());
        }
        assert!(reply.starts_with(b"HTTP/1.1 200 "), "{}", reply.escape_ascii());
    };
    ask().await;
    let mut held = Vec::new();
    for _ in 0..400 {
        let mut stream = TcpStream::connect(proxy.http).await.unwrap();
        // One that is refused already is as good.
        let _ = stream.write_all(b"G").await;
        held.push(stream);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    ask().await;
    assert!(proxy.ok("list").contains("app"));
    proxy.ok("stop app --drain-timeout 1s");
    proxy.ok("resume app");
    drop(held);
    let begun = std::time::Instant::now();
    while !exchange(&proxy, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.starts_with("HTTP/1.1 200 ") {
        assert!(begun.elapsed() < PATIENCE, "there is room again");
    }
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header field, spelt out.
fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

struct Http2 {
    stream: tokio_rustls::client::TlsStream<TcpStream>,
}

impl Http2 {
    async fn open(proxy: &Proxy, pair: &tls::Pair) -> Self {
        let mut stream = tls::connect(proxy, &pair.der, "example.com", b"h2").await.unwrap();
        stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.unwrap();
        Self { stream }
    }

    /// Reads frames until one is of such a kind; `None` when the connection ends first.
    async fn until(&mut self, wanted: impl Fn(u8, &[u8]) -> bool) -> Option<(u8, Vec<u8>)> {
        loop {
            let mut head = [0; 9];
            tokio::time::timeout(PATIENCE, self.stream.read_exact(&mut head)).await.unwrap().ok()?;
            let mut payload = vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
            tokio::time::timeout(PATIENCE, self.stream.read_exact(&mut payload)).await.unwrap().ok()?;
            if wanted(head[3], &payload) {
                return Some((head[3], payload));
            }
        }
    }
}

fn get(path: &str) -> Vec<u8> {
    [field(":method", "GET"), field(":scheme", "https"), field(":authority", "example.com"), field(":path", path)]
        .concat()
}

// As h2spec has them: what RFC 9113 calls malformed ends the stream or the connection, or is answered with 400.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_of_http2() {
    let proxy = Proxy::start();
    let (target, seen) = recorder().await;
    let pair = tls::pair(&proxy, "example.com");
    proxy.ok(&format!("deploy app --target {} --host example.com {}", target.address, pair.flags));
    let post = |fields: &[(&str, &str)]| -> Vec<u8> {
        let fields: Vec<u8> = fields.iter().flat_map(|(name, value)| field(name, value)).collect();
        [
            field(":method", "POST"),
            field(":scheme", "https"),
            field(":authority", "example.com"),
            field(":path", "/"),
            fields,
        ]
        .concat()
    };
    let whole = |block: Vec<u8>| frame(HEADERS, END_HEADERS | END_STREAM, 1, &block);
    for (what, bytes) in [
        ("a line break in a value", whole(post(&[("x", "a\r\nevil: 1")]))),
        ("a line feed in a value", whole(post(&[("x", "a\nevil: 1")]))),
        ("a NUL in a value", whole(post(&[("x", "a\0")]))),
        ("a line break in a name", whole(post(&[("x\r\nevil", "1")]))),
        ("a colon in a name", whole(post(&[("x:evil", "1")]))),
        ("a space in a name", whole(post(&[("x evil", "1")]))),
        ("an upper-case name", whole(post(&[("X-Evil", "1")]))),
        ("chunks", whole(post(&[("transfer-encoding", "chunked")]))),
        ("a connection header", whole(post(&[("connection", "close, evil")]))),
        ("a keep-alive header", whole(post(&[("keep-alive", "1")]))),
        ("an upgrade", whole(post(&[("upgrade", "h2c")]))),
        ("a pseudo header that is none", whole(post(&[(":evil", "1")]))),
        ("a pseudo header of responses", whole(post(&[(":status", "200")]))),
        ("a pseudo header twice", whole(post(&[(":path", "/evil")]))),
        (
            "a pseudo header at the end",
            whole([field(":method", "GET"), field("x", "y"), field(":scheme", "https"), field(":path", "/")].concat()),
        ),
        (
            "no path",
            whole([field(":method", "GET"), field(":scheme", "https"), field(":authority", "example.com")].concat()),
        ),
        ("an empty path", whole(get(""))),
        ("no method", whole([field(":scheme", "https"), field(":path", "/")].concat())),
        ("a line break in the path", whole(get("/ HTTP/1.1\r\nevil: 1"))),
        ("a space in the path", whole(get("/a evil"))),
        (
            "a line break in the host",
            whole(
                [
                    field(":method", "GET"),
                    field(":scheme", "https"),
                    field(":authority", "example.com\r\nevil: 1"),
                    field(":path", "/"),
                ]
                .concat(),
            ),
        ),
        (
            "a line break in the method",
            whole(
                [field(":method", "GET / HTTP/1.1\r\nevil: 1"), field(":scheme", "https"), field(":path", "/")]
                    .concat(),
            ),
        ),
        (
            "less data than announced",
            [frame(HEADERS, END_HEADERS, 1, &post(&[("content-length", "5")])), frame(DATA, END_STREAM, 1, b"abc")]
                .concat(),
        ),
        (
            "more data than announced",
            [frame(HEADERS, END_HEADERS, 1, &post(&[("content-length", "2")])), frame(DATA, END_STREAM, 1, b"abc")]
                .concat(),
        ),
        ("two lengths", whole(post(&[("content-length", "0"), ("content-length", "5")]))),
        ("data without a request", frame(DATA, END_STREAM, 1, b"abc")),
        ("an even stream", frame(HEADERS, END_HEADERS | END_STREAM, 2, &get("/"))),
        (
            "a stream that depends on itself",
            frame(HEADERS, END_HEADERS | END_STREAM | 0x20, 1, &[&[0, 0, 0, 1, 0][..], &get("/")].concat()),
        ),
        ("a block that is none", frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff; 32])),
        ("a continuation of nothing", frame(CONTINUATION, END_HEADERS, 1, &get("/"))),
        (
            "something in the middle of a block",
            [frame(HEADERS, END_STREAM, 1, &get("/")), frame(DATA, 0, 1, b"")].concat(),
        ),
        ("a window that does not move", frame(8, 0, 0, &[0; 4])),
        ("settings of an odd length", frame(SETTINGS, 0, 0, &[0; 5])),
        ("settings for a stream", frame(SETTINGS, 0, 1, &[])),
        ("a ping of an odd length", frame(6, 0, 0, &[0; 7])),
        ("a push", frame(5, END_HEADERS, 1, &[0, 0, 0, 2])),
    ] {
        let mut http2 = Http2::open(&proxy, &pair).await;
        http2.stream.write_all(&bytes).await.unwrap();
        let end = http2.until(|kind, _| matches!(kind, HEADERS | RST_STREAM | GOAWAY)).await;
        // A status that is not in the static table is spelt out; 200 would be 0x88 and 400 is 0x8c.
        let refused = match &end {
            Some((HEADERS, block)) => block.first() == Some(&0x8c),
            Some(_) | None => true,
        };
        assert!(refused, "{what}: {end:?}");
    }
    let reached = seen.lock().unwrap().clone();
    // A request whose body turns out to be wrong has begun by then; the target sees that it is broken.
    assert!(reached.iter().all(|line| line == "POST / 9999"), "{reached:?}");
    assert_eq!(proxy.get("http://example.com/").await.status, 301, "and the proxy is none the worse");
}

// A few bytes stand for thousands where a table has the rest: headers of 1 MiB, and such as are just small enough.
#[tokio::test(flavor = "multi_thread")]
async fn headers_that_were_next_to_nothing() {
    let proxy = Proxy::start();
    // It neither reads nor answers.
    let target = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = target.local_addr().unwrap();
    let pair = tls::pair(&proxy, "example.com");
    proxy.ok(&format!("deploy app --target {address} --host example.com --force {}", pair.flags));
    // `x: yyy…` into the table, and then that again and again.
    let entry = [&[0x40, 1, b'x', 0x7f, 0xa1, 0x1e][..], &[b'y'; 4000]].concat();
    let mut held = Vec::new();
    for (times, refused) in [(250, true), (28, false)] {
        for _ in 0..20 {
            let mut http2 = Http2::open(&proxy, &pair).await;
            let blocks: Vec<u8> = (0..250_u32)
                .flat_map(|number| {
                    let begin = if number == 0 { [get("/"), entry.clone()].concat() } else { get("/") };
                    frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, &[begin, vec![0xbe; times]].concat())
                })
                .collect();
            let _ = http2.stream.write_all(&blocks).await;
            if refused {
                let end = http2.until(|kind, block| kind == GOAWAY || (kind == HEADERS && block[0] != 0x88)).await;
                assert!(end.is_some(), "it is refused");
            }
            held.push(http2);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        // What Go's takes for the same.
        assert!(proxy.memory() < 284 * 1024, "{} KiB for {times}", proxy.memory());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_over_http2_say_nothing_of_connections() {
    let proxy = Proxy::start();
    let (target, _) = recorder().await;
    let pair = tls::pair(&proxy, "example.com");
    proxy.ok(&format!("deploy app --target {} --host example.com {}", target.address, pair.flags));
    let stream = tls::connect(&proxy, &pair.der, "example.com", b"h2").await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut sender = sender.ready().await.unwrap();
    let request = http::Request::get("https://example.com/").header("host", "a b").body(()).unwrap();
    let (response, _) = sender.send_request(request, true).unwrap();
    let response = tokio::time::timeout(PATIENCE, response).await.unwrap().unwrap();
    assert_eq!((response.status().as_u16(), response.headers().get("connection")), (400, None));
}

// A request with a header nobody could write to a log is in it all the same.
#[tokio::test(flavor = "multi_thread")]
async fn long_headers_hide_nothing() {
    let proxy = Proxy::start();
    let (target, _) = recorder().await;
    proxy.ok(&format!("deploy app --target {} --log-request-header X-Long", target.address));
    let long = "x".repeat(500_000);
    let head =
        format!("GET /long HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Long: {long}\r\nUser-Agent: {long}\r\n\r\n");
    exchange(&proxy, head.as_bytes()).await;
    let line = proxy.logged(|line| line["path"] == "/long").await;
    for name in ["req_x_long", "user_agent"] {
        let logged = line[name].as_str().unwrap();
        assert!(logged.len() <= 4096 && logged.ends_with("x…"), "{}", logged.len());
    }
}

// CVE-2023-44487: streams opened and dropped at once cost the client nothing and must not cost the target much.
#[tokio::test(flavor = "multi_thread")]
async fn streams_opened_to_be_dropped() {
    let proxy = Proxy::start();
    let (target, seen) = recorder().await;
    let pair = tls::pair(&proxy, "example.com");
    proxy.ok(&format!("deploy app --target {} --host example.com {}", target.address, pair.flags));
    let mut http2 = Http2::open(&proxy, &pair).await;
    let pairs: Vec<u8> = (0..5000_u32)
        .flat_map(|number| {
            let stream = 2 * number + 1;
            [frame(HEADERS, END_HEADERS | END_STREAM, stream, &get("/")), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])]
                .concat()
        })
        .collect();
    let _ = http2.stream.write_all(&pairs).await;
    let end = http2.until(|kind, _| kind == GOAWAY).await;
    let calm = |payload: &[u8]| payload.get(4..8) == Some(&[0, 0, 0, 11][..]);
    assert!(end.as_ref().is_none_or(|(_, payload)| calm(payload)), "{end:?}");
    assert!(seen.lock().unwrap().len() < 1000, "{}", seen.lock().unwrap().len());
    assert!(Http2::open(&proxy, &pair).await.until(|kind, _| kind == SETTINGS).await.is_some());
}

// CVE-2024-27316 and its kin: a block of headers that never ends.
#[tokio::test(flavor = "multi_thread")]
async fn blocks_without_end() {
    let proxy = Proxy::start();
    let (target, seen) = recorder().await;
    let pair = tls::pair(&proxy, "example.com");
    proxy.ok(&format!("deploy app --target {} --host example.com {}", target.address, pair.flags));
    let mut http2 = Http2::open(&proxy, &pair).await;
    http2.stream.write_all(&frame(HEADERS, END_STREAM, 1, &get("/"))).await.unwrap();
    let more = frame(CONTINUATION, 0, 1, &field("x-more", &"x".repeat(100)).repeat(100));
    let mut sent = 0_usize;
    // 64 MiB would be taken by a proxy that has no limit.
    while sent < 64 * 1024 * 1024 && http2.stream.write_all(&more).await.is_ok() {
        sent += more.len();
    }
    assert!(sent < 64 * 1024 * 1024, "the connection is closed before");
    assert_eq!(*seen.lock().unwrap(), Vec::<String>::new());
    assert_eq!(proxy.get("http://example.com/").await.status, 301);
}
