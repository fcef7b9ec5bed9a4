//! Certificates from a real authority, Let's Encrypt's `pebble` (spec 8.11, 8.12).

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::free_port::free_port;
use super::support::{PATIENCE, Proxy, Upstream, get, metrics, text};

/// An authority of its own, and a DNS in which every name is this machine.
struct Pebble {
    directory: String,
    dns: SocketAddr,
    log: PathBuf,
    children: Vec<Child>,
}

impl Pebble {
    /// Starts one whose challenges come to `proxy`, made by [`home`]. `more` are further settings.
    fn start(proxy: &Proxy, ports: (u16, u16), more: &[(&str, serde_json::Value)]) -> Self {
        let home = proxy.home.path();
        let (listen, manage, dns, dns_manage) = (free_port(), free_port(), free_port(), free_port());
        let mut settings = serde_json::json!({
            "listenAddress": format!("127.0.0.1:{listen}"),
            "managementListenAddress": format!("127.0.0.1:{manage}"),
            "certificate": home.join("roots.pem"),
            "privateKey": home.join("roots.key"),
            "httpPort": ports.0,
            "tlsPort": ports.1,
            "ocspResponderURL": "",
        });
        for (key, value) in more {
            settings[*key] = value.clone();
        }
        let config = home.join("pebble.json");
        fs::write(&config, serde_json::json!({ "pebble": settings }).to_string()).unwrap();
        let dns = SocketAddr::from(([127, 0, 0, 1], dns));
        let logs = home.join("pebble.log");
        let log = fs::File::create(&logs).unwrap();
        let quiet = |command: &mut Command| {
            let (out, err) = (log.try_clone().unwrap(), log.try_clone().unwrap());
            let command = command.stdout(out).stderr(err).env("PEBBLE_VA_NOSLEEP", "1");
            command.spawn().expect("Debian's package `pebble` is needed")
        };
        let children = vec![
            quiet(
                Command::new("pebble-challtestsrv")
                    .args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""])
                    .args(["-dns01", &dns.to_string()])
                    .args(["-management", &format!("127.0.0.1:{dns_manage}")]),
            ),
            quiet(Command::new("pebble").arg("-config").arg(&config).args(["-dnsserver", &dns.to_string()])),
        ];
        let begun = Instant::now();
        for port in [listen, dns_manage] {
            while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
                assert!(begun.elapsed() < PATIENCE, "pebble starts");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let dns = SocketAddr::from(([127, 0, 0, 1], dns_manage));
        Self { directory: format!("https://localhost:{listen}/dir"), dns, log: logs, children }
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// A home for a proxy that trusts the certificate kept there for an authority.
fn home() -> Arc<TempDir> {
    let home = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    fs::write(home.path().join("roots.pem"), made.cert.pem()).unwrap();
    fs::write(home.path().join("roots.key"), made.signing_key.serialize_pem()).unwrap();
    Arc::new(home)
}

/// The certificate the proxy shows for a name.
async fn shown(https: SocketAddr, name: &str) -> std::io::Result<Vec<u8>> {
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    let stream = TcpStream::connect(https).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    Ok(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec())
}

fn names(certificate: &[u8]) -> Vec<String> {
    use x509_parser::extensions::GeneralName;
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).unwrap();
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => (*name).to_owned(),
        other => other.to_string(),
    };
    names.value.general_names.iter().map(name).collect()
}

#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn obtained(line: &serde_json::Value) -> bool {
    line["msg"] == "ACME: certificate obtained"
}

/// Proxies that share the certificates of one service.
struct Sharing {
    /// By the names they know each other by: the first one orders.
    proxies: Vec<Proxy>,
    target: Upstream,
}

impl Sharing {
    const SECRET: &'static str = "a secret that is long enough for all of them";

    async fn start(count: usize) -> Self {
        let first = home();
        let mut proxies = vec![Proxy::start_in(Arc::clone(&first), &["--debug"])];
        for _ in 1..count {
            let other = tempfile::tempdir().unwrap();
            fs::copy(first.path().join("roots.pem"), other.path().join("roots.pem")).unwrap();
            fs::copy(first.path().join("roots.key"), other.path().join("roots.key")).unwrap();
            proxies.push(Proxy::start_in(Arc::new(other), &["--debug"]));
        }
        proxies.sort_by_key(|proxy| proxy.http.to_string());
        Self { proxies, target: Upstream::named("app").await }
    }

