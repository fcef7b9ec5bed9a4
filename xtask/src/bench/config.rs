//! What `kamal config` costs: everybody waits for it before every command.

use std::{
    env,
    fmt::Write,
    fs,
    process::Command,
    time::{Duration, Instant},
};

use super::figures::Figures;
use crate::{
    command::run,
    error::{Context, Result},
    figure::Figure,
    programs::{self, Profile},
};

const ROUNDS: usize = 50;

/// The longest `kamal version` and `kamal config` may take on the long file, process and all, in milliseconds.
const TARGETS: [f64; 2] = [2.0, 5.0];

/// Times `kamal config` on a file of 500 lines, beside `kamal version`, which is the same process without the file.
///
/// # Errors
///
/// When kamal cannot be built or does not take the file.
pub fn measure(figures: &mut Figures) -> Result<()> {
    let kamal = programs::command(Profile::Quick)?;
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
        Ok(times[ROUNDS / 2].as_secs_f64() * 1000.0)
    };
    let measured = time(&["version"]).and_then(|start| Ok([start, time(&["config", "--version", "1"])?]));
    fs::remove_dir_all(&folder).context(|| format!("removing {}", folder.display()))?;
    let [start, config] = measured?;
    figures.begin("Starting the command")?;
    figures.add(Figure::new("kamal version", "ms", start).at_most(TARGETS[0]))?;
    let what = format!("kamal config, {} lines", text.lines().count());
    figures.add(Figure::new(what, "ms", config).at_most(TARGETS[1]))
}

/// A configuration such as grows in years: roles, tags, accessories, ERB.
pub(super) fn long_file() -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_as_long_as_said() {
        assert_eq!(long_file().lines().count(), 500);
    }
}
