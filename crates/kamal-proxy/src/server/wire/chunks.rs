//! The chunked coding, read (RFC 9112, 7.1).

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use httparse::{EMPTY_HEADER, Status};

use super::WireError;
use super::framing::{LONGEST, Taken};

/// Bytes of the line that begins a chunk, extensions and all, and of the trailers.
const LINE: usize = 4 * 1024;
const TRAILERS: usize = 64 * 1024;
const TRAILER_LINES: usize = 64;

/// How far a chunked body has been read.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::server) struct Chunks(State);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the line that says how long the next chunk is.
    Size,
    /// In a chunk with so many bytes left.
    Data(u64),
    /// At the line end after a chunk.
    DataEnd,
    Trailers,
    Over,
}

impl Chunks {
    pub(super) fn new() -> Self {
        Self(State::Size)
    }

    pub(super) fn is_over(&self) -> bool {
        self.0 == State::Over
    }

    /// The next piece from the front of the buffer.
    pub(super) fn take(&mut self, buffer: &mut BytesMut) -> Result<Taken, WireError> {
        loop {
            match self.0 {
                State::Size => {
                    let Some(end) = buffer.iter().take(LINE).position(|byte| *byte == b'\n') else {
                        return if buffer.len() < LINE { Ok(Taken::More) } else { Err(malformed()) };
                    };
                    let line = buffer.split_to(end + 1);
                    self.0 = match size(&line)? {
                        0 => State::Trailers,
                        size => State::Data(size),
                    };
                }
                State::Data(_) if buffer.is_empty() => return Ok(Taken::More),
                State::Data(left) => {
                    let length = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
                    let left = left - length as u64;
                    self.0 = if left == 0 { State::DataEnd } else { State::Data(left) };
                    return Ok(Taken::Frame(Frame::data(buffer.split_to(length).freeze())));
                }
                State::DataEnd => {
                    if buffer.len() < 2 {
                        return Ok(Taken::More);
                    }
                    if buffer.split_to(2) != b"\r\n"[..] {
                        return Err(malformed());
                    }
                    self.0 = State::Size;
                }
                State::Trailers => {
                    let Some(trailers) = trailers(buffer)? else { return Ok(Taken::More) };
                    self.0 = State::Over;
                    return Ok(if trailers.is_empty() { Taken::End } else { Taken::Frame(Frame::trailers(trailers)) });
                }
                State::Over => return Ok(Taken::End),
            }
        }
    }
}

const fn malformed() -> WireError {
    WireError::Malformed("invalid chunk")
}

/// The size a line says, which ends in CR LF; extensions mean nothing here.
fn size(line: &[u8]) -> Result<u64, WireError> {
    let line = line.strip_suffix(b"\r\n").ok_or_else(malformed)?;
    let said = line.split(|byte| *byte == b';').next().unwrap_or(line).trim_ascii_end();
    let hex = std::str::from_utf8(said).ok().filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    // A stray CR would be a line end to others.
    let clean = !line.contains(&b'\r');
    let size = hex.filter(|_| clean).and_then(|hex| u64::from_str_radix(hex, 16).ok());
    size.filter(|size| *size <= LONGEST).ok_or_else(malformed)
}

