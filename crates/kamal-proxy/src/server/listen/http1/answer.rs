//! A response as it is sent to a client (RFC 9112, 4, 6 and 7; spec 8.1, 8.3).

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, Response, StatusCode, Version};
use http_body::{Body, Frame};
use hyper::ext::ReasonPhrase;
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::Connection;
use super::head::Refusal;
use crate::server::body::response::ResponseBody;
use crate::server::wire::{date, encode, fields};

/// Bytes that are sooner copied into one piece than given to the kernel in two.
const ONE_PIECE: usize = 16 * 1024;
/// Bytes that are at hand and sent together, and the number of pieces they may be in.
const TOGETHER: usize = 256 * 1024;
const MOST_PIECES: usize = 12;
/// Buffers a thread keeps for what it sends.
const KEPT: usize = 32;

thread_local! {
    static KEPT_BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// What of a request matters for how it is answered.
#[derive(Debug)]
pub(super) struct RequestFacts {
    pub(super) head_only: bool,
    pub(super) version: Version,
    /// Whether another request may follow.
    pub(super) keeps: bool,
}

/// How the client finds the end of a body.
#[derive(Debug, PartialEq, Eq)]
enum Marked {
    /// There is none.
    None,
    /// So many bytes are still to come.
    ByLength(u64),
    /// With the names a trailer may have.
    ByChunks(Vec<HeaderName>),
    ByClosing,
}

/// A buffer that goes back to its thread.
struct Out(Vec<u8>);

impl Out {
    fn take() -> Self {
        Self(KEPT_BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_default())
    }

    /// Forgets what was sent, and gives up the memory of what was longer than this.
    fn clear(&mut self, most: usize) {
        self.0.clear();
        if self.0.capacity() > most {
            self.0 = Vec::new();
        }
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        self.clear(2 * ONE_PIECE);
        let buffer = std::mem::take(&mut self.0);
        if buffer.capacity() > 0 {
            // At the end of a thread there is nowhere left to keep it.
            let _ = KEPT_BUFFERS.try_with(|kept| {
                let mut kept = kept.borrow_mut();
                if kept.len() < KEPT {
                    kept.push(buffer);
                }
            });
        }
    }
}

/// Sends a response to its end. Gives whether the connection can be used for another request; an error means that it is
/// to be cut, so that nobody takes what was sent for the whole.
pub(super) async fn send<S>(
    connection: &mut Connection<S>,
    response: Response<ResponseBody>,
    asked: &RequestFacts,
) -> io::Result<bool>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut out = Out::take();
    let mut marked = mark(&response, asked);
    let keeps = connection.begin_answer() && asked.keeps && marked != Marked::ByClosing;
    head(&response, asked, &marked, keeps, &mut out.0);
    let mut body = response.into_body();
    if marked != Marked::None {
        let mut pieces = Vec::new();
        // What is at hand of the body goes out with the head.
        let mut over = poll_fn(|cx| Poll::Ready(gather(&mut body, &mut marked, cx, &mut out.0, &mut pieces))).await?;
        while !over {
            connection.send(&out.0, &pieces).await?;
            out.clear(2 * TOGETHER);
            pieces.clear();
            over = poll_fn(|cx| {
                let over = gather(&mut body, &mut marked, cx, &mut out.0, &mut pieces)?;
                if over || !out.0.is_empty() || !pieces.is_empty() {
                    return Poll::Ready(Ok::<_, io::Error>(over));
                }
                connection.poll_meanwhile(cx)?;
                Poll::Pending
            })
            .await?;
        }
        connection.send(&out.0, &pieces).await?;
        if matches!(marked, Marked::ByLength(1..)) {
            body.cut_short();
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    } else {
        connection.send(&out.0, &[]).await?;
    }
    body.delivered();
    drop(body);
    Ok(keeps && connection.finish_upload().await)
}

/// Appends what is at hand of a body, as it is to be sent: small pieces to bytes, large ones and what follows them to a list.
/// Gives whether that was the end.
fn gather(
    body: &mut ResponseBody,
    marked: &mut Marked,
    cx: &mut Context<'_>,
    out: &mut Vec<u8>,
    pieces: &mut Vec<Bytes>,
) -> io::Result<bool> {
    let mut gathered = 0;
    while gathered < TOGETHER && pieces.len() < MOST_PIECES {
        let frame = match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Pending => return Ok(false),
            Poll::Ready(frame) => frame.transpose()?,
        };
        let trailers = match frame.map(Frame::into_data) {
            Some(Ok(data)) if data.is_empty() => continue,
            Some(Ok(data)) => {
                gathered += data.len();
                if let Marked::ByLength(left) = marked {
                    // More than was announced would be taken for the next response.
                    *left = left.checked_sub(data.len() as u64).ok_or(io::ErrorKind::InvalidData)?;
                }
                let small = data.len() <= ONE_PIECE && pieces.is_empty();
                match (&marked, small) {
                    (Marked::ByChunks(_), true) => encode::chunk(&data, out),
                    (Marked::ByChunks(_), false) => pieces.extend(encode::chunk_pieces(data)),
                    (_, true) => out.extend_from_slice(&data),
                    (_, false) => pieces.push(data),
                }
                if *marked == Marked::ByLength(0) {
                    return Ok(true);
                }
                continue;
            }
            Some(Err(frame)) => frame.into_trailers().ok(),
            None => None,
        };
        if let Marked::ByChunks(announced) = marked {
            let mut end = Vec::new();
            encode::end(trailers.as_ref(), announced, if pieces.is_empty() { out } else { &mut end });
            pieces.extend((!end.is_empty()).then(|| end.into()));
        }
        return Ok(true);
    }
    Ok(false)
}