    fn deploy(&self, at: usize, secret: &str, pebble: &Pebble) {
        let proxy = &self.proxies[at];
        let file = proxy.home.path().join("secret");
        fs::write(&file, secret).unwrap();
        let others = self.proxies.iter().filter(|other| other.http != proxy.http);
        let others: String = others.map(|other| format!(" --peer {}", other.http)).collect();
        proxy.ok(&format!(
            "deploy app --target {} --host a.example.com --tls --tls-acme-directory {}{others} --peer-name {} \
             --peer-secret-file {}",
            self.target.address,
            pebble.directory,
            proxy.http,
            file.display(),
        ));
    }

    /// What all of them show, once that is the same, and none of these.
    async fn shown_by_all(&self, before: &[&Vec<u8>]) -> Vec<u8> {
        let begun = Instant::now();
        loop {
            let mut all = Vec::new();
            for proxy in &self.proxies {
                all.extend(shown(proxy.https, "a.example.com").await);
            }
            if all.len() == self.proxies.len() && all.iter().all(|one| *one == all[0]) && !before.contains(&&all[0]) {
                return all.swap_remove(0);
            }
            assert!(begun.elapsed() < PATIENCE, "all have the same certificate");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// How many each has ordered.
    fn orders(&self) -> Vec<usize> {
        self.proxies.iter().map(|proxy| proxy.count(obtained)).collect()
    }
}

// What the authority looks for over HTTP it looks for at the last of them, which has not ordered.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_several_orders_and_all_have_what_it_got() {
    let all = Sharing::start(3).await;
    let lifetime = [("certificateValidityPeriod", 12.into())];
    let pebble = Pebble::start(&all.proxies[0], (all.proxies[2].http.port(), 1), &lifetime);
    for at in [2, 1, 0] {
        all.deploy(at, Sharing::SECRET, &pebble);
    }
    let first = all.shown_by_all(&[]).await;
    assert_eq!(names(&first), ["a.example.com"]);
    assert_eq!(all.orders(), [1, 0, 0]);
    let unknown = all.proxies[1].get("http://a.example.com/.well-known/acme-challenge/none").await;
    assert_eq!(unknown.status, 404);
    all.shown_by_all(&[&first]).await;
    assert_eq!(all.orders(), [2, 0, 0], "it is renewed once for all");
}

// The first is there, but has no such service yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn another_orders_where_the_first_is_away_and_the_first_takes_that() {
    let all = Sharing::start(2).await;
    // In TLS, at the one that has not ordered.
    let pebble = Pebble::start(&all.proxies[0], (1, all.proxies[1].https.port()), &[]);
    all.deploy(1, Sharing::SECRET, &pebble);
    all.proxies[1].logged(obtained).await;
    all.deploy(0, Sharing::SECRET, &pebble);
    all.shown_by_all(&[]).await;
    assert_eq!(all.orders(), [0, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_tls_at_one_that_has_not_ordered() {
    let all = Sharing::start(2).await;
    let pebble = Pebble::start(&all.proxies[0], (1, all.proxies[1].https.port()), &[]);
    all.deploy(1, Sharing::SECRET, &pebble);
    all.deploy(0, Sharing::SECRET, &pebble);
    all.shown_by_all(&[]).await;
    assert_eq!(all.orders(), [1, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_has_not_the_secret_learns_no_key() {
    let all = Sharing::start(2).await;
    let pebble = Pebble::start(&all.proxies[0], (all.proxies[0].http.port(), 1), &[]);
    all.deploy(0, Sharing::SECRET, &pebble);
    all.proxies[0].logged(obtained).await;
    let ask = async |question: &str| {
        let mut asking = get("http://a.example.com/");
        asking.headers_mut().insert("kamal-proxy-peer-ask", question.parse().unwrap());
        all.proxies[0].send(asking).await
    };
    // This client is where the peer is.
    let told = ask("app certificate a.example.com 1").await;
    let sealed = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, &told.body).unwrap();
    assert_eq!((told.status, sealed.len() > 1000), (200, true));
    assert!(!String::from_utf8_lossy(&sealed).contains("-----BEGIN"));
    assert_ne!(ask("app certificate a.example.com 1").await.body, told.body, "sealed anew each time");
    for question in ["app certificate b.example.com 1", "app certificate ../acme_account+key 1", "app", "other a b 1"] {
        let refused = ask(question).await;
        assert!(refused.status != 200, "{question}: {refused:?}");
    }
    // A peer with another secret gets a certificate of its own.
    all.deploy(1, &Sharing::SECRET.to_uppercase(), &pebble);
    all.proxies[1].logged(|line| line["msg"] == "ACME: unable to get certificate" || obtained(line)).await;
    assert_eq!(all.proxies[1].count(|line| line["msg"] == "ACME: certificate of a peer"), 0);
    let file = all.proxies[1].home.path().join("secret");
    fs::write(&file, "short").unwrap();
    let refused = all.proxies[1].fails(&format!(
        "deploy app --target {} --host a.example.com --tls --peer {} --peer-name b --peer-secret-file {}",
        all.target.address,
        all.proxies[0].http,
        file.display()
    ));
    assert!(refused.contains("should have at least 32 characters"), "{refused}");
}

// TLS-ALPN-01 (RFC 8737), which pebble asks over TLS alone: nothing listens on its port for HTTP.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_tls_then_kept_over_a_restart() {
    let port = free_port();
    let proxy = Proxy::start_in(home(), &["--metrics-port", &port.to_string()]);
    let target = Upstream::named("app").await;
    let pebble = Pebble::start(&proxy, (1, proxy.https.port()), &[]);
    let deploy = format!("--host a.example.com --host b.example.com --tls --tls-acme-directory {}", pebble.directory);
    proxy.ok(&format!("deploy app --target {} {deploy}", target.address));
    // Before any client has come.
    proxy.logged(|line| obtained(line) && line["host"] == "b.example.com").await;
    let first = shown(proxy.https, "a.example.com").await.unwrap();
    assert_eq!(names(&first), ["a.example.com"]);
    assert_eq!(names(&shown(proxy.https, "B.example.com").await.unwrap()), ["b.example.com"]);

    let folders: Vec<_> = fs::read_dir(proxy.home.path().join(".config/kamal-proxy/certs")).unwrap().collect();
    assert_eq!(folders.len(), 1);
    let folder = folders[0].as_ref().unwrap().path();
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["a.example.com", "acme_account+key", "b.example.com"], "no answers are left");
    for file in files {
        assert_eq!(fs::metadata(folder.join(file)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    let published = metrics(port).await.body;
    for name in ["a.example.com", "b.example.com"] {
        let gauge = format!("kamal_proxy_tls_certificate_expiry_timestamp_seconds{{host=\"{name}\"}} ");
        let end = published.lines().find_map(|line| line.strip_prefix(&gauge)).unwrap();
        let end = UNIX_EPOCH + Duration::from_secs(end.parse().unwrap());
        assert!(end > SystemTime::now());
    }

    drop(pebble);
    let home = Arc::clone(&proxy.home);
    drop(proxy);
    let proxy = Proxy::start_in(home, &[]);
    assert_eq!(shown(proxy.https, "a.example.com").await.unwrap(), first);
    assert_eq!(proxy.count(obtained), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn over_http_and_renewed_in_time() {
    let proxy = Proxy::start_in(home(), &["--debug"]);
    let target = Upstream::named("app").await;
    let pebble = Pebble::start(&proxy, (proxy.http.port(), 1), &[("certificateValidityPeriod", 9.into())]);
    let deploy = format!("--host a.example.com --tls --tls-acme-directory {}", pebble.directory);
    proxy.ok(&format!("deploy app --target {} {deploy}", target.address));
    let first = shown(proxy.https, "a.example.com").await.unwrap();
    let unknown = proxy.get("http://a.example.com/.well-known/acme-challenge/none").await;
    assert_eq!((unknown.status, unknown.header("x-content-type-options")), (404, "nosniff"));
    let odd = proxy.get("http://a.example.com/.well-known/acme-challenge/..%2Facme_account+key").await;
    assert_eq!(odd.status, 404);

    let begun = Instant::now();
    while shown(proxy.https, "a.example.com").await.unwrap() == first {
        assert!(begun.elapsed() < PATIENCE, "it is renewed");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn with_an_external_account() {
    let proxy = Proxy::start_in(home(), &[]);
    let target = Upstream::named("app").await;
    let key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let accounts = serde_json::json!({ "customer-1": key });
    let required = [("externalAccountBindingRequired", true.into()), ("externalAccountMACKeys", accounts)];
    let pebble = Pebble::start(&proxy, (proxy.http.port(), proxy.https.port()), &required);
    let deploy =
        format!("--target {} --host a.example.com --tls --tls-acme-directory {}", target.address, pebble.directory);
    proxy.ok(&format!("deploy app {deploy}"));
    let refused = proxy.logged(|line| line["msg"] == "ACME: unable to get certificate").await;
    assert!(refused["error"].as_str().unwrap().contains("externalAccountRequired"), "{refused}");

    let file = proxy.home.path().join("eab");
    fs::write(&file, format!("{key}\n")).unwrap();
    let account = format!("--tls-acme-eab-kid customer-1 --tls-acme-eab-key-file {}", file.display());
    // A name of its own: the other is left alone for a while.
    proxy.ok(&format!("deploy app {deploy} --host b.example.com {account}"));
    assert_eq!(names(&shown(proxy.https, "b.example.com").await.unwrap()), ["b.example.com"]);
    assert!(!proxy.state().contains(key));
}

// DNS-01, which alone proves wildcards.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn wildcards_by_a_program_that_changes_the_dns() {
    let proxy = Proxy::start_in(home(), &[]);
    let target = Upstream::named("app").await;
    let pebble = Pebble::start(&proxy, (1, 1), &[]);
    let hook = proxy.home.path().join("hook");
    let script = format!(
        "#!/bin/bash\n\
         case $1 in present) do=set-txt;; cleanup) do=clear-txt;; esac\n\
         body=\"{{\\\"host\\\":\\\"$2.\\\",\\\"value\\\":\\\"$3\\\"}}\"\n\
         exec 3<>/dev/tcp/{}/{}\n\
         printf 'POST /%s HTTP/1.0\\r\\ncontent-length: %s\\r\\n\\r\\n%s' $do ${{#body}} \"$body\" >&3\n\
         read -r answer <&3; echo \"$1 $2 $answer\" >>{}\n",
        pebble.dns.ip(),
        pebble.dns.port(),
        proxy.home.path().join("hook.log").display(),
    );
    fs::write(&hook, script).unwrap();
    fs::set_permissions(&hook, PermissionsExt::from_mode(0o700)).unwrap();
    let deploy = format!("--tls --tls-acme-directory {} --tls-acme-dns-hook {}", pebble.directory, hook.display());
    proxy.ok(&format!("deploy app --target {} --host *.example.com --host example.com {deploy}", target.address));
    assert_eq!(names(&shown(proxy.https, "any.example.com").await.unwrap()), ["*.example.com"]);
    assert_eq!(names(&shown(proxy.https, "example.com").await.unwrap()), ["example.com"]);
    let calls = fs::read_to_string(proxy.home.path().join("hook.log")).unwrap();
    for action in ["present", "cleanup"] {
        let begins = format!("{action} _acme-challenge.example.com HTTP/1.0 200");
        assert_eq!(calls.lines().filter(|line| line.starts_with(&begins)).count(), 2, "{calls}");
    }
}

// spec 11.A.35, 11.L.192-200
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_demand() {
    let proxy = Proxy::start_in(home(), &["--debug"]);
    let (told, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let target = Upstream::start(move |request| {
        let told = told.clone();
        async move {
            if request.uri().path() != "/allow" {
                return text(200, "app");
            }
            let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            let seen =
                (request.uri().to_string(), header("host"), header("x-forwarded-proto"), header("x-forwarded-for"));
            let _ = told.send(seen);
            let allowed = request.uri().query().unwrap().contains("good");
            if allowed { text(200, "") } else { text(403, "Access denied".to_owned() + &"!".repeat(300)) }
        }
    })
    .await;
    let pebble = Pebble::start(&proxy, (proxy.http.port(), proxy.https.port()), &[]);
    let deploy = format!("--tls --tls-acme-directory {}", pebble.directory);
    proxy.ok(&format!("deploy app --target {} {deploy} --tls-on-demand-url /allow", target.address));

    assert_eq!(names(&shown(proxy.https, "good.example.com").await.unwrap()), ["good.example.com"]);
    let own = |text: &str| Some(text.to_owned());
    let seen = ("/allow?host=good.example.com".to_owned(), own("good.example.com"), own("http"), None);
    assert_eq!(asked.try_recv().unwrap(), seen);
    shown(proxy.https, "good.example.com").await.unwrap();
    assert!(asked.try_recv().is_err(), "a name that has a certificate is not asked for again");

    assert!(shown(proxy.https, "bad.example.com").await.is_err());
    let denied = proxy.logged(|line| line["msg"] == "TLS on-demand check denied host").await;
    assert_eq!((&denied["host"], &denied["status"]), (&"bad.example.com".into(), &403.into()));
    let body = denied["body"].as_str().unwrap();
    assert!(body.starts_with("Access denied!") && body.len() == 256, "{body}");
    let failed = |line: &serde_json::Value| {
        line["msg"]
            .as_str()
            .unwrap()
            .contains("bad.example.com is not allowed to get a certificate (status: 403, body: ")
    };
    proxy.logged(failed).await;
    while asked.try_recv().is_ok() {}
    assert!(shown(proxy.https, "bad.example.com").await.is_err());
    assert!(asked.try_recv().is_err(), "a no holds for a while");
    assert_eq!(proxy.count(|line| line["path"] == "/allow"), 0, "the proxy's own questions are no requests");

    proxy.ok("stop app");
    assert!(shown(proxy.https, "good2.example.com").await.is_err());
    assert!(shown(proxy.https, "good.example.com").await.is_ok());
    proxy.ok("resume app");

    // After a restart names are asked for as before.
    while asked.try_recv().is_ok() {}
    let home = Arc::clone(&proxy.home);
    drop(proxy);
    let proxy = Proxy::start_in(home, &[]);
    assert!(shown(proxy.https, "bad.example.com").await.is_err());
    assert_eq!(asked.try_recv().unwrap().0, "/allow?host=bad.example.com");
    assert!(shown(proxy.https, "good.example.com").await.is_ok());
}

// spec 11.L.197, 11.L.198, 11.L.199
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_demand_by_another_server() {
    let proxy = Proxy::start_in(home(), &["--debug"]);
    let target = Upstream::named("app").await;
    let judge = Upstream::start(|request| async move {
        match request.uri().query().unwrap() {
            "host=good.example.com&k=1" => text(200, ""),
            "host=moved.example.com&k=1" => {
                let mut moved = text(302, "");
                moved.headers_mut().insert("location", http::HeaderValue::from_static("/up"));
                moved
            }
            "host=slow.example.com&k=1" => {
                tokio::time::sleep(PATIENCE).await;
                text(200, "")
            }
            _ => text(403, "no"),
        }
    })
    .await;
    let pebble = Pebble::start(&proxy, (proxy.http.port(), proxy.https.port()), &[]);
    let deploy = format!("--tls --tls-acme-directory {}", pebble.directory);
    let ask = format!("--tls-on-demand-url http://{}/ask?k=1", judge.address);
    proxy.ok(&format!("deploy app --target {} {deploy} {ask}", target.address));
    assert_eq!(names(&shown(proxy.https, "good.example.com").await.unwrap()), ["good.example.com"]);
    for (name, why) in [
        ("bad.example.com", "(status: 403, body: \"no\")"),
        ("moved.example.com", "(status: 302, body: \"\")"),
        ("slow.example.com", "no answer in time"),
    ] {
        assert!(shown(proxy.https, name).await.is_err());
        let of = |line: &serde_json::Value| {
            let text = line["msg"].as_str().unwrap();
            text.contains(name) && text.contains(why)
        };
        proxy.logged(of).await;
    }
}
