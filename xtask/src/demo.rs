//! `cargo xtask demo`: a real app on a real host, deployed and rolled back under load.

mod simulated;

use std::{
    io::{self, BufRead, BufReader},
    net::SocketAddr,
    process::Stdio,
    thread,
    time::Instant,
};

use crate::{
    command::print,
    error::{Context, Error, Result},
    load::{self, Load},
    programs,
    project::Project,
    sandbox::{self, Sandbox},
};

const DEPLOY: &str = "\
service: hello
servers: [10.77.1.2]
proxy: {app_port: 80, healthcheck: {path: /up, interval: 1}}
builder: {arch: amd64, driver: docker}
env: {clear: {GREETING: hello}, secret: [API_KEY]}
ssh: {keys: [SSHKEY], keys_only: true}
";

const SECRETS: &str = "API_KEY=$(printf s3cret)\n";

/// Connections of the load, and requests a second on each: 400 a second in all.
const CLIENTS: (u32, u32) = (8, 50);

/// Runs the demo, on simulated hosts where there can be no real ones. With `keep`, everything is left running.
///
/// # Errors
///
/// When a command fails, or a single request did.
pub fn run(keep: bool) -> Result<()> {
    if let Err(error) = sandbox::require() {
        print(format_args!(
            "There is no sandbox here: {error}.\nThis is the engine on simulated hosts, with their time."
        ))?;
        return simulated::run();
    }
    let was_up = Sandbox::attach().is_ok();
    let programs = programs::build(programs::Profile::Quick)?;
    let began = Instant::now();
    let sandbox = sandbox::up(1)?;
    let result = shown(&programs, &sandbox, began);
    if keep {
        print("\nLeft running: http://10.77.1.2/ (`cargo xtask sandbox down` removes it)")?;
    } else if !was_up {
        sandbox::down()?;
    }
    result
}

fn shown(programs: &programs::Programs, sandbox: &Sandbox, began: Instant) -> Result<()> {
    print(format_args!(
        "sandbox: one host with sshd and Docker at 10.77.1.2  ({:.1} s)",
        began.elapsed().as_secs_f64()
    ))?;
    let folder = sandbox.folder().with_file_name("demo");
    let project = Project::create(&folder, programs, sandbox, DEPLOY, SECRETS)?.at_the_builder(sandbox);
    let address = SocketAddr::from(([10, 77, 1, 2], 80));
    let answers = || load::ask(address, "hello.test").context(|| "asking the app".to_owned());

    kamal(&project, &["setup"])?;
    let first = answers()?;
    print(format_args!("  answers at http://10.77.1.2/: version {}", short(&first)))?;

    let load = Load::start(address, "hello.test", CLIENTS.0, CLIENTS.1);
    let deployed = (|| {
        project.write("assets/app-2.js", "v2\n")?;
        project.commit()?;
        kamal(&project, &["deploy", "--timings"])?;
        let second = answers()?;
        print(format_args!("  answered before: {}, answers now: {}", short(&first), short(&second)))?;
        kamal(&project, &["rollback"])?;
        let back = answers()?;
        print(format_args!("  answered before: {}, answers now: {}", short(&second), short(&back)))?;
        if second == first || back != first {
            return Err(Error::Refused(format!("the wrong version answered: {first}, then {second}, then {back}")));
        }
        Ok(())
    })();
    let tally = load.stop();
    deployed?;
    print(format_args!(
        "\nrequests while deploying and rolling back: {} sent ({:.0} a second), {} failed, p50 {} ms, p99 {} ms",
        tally.sent,
        tally.rate(),
        tally.failed.len(),
        tally.percentile(0.5),
        tally.percentile(0.99)
    ))?;
    for (version, count) in &tally.versions {
        print(format_args!("  {count:>6} answered by {}", short(version)))?;
    }
    match tally.failed.first() {
        None => Ok(()),
        Some(first) => Err(Error::Refused(format!("{} requests failed, the first: {first}", tally.failed.len()))),
    }
}

/// Runs kamal and shows each phase with its time.
fn kamal(project: &Project, arguments: &[&str]) -> Result<()> {
    print(format_args!("\nkamal {}", arguments.join(" ")))?;
    let mut command = project.kamal();
    command.args(arguments).arg("--json").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context(|| "starting kamal".to_owned())?;
    // What it says beside its events is shown after them, or the timings would stand between the phases.
    let beside = child.stderr.take().map(|stderr| thread::spawn(move || io::read_to_string(stderr)));
    let mut before = 0.0;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines().map_while(std::result::Result::ok) {
            let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            let seconds = |key: &str| event[key].as_f64().unwrap_or(0.0);
            match event["event"].as_str() {
                Some("phase") => {
                    let at = seconds("elapsed");
                    print(format_args!(
                        "  {:<12} {:>6.2} s",
                        event["phase"].as_str().unwrap_or_default(),
                        at - before
                    ))?;
                    before = at;
                }
                Some("finished") => print(format_args!("  in all       {:>6.2} s", seconds("took")))?,
                _ => {}
            }
        }
    }
    let status = child.wait().context(|| "waiting for kamal".to_owned())?;
    let output = beside.and_then(|reader| reader.join().ok()?.ok()).unwrap_or_default();
    if status.success() {
        return if output.is_empty() { Ok(()) } else { print(output.trim_end()) };
    }
    let command = format!("kamal {}", arguments.join(" "));
    Err(Error::Command { command, status: status.to_string(), output })
}

fn short(version: &str) -> &str {
    version.get(..7).unwrap_or(version)
}
