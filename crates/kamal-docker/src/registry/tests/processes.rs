//! Several processes with one store, and processes that die.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

/// Tells a test that it is the server of another.
const SERVED: &str = "KAMAL_TEST_REGISTRY_FOLDER";

/// A registry in a process of its own, which the test function of this name begins with. Killed when dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(test: &str, folder: &Path) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        let name = format!("registry::tests::processes::{test}");
        let mut child = command
            .args([&*name, "--exact", "--nocapture"])
            .env(SERVED, folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let port =
            lines.find_map(|line| line.split_once("serving at ").map(|(_, port)| port.parse().unwrap())).unwrap();
        Self { child, port }
    }

    async fn client(&self) -> Client {
        Client::over(self.connect().await).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    /// As `kill -9` does.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until killed, if this process was started for that.
async fn serve_if_asked() {
    if let Some(folder) = env::var_os(SERVED) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("serving at {}", listener.local_addr().unwrap().port());
        Registry::open(folder).unwrap().serve(listener).await.unwrap();
    }
}

/// Everything that is served is what its name says, and all that a tag leads to is there.
async fn assert_whole(registry: &Registry) {
    let mut client = Client::of(registry).await;
    for file in fs::read_dir(registry.folder().join("blobs/sha256")).unwrap().map(Result::unwrap) {
        let content = fs::read(file.path()).unwrap();
        assert_eq!(sha256(&content).hex(), file.file_name().to_str().unwrap());
    }
    for repository in registry.ls().await.unwrap() {
        for tag in repository.tags {
            for image in registry.image_facts(&repository.name, &tag.name).await.unwrap() {
                for layer in image.layers {
                    let path = format!("/v2/{}/blobs/{}", repository.name, layer.digest);
                    assert_eq!(client.status("HEAD", &path).await, 200);
                }
            }
        }
    }
}

