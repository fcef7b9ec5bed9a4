//! One HTTP/1.1 connection: reads requests until the client or the server wants no more, and answers each in one write.
//!
//! Just enough HTTP to stand behind a proxy: keep-alive, `HEAD`, and bodies of known length that are read and dropped.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::Server;
use crate::settings::Health;

/// An idle connection is closed after this long, so that threads of vanished clients do not pile up.
const IDLE: Duration = Duration::from_secs(120);
/// Longest request head that is read.
const HEAD_LIMIT: u64 = 64 * 1024;
/// Longest pause `GET /sleep/MILLISECONDS` grants.
const SLEEP_LIMIT: u64 = 60_000;

/// One in so many requests for / is answered with an error where the app is shaky.
const SHAKY: usize = 20;

/// What `GET /protocol` says, once a browser has run it: how it was fetched.
const PROTOCOL_PAGE: &str = "<!doctype html><title>hello</title><p>Fetched over <b id=protocol></b>.</p>\n\
    <script>protocol.textContent = performance.getEntriesByType('navigation')[0].nextHopProtocol</script>\n";

/// Serves one client. Errors end only this connection.
pub(crate) fn serve(stream: &TcpStream, server: &Server) {
    // Without TCP_NODELAY every keep-alive answer would wait for the client's delayed acknowledgement.
    if stream.set_nodelay(true).is_err() || stream.set_read_timeout(Some(IDLE)).is_err() {
        return;
    }
    let mut reader = BufReader::new(stream);
    while let Ok(Some(request)) = read_request(&mut reader) {
        server.busy.fetch_add(1, Ordering::SeqCst);
        let keep_alive = request.keep_alive && !server.stopping.load(Ordering::SeqCst);
        let written = (&*stream).write_all(&answer(&request, server, keep_alive));
        server.busy.fetch_sub(1, Ordering::SeqCst);
        if written.is_err() || !keep_alive {
            return;
        }
    }
}

#[derive(Debug)]
struct Request {
    method: String,
    path: String,
    host: String,
    keep_alive: bool,
}

fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut head = reader.by_ref().take(HEAD_LIMIT);
    let mut line = String::new();
    if head.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_ascii_whitespace();
    let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let mut request = Request {
        method: method.to_owned(),
        path: target.split('?').next().unwrap_or_default().to_owned(),
        host: String::new(),
        keep_alive: version == "HTTP/1.1",
    };
    let mut body = 0;
    loop {
        let mut header = String::new();
        if head.read_line(&mut header)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        let value = value.trim();
        if name.eq_ignore_ascii_case("connection") {
            request.keep_alive = if request.keep_alive {
                !value.eq_ignore_ascii_case("close")
            } else {
                value.eq_ignore_ascii_case("keep-alive")
            };
        } else if name.eq_ignore_ascii_case("host") {
            value.clone_into(&mut request.host);
        } else if name.eq_ignore_ascii_case("content-length") {
            body = value.parse::<u64>().map_err(|_| io::ErrorKind::InvalidData)?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            // Finding the end of a chunked body is more than an example needs; the next request would be misread.
            request.keep_alive = false;
        }
    }
    io::copy(&mut reader.take(body), &mut io::sink())?;
    Ok(Some(request))
}

fn answer(request: &Request, server: &Server, keep_alive: bool) -> Vec<u8> {
    let version = &server.settings.version;
    let mut kind = "plain";
    let mut headers = String::new();
    let (status, body) = match request.path.as_str() {
        "/protocol" => {
            kind = "html";
            ("200 OK", PROTOCOL_PAGE.to_owned())
        }
        "/" if server.asked.fetch_add(1, Ordering::Relaxed) % SHAKY == SHAKY - 1
            && server.settings.health == Health::Shaky =>
        {
            ("500 Internal Server Error", "not this time\n".to_owned())
        }
        "/" => ("200 OK", format!("hello {version}\n")),
        "/up" => health(server.settings.health, &request.host, &mut headers),
        path => match path.strip_prefix("/sleep/").and_then(|text| text.parse::<u64>().ok()) {
            Some(milliseconds) => {
                thread::sleep(Duration::from_millis(milliseconds.min(SLEEP_LIMIT)));
                ("200 OK", format!("slept {milliseconds} ms\n"))
            }
            None => ("404 Not Found", "not found\n".to_owned()),
        },
    };
    let connection = if keep_alive { "keep-alive" } else { "close" };
    let mut response = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/{kind}; charset=utf-8\r\ncontent-length: {}\r\nx-version: {version}\r\n{headers}\
         connection: {connection}\r\n\r\n",
        body.len()
    );
    if request.method != "HEAD" {
        response.push_str(&body);
    }
    response.into_bytes()
}

