//! The registry inside the program, with real engines at the other end.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use futures_util::TryStreamExt;
use kamal_docker::registry::{Digest, Held, Lead, Registry, Relay};
use kamal_tests::{
    engine::{Engine, Kind, context},
    rig::rig,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use xtask::{cable::Cable, noise::noise};

use super::free_port::free_port;

const MIB: usize = 1024 * 1024;

/// A registry that is served to this machine.
struct Served {
    registry: Registry,
    runtime: Runtime,
    port: u16,
    _folder: TempDir,
}

impl Served {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::from(folder)
    }

    fn from(folder: TempDir) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let registry = Registry::open(folder.path()).unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = registry.clone();
        runtime.spawn(async move { served.serve(listener).await });
        Self { registry, runtime, port, _folder: folder }
    }

    fn cable(&self) -> Cable {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        Cable::lay(Ipv4Addr::LOCALHOST, address, Duration::ZERO).unwrap()
    }

    /// How many bytes are on their way into it.
    fn uploading(&self) -> u64 {
        let uploads = fs::read_dir(self.registry.folder().join("uploads")).unwrap().flatten();
        uploads.filter_map(|upload| Some(upload.metadata().ok()?.len())).sum()
    }

    fn image(&self, repository: &str, reference: &str) -> kamal_docker::registry::ImageFacts {
        self.runtime.block_on(self.registry.image_facts(repository, reference)).unwrap().remove(0)
    }
}

fn digests(layers: &[String]) -> Vec<Digest> {
    layers.iter().map(|layer| layer.parse().unwrap()).collect()
}

#[test]
fn every_engine_pulls_what_every_engine_pushed() {
    let served = Served::new();
    let at = format!("127.0.0.1:{}", served.port);
    let layers = [noise(1, 2 * MIB), noise(2, MIB)];
    let layers = layers.each_ref().map(Vec::as_slice);
    let engines = Kind::ALL.map(|kind| (kind, Engine::start(kind)));
    let mut images = Vec::new();
    for (kind, engine) in &engines {
        let image = format!("{at}/org/of-{}:v1", kind.word());
        engine.build(&image, &layers);
        engine.ok(&["push", &image]);
        images.push(image);
        // A build that goes right into the registry, as deploys are built.
        let image = format!("{at}/org/built-{}:v1", kind.word());
        let folder = context(&layers);
        engine.ok(&["buildx", "build", "--push", "--tag", &image, &folder.path().display().to_string()]);
        images.push(image);
    }
    for (kind, engine) in &engines {
        for image in &images {
            drop(engine.docker(&["image", "rm", "--force", image]));
            engine.ok(&["pull", "--quiet", image]);
            assert_eq!(engine.file_of(image, "/1"), layers[1], "{kind:?} {image}");
            // Pinned by what was built, wherever the tag moves.
            let repository = image.split_once('/').unwrap().1.trim_end_matches(":v1");
            let facts = served.image(repository, "v1");
            engine.ok(&["pull", "--quiet", &format!("{at}/{repository}@{}", facts.digest)]);
            assert_eq!(
                digests(&engine.layers(image)),
                facts.layers.iter().map(|l| l.diff_id.clone()).collect::<Vec<_>>()
            );
            assert!(
                facts.unpacked().is_some_and(|bytes| (3 * MIB as u64..4 * MIB as u64).contains(&bytes)),
                "{facts:?}"
            );
        }
    }
    let listed = served.runtime.block_on(served.registry.ls()).unwrap();
    assert_eq!(listed.len(), 6);
}

#[test]
fn a_pull_that_is_cut_goes_on_where_it_was() {
    let served = Served::new();
    let layer = noise(3, 24 * MIB);
    let own = Engine::start(Kind::Own);
    let image = format!("127.0.0.1:{}/app:v1", served.port);
    own.build(&image, &[&layer]);
    own.ok(&["push", &image]);
    let own = std::iter::once((Kind::Own, own));
    let others = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Own).map(|kind| (kind, Engine::start(kind)));
    for (kind, engine) in own.chain(others) {
        drop(engine.docker(&["image", "rm", "--force", &image]));
        engine.ok(&["builder", "prune", "--all", "--force"]);
        let cable = served.cable();
        cable.cut_after_down(12 * MIB as u64);
        let image = format!("127.0.0.1:{}/app:v1", cable.port);
        engine.ok(&["pull", "--quiet", &image]);
        assert!(cable.was_cut(), "{kind:?}");
        // What was on its way when it was cut comes again, no more.
        assert!(cable.down() < 28 * MIB as u64, "{kind:?}: {}", cable.down());
        assert!(engine.file_of(&image, "/0") == layer, "{kind:?}");
    }
}

