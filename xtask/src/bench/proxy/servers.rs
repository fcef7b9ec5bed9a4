//! The proxies under measurement and the server behind them, each in a folder of its own below one that goes away.

use std::{
    env, fs,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::sockets::Echo;
use crate::{
    command::{SYSTEM_PATH, run},
    error::{Context, Error, Result},
};

const PATIENCE: Duration = Duration::from_secs(20);
/// What is served: 1 KiB and 1 MiB.
const SIZES: [(&str, usize); 2] = [("1k", 1024), ("1m", 1024 * 1024)];

/// A line of nginx's log with what a line of ours has.
const LINE: &str = r#"{"time":"$time_iso8601","level":"INFO","msg":"Request","host":"$host","port":$server_port,"path":"$uri","request_id":"$request_id","status":$status,"service":"app","target":"$upstream_addr","duration":$request_time,"method":"$request_method","req_content_length":"$content_length","req_content_type":"$content_type","resp_content_length":$body_bytes_sent,"resp_content_type":"$sent_http_content_type","client_addr":"$remote_addr","client_port":"$remote_port","remote_addr":"$remote_addr","user_agent":"$http_user_agent","proto":"$server_protocol","scheme":"$scheme","query":"$args"}"#;

/// One running server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) http: SocketAddr,
    /// `None` for the one that is asked directly.
    pub(super) https: Option<SocketAddr>,
    child: Child,
}

/// Where servers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// On all processors.
    Everywhere,
    /// On this one.
    Processor(usize),
}

/// Everything that runs.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) folder: PathBuf,
    /// In the order of the table's columns.
    pub(super) all: Vec<Server>,
    /// Two names of the server behind, to switch between.
    pub(super) targets: [SocketAddr; 2],
    pub(super) proxy: PathBuf,
}

impl Server {
    /// Memory in use by the process and those it started, in bytes.
    pub(super) fn memory(&self) -> u64 {
        let pid = self.child.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let pids = children.split_whitespace().map(str::to_owned).chain([pid.to_string()]);
        pids.map(|pid| resident(&pid)).sum()
    }
}

fn resident(pid: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM, so that those with workers take them along.
        let _ = run(Command::new("kill").arg(self.child.id().to_string()));
        let _ = self.child.wait();
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Servers {
    /// Starts all and waits until they answer: what is behind in one room, the proxies in another.
    pub(super) fn start(proxy: &Path, echo: &Echo, [behind, before]: [Room; 2]) -> Result<Self> {
        let folder = env::temp_dir().join(format!("kamal-bench-{}", std::process::id()));
        let www = folder.join("www");
        write_all(&folder, &www)?;
        let targets = [free()?, free()?];
        let mut servers = Self { folder, all: Vec::new(), targets, proxy: proxy.to_owned() };
        let folder = &servers.folder;
        let (http, https) = (free()?, free()?);
        let text = front(folder, http, https, targets[0], echo.address);
        servers.all = vec![
            nginx(folder, "direct", &upstream(&www, targets), targets[0], None, behind)?,
            nginx(folder, "nginx", &text, http, Some(https), before)?,
            ours(folder, proxy, "ours", 1, [targets[0], echo.address], before)?,
            haproxy(folder, targets[0], echo.address, before)?,
            caddy(folder, targets[0], echo.address, before)?,
        ];
        for server in &servers.all {
            answers(server.name, server.http)?;
        }
        Ok(servers)
    }

    /// Ours again, with many services.
    pub(super) fn crowded(&self, services: usize, echo: &Echo) -> Result<Server> {
        let targets = [self.targets[0], echo.address];
        let server = ours(&self.folder, &self.proxy, "ours, crowded", services, targets, Room::Everywhere)?;
        answers(server.name, server.http)?;
        Ok(server)
    }

    /// One of the columns.
    pub(super) fn named(&self, name: &str) -> Result<&Server> {
        let found = self.all.iter().find(|server| server.name == name);
        found.ok_or_else(|| Error::Refused(format!("there is no {name} to measure")))
    }

    /// Gives a command to ours.
    pub(super) fn command(&self, line: &[&str]) -> Result<()> {
        run(Command::new(&self.proxy).args(line).envs(home(&self.folder, "ours"))).map(drop)
    }
}

fn write_all(folder: &Path, www: &Path) -> Result<()> {
    fs::create_dir_all(www).context(|| format!("creating {}", www.display()))?;
    for (name, size) in SIZES.into_iter().chain([("up", 2), ("index.html", 1024)]) {
        fs::write(www.join(name), vec![b'x'; size]).context(|| format!("writing {name}"))?;
    }
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]);
    openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem"]);
    run(openssl.args(["-out", "certificate.pem"]).current_dir(folder))?;
    let both = ["certificate.pem", "key.pem"].map(|file| fs::read_to_string(folder.join(file)).unwrap_or_default());
    fs::write(folder.join("both.pem"), both.concat()).context(|| "writing both.pem".to_owned())
}

