//! What a target answers: its head at once, its body as it comes.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, response};
use http_body::{Body, Frame, SizeHint};
use tokio::net::TcpStream;

use super::WireError;
use super::framing::{Framing, Taken};
use super::link::{Broken, Link};

/// Takes a connection back after an answer that leaves it fit for another request; `rest` says that this is to be seen
/// first: some targets send a body that nobody asked for, and a moment later.
pub(crate) trait Home: fmt::Debug + Unpin {
    fn keep(self, link: Link, rest: bool);
}

/// The body of an answer. When it is dropped before its end, its connection is closed.
#[derive(Debug)]
pub(crate) struct Answer<H: Home> {
    /// `None` once nothing more comes.
    link: Option<(Link, H)>,
    framing: Framing,
    keeps: bool,
    rest: bool,
}

/// Sends a request over a connection and waits for the head of the answer. The request stays whole as long as its target
/// cannot have seen anything of it. What precedes the answer is a hint.
pub(crate) async fn ask<B, H>(
    mut link: Link,
    request: &mut Request<B>,
    home: H,
    hint: impl FnMut(response::Parts),
) -> Result<Response<Answer<H>>, Broken>
where
    B: Body<Data = Bytes, Error = io::Error> + Default + Unpin + Send + 'static,
    H: Home,
{
    let head = link.ask(request, hint).await?;
    let rest = *request.method() == Method::HEAD;
    let mut answer = Answer { link: Some((link, home)), framing: head.framing, keeps: head.keeps, rest };
    if head.parts.status != StatusCode::SWITCHING_PROTOCOLS && answer.framing.is_over() {
        answer.finish();
    }
    Ok(Response::from_parts(head.parts, answer))
}

impl<H: Home> Answer<H> {
    /// After a switch of protocols: the connection, and what came over it already.
    pub(crate) fn into_stream(mut self) -> Option<(TcpStream, Bytes)> {
        self.link.take()?.0.into_stream()
    }

    fn finish(&mut self) {
        if let Some((mut link, home)) = self.link.take()
            // Bytes nobody asked for would be taken for the next answer.
            && self.keeps
            && link.is_whole()
            && link.buffer().is_empty()
        {
            link.forget();
            home.keep(link, self.rest);
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, WireError>> {
        loop {
            let Some((link, _)) = &mut self.link else { return Poll::Ready(Ok(None)) };
            match self.framing.take(link.buffer())? {
                Taken::Frame(frame) => {
                    if self.framing.is_over() {
                        self.finish();
                    }
                    return Poll::Ready(Ok(Some(frame)));
                }
                Taken::End => self.finish(),
                Taken::More => {
                    if ready!(link.poll_fill(cx))? == 0 {
                        self.link = None;
                        let ended = self.framing == Framing::UntilClosed;
                        return Poll::Ready(if ended { Ok(None) } else { Err(WireError::Closed) });
                    }
                }
            }
        }
    }
}

impl<H: Home> Body for Answer<H> {
    type Data = Bytes;
    type Error = WireError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, WireError>>> {
        let piece = ready!(self.poll_piece(cx));
        if piece.is_err() {
            self.link = None;
        }
        Poll::Ready(piece.transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.link.is_none() || self.framing.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.framing {
            Framing::Length(left) => SizeHint::with_exact(*left),
            Framing::Chunked(chunks) if chunks.is_over() => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }
}
