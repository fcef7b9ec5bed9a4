//! HTTP/2 with one client (RFC 9113): the connection, and when it is given up.
//!
//! h2 speaks the protocol. A request is a task of its own, which ends with its connection.

mod gathered;
mod heard;
mod request;

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use h2::server::Builder;
use h2::{Ping, PingPong, Reason};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use self::gathered::gather;
use self::heard::Heard;
use super::heads::Heads;
use super::http1::IDLE;
use crate::server::client::Client;
use crate::server::connections::Stop;
use crate::server::front::Front;

/// How long a client may take until it has said that it speaks HTTP/2.
const PREFACE: Duration = Duration::from_secs(30);
/// After so long without a word a client is asked whether it is still there, and how long it may take to say so.
const SILENCE: Duration = Duration::from_secs(60);
const PONG: Duration = Duration::from_secs(20);
/// How long the end of a connection may be on its way.
const FAREWELL: Duration = Duration::from_secs(2);
/// Requests of one client at the same time.
const STREAMS: u32 = 250;
/// Bytes a client may send of one request, and of all, before they are taken.
const WINDOW: u32 = 1024 * 1024;
/// Bytes of a frame: it is read as a whole, and a slow client should not seem to have stopped within one.
const FRAME: u32 = 64 * 1024;
/// Bytes of a request's headers. Compressed, a few thousand stand for as many as they like, so there are fewer here than
/// over HTTP/1.1.
const HEADERS: u32 = 128 * 1024;

/// Serves a connection to its end.
pub(super) async fn serve<S>(stream: S, front: Arc<Front>, client: Arc<Client>, stop: Stop)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let heard = Arc::new(AtomicBool::new(true));
    let (stream, mut sender) = gather(stream);
    let handshake = Builder::new()
        .max_concurrent_streams(STREAMS)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(FRAME)
        .max_header_list_size(HEADERS)
        .handshake(Heard::new(stream, Arc::clone(&heard)));
    let Ok(Ok(Ok(mut connection))) = timeout(PREFACE, sender.send_during(handshake)).await else { return };
    let mut leave = pin!(stop.asked_to_leave());
    let mut gone = pin!(until_gone(connection.ping_pong(), &heard));
    let mut idle = pin!(sleep(IDLE));
    let heads = Arc::new(Heads::default());
    // Dropped with the connection, which ends what it has asked for.
    let mut requests = JoinSet::new();
    let mut leaving = false;
    loop {
        tokio::select! {
            biased;
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    let (front, client, heads) = (Arc::clone(&front), Arc::clone(&client), Arc::clone(&heads));
                    requests.spawn(request::answer(request, respond, front, client, heads));
                }
                // How a connection ends is the client's business.
                Some(Err(_)) | None => break,
            },
            Some(mut ended) = requests.join_next() => {
                // Many end together.
                while let Some(next) = requests.try_join_next() {
                    ended = next;
                }
                // With nothing else under way there is nothing to wait for.
                if ended.unwrap_or(false) && requests.is_empty() {
                    break;
                }
                idle.as_mut().reset(Instant::now() + IDLE);
            }
            () = idle.as_mut(), if requests.is_empty() => break,
            () = gone.as_mut() => break,
            () = leave.as_mut(), if !leaving => {
                leaving = true;
                connection.graceful_shutdown();
            }
            // Last, when it is known what there is to send.
            Err(_) = sender.send_during(pending::<()>()) => return,
        }
    }
    connection.abrupt_shutdown(Reason::NO_ERROR);
    let close = async {
        sender.send_during(poll_fn(|cx| connection.poll_closed(cx))).await.map(drop)?;
        sender.close().await
    };
    // It may well not take that any more.
    let _ = timeout(FAREWELL, close).await;
}