#[tokio::test]
async fn an_upload_goes_on_in_another_process() {
    serve_if_asked().await;
    let (_folder, registry) = registry();
    let server = Server::start("an_upload_goes_on_in_another_process", registry.folder());
    let content = (0..2_000_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>();
    let digest = sha256(&content);
    let (begun, _) = server.client().await.call("POST", "/v2/app/blobs/uploads/", &[], "").await;
    let location = header(&begun, "location");
    // Half of it, and then the process is gone in the middle of the request.
    let mut stream = server.connect().await;
    let head = format!("PATCH {location} HTTP/1.1\r\nhost: registry\r\ncontent-length: {}\r\n\r\n", content.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&content[..content.len() / 2]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.kill();
    assert_whole(&registry).await;

    let server = Server::start("an_upload_goes_on_in_another_process", registry.folder());
    let mut client = server.client().await;
    assert_eq!(client.status("HEAD", &format!("/v2/app/blobs/{digest}")).await, 404);
    let (stand, _) = client.call("GET", &location, &[], "").await;
    let range = header(&stand, "range");
    let end = range.strip_prefix("0-").unwrap().parse::<usize>().unwrap();
    assert!(end > 1_000_000 && end < content.len() / 2, "{end}");
    let rest = format!("{}-{}", end + 1, content.len() - 1);
    let put = format!("{location}?digest={digest}");
    let (put, body) = client.call("PUT", &put, &[("content-range", &rest)], content[end + 1..].to_vec()).await;
    assert_eq!(put.status(), StatusCode::CREATED, "{body:?}");
    let (_, got) = client.call("GET", &format!("/v2/app/blobs/{digest}"), &[], "").await;
    assert_eq!(sha256(&got), digest);
}

#[tokio::test]
async fn a_process_killed_at_any_moment_leaves_a_whole_store() {
    serve_if_asked().await;
    let (_folder, registry) = registry();
    for moment in [1, 5, 10, 20, 35, 50, 80, 120] {
        let server = Server::start("a_process_killed_at_any_moment_leaves_a_whole_store", registry.folder());
        let mut pushes = Vec::new();
        for number in 0..3 {
            let stream = server.connect().await;
            // Its requests fail when the process dies, and with them the task.
            pushes.push(tokio::spawn(async move {
                let mut client = Client::over(stream).await;
                for round in 0.. {
                    let layer = format!("{number} {moment} {round}").repeat(10_000);
                    client.push_image("app", &format!("v{number}"), &[b"base", layer.as_bytes()]).await;
                }
            }));
        }
        tokio::time::sleep(Duration::from_millis(moment)).await;
        server.kill();
        for push in pushes {
            push.abort();
        }
        assert_whole(&registry).await;
    }
    // What was left half done goes, whoever held it.
    let policy = Policy { grace: Duration::ZERO, ..Policy::default() };
    registry.gc(policy).await.unwrap();
    assert_eq!(fs::read_dir(registry.folder().join("uploads")).unwrap().count(), 0);
    assert_whole(&registry).await;
}

#[tokio::test]
async fn what_one_process_pushes_others_serve() {
    serve_if_asked().await;
    let (_folder, registry) = registry();
    let test = "what_one_process_pushes_others_serve";
    let (one, other) = (Server::start(test, registry.folder()), Server::start(test, registry.folder()));
    let (mut here, mut there) = (one.client().await, other.client().await);
    let digest = here.push_image("app", "v1", &[b"layer"]).await;
    let (got, _) = there.call("GET", "/v2/app/manifests/v1", &[], "").await;
    assert_eq!(header(&got, "docker-content-digest"), digest.to_string());
    // An upload is begun here and finished there; the same blob from both is one.
    let (begun, _) = here.call("POST", "/v2/app/blobs/uploads/", &[], "").await;
    let location = header(&begun, "location");
    there.call("PATCH", &location, &[], "half ").await;
    here.call("PATCH", &location, &[], "and half").await;
    let put = format!("{location}?digest={}", sha256(b"half and half"));
    assert_eq!(there.call("PUT", &put, &[], "").await.0.status(), StatusCode::CREATED);
    let pushed = (here.push("a", "same").await, there.push("b", "same").await);
    assert_eq!(pushed.0, pushed.1);
    assert_eq!(here.call("GET", &format!("/v2/b/blobs/{}", pushed.1), &[], "").await.1, "same");
}

#[tokio::test]
async fn two_writers_of_one_upload_do_not_mix() {
    let (_folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    let (begun, _) = client.call("POST", "/v2/app/blobs/uploads/", &[], "").await;
    let location = header(&begun, "location");
    let mut first = connect(&registry);
    let head = format!("PATCH {location} HTTP/1.1\r\nhost: registry\r\ncontent-length: 10\r\n\r\n01234");
    first.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (second, body) = client.call("PATCH", &location, &[], "xxxxx").await;
    assert_eq!(second.status(), StatusCode::CONFLICT, "{body:?}");
    first.write_all(b"56789").await.unwrap();
    let mut answer = [0; 12];
    first.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 202");
    let put = format!("{location}?digest={}", sha256(b"0123456789"));
    assert_eq!(client.call("PUT", &put, &[], "").await.0.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_leaves_what_came() {
    let (_folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    let (begun, _) = client.call("POST", "/v2/app/blobs/uploads/", &[], "").await;
    let location = header(&begun, "location");
    let mut cut = connect(&registry);
    let head = format!("PATCH {location} HTTP/1.1\r\nhost: registry\r\ncontent-length: 10\r\n\r\n01234");
    cut.write_all(head.as_bytes()).await.unwrap();
    drop(cut);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(header(&client.call("GET", &location, &[], "").await.0, "range"), "0-4");
    let put = format!("{location}?digest={}", sha256(b"0123456789"));
    let (put, _) = client.call("PUT", &put, &[("content-range", "5-9")], "56789").await;
    assert_eq!(put.status(), StatusCode::CREATED);
}