/// The answer to a health check, as the app is told to be.
fn health(health: Health, host: &str, headers: &mut String) -> (&'static str, String) {
    match health {
        Health::Fail => {
            crate::log("health check refused");
            ("500 Internal Server Error", "refusing health checks\n".to_owned())
        }
        Health::Blocked => {
            crate::log(&format!("Blocked hosts: {host}"));
            ("403 Forbidden", format!("Blocked hosts: {host}\n"))
        }
        Health::Https => {
            headers.push_str("location: https://hello.test/up\r\n");
            ("301 Moved Permanently", String::new())
        }
        Health::Slow => {
            thread::sleep(Duration::from_millis(SLEEP_LIMIT));
            ("200 OK", "up at last\n".to_owned())
        }
        Health::Status(status) => match status {
            401 => ("401 Unauthorized", "who are you?\n".to_owned()),
            403 => ("403 Forbidden", "not for you\n".to_owned()),
            404 => ("404 Not Found", "not found\n".to_owned()),
            _ => ("503 Service Unavailable", "not now\n".to_owned()),
        },
        _ => ("200 OK", "up\n".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Shutdown, TcpListener};
    use std::sync::atomic::{AtomicBool, AtomicUsize};

    use super::*;
    use crate::settings::Settings;

    /// Sends `text` to a server of the given health on a real socket and gives back everything it answers.
    fn talk(health: Health, text: &str) -> String {
        let server = Server {
            settings: Settings { port: 0, version: "v7".to_owned(), health, echo: Vec::new() },
            stopping: AtomicBool::new(false),
            busy: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(text.as_bytes()).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        serve(&listener.accept().unwrap().0, &server);
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_shaky_app_fails_one_request_in_twenty() {
        let answers = talk(Health::Shaky, &"GET / HTTP/1.1\r\n\r\n".repeat(100));
        assert_eq!(answers.matches("HTTP/1.1 500").count(), 5);
        assert!(talk(Health::Shaky, "GET /up HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn one_connection_carries_several_requests() {
        let answer = talk(Health::Ok, "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabcGET /up HTTP/1.1\r\n\r\n");
        assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2);
        assert!(answer.contains("hello v7\n") && answer.ends_with("up\n"));
        assert!(answer.contains("x-version: v7\r\n"));
    }

    #[test]
    fn an_unhealthy_app_refuses_only_health_checks() {
        let answer = talk(Health::Fail, "GET /up HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 500 "));
        assert!(answer.contains("HTTP/1.1 200 OK"));
    }

    #[test]
    fn close_and_http_1_0_end_the_connection() {
        for head in ["GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"] {
            let answer = talk(Health::Ok, &format!("{head}GET / HTTP/1.1\r\n\r\n"));
            assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 1, "{head}");
            assert!(answer.contains("connection: close\r\n"), "{head}");
        }
    }

    #[test]
    fn head_answers_without_a_body() {
        assert!(talk(Health::Ok, "HEAD / HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n"));
    }

    #[test]
    fn one_page_is_for_browsers() {
        for (path, kind) in [("/", "plain"), ("/protocol", "html"), ("/none", "plain")] {
            let answer = talk(Health::Ok, &format!("GET {path} HTTP/1.1\r\n\r\n"));
            assert!(answer.contains(&format!("content-type: text/{kind}; charset=utf-8\r\n")), "{path}: {answer}");
        }
    }

    #[test]
    fn garbage_gets_no_answer() {
        assert_eq!(talk(Health::Ok, "nonsense\r\n\r\n"), "");
    }
}