#[test]
fn a_push_that_ended_halfway_sends_only_that_layer_again() {
    for kind in Kind::ALL {
        let served = Served::new();
        let (base, top) = (noise(4, 8 * MIB), noise(5, 64 * MIB));
        let engine = Engine::start(kind);
        let cable = served.cable();
        let port = cable.port;
        let (first, second) = (format!("127.0.0.1:{port}/app:base"), format!("127.0.0.1:{port}/app:v1"));
        engine.build(&first, &[&base]);
        engine.build(&second, &[&base, &top]);
        engine.ok(&["push", &first]);
        let mut push = engine.command(&["push", &second]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while served.uploading() < 32 * MIB as u64 {
            assert!(begun.elapsed() < Duration::from_secs(60), "{kind:?}: {} bytes", served.uploading());
            thread::sleep(Duration::from_millis(2));
        }
        push.kill().unwrap();
        push.wait().unwrap();
        let names = served.runtime.block_on(served.registry.ls()).unwrap().remove(0).tags;
        assert_eq!(names.iter().map(|tag| &*tag.name).collect::<Vec<_>>(), ["base"], "{kind:?}");

        thread::sleep(Duration::from_millis(500));
        let before = cable.up();
        engine.ok(&["push", &second]);
        let sent = cable.up() - before;
        assert!(sent > 63 * MIB as u64 && sent < 66 * MIB as u64, "{kind:?}: {sent}");
        assert_eq!(served.image("app", "v1").layers.len(), 2);
    }
}

#[test]
fn a_host_without_a_way_to_the_registry_loads_what_it_lacks() {
    let served = Served::new();
    let at = format!("127.0.0.1:{}", served.port);
    let (base, top) = (noise(6, 8 * MIB), noise(7, MIB));
    let builder = Engine::start(Kind::Own);
    for (tag, layers) in [("base", &[&*base][..]), ("v1", &[&base, &top])] {
        let image = format!("{at}/app:{tag}");
        builder.build(&image, layers);
        builder.ok(&["push", &image]);
    }
    // The base as the builder would save it, which is not compressed as it is in the registry.
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("base.tar").display().to_string();
    builder.ok(&["save", "--output", &saved, &format!("{at}/app:base")]);
    let facts = served.image("app", "v1");
    let names = ["registry.example/app:v1".to_owned(), "registry.example/app:latest".to_owned()];

    for kind in Kind::ALL {
        for pulled in [true, false] {
            let engine = Engine::start(kind);
            let lacking = load(&served, &engine, &facts, &names, &Held::default());
            assert!((9 * MIB..10 * MIB).contains(&lacking), "{kind:?}: {lacking}");
            assert!(engine.file_of(&names[0], "/1") == top, "{kind:?}");
            for name in &names {
                engine.ok(&["image", "rm", name]);
            }

            if pulled {
                engine.ok(&["pull", "--quiet", &format!("{at}/app:base")]);
            } else {
                engine.ok(&["load", "--input", &saved]);
            }
            let mut held = Held::default();
            held.image(&digests(&engine.layers(&format!("{at}/app:base"))));
            let lacking = load(&served, &engine, &facts, &names, &held);
            assert!((MIB..MIB + 16 * 1024).contains(&lacking), "{kind:?}: {lacking}");
            for name in &names {
                assert!(engine.file_of(name, "/0") == base && engine.file_of(name, "/1") == top, "{kind:?}");
            }
        }
    }
}

/// Loads the archives of an image into an engine, or only the first of them, and tells their size.
fn load_some(
    served: &Served,
    engine: &Engine,
    image: &kamal_docker::registry::ImageFacts,
    names: &[String],
    held: &Held,
    most: usize,
) -> usize {
    let archives = served.runtime.block_on(served.registry.archives(image, names, held)).unwrap();
    let mut size = 0;
    for archive in archives.iter().take(most) {
        let pieces: Vec<_> = served.runtime.block_on(archive.read().try_collect()).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), pieces.concat()).unwrap();
        engine.ok(&["load", "--input", &file.path().display().to_string()]);
        size += pieces.concat().len();
    }
    size
}

/// Loads all of them.
fn load(
    served: &Served,
    engine: &Engine,
    image: &kamal_docker::registry::ImageFacts,
    names: &[String],
    held: &Held,
) -> usize {
    load_some(served, engine, image, names, held, usize::MAX)
}

#[test]
fn archives_that_broke_off_go_on_after_the_last_that_was_loaded() {
    let served = Served::new();
    let at = format!("127.0.0.1:{}", served.port);
    let (base, top) = (noise(16, 24 * MIB), noise(17, 2 * MIB));
    let builder = Engine::start(Kind::Own);
    let image = format!("{at}/app:v1");
    let folder = context(&[&base, &top]);
    builder.ok(&["build", "--quiet", "--label", "service=app", "--tag", &image, &folder.path().display().to_string()]);
    builder.ok(&["push", &image]);
    let facts = served.image("app", "v1");
    let names = ["registry.example/app:v1".to_owned()];
    for kind in Kind::ALL {
        let engine = Engine::start(kind);
        let first = load_some(&served, &engine, &facts, &names, &Held::default(), 1);
        assert!(first > 24 * MIB && first < 25 * MIB, "{kind:?}: {first}");
        assert!(!engine.docker(&["image", "inspect", &names[0]]).status.success(), "{kind:?}: it is not all there");
        // Asked as hosts are.
        let script = "docker image ls --all --quiet --no-trunc | sort -u | xargs docker image inspect --format '{{json .RootFS.Layers}}'";
        let mut held = Held::default();
        for line in engine.shell(script).lines() {
            held.image(&digests(&serde_json::from_str::<Vec<String>>(line).unwrap()));
        }
        let rest = load(&served, &engine, &facts, &names, &held);
        assert!(rest > 2 * MIB && rest < 3 * MIB, "{kind:?}: {rest}");
        assert!(engine.file_of(&names[0], "/0") == base && engine.file_of(&names[0], "/1") == top, "{kind:?}");
        engine.ok(&["image", "prune", "--force", "--filter", "label=service=app"]);
        let left = engine.ok(&["image", "ls", "--all", "--quiet"]);
        assert_eq!(left.lines().collect::<std::collections::BTreeSet<_>>().len(), 1, "{kind:?}: {left}");
        assert!(engine.file_of(&names[0], "/0") == base, "{kind:?}");
    }
}

