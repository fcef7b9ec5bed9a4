//! How many instructions the pure core takes for what every command does, as valgrind counts them: the same on a busy
//! machine as on an idle one, so that a change which makes it slower shows at once.

use std::{
    collections::BTreeMap,
    env,
    fmt::{self, Display},
    fs,
    process::Command,
};

use clap::ValueEnum;
use kamal_core::{
    config::{Source, load},
    redact::Redactor,
    secret::Secret,
    testing::NoTemplateWorld,
};

use super::{config::long_file, fleet};
use crate::{
    command::{note, print, run},
    error::{Context, Error, Result},
    sandbox::require_packages,
    workspace,
};

/// How much more a count may be than the one that is kept, in hundredths.
const MORE: u64 = 5;

/// Where counts are kept, by the compiler whose code was counted.
const KEPT: &str = "xtask/instructions.txt";

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Workload {
    /// A deploy.yml of 500 lines is read, with its ERB.
    Load,
    /// A setup and a deploy of ten hosts are planned, rendered and run, on simulated ones.
    Deploy,
    /// A long log goes through what covers secrets.
    Redact,
}

impl Workload {
    /// Does it once.
    ///
    /// # Errors
    ///
    /// When it fails, which is a fault.
    pub fn run(self) -> Result<()> {
        match self {
            Self::Load => {
                let loaded = load(&Source::new("config/deploy.yml", long_file()), None, &NoTemplateWorld);
                loaded.map(drop).map_err(|errors| Error::Refused(errors.to_string()))
            }
            Self::Deploy => fleet::deploy(10, 0).map(drop),
            Self::Redact => {
                let redactor = Redactor::new();
                (0..100).for_each(|n| redactor.learn(&Secret::new(format!("secret-number-{n}-of-many"))));
                let line = "2026-11-30T04:05:06Z web: GET /orders/17?token=secret-number-7-of-many 200 in 12 ms\n";
                let covered = redactor.text(&line.repeat(2000)).into_owned();
                if covered.contains("secret-number") {
                    return Err(Error::Refused("a secret was not covered".to_owned()));
                }
                Ok(())
            }
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Counts everything and holds it against what is kept; `false` when something takes more than it may. With `write`, keeps
/// the counts.
///
/// # Errors
///
/// When valgrind cannot be had or does not count.
pub fn count(write: bool) -> Result<bool> {
    require_packages(&[("valgrind", "valgrind")])?;
    let compiler = run(Command::new("rustc").arg("--version"))?.trim().to_owned();
    let mut counted = BTreeMap::new();
    for workload in Workload::value_variants() {
        counted.insert(workload.name(), counted_by_valgrind(*workload)?);
    }
    let path = workspace().join(KEPT);
    if write {
        let text = Kept { compiler, counts: counted }.to_string();
        fs::write(&path, text).context(|| format!("writing {}", path.display()))?;
        note(format_args!("wrote {}", path.display()));
        return Ok(true);
    }
    let text = fs::read_to_string(&path).context(|| format!("reading {}", path.display()))?;
    let kept = Kept::read(&text).ok_or_else(|| Error::Refused(format!("{KEPT} is no list of counts")))?;
    let same = kept.compiler == compiler;
    if !same {
        note(format_args!("{KEPT} has counts of {}, and this is {compiler}: they are shown, no more", kept.compiler));
    }
    let mut reached = true;
    for (name, count) in &counted {
        let before = kept.counts.get(name).copied();
        let within = before.is_some_and(|before| is_within(*count, before));
        let share = before.map_or(f64::NAN, |before| *count as f64 * 100.0 / before as f64 - 100.0);
        let verdict = if within || !same { "ok" } else { "MORE" };
        print(format_args!(
            "{name:<10} {:>9.2} million instructions, {share:>+6.2} %: {verdict}",
            *count as f64 / 1e6
        ))?;
        reached &= within || !same;
    }
    if !reached {
        note(format_args!("at most {MORE} % more; where that is meant: cargo xtask bench instructions --write"));
    }
    Ok(reached)
}

fn is_within(count: u64, before: u64) -> bool {
    count * 100 <= before * (100 + MORE)
}

/// This program, doing it below valgrind.
fn counted_by_valgrind(workload: Workload) -> Result<u64> {
    let own = env::current_exe().context(|| "finding this program".to_owned())?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]).arg(own);
    valgrind.args(["bench", "workload", &workload.name()]);
    let output = valgrind.output().context(|| "starting valgrind".to_owned())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let count =
        said.lines().find_map(|line| line.split_once("I   refs:").map(|(_, count)| count.trim().replace(',', "")));
    let count = count.and_then(|count| count.parse().ok());
    count.ok_or_else(|| Error::Refused(format!("valgrind did not count {}: {said}", workload.name())))
}

/// The counts that are kept.
#[derive(Debug, PartialEq, Eq)]
struct Kept {
    compiler: String,
    counts: BTreeMap<String, u64>,
}

impl Kept {
    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let compiler = lines.next()?.to_owned();
        let pair = |line: &str| {
            let (name, count) = line.split_once(' ')?;
            Some((name.to_owned(), count.trim().parse().ok()?))
        };
        Some(Self { compiler, counts: lines.map(pair).collect::<Option<_>>()? })
    }
}

impl Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.compiler)?;
        self.counts.iter().try_for_each(|(name, count)| writeln!(f, "{name} {count}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_kept_by_compiler() {
        let kept = Kept { compiler: "rustc 1.95.0".to_owned(), counts: [("load".to_owned(), 12)].into() };
        let text = kept.to_string();
        assert_eq!(text, "rustc 1.95.0\nload 12\n");
        assert_eq!(Kept::read(&text), Some(kept));
        assert_eq!(Kept::read("rustc 1.95.0\nload many\n"), None);
    }

    #[test]
    fn a_little_more_is_borne() {
        assert!(is_within(105, 100) && is_within(1, 100) && !is_within(106, 100));
    }

    #[test]
    fn every_workload_works() {
        for workload in Workload::value_variants() {
            workload.run().unwrap();
        }
    }
}
