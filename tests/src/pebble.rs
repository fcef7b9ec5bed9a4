//! An authority for certificates on the sandbox, Let's Encrypt's `pebble`, and a DNS in which every name is one host.

use std::{
    fs,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use xtask::{command::run, sandbox::Host};

/// This machine, as hosts see it.
const MACHINE: [u8; 4] = [10, 77, 0, 1];

/// Where a host keeps what its proxy is to trust, below its home.
pub const FOLDER: &str = ".pebble";

/// What `docker run` is told for a proxy that trusts it, as `proxy/run` of deploy.yml takes it.
pub const RUN: &str =
    "run: {options: {volume: \"/root/.pebble:/pebble:ro\", env: \"SSL_CERT_FILE=/pebble/roots.pem\"}}";

/// What makes a certificate of its own for the authority, whom it is issued by.
const REQUEST: &str = "[req]\ndistinguished_name = name\nx509_extensions = more\nprompt = no\n[name]\nCN = pebble\n\
    [more]\nsubjectAltName = IP:10.77.0.1\nbasicConstraints = critical,CA:FALSE\n";

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// The authority, until this is dropped.
#[derive(Debug)]
pub struct Pebble {
    /// Its address, as `x-proxy/acme_directory` takes it.
    pub directory: String,
    log: PathBuf,
    children: Vec<Child>,
}

impl Pebble {
    /// Makes a certificate for the authority in a folder, and has hosts trust it.
    ///
    /// # Panics
    ///
    /// When that cannot be done.
    pub fn introduce(folder: &Path, hosts: &[&Host]) {
        fs::create_dir_all(folder).expect("a folder can be made");
        fs::write(folder.join("request"), REQUEST).expect("it can be written");
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-x509",
            "-nodes",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-days",
            "2",
        ]);
        openssl.args(["-config", "request", "-keyout", "roots.key", "-out", "roots.pem"]).current_dir(folder);
        run(&mut openssl).unwrap_or_else(|error| panic!("{error}"));
        for host in hosts {
            let home = host.home.join(FOLDER);
            fs::create_dir_all(&home).expect("a folder can be made");
            fs::copy(folder.join("roots.pem"), home.join("roots.pem")).expect("it can be copied");
        }
    }

    /// Starts it, with certificates of so many seconds; it looks for proofs at this address, whatever the name.
    ///
    /// # Panics
    ///
    /// When it does not start.
    #[must_use]
    pub fn start(folder: &Path, proofs: IpAddr, seconds: u32) -> Self {
        let [listen, manage, dns, dns_manage] = free_ports();
        let settings = serde_json::json!({ "pebble": {
            "listenAddress": listen.to_string(),
            "managementListenAddress": manage.to_string(),
            "certificate": folder.join("roots.pem"),
            "privateKey": folder.join("roots.key"),
            "httpPort": 80,
            "tlsPort": 443,
            "ocspResponderURL": "",
            "certificateValidityPeriod": seconds,
        }});
        let (config, log) = (folder.join("pebble.json"), folder.join("pebble.log"));
        fs::write(&config, settings.to_string()).expect("it can be written");
        let output = fs::File::create(&log).expect("it can be written");
        let start = |command: &mut Command| {
            let output = || output.try_clone().expect("a file can be shared");
            command.stdout(output()).stderr(output()).env("PEBBLE_VA_NOSLEEP", "1");
            command.spawn().expect("Debian's package `pebble` is needed")
        };
        let mut names = Command::new("pebble-challtestsrv");
        names.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""]);
        names.args(["-defaultIPv4", &proofs.to_string(), "-dns01", &dns.to_string()]);
        names.args(["-management", &dns_manage.to_string()]);
        let mut authority = Command::new("pebble");
        authority.arg("-config").arg(&config).args(["-dnsserver", &dns.to_string()]);
        let children = vec![start(&mut names), start(&mut authority)];
        let pebble = Self { directory: format!("https://{listen}/dir"), log, children };
        let began = Instant::now();
        while [listen, dns_manage].iter().any(|address| TcpStream::connect(address).is_err()) {
            assert!(began.elapsed() < PATIENCE, "pebble starts");
            thread::sleep(Duration::from_millis(20));
        }
        pebble
    }
}

impl Drop for Pebble {
    #[expect(clippy::print_stderr, reason = "what a test that fails shows")]
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended by itself.
            drop(child.kill());
            drop(child.wait());
        }
        if thread::panicking() {
            eprintln!("{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// Ports nobody listens on, of the address hosts know this machine by.
fn free_ports() -> [SocketAddr; 4] {
    let listeners = [(); 4].map(|()| TcpListener::bind((IpAddr::from(MACHINE), 0)).expect("a port is free"));
    listeners.map(|listener| listener.local_addr().expect("it has an address"))
}
