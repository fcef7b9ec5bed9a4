//! Cases about which hosts there are and which one is meant.

use std::{
    fs,
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use kamal_tests::{app::App, pty::Pty, rig::rig};

use super::{Cases, on_host};

#[test]
fn two_of_them() {
    let app = App::of_case("22-which-host", 2);
    let mut cases = Cases::default();
    app.set_up();
    let addresses: Vec<String> = app.hosts().iter().map(|host| host.address.to_string()).collect();
    cases.case("reports/22-which-host", || {
        let of = format!("{} of {}", addresses[0], addresses.join(", "));
        for command in [&["app", "logs", "-f"][..], &["app", "exec", "-i", "--reuse", "hostname"]] {
            let mut kamal = app.project.kamal();
            let mut running =
                kamal.args(command).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            thread::sleep(Duration::from_secs(2));
            // One of them ended by itself.
            drop(Command::new("kill").args(["-INT", &running.id().to_string()]).status());
            let mut said = String::new();
            std::io::Read::read_to_string(&mut running.stderr.take().unwrap(), &mut said).unwrap();
            running.wait().unwrap();
            assert!(said.contains(&of) && said.contains("web"), "{command:?}:\n{said}");
        }
        let mut kamal = app.project.kamal();
        kamal.args(["server", "exec", "-i", "hostname"]);
        let mut pty = Pty::start(&kamal, (24, 200));
        pty.expect(&of);
        pty.expect(&app.host().name);
        assert!(pty.wait().success());
    });
    cases.case("reports/10-host-replaced-by-hosts", || {
        app.takes_case("10-host-replaced-by-hosts");
        app.fails(&["config", "-d", "both"]).says(&["Specify one of 'host' or 'hosts', not both"]);
        app.ok(&["setup", "-d", "staging"]);
        let listed = app.ok(&["proxy", "list", "-d", "staging"]);
        let row = listed.lines().find(|line| line.contains("app-web-staging")).unwrap_or_else(|| panic!("{listed}"));
        assert!(row.contains("a.example.com,b.example.com") && !row.contains("app.example.com"), "{listed}");
        for host in app.hosts() {
            let names = rig().docker_shell(host.number, "docker ps --format '{{.Names}}'");
            assert!(names.contains("app-db\n"), "{}:\n{names}", host.name);
        }
        let roles = app.ok(&["config", "-d", "acc"]);
        assert!(roles.contains("roles:\n    - web\n"), "{roles}");
    });
    cases.end();
}

/// Makes a swarm of two hosts, which ends with this.
struct Swarm<'a>(&'a App);

impl<'a> Swarm<'a> {
    fn of(app: &'a App) -> Self {
        let [manager, worker] = app.hosts()[..] else { panic!("two hosts") };
        let swarm = Self(app);
        let init =
            format!("docker swarm init --advertise-addr {} >&2 && docker swarm join-token -q worker", manager.address);
        let printed = rig().docker_shell(manager.number, &init);
        let token = printed.lines().find(|line| line.starts_with("SWMTKN")).unwrap_or_else(|| panic!("{printed}"));
        let join = format!("docker swarm join --token {token} {}:2377", manager.address);
        let joined = rig().docker_shell(worker.number, &join);
        assert!(joined.contains("joined a swarm as a worker"), "{joined}");
        swarm
    }
}

impl Drop for Swarm<'_> {
    fn drop(&mut self) {
        for host in self.0.hosts().iter().rev() {
            rig().clean(host.number);
            rig().docker_shell(host.number, "docker swarm leave --force");
        }
    }
}

#[test]
fn an_overlay_of_the_same_name() {
    let app = App::of_case("36-overlay-named-kamal", 2);
    let mut cases = Cases::default();
    let swarm = Swarm::of(&app);
    cases.case("reports/36-overlay-named-kamal", || {
        let worker = app.hosts()[1];
        on_host(&app, "docker network create --driver overlay --attachable kamal");
        let networks = || rig().docker_shell(worker.number, "docker network ls --format '{{.Name}} {{.Driver}}'");
        let ended = app.fails(&["proxy", "boot"]);
        ended.says(&[&worker.address.to_string(), "swarm", "overlay"]);
        assert!(!networks().contains("kamal"), "{}", networks());
        // One that hides it already is told.
        rig().docker_shell(worker.number, "docker network create kamal");
        app.kamal(&["proxy", "boot"]).says(&[&worker.address.to_string(), "hides"]);
    });
    drop(swarm);
    cases.end();
}

/// An sshd on `[::1]:2322` that lets the sandbox's key in.
struct Sshd(Child);

impl Sshd {
    fn start(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
        let (key, config) = (folder.join("host_key"), folder.join("config"));
        // Absent is as good.
        drop(fs::remove_file(&key));
        let keygen = |arguments: &[&str]| {
            let made = Command::new("ssh-keygen").args(arguments).output().unwrap();
            assert!(made.status.success(), "{}", kamal_tests::rig::text(&made));
            String::from_utf8(made.stdout).unwrap()
        };
        keygen(&["-q", "-t", "ed25519", "-N", "", "-f", &key.display().to_string()]);
        let public = keygen(&["-y", "-f", &rig().sandbox.key().display().to_string()]);
        fs::write(folder.join("authorized"), public).unwrap();
        let text = format!(
            "ListenAddress [::1]:2322\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nPidFile none\nUsePAM no\n\
             PermitRootLogin prohibit-password\n",
            key.display(),
            folder.join("authorized").display()
        );
        fs::write(&config, text).unwrap();
        fs::create_dir_all("/run/sshd").unwrap();
        let child = Command::new("/usr/sbin/sshd").args(["-D", "-e", "-f"]).arg(&config).stderr(Stdio::null()).spawn();
        let sshd = Self(child.unwrap());
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while TcpStream::connect("[::1]:2322").is_err() {
            assert!(std::time::Instant::now() < deadline, "sshd does not come up on [::1]:2322");
            thread::sleep(Duration::from_millis(50));
        }
        let known = fs::read_to_string(key.with_extension("pub")).unwrap();
        let words: Vec<&str> = known.split_whitespace().collect();
        fs::write(folder.join("known"), format!("[::1]:2322 {} {}\n", words[0], words[1])).unwrap();
        sshd
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // It is gone either way.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn addresses() {
    let app = App::of_case("24-addresses-in-brackets", 1);
    let mut cases = Cases::default();
    let folder = app.project.folder().with_file_name("sshd");
    let sshd = Sshd::start(&folder);
    let known = app.project.folder().with_file_name("home").join(".ssh/known_hosts");
    fs::copy(folder.join("known"), known).unwrap();
    cases.case("reports/24-addresses-in-brackets", || {
        let reached = |servers: &str| {
            for host in ["[::1]", "::1"] {
                let printed = app.ok(&["server", "exec", "-h", host, "echo", "reached"]);
                assert!(printed.contains("\nreached"), "{servers}, -h {host}:\n{printed}");
            }
        };
        reached("[\"[::1]\"]");
        app.edit("[\"[::1]\"]", "[\"::1\"]");
        reached("[\"::1\"]");
        app.edit("ssh: {port: 2322}\n", "");
        app.edit("[\"::1\"]", "[\"[::1]:2322\"]");
        reached("[\"[::1]:2322\"]");
        app.edit("[\"[::1]:2322\"]", "[\"::1\", \"[::1]\"]");
        let printed = app.ok(&["config"]);
        let hosts =
            printed.split(":hosts:\n").nth(1).unwrap().lines().take_while(|line| line.starts_with("- ")).count();
        assert_eq!(hosts, 1, "{printed}");
    });
    drop(sshd);
    cases.end();
}
