//! What clients that exist do, and what is told of them: programs that send before they read, balancers, browsers.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::support::{PATIENCE, Proxy, Upstream, get, request};
use super::tls::{self, Pair};

/// A target that does with each connection what `answer` does once a head has come; checks are fine.
async fn target<F, R>(answer: F) -> String
where
    F: Fn(TcpStream, String) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                    if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                if head.starts_with("GET /up ") {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
                    return;
                }
                answer(stream, head).await;
            });
        }
    });
    address
}

/// Sends bytes and reads what comes back, until the end or a moment of silence.
async fn raw(proxy: &Proxy, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(proxy.http).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut reply = Vec::new();
    while let Ok(Ok(length)) = timeout(Duration::from_millis(300), stream.read_buf(&mut reply)).await {
        if length == 0 {
            break;
        }
    }
    String::from_utf8_lossy(&reply).into_owned()
}

/// A connection of HTTP/2 to a service at example.com.
async fn http2(proxy: &Proxy, pair: &Pair) -> h2::client::SendRequest<Bytes> {
    let stream = tls::connect(proxy, &pair.der, "example.com", b"h2").await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    sender.ready().await.unwrap()
}

fn deploy_tls(proxy: &Proxy, target: &str, more: &str) -> Pair {
    let pair = tls::pair(proxy, "example.com");
    proxy.ok(&format!("deploy app --target {target} --host example.com {} {more}", pair.flags));
    pair
}

/// So many times each, as what goes wrong with curl does so now and then.
const TIMES: usize = 20;

/// What curl says and the status behind it, and how long it took, for so many that run at once.
fn curl(proxy: &Proxy, arguments: &[&str]) -> Vec<(String, Duration)> {
    let port = proxy.https.port();
    let (resolve, url) = (format!("example.com:{port}:127.0.0.1"), format!("https://example.com:{port}/"));
    let one = || {
        let mut curl = Command::new("curl");
        curl.args(["--max-time", "10", "-sk", "-w", "%{http_code}", "--resolve", &resolve]).args(arguments).arg(&url);
        let begun = Instant::now();
        let output = curl.output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), begun.elapsed())
    };
    let all = || {
        std::thread::scope(|scope| {
            let runs: Vec<_> = (0..TIMES).map(|_| scope.spawn(one)).collect();
            runs.into_iter().map(|run| run.join().unwrap()).collect()
        })
    };
    tokio::task::block_in_place(all)
}

// curl 7.88 reads no more once it has its answer, and waits for ever for room to send the rest.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_wait_for_the_upload() {
    let proxy = Proxy::start();
    let early = target(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n").await.unwrap();
        sleep(PATIENCE).await;
    })
    .await;
    deploy_tls(&proxy, &early, "");
    let big = proxy.home.path().join("big");
    std::fs::File::create(&big).unwrap().set_len(50 * 1024 * 1024).unwrap();
    let big = big.to_str().unwrap();
    for version in ["--http2", "--http1.1"] {
        for expect in ["Expect:", "Expect: 100-continue"] {
            let upload = [version, "-X", "POST", "-H", expect, "-T", big];
            for (said, took) in curl(&proxy, &upload) {
                assert!(said.ends_with("200") && took < Duration::from_secs(5), "{upload:?}: {said:?} after {took:?}");
            }
        }
    }
}

// Every way in which curl asks and sends, over every version it is asked for, in a row and all at once.
#[tokio::test(flavor = "multi_thread")]
async fn what_curl_sends_arrives() {
    let proxy = Proxy::start();
    let mirror = Upstream::mirror().await;
    deploy_tls(&proxy, &mirror.address, "");
    let file = proxy.home.path().join("file");
    std::fs::write(&file, vec![b'x'; 300_000]).unwrap();
    let (file, form) = (file.to_str().unwrap(), format!("a=@{}", file.display()));
    let data = format!("@{file}");
    let ways: [(&[&str], &str); 7] = [
        (&[], "\"body\":0"),
        (&["-d", "small"], "\"body\":5"),
        (&["-T", file], "\"body\":300000"),
        (&["-T", file, "-H", "Expect: 100-continue"], "\"body\":300000"),
        (&["-T", file, "-H", "Expect:"], "\"body\":300000"),
        (&["--data-binary", &data, "-H", "Transfer-Encoding: chunked"], "\"body\":300000"),
        (&["-F", &form], "\"method\":\"POST\""),
    ];
    // One that offers HTTP/1.0 and nothing else is refused, as by Go's.
    for version in [&["--http1.0", "--no-alpn"][..], &["--http1.1"], &["--http2"]] {
        for (way, wanted) in &ways {
            let arguments = [version, *way].concat();
            // HTTP/1.0 has no chunks.
            if version.len() == 2 && arguments.iter().any(|word| word.ends_with("chunked")) {
                continue;
            }
            for (said, took) in curl(&proxy, &arguments) {
                let right = said.contains(wanted) && said.ends_with("200") && took < Duration::from_secs(5);
                assert!(right, "{arguments:?}: {said:?} after {took:?}");
            }
        }
    }
    for version in ["--http1.1", "--http2"] {
        for (said, _) in curl(&proxy, &[version, "--head"]) {
            assert!(said.ends_with("\r\n\r\n200"), "{version}: {said:?}");
        }
    }
}