/// All trailers, once the empty line after them has come.
fn trailers(buffer: &mut BytesMut) -> Result<Option<HeaderMap>, WireError> {
    let mut lines = [EMPTY_HEADER; TRAILER_LINES];
    let mut trailers = HeaderMap::new();
    let length = match httparse::parse_headers(buffer, &mut lines) {
        Ok(Status::Complete((length, lines))) => {
            for line in lines {
                let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| malformed())?;
                trailers.append(name, HeaderValue::from_bytes(line.value).map_err(|_| malformed())?);
            }
            length
        }
        Ok(Status::Partial) if buffer.len() < TRAILERS => return Ok(None),
        Ok(Status::Partial) | Err(_) => return Err(WireError::Malformed("invalid trailers")),
    };
    let section = buffer.split_to(length);
    // As with chunks, a line ends in CR LF or it is none.
    let strict = (0..length).all(|at| section[at] != b'\n' || (at > 0 && section[at - 1] == b'\r'));
    if strict { Ok(Some(trailers)) } else { Err(WireError::Malformed("invalid trailers")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::wire::damaged::damaged;

    /// What a body says when it comes in pieces of a length.
    fn read(text: &[u8], piece: usize) -> Result<(Vec<u8>, HeaderMap, Vec<u8>), WireError> {
        let (mut chunks, mut buffer) = (Chunks::new(), BytesMut::new());
        let (mut data, mut trailers) = (Vec::new(), HeaderMap::new());
        let mut pieces = text.chunks(piece);
        loop {
            match chunks.take(&mut buffer)? {
                Taken::Frame(frame) => match frame.into_data() {
                    Ok(bytes) => data.extend_from_slice(&bytes),
                    Err(frame) => trailers = frame.into_trailers().unwrap(),
                },
                Taken::More => match pieces.next() {
                    Some(piece) => buffer.extend_from_slice(piece),
                    None => return Err(WireError::Closed),
                },
                Taken::End => {
                    assert!(chunks.is_over());
                    let rest = [&buffer[..], &pieces.collect::<Vec<_>>().concat()].concat();
                    return Ok((data, trailers, rest));
                }
            }
        }
    }

    #[test]
    fn pieces_of_any_length_say_the_same() {
        let text = b"5\r\nhello\r\n6 ;a=\"b\"\r\n world\r\n0\r\nX-Sum: 42\r\nX-Sum: 43\r\n\r\nHTTP/1.1";
        for piece in 1..=text.len() {
            let (data, trailers, rest) = read(text, piece).unwrap();
            assert_eq!((&data[..], &rest[..]), (&b"hello world"[..], &b"HTTP/1.1"[..]));
            assert_eq!(trailers.get_all("x-sum").iter().collect::<Vec<_>>(), ["42", "43"]);
        }
        assert_eq!(read(b"0\r\n\r\n", 1).unwrap(), (vec![], HeaderMap::new(), vec![]));
    }

    #[test]
    fn what_is_refused() {
        let long = [&b"5;"[..], &vec![b'x'; LINE]].concat();
        for text in [
            &b"5\nhello\r\n0\r\n\r\n"[..],
            b"\r\n",
            b"5 5\r\n",
            b"+5\r\nhello\r\n",
            b"0x5\r\nhello\r\n",
            b"5\rx\r\nhello\r\n",
            b"5\r\nhello!\r\n",
            b"5\r\nhello\n\n",
            b"fffffffffffffffff\r\n",
            b"8000000000000000\r\n",
            b"0\r\nbad name: x\r\n\r\n",
            b"0\r\nx: 1\n\r\n",
            b"0\r\nx: 1\r\n\n",
            b"0\r\n\n",
            &long,
        ] {
            let result = read(text, 7);
            assert!(matches!(result, Err(WireError::Malformed(_))), "{}: {result:?}", text.escape_ascii());
        }
        assert!(matches!(read(b"5\r\nhell", 3), Err(WireError::Closed)));
        assert!(matches!(read(b"0\r\n", 3), Err(WireError::Closed)));
    }

    /// Whatever comes, nothing panics, and it means the same in whatever pieces it comes.
    #[test]
    fn any_bytes_in_any_pieces() {
        let text = b"5\r\nhello\r\n6 ;a=\"b\"\r\n world\r\n0\r\nX-Sum: 42\r\n\r\nHTTP/1.1";
        for bytes in damaged(text, 20_000) {
            let whole = read(&bytes, bytes.len()).ok();
            for piece in [1, 3] {
                assert_eq!(read(&bytes, piece).ok(), whole, "{}", bytes.escape_ascii());
            }
        }
    }
}