/// Resolves when the client was silent for long and does not answer.
async fn until_gone(pings: Option<PingPong>, heard: &AtomicBool) {
    let Some(mut pings) = pings else { return pending().await };
    loop {
        sleep(SILENCE).await;
        if heard.swap(false, Ordering::Relaxed) {
            continue;
        }
        // Whatever it says is as good an answer, when that is behind all it has been sent.
        let answered = matches!(timeout(PONG, pings.ping(Ping::opaque())).await, Ok(Ok(_)));
        if !answered && !heard.swap(false, Ordering::Relaxed) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use bytes::Bytes;
    use h2::client::{self, SendRequest};
    use http::Request;
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
    use tokio_util::sync::CancellationToken;

    use super::request::STALL;
    use super::*;
    use crate::server::client::Scheme;
    use crate::server::connections::Connections;
    use crate::server::observe::Observer;
    use crate::server::observe::log::Log;
    use crate::server::router::Router;
    use crate::server::surroundings::Surroundings;
    use crate::server::tasks::Tasks;
    use crate::server::tls::automatic::Certificates;

    /// Serves a connection of which this is the other end, for services there are none of; gives how long that took.
    fn serving() -> (DuplexStream, impl Future<Output = Duration>) {
        let log = Log::none();
        let tasks = Tasks::new(tokio::runtime::Handle::current(), CancellationToken::new());
        let certificates = Arc::new(Certificates::new(&[], tasks, log.clone()).unwrap());
        let router = Router::new(Surroundings::default(), log.clone(), Arc::default(), certificates);
        let connections = Arc::new(Connections::new(0));
        let stop = connections.enter().unwrap();
        let observer = Arc::new(Observer { log, metrics: None });
        let (router, temporary) = (Arc::new(router), "/tmp".into());
        let front = Arc::new(Front { router, observer, connections, alt_svc: None, temporary });
        let client = Client::new(Scheme::Https, 443, SocketAddr::from(([127, 0, 0, 1], 1)), 0);
        let (near, far) = duplex(64 * 1024);
        let served = async move {
            let begun = Instant::now();
            serve(near, front, Arc::new(client), stop).await;
            begun.elapsed()
        };
        (far, served)
    }

    async fn connected(far: DuplexStream, window: u32) -> SendRequest<Bytes> {
        let (sender, connection) = client::Builder::new().initial_window_size(window).handshake(far).await.unwrap();
        // It answers pings.
        tokio::spawn(connection);
        sender.ready().await.unwrap()
    }

    fn get() -> Request<()> {
        Request::get("https://none.test/").body(()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_say_what_it_speaks_is_given_up() {
        for said in ["", "PRI * HTTP"] {
            let (mut far, served) = serving();
            far.write_all(said.as_bytes()).await.unwrap();
            assert_eq!(served.await, PREFACE, "{said:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_nobody_uses_is_given_up_in_the_end() {
        let (far, served) = serving();
        let use_once = async {
            let mut sender = connected(far, 65_535).await;
            sleep(IDLE / 2).await;
            let (response, _) = sender.send_request(get(), true).unwrap();
            let mut body = response.await.unwrap().into_body();
            while let Some(data) = body.data().await {
                body.flow_control().release_capacity(data.unwrap().len()).unwrap();
            }
            sender
        };
        let (served, _sender) = tokio::join!(served, use_once);
        assert!((IDLE * 3 / 2..IDLE * 3 / 2 + FAREWELL).contains(&served), "{served:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_whose_client_is_gone_is_given_up_before() {
        let (mut far, served) = serving();
        // Preface and settings, and then never a word again; nor is anything read.
        far.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let served = served.await;
        assert!((SILENCE..2 * SILENCE + 2 * PONG).contains(&served), "{served:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_of_an_answer_is_not_waited_for() {
        let (far, served) = serving();
        let ask = async {
            let mut sender = connected(far, 0).await;
            let (response, _) = sender.send_request(get(), true).unwrap();
            let mut body = response.await.unwrap().into_body();
            assert!(body.data().await.unwrap().is_err());
            sender
        };
        let (served, _sender) = tokio::join!(served, ask);
        assert!((STALL..STALL + 2 * FAREWELL).contains(&served), "{served:?}");
    }
}
