//! Secrets are seen by nobody who may not see them: not in arguments of any process, not in the output, and in files
//! that only their owner can read.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use kamal_tests::{app::App, rig::rig};

/// What is looked for. It occurs in every secret.
const SENTINEL: &str = "s3ntinel-77f1";

#[test]
fn no_process_ever_has_a_secret_in_its_arguments() {
    let app = App::on_one("e2e-secrets");
    app.set_up();
    let secrets = format!(
        "REGISTRY_PASSWORD={SENTINEL}-registry\nAPI_KEY='{SENTINEL} of the app'\nBUILD_TOKEN={SENTINEL}-build\n"
    );
    app.project.write(".kamal/secrets", &secrets).unwrap();
    app.edit("arch: amd64", "arch: amd64, secrets: [BUILD_TOKEN]");
    let version = app.release();
    let done = AtomicBool::new(false);
    let (seen, ended) = thread::scope(|scope| {
        let watch = scope.spawn(|| arguments_until(&done));
        let ended = app.kamal(&["deploy", "--verbose"]);
        done.store(true, Ordering::Relaxed);
        (watch.join().unwrap(), ended)
    });
    assert!(ended.status.success(), "{}", ended.text);
    assert_eq!(app.serving(), [version.as_str()]);
    assert!(!ended.text.contains(SENTINEL), "the output gives a secret away:\n{}", ended.text);
    // The watch sees what it should see: the host's processes and ours.
    assert!(seen.iter().any(|line| line.contains("buildx build")), "{seen:#?}");
    assert!(seen.iter().any(|line| line.contains("kamal-proxy deploy")), "{seen:#?}");
    let told: Vec<&String> = seen.iter().filter(|line| line.contains(SENTINEL)).collect();
    assert!(told.is_empty(), "{told:#?}");

    let format = "{{range .Config.Env}}{{println .}}{{end}}";
    let script = format!("docker inspect --format '{format}' {}", app.container(&version));
    let env = rig().docker_shell(app.host().number, &script);
    assert!(env.contains(&format!("API_KEY={SENTINEL} of the app")), "{env}");
    let file = app.host().home.join(".kamal/apps/e2e-secrets/env/roles/web.env");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    let history = rig()
        .docker_shell(app.host().number, &format!("docker history --no-trunc 10.77.0.1:5000/e2e-secrets:{version}"));
    assert!(!history.contains(SENTINEL), "{history}");
}

/// All arguments of all processes of this machine, its hosts' included, until it is done.
fn arguments_until(done: &AtomicBool) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    while !done.load(Ordering::Relaxed) {
        for process in fs::read_dir("/proc").unwrap().flatten() {
            // Most entries are no processes, and processes end.
            let Ok(bytes) = fs::read(process.path().join("cmdline")) else { continue };
            let line = String::from_utf8_lossy(&bytes).replace('\0', " ");
            if !seen.contains(&line) {
                seen.insert(line);
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
    seen
}