#[test]
fn docker_tells_of_a_full_disk_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().to_owned();
    let mount =
        |arguments: &[&str]| assert!(Command::new(arguments[0]).args(&arguments[1..]).status().unwrap().success());
    mount(&["mount", "-t", "tmpfs", "-o", "size=4m", "none", &disk.display().to_string()]);
    let served = Served::from(folder);
    let said = Kind::ALL.map(|kind| {
        let engine = Engine::start(kind);
        let image = format!("127.0.0.1:{}/app:v1", served.port);
        engine.build(&image, &[&noise(8, 8 * MIB)]);
        let begun = Instant::now();
        let pushed = engine.docker(&["push", &image]);
        assert!(!pushed.status.success());
        (kind, begun.elapsed(), String::from_utf8_lossy(&pushed.stderr).into_owned())
    });
    mount(&["umount", &disk.display().to_string()]);
    for (kind, took, said) in said {
        assert!(took < Duration::from_secs(10), "{kind:?} {took:?}");
        // Docker shows the message, containerd the status line.
        assert!(said.to_lowercase().contains("no space"), "{kind:?}: {said}");
    }
}

/// The program that hands layers on, with a registry behind it that leads there.
struct Relayed {
    program: Child,
    /// The port of the registry as an engine reaches it.
    port: u16,
    lead: Lead,
    _folder: TempDir,
}

impl Relayed {
    /// Others find it at `at`, which need not be where it is.
    fn start(served: &Served, listens: u16, at: u16) -> Self {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (lead, relay) = (Lead::default(), Relay::new(local(at), "t0ken"));
        lead.to(&relay);
        let view = served.registry.read_only().leading(lead.clone());
        let listener = served.runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        served.runtime.spawn(async move { view.serve(listener).await });
        let folder = tempfile::tempdir().unwrap();
        let mut program = Command::new(rig().programs.kamal.with_file_name("kamal-proxy-linux-amd64"));
        program.env("KAMAL_LAYERS_TOKEN", "t0ken").args(["layers", "--listen", &local(listens).to_string()]);
        program.args(["--registry", &local(port).to_string(), "--folder"]).arg(folder.path());
        let program = program.spawn().unwrap();
        served.runtime.block_on(relay.shown());
        Self { program, port, lead, _folder: folder }
    }
}

impl Drop for Relayed {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

#[test]
fn every_engine_gets_layers_where_it_is_led() {
    let served = Served::new();
    let layers = [noise(21, 8 * MIB), noise(22, 2 * MIB)];
    let pushed = format!("127.0.0.1:{}/app:v1", served.port);
    let builder = Engine::start(Kind::Own);
    builder.build(&pushed, &layers.each_ref().map(Vec::as_slice));
    builder.ok(&["push", &pushed]);
    let digest = served.image("app", "v1").digest;
    for kind in Kind::ALL {
        let listens = free_port();
        let cable = Cable::lay(Ipv4Addr::LOCALHOST, (Ipv4Addr::LOCALHOST, listens).into(), Duration::ZERO).unwrap();
        let relayed = Relayed::start(&served, listens, cable.port);
        let (engine, image) = (Engine::start(kind), format!("127.0.0.1:{}/app@{digest}", relayed.port));
        engine.ok(&["pull", "--quiet", &image]);
        assert!(engine.file_of(&image, "/1") == layers[1], "{kind:?}");
        let sent = cable.down();
        assert!(sent > 10 * MIB as u64 && sent < 11 * MIB as u64, "{kind:?}: all layers came that way, {sent}");
        assert!(!relayed.lead.came_back(), "{kind:?}");

        // Nobody is where it is led to.
        let nowhere = Relayed::start(&served, free_port(), free_port());
        let (engine, image) = (Engine::start(kind), format!("127.0.0.1:{}/app:v1", nowhere.port));
        let alone = engine.docker(&["pull", "--quiet", &image]).status.success();
        assert!(alone || kind == Kind::NewestWithContainerd, "{kind:?}: it asks once more by itself");
        nowhere.lead.end();
        engine.ok(&["pull", "--quiet", &image]);
        assert!(engine.file_of(&image, "/0") == layers[0], "{kind:?}");
    }
}
