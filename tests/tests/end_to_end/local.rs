//! Deploys without a registry account: images go from the command to the hosts through their SSH connections.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::Ipv4Addr,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime},
};

use kamal_tests::{
    app::App,
    rig::{rig, text},
};
use xtask::{cable::Cable, noise::noise};

use super::memory::peak;

/// How many bytes have come to a host so far.
fn received(app: &App) -> u64 {
    // Of the host's own network, which the files below /sys are not.
    let script = "sed 's/:/ /' /proc/net/dev | awk 'NR > 2 && $1 != \"lo\" { print $2 }'";
    let output = rig().sandbox.ssh(app.host()).arg(script).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.parse::<u64>().ok()).max().unwrap()
}

/// The app's own: other tests leave images of apps with longer names behind.
fn images(app: &App) -> String {
    let script =
        format!("docker image ls --format '{{{{.Repository}}}}:{{{{.Tag}}}}' | grep '/{}:' | sort", app.service);
    rig().docker_shell(app.host().number, &script)
}

#[test]
fn without_a_registry_only_new_layers_travel() {
    let app = App::without_registry("e2e-local", &[3]);
    // A layer that no host has of another test's app.
    let mut noise = vec![0; 4_000_000];
    File::open("/dev/urandom").unwrap().read_exact(&mut noise).unwrap();
    let mut server = File::options().append(true).open(app.project.folder().join("server")).unwrap();
    server.write_all(&noise).unwrap();
    drop(server);
    app.release();
    let before = received(&app);
    let first = app.set_up();
    let first_took = received(&app) - before;
    app.project.write("assets/app-2.js", "v2\n").unwrap();
    let second = app.release();
    let before = received(&app);
    let said = app.ok(&["deploy"]);
    let second_took = received(&app) - before;
    assert_eq!(app.serving(), [second.as_str()]);
    assert!(said.contains("Sending what is new in the image to 10.77.3.2..."), "{said}");
    assert!(first_took > 4_000_000, "{first_took} bytes");
    assert!(second_took < 400_000, "{first_took} bytes at first, {second_took} for one file");
    let name = |tag: &str| format!("localhost:5555/e2e-local:{tag}\n");
    let mut tags = [first, second, "latest".to_owned()];
    tags.sort();
    assert_eq!(images(&app), tags.map(|tag| name(&tag)).concat());
    app.ok(&["rollback"]);
    let listening = rig().sandbox.ssh(app.host()).arg("cat /proc/net/tcp").output().unwrap();
    // 5555, in the kernel's spelling, with the state of one that listens.
    let listening =
        String::from_utf8_lossy(&listening.stdout).lines().any(|line| line.contains(":15B3 00000000:0000 0A"));
    assert!(!listening, "nothing listens when it is done");
    let store = app.project.home().join(".local/share/kamal/registry");
    assert_eq!(fs::metadata(&store).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_port_of_ones_own_and_two_hosts() {
    let app = App::without_registry("e2e-local-port", &[3, 4]);
    app.edit("image: e2e-local-port\n", "image: acme/e2e-local-port\nregistry: {server: \"localhost:5601\"}\n");
    app.set_up();
    assert!(images(&app).contains("localhost:5601/acme/e2e-local-port:latest\n"), "{}", images(&app));
    for (command, says) in [
        (&["registry", "setup"][..], "nothing to set up"),
        (&["registry", "remove"], "nothing to remove"),
        (&["build", "pull"], "what is new in the image"),
    ] {
        let said = app.ok(command);
        assert!(said.contains(says), "{command:?}: {said}");
    }
    let _ = app.fails(&["registry", "login"]).says(&["Use `kamal registry setup` instead."]);
    let missing = app.fails(&["deploy", "--skip-push", "--version", "nowhere"]);
    missing.says(&["acme/e2e-local-port:nowhere is not in the local registry of this machine", "kamal build push"]);
}

/// Hosts whose sshd is told to forbid it, until this is dropped.
struct Forbids<'a>(&'a App);

impl<'a> Forbids<'a> {
    fn on(app: &'a App) -> Self {
        let this = Self(app);
        this.say("AllowTcpForwarding no");
        this
    }

    fn say(&self, line: &str) {
        // Its configuration is read anew for each connection after a hang-up signal to the one that listens.
        let script = format!(
            "sed -i /AllowTcpForwarding/d /etc/ssh/sshd_config; [ -z '{line}' ] || echo '{line}' >> /etc/ssh/sshd_config; \
             kill -HUP $(cat /proc/$PPID/status | sed -n 's/^PPid:.//p')"
        );
        rig().sandbox.ssh(self.0.host()).arg(script).output().unwrap();
        thread::sleep(Duration::from_millis(300));
    }
}

impl Drop for Forbids<'_> {
    fn drop(&mut self) {
        self.say("");
    }
}