/// Decides how the end of a body is marked (RFC 9112, 6.3).
fn mark(response: &Response<ResponseBody>, asked: &RequestFacts) -> Marked {
    let status = response.status();
    if asked.head_only || is_bodiless(status) {
        return Marked::None;
    }
    let declared = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    match declared.or_else(|| response.body().size_hint().exact()) {
        Some(length) => Marked::ByLength(length),
        None if asked.version == Version::HTTP_11 => Marked::ByChunks(encode::announced(response.headers())),
        None => Marked::ByClosing,
    }
}

fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Appends the head of a response.
fn head(response: &Response<ResponseBody>, asked: &RequestFacts, marked: &Marked, keeps: bool, out: &mut Vec<u8>) {
    status_line(response, asked.version, out);
    let headers = response.headers();
    let replaced = match marked {
        Marked::None => response.status() == StatusCode::NO_CONTENT,
        _ => true,
    };
    let left_out =
        |name: &HeaderName| name == CONNECTION || name == TRANSFER_ENCODING || (replaced && name == CONTENT_LENGTH);
    fields::write_but(headers, left_out, out);
    match marked {
        Marked::ByLength(length) => content_length(*length, out),
        Marked::ByChunks(_) => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        // What a GET would have got, where it is at hand.
        Marked::None if asked.head_only && !headers.contains_key(CONTENT_LENGTH) => {
            let length = response.body().size_hint().exact().filter(|length| *length > 0);
            length.into_iter().for_each(|length| content_length(length, out));
        }
        Marked::None | Marked::ByClosing => {}
    }
    if !keeps {
        out.extend_from_slice(b"Connection: close\r\n");
    } else if asked.version == Version::HTTP_10 {
        out.extend_from_slice(b"Connection: keep-alive\r\n");
    }
    append_date(headers, out);
    out.extend_from_slice(b"\r\n");
}

fn content_length(length: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Content-Length: ");
    fields::number(length, out);
    out.extend_from_slice(b"\r\n");
}

/// Appends the head of the response that ends HTTP on a connection.
pub(super) fn switching(response: &Response<()>, out: &mut Vec<u8>) {
    status_line(response, Version::HTTP_11, out);
    // There is no body, whatever a target says of one.
    let left_out = |name: &HeaderName| name == CONTENT_LENGTH || name == TRANSFER_ENCODING;
    fields::write_but(response.headers(), left_out, out);
    out.extend_from_slice(b"\r\n");
}

