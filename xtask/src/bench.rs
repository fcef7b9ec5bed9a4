//! What `kamal config` costs: everybody waits for it before every command.

pub mod far;
pub mod fleet;
pub mod instructions;
pub mod load;
pub mod lock;
#[path = "../../tests/shared/memory.rs"]
mod memory;
pub mod proxy;
pub mod quiet;
pub mod registry;

use std::{
    env,
    fmt::Write,
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    command::{note, print, run, show},
    error::{Context, Result},
    sandbox::require_packages,
    workspace,
};

/// What the bench of SSH runs, and the packages that have it.
const PROGRAMS: [(&str, &str); 3] =
    [("sshd", "openssh-server"), ("scp", "openssh-client"), ("ssh-keygen", "openssh-client")];

const ROUNDS: usize = 50;

/// The longest `kamal config` may take on the long file, process and all.
const TARGET: Duration = Duration::from_millis(10);

/// Times `kamal config` on a file of 500 lines, beside `kamal version`, which is the same process without the file.
///
/// # Errors
///
/// When kamal cannot be built or does not take the file.
pub fn config() -> Result<()> {
    let kamal = build()?;
    let folder = env::temp_dir().join(format!("kamal-bench-{}", std::process::id()));
    let settings = folder.join("config");
    fs::create_dir_all(&settings).context(|| format!("creating {}", settings.display()))?;
    let text = long_file();
    let file = settings.join("deploy.yml");
    fs::write(&file, &text).context(|| format!("writing {}", file.display()))?;
    let time = |arguments: &[&str]| {
        let mut times = (0..ROUNDS)
            .map(|_| {
                let started = Instant::now();
                run(Command::new(&kamal).args(arguments).current_dir(&folder))?;
                Ok(started.elapsed())
            })
            .collect::<Result<Vec<Duration>>>()?;
        times.sort_unstable();
        Ok((times[0], times[ROUNDS / 2]))
    };
    let measured = time(&["version"]).and_then(|start| Ok((start, time(&["config", "--version", "1"])?)));
    fs::remove_dir_all(&folder).context(|| format!("removing {}", folder.display()))?;
    let (start, config) = measured?;
    let line = |name: &str, (best, median): (Duration, Duration)| {
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        print(format_args!("{name:<28} best {:>6.2} ms   median {:>6.2} ms", millis(best), millis(median)))
    };
    line("kamal version", start)?;
    line(&format!("kamal config, {} lines", text.lines().count()), config)?;
    let verdict = if config.1 <= TARGET { "reached" } else { "MISSED" };
    print(format_args!("target: median at most {} ms: {verdict}", TARGET.as_millis()))
}

/// Runs the SSH adapter's own benchmark beside OpenSSH's programs; it prints what it measures.
///
/// # Errors
///
/// When something is missing that it needs, or a target is missed.
pub fn ssh() -> Result<()> {
    require_packages(&PROGRAMS)?;
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["bench", "--quiet", "--profile", "quick", "--package", "kamal-ssh", "--bench", "openssh"]);
    show(cargo.current_dir(workspace()))
}

fn build() -> Result<PathBuf> {
    note("building kamal (a few minutes the first time)");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--profile", "quick", "--package", "kamal-cli", "--bin", "kamal", "--target-dir"]);
    show(cargo.arg(&target).current_dir(workspace()))?;
    Ok(target.join("quick/kamal"))
}

/// A configuration such as grows in years: roles, tags, accessories, ERB.
fn long_file() -> String {
    let mut text = "service: app\nimage: acme/app\nregistry:\n  username: acme\n  password: [PASSWORD]\n\
                    builder:\n  arch: amd64\nx-options: &options\n  memory: 512m\n  cpus: 2\nservers:\n"
        .to_owned();
    // Writing to a string does not fail.
    for role in 0..20 {
        let name = if role == 0 { "web".to_owned() } else { format!("jobs{role}") };
        let _ = write!(
            text,
            "  {name}:\n    hosts:\n      - 10.0.{role}.1\n      - 10.0.{role}.2: large\n    cmd: bin/jobs {role}\n    \
             options:\n      <<: *options\n    env:\n      clear:\n        QUEUE: q{role}\n"
        );
    }
    text.push_str("env:\n  clear:\n");
    for number in 0..100 {
        let _ = writeln!(text, "    NAME_{number}: <%= ENV[\"BENCH_{number}\"] || \"value {number}\" %>");
    }
    text.push_str("accessories:\n");
    for number in 0..13 {
        let _ = write!(
            text,
            "  db{number}:\n    image: mysql:8.4\n    host: 10.1.{number}.1\n    port: 3306\n    env:\n      clear:\n        \
             MYSQL_DATABASE: app{number}\n      secret:\n        - MYSQL_ROOT_PASSWORD\n    directories:\n      - \
             data:/var/lib/mysql\n    options:\n      memory: 1g\n"
        );
    }
    while text.lines().count() < 500 {
        text.push_str("# The end.\n");
    }
    text
}

/// The one in the middle.
pub(crate) fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

pub(crate) fn seconds(time: Option<&Duration>) -> f64 {
    time.map_or(0.0, Duration::as_secs_f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_as_long_as_said() {
        assert_eq!(long_file().lines().count(), 500);
    }
}