#[test]
fn a_host_that_forbids_forwarding_is_handed_what_it_lacks() {
    let app = App::without_registry("e2e-local-no", &[3]);
    let _forbids = Forbids::on(&app);
    let first = app.release();
    let said = app.ok(&["setup"]);
    assert!(said.contains("forbids port forwarding") && said.contains("as an archive"), "{said}");
    app.project.write("assets/app-2.js", "v2\n").unwrap();
    let second = app.release();
    let before = received(&app);
    app.ok(&["deploy"]);
    let took = received(&app) - before;
    assert!(took < 1_000_000, "{took} bytes for one file");
    assert_eq!(app.serving(), [second.as_str()]);
    assert!(images(&app).contains(&format!("localhost:5555/e2e-local-no:{first}\n")));
    assert!(!app.host().home.join(".kamal/apps/e2e-local-no/image.tar").exists());
}

#[test]
fn a_port_that_is_taken_on_a_host() {
    let app = App::without_registry("e2e-local-taken", &[3]);
    app.edit("image: e2e-local-taken\n", "image: e2e-local-taken\nregistry: {server: \"localhost:22\"}\n");
    // Here nobody listens on it, there sshd does.
    let said = app.ok(&["setup"]);
    assert!(said.contains("port 22 of 127.0.0.1 is taken there"), "{said}");
    assert_eq!(app.serving().len(), 1);
}

#[test]
fn two_deploys_at_once_share_the_port() {
    let apps = [App::without_registry("e2e-local-a", &[3]), App::without_registry("e2e-local-b", &[4])];
    let versions = apps.each_ref().map(App::release);
    // One user's, as two terminals have it.
    let home = apps[0].project.home().to_owned();
    let running = apps.each_ref().map(|app| {
        let mut command = app.project.kamal();
        command.arg("setup").env("XDG_DATA_HOME", home.join(".local/share"));
        thread::spawn(move || command.output().unwrap())
    });
    for (process, (app, version)) in running.into_iter().zip(apps.iter().zip(versions)) {
        let output = process.join().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        assert_eq!(app.serving(), [version]);
    }
}

/// The most memory a process has had, in MB, read until it ends.
fn most_memory(process: &mut Child) -> u64 {
    let mut most = 0;
    while process.try_wait().unwrap().is_none() {
        most = most.max(peak(&process.id().to_string()).unwrap_or_default() / 1_000_000);
        thread::sleep(Duration::from_millis(20));
    }
    most
}

/// More than any window or buffer in between holds, to hosts side by side. What goes is read as it goes.
#[test]
fn large_layers_neither_stall_nor_fill_memory() {
    let app = App::without_registry("e2e-local-large", &[3, 4]);
    fs::write(app.project.folder().join("large"), noise(9, 300_000_000)).unwrap();
    let dockerfile = fs::read_to_string(app.project.folder().join("Dockerfile")).unwrap();
    app.project.write("Dockerfile", &dockerfile.replace("COPY server", "COPY large /large\nCOPY server")).unwrap();
    let version = app.release();
    app.ok(&["build", "push"]);
    let mut deploying = app.project.kamal();
    deploying.args(["setup", "--skip-push"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut deploying = deploying.spawn().unwrap();
    let most = most_memory(&mut deploying);
    assert!(deploying.wait().unwrap().success());
    assert_eq!(app.serving(), [version.as_str(), version.as_str()]);
    assert!(most > 0 && most < 100, "{most} MB");
}

/// What no host has of another run.
fn fresh(size: usize) -> Vec<u8> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    noise(now.as_nanos() as u64, size)
}

/// An app, the way to whose host can be cut, with layers of these sizes below the usual ones.
fn at_a_cable(service: &str, layers: &[usize]) -> (App, Cable) {
    let app = App::without_registry(service, &[3]);
    let host = app.host();
    let cable = Cable::lay(Ipv4Addr::new(10, 77, 0, 1), (host.address, 22).into(), Duration::ZERO).unwrap();
    let address = format!("10.77.0.1:{}", cable.port);
    app.project.knows(host, &address).unwrap();
    app.edit(&format!("hosts: [{}]", host.address), &format!("hosts: [\"{address}\"]"));
    let dockerfile = fs::read_to_string(app.project.folder().join("Dockerfile")).unwrap();
    let mut copied = String::new();
    for (at, size) in layers.iter().enumerate() {
        fs::write(app.project.folder().join(format!("layer{at}")), fresh(*size)).unwrap();
        copied += &format!("COPY layer{at} /layer{at}\n");
    }
    app.project.write("Dockerfile", &dockerfile.replace("COPY server", &format!("{copied}COPY server"))).unwrap();
    app.release();
    (app, cable)
}

/// Changes one of them, and commits.
fn change_layer(app: &App, layer: usize, size: usize) -> String {
    fs::write(app.project.folder().join(format!("layer{layer}")), fresh(size)).unwrap();
    app.release()
}

/// What is left on the app's host of files on their way, and of its images without a name.
fn left_over(app: &App) -> String {
    let of_app = format!("--filter dangling=true --filter label=service={}", app.service);
    let script = format!("find .kamal -name '*.part' -o -name '*.tar'; docker image ls --quiet {of_app}");
    let output = rig().sandbox.ssh(app.host()).arg(script).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        thread::sleep(Duration::from_millis(100));
    }
}

