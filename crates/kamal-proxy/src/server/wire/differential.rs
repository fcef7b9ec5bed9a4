//! What is read here and what hyper reads: the same, or here nothing at all.
//!
//! Messages are made up, well-formed and then with a byte or two wrong. Whatever is taken for a request or an answer
//! here must be the same to hyper; what hyper alone takes must be something that is refused on purpose.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::damaged::damaged;
use super::framing::{Framing, Taken};
use super::head;
use crate::server::listen::http1::head as request_head;

/// Messages made up on either side, and ways each is damaged in.
const MESSAGES: usize = 300;
const WAYS: usize = 20;

/// A message, as far as it matters what was read.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    start: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    trailers: Vec<(String, Vec<u8>)>,
}

impl Seen {
    fn new(start: String, headers: &HeaderMap) -> Self {
        Self { start, headers: sorted(headers), body: Vec::new(), trailers: Vec::new() }
    }
}

/// The headers but for the length, which shows in the body: said twice, or beside a coding, it is taken away sooner or
/// later.
fn sorted(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let all = headers.iter().filter(|(name, _)| *name != CONTENT_LENGTH);
    let mut all: Vec<_> = all.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    all.sort();
    all
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn headers(&mut self, text: &mut String) {
        for _ in 0..self.below(4) {
            let name = self.one(&["X-A", "x-b", "Accept", "Cookie", "X-Long-Name-Of-A-Header"]);
            let value = self.one(&["1", "a, b", "", "  spaced\t", "\"quoted; = \"", "é"]);
            let _ = write!(text, "{name}:{}{value}\r\n", self.one(&["", " ", "\t "]));
        }
    }

    /// The headers about a body and the body, none of it where there is not to be any.
    fn body(&mut self, open: bool) -> String {
        let data = "0123456789abcdef".repeat(self.below(4));
        match self.below(if open { 5 } else { 4 }) {
            0 => "Content-Length: 0\r\n\r\n".to_owned(),
            1 => format!("Content-Length: {}\r\n\r\n{data}", data.len()),
            2 => format!("Content-Length: {0}\r\ncontent-length: {0}\r\n\r\n{data}", data.len()),
            3 => {
                let mut text = format!("Transfer-Encoding: {}\r\n\r\n", self.one(&["chunked", "Chunked"]));
                for piece in data.as_bytes().chunks(1 + self.below(16)) {
                    let extension = self.one(&["", ";x", ";x=y", " ;x=\"y\""]);
                    let _ = write!(text, "{:x}{extension}\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece));
                }
                text + self.one(&["0\r\n\r\n", "000\r\n\r\n", "0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n"])
            }
            _ => format!("\r\n{data}"),
        }
    }

    /// One request or several.
    fn requests(&mut self) -> (String, usize) {
        let mut text = String::new();
        let count = 1 + self.below(3);
        for _ in 0..count {
            let method = self.one(&["GET", "POST", "PUT", "HEAD", "DELETE", "X-OWN"]);
            let target = self.one(&["/", "/a%20b?c=%zz&d", "/a//b/../c;d", "http://a.test:80/x?y", "/\"{}|"]);
            let _ = write!(text, "{}{method} {target} HTTP/1.1\r\nHost: a.test\r\n", self.one(&["", "", "\r\n"]));
            self.headers(&mut text);
            text += &if method == "GET" || method == "HEAD" { "\r\n".to_owned() } else { self.body(false) };
        }
        (text, count)
    }

    fn answer(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.below(3).saturating_sub(1) {
            text += self.one(&["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early EarlyHints\r\nLink: </a>\r\n\r\n"]);
        }
        text += self.one(&[
            "HTTP/1.1 200 OK",
            "HTTP/1.1 404 ",
            "HTTP/1.0 200 Fine",
            "HTTP/1.1 204 None",
            "HTTP/1.1 304 Not",
        ]);
        text += "\r\n";
        self.headers(&mut text);
        text + &self.body(true)
    }
}

/// What comes of a body: an error where it does not end as it should.
fn take_body(mut framing: Framing, buffer: &mut BytesMut, seen: &mut Seen) -> Result<bool, ()> {
    loop {
        if framing.is_over() {
            return Ok(true);
        }
        match framing.take(buffer).map_err(drop)? {
            Taken::Frame(frame) => match frame.into_data() {
                Ok(data) => seen.body.extend_from_slice(&data),
                Err(frame) => seen.trailers = sorted(&frame.into_trailers().unwrap()),
            },
            Taken::End => return Ok(true),
            Taken::More => return Ok(framing == Framing::UntilClosed),
        }
    }
}

/// The whole requests that are read here, and whether something was refused or closed before the end.
fn requests_here(bytes: &[u8]) -> (Vec<Seen>, bool) {
    let (mut buffer, mut read, mut all) = (BytesMut::from(bytes), 0, Vec::new());
    loop {
        let mut request = Request::new(());
        let head = match request_head::take(&mut buffer, &mut read, &mut request) {
            Ok(Some(head)) => head,
            Ok(None) => return (all, false),
            Err(_) => return (all, true),
        };
        let start = format!("{} {} {:?}", request.method(), request.uri(), request.version());
        let (mut seen, keeps) = (Seen::new(start, request.headers()), head.keeps());
        match take_body(head.into_framing(), &mut buffer, &mut seen) {
            Ok(true) => all.push(seen),
            Ok(false) => return (all, false),
            Err(()) => return (all, true),
        }
        if !keeps {
            return (all, true);
        }
    }
}

async fn requests_of_hyper(bytes: &[u8]) -> Vec<Seen> {
    let all = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&all);
    let service = service_fn(move |request: Request<Incoming>| {
        let sink = Arc::clone(&sink);
        async move {
            let start = format!("{} {} {:?}", request.method(), request.uri(), request.version());
            let mut seen = Seen::new(start, request.headers());
            if let Ok(body) = request.into_body().collect().await {
                seen.trailers = body.trailers().map(sorted).unwrap_or_default();
                seen.body = body.to_bytes().to_vec();
                sink.lock().unwrap().push(seen);
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let (near, far) = duplex(64 * 1024);
    let (mut read, mut write) = tokio::io::split(far);
    let send = async {
        let _ = write.write_all(bytes).await;
        let _ = write.shutdown().await;
        let _ = read.read_to_end(&mut Vec::new()).await;
    };
    let mut builder = hyper::server::conn::http1::Builder::new();
    let serve = builder.half_close(true).serve_connection(TokioIo::new(near), service);
    let _ = tokio::join!(serve, send);
    std::mem::take(&mut *all.lock().unwrap())
}

/// The answer that is read here, where it is a whole one.
fn answer_here(bytes: &[u8], method: &Method) -> Option<Seen> {
    let mut buffer = BytesMut::from(bytes);
    let head = head::take(&mut buffer, method, &mut 0, drop).ok()??;
    let mut seen = Seen::new(head.parts.status.to_string(), &head.parts.headers);
    take_body(head.framing, &mut buffer, &mut seen).ok()?.then_some(seen)
}

async fn answer_of_hyper(bytes: &[u8], method: &Method) -> Option<Seen> {
    let (near, far) = duplex(64 * 1024);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(near)).await.ok()?;
    let (mut read, mut write) = tokio::io::split(far);
    let asked =
        Request::builder().method(method.clone()).uri("/").header("host", "a").body(Empty::<Bytes>::new()).unwrap();
    let tell = async {
        let _ = read.read(&mut [0; 1024]).await;
        let _ = write.write_all(bytes).await;
        let _ = write.shutdown().await;
        let _ = read.read_to_end(&mut Vec::new()).await;
    };
    let ask = async move {
        let response = sender.send_request(asked).await.ok()?;
        let mut seen = Seen::new(response.status().to_string(), response.headers());
        let body = response.into_body().collect().await.ok()?;
        seen.trailers = body.trailers().map(sorted).unwrap_or_default();
        seen.body = body.to_bytes().to_vec();
        Some(seen)
    };
    let (seen, _, ()) = tokio::join!(ask, connection, tell);
    seen
}

#[tokio::test]
async fn requests() {
    let mut dice = Dice(0x1234_5678_9abc_def1);
    for _ in 0..MESSAGES {
        let (text, count) = dice.requests();
        let (here, stopped) = requests_here(text.as_bytes());
        assert_eq!((here.len(), stopped), (count, false), "{text}");
        assert_eq!(here, requests_of_hyper(text.as_bytes()).await, "{text}");
        for bytes in damaged(text.as_bytes(), WAYS) {
            let (here, stopped) = requests_here(&bytes);
            let mut hypers = requests_of_hyper(&bytes).await;
            if stopped {
                hypers.truncate(here.len());
            }
            assert_eq!(here, hypers, "{}", bytes.escape_ascii());
        }
    }
}

#[tokio::test]
async fn answers() {
    let (mut dice, mut whole) = (Dice(0x1234_5678_9abc_def1), 0);
    for number in 0..MESSAGES {
        let method = if number % 5 == 0 { Method::HEAD } else { Method::GET };
        let text = dice.answer();
        let here = answer_here(text.as_bytes(), &method);
        whole += usize::from(here.is_some());
        assert_eq!(here, answer_of_hyper(text.as_bytes(), &method).await, "{method} {text}");
        for bytes in damaged(text.as_bytes(), WAYS) {
            let Some(here) = answer_here(&bytes, &method) else { continue };
            assert_eq!(Some(here), answer_of_hyper(&bytes, &method).await, "{method} {}", bytes.escape_ascii());
        }
    }
    // What is in chunks with HTTP/1.0 is refused by either.
    assert!(whole > MESSAGES * 9 / 10, "{whole}");
}