fn status_line<B>(response: &Response<B>, version: Version, out: &mut Vec<u8>) {
    let reason = response.extensions().get::<ReasonPhrase>().map(ReasonPhrase::as_bytes);
    fields::status_line(version, response.status(), reason, out);
}

/// Appends the time, where a target did not (RFC 9110, 6.6.1).
fn append_date(headers: &HeaderMap, out: &mut Vec<u8>) {
    if !headers.contains_key(DATE) {
        out.extend_from_slice(b"Date: ");
        date::with_now(|now| out.extend_from_slice(now.as_bytes()));
        out.extend_from_slice(b"\r\n");
    }
}

/// What a client is told whose request is none.
pub(super) fn refusal(refusal: &Refusal) -> Vec<u8> {
    let (status, reason) = match refusal {
        Refusal::Malformed(reason) => (StatusCode::BAD_REQUEST, *reason),
        Refusal::Version => (StatusCode::BAD_REQUEST, "unsupported protocol version"),
        Refusal::TooLarge => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, ""),
        Refusal::UriTooLong => (StatusCode::URI_TOO_LONG, ""),
    };
    let colon = if reason.is_empty() { "" } else { ": " };
    let text = format!("{status}{colon}{reason}");
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(
        status: u16,
        headers: &[(&'static str, &'static str)],
        body: &'static str,
        asked: &RequestFacts,
    ) -> (Marked, String) {
        let mut response = Response::new(ResponseBody::full(body));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in headers {
            response.headers_mut().append(*name, value.parse().unwrap());
        }
        let (marked, mut out) = (mark(&response, asked), Vec::new());
        head(&response, asked, &marked, asked.keeps, &mut out);
        (marked, String::from_utf8(out).unwrap())
    }

    const GET: RequestFacts = RequestFacts { head_only: false, version: Version::HTTP_11, keeps: true };
    const HEAD: RequestFacts = RequestFacts { head_only: true, ..GET };
    const OLD: RequestFacts = RequestFacts { version: Version::HTTP_10, ..GET };

    #[test]
    fn heads() {
        let (marked, text) =
            sent(200, &[("date", "today"), ("x-a", "1"), ("x-a", "2"), ("connection", "x")], "four", &GET);
        assert_eq!(marked, Marked::ByLength(4));
        assert_eq!(text, "HTTP/1.1 200 OK\r\nDate: today\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 4\r\n\r\n");
        let (_, text) = sent(404, &[("date", "today")], "", &RequestFacts { keeps: false, ..OLD });
        assert_eq!(text, "HTTP/1.0 404 Not Found\r\nDate: today\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let (_, text) = sent(200, &[("date", "today")], "", &OLD);
        assert!(text.contains("Connection: keep-alive\r\n"), "{text}");
        let (_, text) = sent(200, &[], "", &GET);
        assert!(text.contains("\r\nDate: ") && text.contains(" GMT\r\n"), "{text}");
    }

    #[test]
    fn responses_without_a_body() {
        let lengths = |text: &str| text.matches("Content-Length: ").count();
        let (marked, text) = sent(200, &[("content-length", "12")], "", &HEAD);
        assert_eq!((marked, lengths(&text)), (Marked::None, 1));
        assert!(text.contains("Content-Length: 12\r\n"));
        let (marked, text) = sent(204, &[("content-length", "0")], "", &GET);
        assert_eq!((marked, lengths(&text)), (Marked::None, 0));
        let (marked, text) = sent(304, &[("content-length", "12")], "", &GET);
        assert_eq!((marked, lengths(&text)), (Marked::None, 1));
        assert!(sent(200, &[], "twelve bytes", &HEAD).1.contains("Content-Length: 12\r\n"));
    }

    #[test]
    fn refusals() {
        let text = String::from_utf8(refusal(&Refusal::Malformed("malformed header name"))).unwrap();
        assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n400 Bad Request: malformed header name"), "{text}");
    }
}