fn free() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context(|| "finding a free port".to_owned())?;
    listener.local_addr().context(|| "finding a free port".to_owned())
}

fn start(folder: &Path, name: &str, command: &mut Command, room: Room) -> Result<Child> {
    let mut pinned;
    let command = match room {
        Room::Everywhere => command,
        Room::Processor(number) => {
            pinned = Command::new("taskset");
            pinned.arg("-c").arg(number.to_string()).arg(command.get_program()).args(command.get_args());
            pinned.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        }
    };
    let log = folder.join(format!("{name}.log"));
    let out = fs::File::create(&log).context(|| format!("creating {}", log.display()))?;
    let errors = out.try_clone().context(|| format!("opening {}", log.display()))?;
    let command = command.env("PATH", SYSTEM_PATH).stdin(Stdio::null()).stdout(out).stderr(errors);
    command.spawn().context(|| format!("starting {name}"))
}

fn answers(name: &str, address: SocketAddr) -> Result<()> {
    wait(|| TcpStream::connect(address).is_ok(), || format!("{name} does not listen on {address}"))
}

/// The last thing ours opens.
fn takes_commands(name: &str, socket: &Path) -> Result<()> {
    wait(|| UnixStream::connect(socket).is_ok(), || format!("{name} takes no commands"))
}