const BASE: usize = 20_000_000;
const TOP: usize = 24_000_000;

#[test]
fn a_pull_that_is_cut_leaves_the_old_version_and_comes_again() {
    let (app, cable) = at_a_cable("e2e-local-cut", &[BASE, TOP]);
    let first = app.set_up();
    let second = change_layer(&app, 1, TOP);
    app.ok(&["build", "push"]);
    cable.cut_after_up(cable.up() + TOP as u64 / 2);
    let ended = app.kamal(&["deploy", "--skip-push"]);
    assert!(!ended.status.success() && cable.was_cut(), "{}", ended.text);
    assert_eq!(app.serving(), [first.as_str()]);
    assert!(!images(&app).contains(&second), "{}", images(&app));
    assert!(!app.locked(), "{}", ended.text);
    let before = cable.up();
    let said = app.ok(&["deploy", "--skip-push"]);
    let sent = cable.up() - before;
    assert_eq!(app.serving(), [second.as_str()]);
    assert!(said.contains("Setting up local registry port forwarding to 10.77.0.1"), "{said}");
    assert!(sent < TOP as u64 * 11 / 10, "{sent}: the layer below is there already");
    assert_eq!(left_over(&app), "");
}

#[test]
fn an_archive_that_is_cut_is_not_sent_from_the_beginning() {
    let (app, cable) = at_a_cable("e2e-local-cut-no", &[BASE, TOP]);
    let _forbids = Forbids::on(&app);
    let version = app.release();
    app.ok(&["build", "push"]);
    cable.cut_after_up((BASE + TOP / 2) as u64);
    let ended = app.kamal(&["setup", "--skip-push"]);
    assert!(!ended.status.success() && cable.was_cut(), "{}", ended.text);
    eventually("a file of which a part came stays", || !left_over(&app).contains(".kamal"));
    assert!(!images(&app).contains(&version), "{}", images(&app));
    let before = cable.up();
    app.ok(&["setup", "--skip-push"]);
    let sent = cable.up() - before;
    assert_eq!(app.serving(), [version.as_str()]);
    // The proxy's image, which may have to go along, is an archive of 10 MB at most.
    assert!(sent < (TOP as u64 * 11 / 10) + 10_000_000 && sent < (BASE + TOP) as u64, "{sent}");
    assert_eq!(left_over(&app), "", "what was loaded in parts goes when the deploy is done");
}