// The rest of an upload is refused right behind the last of the answer, and neither comes with its head.
#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_an_upload_is_refused_in_peace() {
    let proxy = Proxy::start();
    let early = target(|mut stream, head| async move {
        let body = if head.contains("/long") { "x".repeat(100_000) } else { "ok\n".to_owned() };
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
        sleep(PATIENCE).await;
    })
    .await;
    let pair = deploy_tls(&proxy, &early, "");
    for (path, length) in [("/short", 3), ("/long", 100_000)] {
        let mut sender = http2(&proxy, &pair).await;
        let request = Request::post(format!("https://example.com{path}")).body(()).unwrap();
        let (response, mut body) = sender.send_request(request, false).unwrap();
        body.send_data(Bytes::from_static(b"some"), false).unwrap();
        let mut answer = timeout(PATIENCE, response).await.expect("an answer in time").unwrap().into_body();
        let mut read = 0;
        while let Some(data) = timeout(PATIENCE, answer.data()).await.expect("a body in time") {
            let data = data.unwrap();
            answer.flow_control().release_capacity(data.len()).unwrap();
            read += data.len();
        }
        assert_eq!(read, length);
        let reset = timeout(PATIENCE, std::future::poll_fn(|cx| body.poll_reset(cx))).await.expect("a word in time");
        assert_eq!(reset.unwrap(), h2::Reason::NO_ERROR, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hints_over_http2() {
    let proxy = Proxy::start();
    let hinting = target(|mut stream, _| async move {
        let hint = |link| {
            format!("HTTP/1.1 103 Early Hints\r\nLink: <{link}>\r\nConnection: x\r\nX: 1\r\nContent-Length: 3\r\n\r\n")
        };
        stream.write_all(hint("/a.css").as_bytes()).await.unwrap();
        sleep(Duration::from_millis(300)).await;
        stream.write_all(hint("/b.js").as_bytes()).await.unwrap();
        sleep(Duration::from_millis(300)).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
    })
    .await;
    let pair = deploy_tls(&proxy, &hinting, "--buffer-responses");
    let mut sender = http2(&proxy, &pair).await;
    let begun = Instant::now();
    let (mut response, _) = sender.send_request(Request::get("https://example.com/").body(()).unwrap(), true).unwrap();
    for (link, at) in [("</a.css>", 0), ("</b.js>", 300)] {
        let hint = timeout(PATIENCE, std::future::poll_fn(|cx| response.poll_informational(cx))).await.expect("a hint");
        let hint = hint.unwrap().unwrap();
        let names: Vec<_> = hint.headers().keys().map(http::HeaderName::as_str).collect();
        assert_eq!(
            (hint.status().as_u16(), &hint.headers()["link"], &names[..]),
            (103, &link.parse().unwrap(), &["link"][..])
        );
        let took = begun.elapsed().as_millis();
        assert!((at..at + 250).contains(&took), "{link} after {took} ms");
    }
    let response = timeout(PATIENCE, response).await.expect("an answer in time").unwrap();
    assert_eq!((response.status().as_u16(), response.headers().get("link")), (200, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_read_while_it_is_written_is_not_kept_back() {
    let proxy = Proxy::start();
    let slow = target(|mut stream, head| async move {
        let path = head.split(' ').nth(1).unwrap_or("");
        let headers = match path {
            "/accel" => "X-Accel-Buffering: no\r\nContent-Length: 100\r\n",
            "/events" => "Content-Length: 100\r\nContent-Type: TEXT/event-stream;x=\u{e9}\r\n",
            "/closed" => "Connection: close\r\n",
            _ => "Content-Length: 100\r\n",
        };
        let begin = format!("HTTP/1.1 200 OK\r\n{headers}\r\nfirst");
        stream.write_all(begin.as_bytes()).await.unwrap();
        sleep(Duration::from_secs(2)).await;
        let _ = stream.write_all(&[b'x'; 95]).await;
    })
    .await;
    proxy.ok(&format!("deploy app --target {slow} --buffer-responses"));
    for (path, at_once) in [("/accel", true), ("/events", true), ("/closed", true), ("/whole", false)] {
        let begun = Instant::now();
        let mut response = proxy.open(get(&format!("http://localhost{path}"))).await.into_body();
        let first = timeout(PATIENCE, http_body_util::BodyExt::frame(&mut response)).await.unwrap().unwrap().unwrap();
        assert!(first.into_data().unwrap().starts_with(b"first"));
        assert_eq!(begun.elapsed() < Duration::from_secs(1), at_once, "{path} after {:?}", begun.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_cut_short_are_logged_as_such() {
    let proxy = Proxy::start();
    let half = target(|mut stream, head| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await.unwrap();
        if head.contains("/whole") {
            stream.write_all(b"-whole").await.unwrap();
        }
        let pause = if head.contains("/silent") { PATIENCE } else { Duration::from_millis(200) };
        sleep(pause).await;
    })
    .await;
    let pair = deploy_tls(&proxy, &half, "--tls-redirect=false");
    for (path, cut_by) in [("/target", Some("target")), ("/silent", Some("client")), ("/whole", None)] {
        let mut stream = TcpStream::connect(proxy.http).await.unwrap();
        stream.write_all(format!("GET {path}-1 HTTP/1.1\r\nHost: example.com\r\n\r\n").as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        while !String::from_utf8_lossy(&reply).contains("\r\n\r\nhalf") {
            assert!(timeout(PATIENCE, stream.read_buf(&mut reply)).await.unwrap().unwrap() > 0);
        }
        if path != "/silent" {
            let _ = timeout(Duration::from_millis(500), stream.read_to_end(&mut reply)).await;
        }
        drop(stream);
        let mut sender = http2(&proxy, &pair).await;
        let asked = Request::get(format!("https://example.com{path}-2")).body(()).unwrap();
        let (response, _) = sender.send_request(asked, true).unwrap();
        let mut body = timeout(PATIENCE, response).await.unwrap().unwrap().into_body();
        assert!(timeout(PATIENCE, body.data()).await.unwrap().unwrap().is_ok());
        if path != "/silent" {
            while let Ok(Some(Ok(_))) = timeout(Duration::from_millis(500), body.data()).await {}
        }
        drop((body, sender));
        for number in ["1", "2"] {
            let line = proxy.logged(|line| line["path"] == format!("{path}-{number}")).await;
            assert_eq!((line["status"].as_u64(), line["resp_cut_by"].as_str()), (Some(200), cut_by), "{line}");
        }
    }
    // A client that lets nothing be sent has not been sent it, however little it was.
    let stream = tls::connect(&proxy, &pair.der, "example.com", b"h2").await.unwrap();
    let (sender, connection) = h2::client::Builder::new().initial_window_size(0).handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut sender: h2::client::SendRequest<Bytes> = sender.ready().await.unwrap();
    let asked = Request::get("https://example.com/whole-3").body(()).unwrap();
    let (response, _) = sender.send_request(asked, true).unwrap();
    timeout(PATIENCE, response).await.unwrap().unwrap();
    sleep(Duration::from_millis(500)).await;
    connection.abort();
    drop(sender);
    let line = proxy.logged(|line| line["path"] == "/whole-3").await;
    assert_eq!(line["resp_cut_by"], "client", "{line}");
    // One that is kept back until it is whole never begins.
    proxy.ok(&format!("deploy app --target {half} --host example.com --buffer-responses"));
    assert_eq!(raw(&proxy, b"GET /kept HTTP/1.1\r\nHost: example.com\r\n\r\n").await, "");
    assert_eq!(proxy.logged(|line| line["path"] == "/kept").await["resp_cut_by"], "target");
    // A page of the proxy's own, and an answer to a HEAD, are whole.
    assert_eq!(proxy.get("http://other.test/none").await.status, 404);
    raw(&proxy, b"HEAD /head HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n").await;
    for path in ["/none", "/head"] {
        assert_eq!(proxy.logged(|line| line["path"] == path).await["resp_cut_by"].as_str(), None, "{path}");
    }
}

/// A header, its value, and the address in the log.
type Exchange = (&'static str, &'static str, &'static str);

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_a_client_is_what_somebody_says_who_is_believed() {
    let proxy = Proxy::start();
    let app = Upstream::named("app").await;
    let cases: [(&str, &[Exchange]); 3] = [
        (
            "--forward-headers=false",
            &[
                ("x-forwarded-for", "6.6.6.6", "127.0.0.1"),
                ("x-forwarded-for", " , 6.6.6.6", "127.0.0.1"),
                ("x-forwarded-for", "[2001:db8::1]:99", "127.0.0.1"),
            ],
        ),
        (
            "--forward-headers=false --client-ip-header X-Client-Ip",
            &[
                ("x-client-ip", "9.9.9.9", "9.9.9.9"),
                ("x-client-ip", "junk", "127.0.0.1"),
                ("x-client-ip", "9.9.9.9, 8.8.8.8", "9.9.9.9"),
                ("x-client-ip", "9.9.9.9:1234", "9.9.9.9"),
                ("x-client-ip", "[2001:db8::1]:99", "2001:db8::1"),
                ("x-forwarded-for", "6.6.6.6", "127.0.0.1"),
            ],
        ),
        (
            "--forward-headers",
            &[("x-forwarded-for", "6.6.6.6, 7.7.7.7", "6.6.6.6, 7.7.7.7"), ("x-other", "1", "127.0.0.1")],
        ),
    ];
    let mut number = 0;
    for (flags, requests) in cases {
        proxy.ok(&format!("deploy app --target {} --host a.test {flags}", app.address));
        for (name, value, address) in requests {
            number += 1;
            let mut asked = get(&format!("http://a.test/{number}"));
            asked.headers_mut().insert(*name, value.parse().unwrap());
            proxy.send(asked).await;
            let line = proxy.logged(|line| line["path"] == format!("/{number}")).await;
            assert_eq!(line["remote_addr"], *address, "{flags}: {name}: {value}");
        }
    }
    let mut nobodys = get("http://none.test/nobodys");
    nobodys.headers_mut().insert("x-forwarded-for", "6.6.6.6".parse().unwrap());
    proxy.send(nobodys).await;
    assert_eq!(proxy.logged(|line| line["path"] == "/nobodys").await["remote_addr"], "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_of_the_proxy_are_secure_over_tls() {
    let proxy = Proxy::start();
    let app = Upstream::named("app").await;
    let pair =
        deploy_tls(&proxy, &app.address, &format!("--read-target {} --sticky --tls-redirect=false", app.address));
    let cookies = |headers: &HeaderMap| -> Vec<bool> {
        headers.get_all("set-cookie").iter().map(|it| it.to_str().unwrap().ends_with("; Secure")).collect()
    };
    let plain = proxy.send(request("POST", "http://example.com/", "x")).await;
    assert_eq!(cookies(&plain.headers), [false, false], "{:?}", plain.headers);
    let mut sender = http2(&proxy, &pair).await;
    let (response, _) = sender.send_request(Request::post("https://example.com/").body(()).unwrap(), true).unwrap();
    let secure = timeout(PATIENCE, response).await.unwrap().unwrap();
    assert_eq!(cookies(secure.headers()), [true, true], "{:?}", secure.headers());
}

#[tokio::test(flavor = "multi_thread")]
async fn balancers_ask_for_health_by_address() {
    let proxy = Proxy::start();
    let app = Upstream::named("app").await;
    let up = |host: &str| format!("GET /up HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes();
    assert!(raw(&proxy, &up("127.0.0.1")).await.starts_with("HTTP/1.1 404 "), "nothing is there to be well");
    proxy.ok(&format!("deploy app --target {} --host lb.test", app.address));
    for bytes in [up("127.0.0.1"), up("127.0.0.1:8080"), up("[::1]"), b"GET /up HTTP/1.0\r\n\r\n".to_vec()] {
        let reply = raw(&proxy, &bytes).await;
        assert!(reply.contains(" 200 OK\r\n"), "{}: {reply}", bytes.escape_ascii());
    }
    for bytes in [
        up("other.test"),
        b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".to_vec(),
        b"POST /up HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".to_vec(),
    ] {
        let reply = raw(&proxy, &bytes).await;
        assert!(reply.starts_with("HTTP/1.1 404 "), "{}: {reply}", bytes.escape_ascii());
    }
    proxy.ok("deploy ill --target 127.0.0.1:1 --host ill.test --force");
    assert!(raw(&proxy, &up("127.0.0.1")).await.starts_with("HTTP/1.1 503 "));
}