fn wait(reached: impl Fn() -> bool, failure: impl FnOnce() -> String) -> Result<()> {
    let begin = Instant::now();
    while !reached() {
        if begin.elapsed() > PATIENCE {
            return Err(Error::Refused(failure()));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn nginx(
    folder: &Path,
    name: &'static str,
    text: &str,
    http: SocketAddr,
    https: Option<SocketAddr>,
    room: Room,
) -> Result<Server> {
    let workers = if room == Room::Everywhere { "auto" } else { "1" };
    let (file, pid) = (folder.join(format!("{name}.conf")), folder.join(format!("{name}.pid")));
    let text = format!(
        "daemon off;\nuser root;\npid {};\nworker_processes {workers};\nworker_rlimit_nofile 20000;\nerror_log stderr error;\n\
         events {{ worker_connections 15000; multi_accept on; }}\nhttp {{\nkeepalive_requests 100000000;\n\
         keepalive_timeout 600s;\ntcp_nodelay on;\n{text}\n}}\n",
        pid.display()
    );
    fs::write(&file, text).context(|| format!("writing {}", file.display()))?;
    let child = start(folder, name, Command::new("nginx").arg("-p").arg(folder).arg("-c").arg(&file), room)?;
    Ok(Server { name, http, https, child })
}

fn upstream(www: &Path, targets: [SocketAddr; 2]) -> String {
    let [one, two] = targets;
    format!(
        "access_log off;\nsendfile on;\ntcp_nopush on;\nopen_file_cache max=10;\n\
         server {{ listen {one} backlog=4096; listen {two} backlog=4096; root {}; }}",
        www.display()
    )
}

/// As tuned as its documentation teaches: connections to the upstream kept, log lines written in batches as ours are. It
/// logs what ours logs and tells the target what ours tells it.
fn front(folder: &Path, http: SocketAddr, https: SocketAddr, target: SocketAddr, echo: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "log_format lines escape=json '{LINE}';\naccess_log {folder}/nginx.access lines buffer=64k flush=1s;\n\
         upstream app {{ server {target}; keepalive 256; keepalive_requests 100000000; }}\n\
         server {{ listen {http} backlog=4096; listen {https} ssl http2 backlog=4096;\n\
         ssl_certificate {folder}/certificate.pem;\nssl_certificate_key {folder}/key.pem;\n\
         ssl_session_cache shared:s:1m;\nproxy_http_version 1.1;\nproxy_set_header Host $host;\n\
         proxy_set_header X-Forwarded-For $remote_addr;\nproxy_set_header X-Forwarded-Proto $scheme;\n\
         proxy_set_header X-Forwarded-Host $host;\nproxy_set_header X-Request-Id $request_id;\n\
         proxy_set_header X-Request-Start \"t=$msec\";\n\
         location / {{ proxy_set_header Connection \"\"; proxy_pass http://app; }}\n\
         location /echo {{ proxy_set_header Connection upgrade; proxy_set_header Upgrade $http_upgrade;\n\
         proxy_pass http://{echo}; }}\n}}"
    )
}

fn home(folder: &Path, name: &str) -> [(&'static str, PathBuf); 2] {
    let home = folder.join(name.replace([',', ' '], ""));
    [("KAMAL_PROXY_SOCKET", home.join("socket")), ("HOME", home)]
}

fn ours(
    folder: &Path,
    proxy: &Path,
    name: &'static str,
    services: usize,
    [target, echo]: [SocketAddr; 2],
    room: Room,
) -> Result<Server> {
    let (http, https) = (free()?, free()?);
    let environment = home(folder, name);
    fs::create_dir_all(&environment[1].1).context(|| format!("creating a home for {name}"))?;
    let ports =
        ["--http-port".to_owned(), http.port().to_string(), "--https-port".to_owned(), https.port().to_string()];
    let child = start(folder, name, Command::new(proxy).arg("run").args(ports).envs(environment.clone()), room)?;
    let server = Server { name, http, https: Some(https), child };
    takes_commands(name, &environment[0].1)?;
    let deploy = |service: &str, target: SocketAddr, more: &[&str]| {
        let mut command = Command::new(proxy);
        command.args(["deploy", service, "--target", &target.to_string()]).args(more).envs(environment.clone());
        run(&mut command)
    };
    let file = |name: &str| folder.join(name).display().to_string();
    let (certificate, key) = (file("certificate.pem"), file("key.pem"));
    deploy("app", target, &[])?;
    deploy("echo", echo, &["--path-prefix", "/echo"])?;
    let tls = ["--host", "localhost", "--tls", "--tls-certificate-path", &certificate, "--tls-private-key-path", &key];
    deploy("secure", target, &tls)?;
    for number in 1..services {
        let host = format!("app{number}.example.com");
        // A thousand checks a second would be in everything that is measured.
        let more = ["--host", &host, "--force", "--health-check-interval", "1h"];
        deploy(&format!("other{number}"), target, &more)?;
    }
    Ok(server)
}

fn haproxy(folder: &Path, target: SocketAddr, echo: SocketAddr, room: Room) -> Result<Server> {
    let (http, https) = (free()?, free()?);
    let file = folder.join("haproxy.cfg");
    let text = format!(
        "global\n maxconn 9900\n log stdout format raw local0\ndefaults\n mode http\n log global\n option httplog\n\
         \x20timeout connect 10s\n timeout client 600s\n timeout server 60s\n timeout tunnel 600s\n http-reuse always\n\
         frontend f\n bind {http} backlog 4096\n bind {https} ssl crt {}/both.pem alpn h2,http/1.1\n\
         \x20option forwardfor\n use_backend echo if {{ path /echo }}\n default_backend app\n\
         backend app\n server a {target}\nbackend echo\n server e {echo}\n",
        folder.display()
    );
    fs::write(&file, text).context(|| format!("writing {}", file.display()))?;
    let child = start(folder, "haproxy", Command::new("haproxy").arg("-db").arg("-f").arg(&file), room)?;
    Ok(Server { name: "haproxy", http, https: Some(https), child })
}

fn caddy(folder: &Path, target: SocketAddr, echo: SocketAddr, room: Room) -> Result<Server> {
    let (http, https) = (free()?, free()?);
    let file = folder.join("Caddyfile");
    let common = format!(
        "log {{\n output file {}/caddy.access\n}}\nreverse_proxy /echo {echo}\nreverse_proxy {target} {{\n transport http {{\n  \
         keepalive_idle_conns_per_host 256\n }}\n}}\n",
        folder.display()
    );
    let text = format!(
        "{{\n admin off\n auto_https off\n}}\nhttp://:{} {{\n{common}}}\nhttps://localhost:{} {{\ntls \
         {folder}/certificate.pem {folder}/key.pem\n{common}}}\n",
        http.port(),
        https.port(),
        folder = folder.display()
    );
    fs::write(&file, text).context(|| format!("writing {}", file.display()))?;
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file).env("HOME", folder);
    let child = start(folder, "caddy", &mut command, room)?;
    Ok(Server { name: "caddy", http, https: Some(https), child })
}