#[test]
fn a_push_that_is_killed_is_no_image_and_comes_again() {
    let app = App::without_registry("e2e-local-killed", &[3]);
    let first = app.set_up();
    fs::write(app.project.folder().join("large"), fresh(96_000_000)).unwrap();
    let dockerfile = fs::read_to_string(app.project.folder().join("Dockerfile")).unwrap();
    app.project.write("Dockerfile", &dockerfile.replace("COPY assets", "COPY large /large\nCOPY assets")).unwrap();
    let second = app.release();
    let store = app.project.home().join(".local/share/kamal/registry");
    let uploading = || {
        let uploads = fs::read_dir(store.join("uploads")).unwrap().flatten();
        uploads.filter_map(|upload| Some(upload.metadata().ok()?.len())).sum::<u64>()
    };
    let pushing = app.start(&["deploy"]);
    let began = Instant::now();
    while uploading() < 48_000_000 {
        assert!(began.elapsed() < Duration::from_secs(120), "{} bytes", uploading());
        thread::sleep(Duration::from_millis(2));
    }
    pushing.signal("KILL");
    let ended = pushing.wait();
    assert!(!ended.status.success(), "{}", ended.text);
    let listed = app.ok(&["registry", "ls"]);
    assert!(listed.contains(&first) && !listed.contains(&second), "{listed}");
    assert_eq!(app.serving(), [first.as_str()]);
    // The lock may have been taken by then.
    drop(app.kamal(&["lock", "release"]));
    app.ok(&["deploy"]);
    assert_eq!(app.serving(), [second.as_str()]);
    // What is left of the first push goes once it is old.
    let leftover = fs::read_dir(store.join("uploads")).unwrap().flatten().map(|upload| upload.path());
    for upload in leftover.collect::<Vec<_>>() {
        File::options().append(true).open(upload).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    app.ok(&["registry", "gc"]);
    assert_eq!(fs::read_dir(store.join("uploads")).unwrap().count(), 0);
}

/// Stops a command for more than a second in the middle of an upload, which it then has to tell of, however fast the
/// machine is.
fn pause_while_it_arrives(app: &App, process: &Child) {
    let folder = app.host().home.join(".kamal/apps").join(&app.service);
    let arrives = || {
        let mut files = fs::read_dir(&folder).into_iter().flatten().flatten();
        files.any(|file| file.file_name().to_string_lossy().ends_with(".part"))
    };
    let began = Instant::now();
    while !arrives() {
        assert!(began.elapsed() < Duration::from_secs(120), "nothing arrives in {}", folder.display());
        thread::sleep(Duration::from_millis(2));
    }
    let signal = |name: &str| Command::new("kill").args([name, &process.id().to_string()]).status().unwrap();
    assert!(signal("-STOP").success());
    thread::sleep(Duration::from_millis(1200));
    assert!(signal("-CONT").success());
}

#[test]
fn an_archive_is_never_in_memory_whole_and_tells_how_far_it_is() {
    let app = App::without_registry("e2e-local-large-no", &[3]);
    let _forbids = Forbids::on(&app);
    fs::write(app.project.folder().join("large"), fresh(200_000_000)).unwrap();
    let dockerfile = fs::read_to_string(app.project.folder().join("Dockerfile")).unwrap();
    app.project.write("Dockerfile", &dockerfile.replace("COPY server", "COPY large /large\nCOPY server")).unwrap();
    let version = app.release();
    app.ok(&["build", "push"]);
    let mut setup = app.project.kamal();
    let mut setup = setup.args(["setup", "--skip-push"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    pause_while_it_arrives(&app, &setup);
    let most = most_memory(&mut setup);
    let output = setup.wait_with_output().unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert_eq!(app.serving(), [version.as_str()]);
    assert!(most > 0 && most < 100, "{most} MB");
    assert!(said.contains(" of 200."), "{said}");
}

#[test]
fn what_the_disk_of_the_registry_damaged_is_pushed_again() {
    let app = App::without_registry("e2e-local-damaged", &[3]);
    let first = app.set_up();
    let blobs = app.project.home().join(".local/share/kamal/registry/blobs/sha256");
    for (number, damage) in
        [|content: &mut Vec<u8>| content[3_000_000] ^= 1, |content: &mut Vec<u8>| content.truncate(3_000_000)]
            .into_iter()
            .enumerate()
    {
        fs::write(app.project.folder().join("assets/large"), fresh(4_000_000)).unwrap();
        let version = app.release();
        app.ok(&["build", "push"]);
        let large = |path: &PathBuf| (4_000_000..4_100_000).contains(&path.metadata().unwrap().len());
        let layers = fs::read_dir(&blobs).unwrap().map(|blob| blob.unwrap().path()).filter(large);
        let blob = layers.max_by_key(|path| path.metadata().unwrap().modified().unwrap()).unwrap();
        let mut content = fs::read(&blob).unwrap();
        damage(&mut content);
        fs::write(&blob, content).unwrap();
        let ended = app.kamal(&["deploy", "--skip-push"]);
        assert!(!ended.status.success(), "{number}: {}", ended.text);
        assert_ne!(app.serving(), [version.as_str()], "{number}: {}", ended.text);
        assert!(!blob.exists(), "{number}: {}", ended.text);
        app.ok(&["deploy"]);
        assert_eq!(app.serving(), [version.as_str()]);
    }
    assert_ne!(app.serving(), [first]);
}

#[test]
fn an_image_that_is_another_one_on_the_host_counts_for_nothing() {
    let app = App::without_registry("e2e-local-other", &[3]);
    let first = app.set_up();
    let script = [&first, "latest"].map(|tag| {
        format!(
            "docker tag $(docker inspect --format '{{{{.Image}}}}' kamal-proxy) localhost:5555/e2e-local-other:{tag};"
        )
    });
    rig().docker_shell(3, &script.concat());
    app.project.write("assets/app-2.js", "v2\n").unwrap();
    let second = app.release();
    let said = app.ok(&["deploy"]);
    assert!(said.contains("Setting up local registry port forwarding to 10.77.3.2..."), "{said}");
    assert_eq!(app.serving(), [second.as_str()]);
}
