//! `cargo xtask faults`: drills of the engine on simulated hosts ([`kamal_core::testing::Drill`]), all there are, and the
//! page that tells what came of them.

mod page;
pub mod real;

use std::{
    fs,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use kamal_core::testing::{Drill, Exercise, Trial};

use crate::{
    command::{note, print},
    error::{Context, Error, Result},
    workspace,
};

pub(crate) use page::check;

/// Of so many hosts not every fault is tried, but one in so many, others with each seed.
const LARGE: (&str, u64) = ("fifty", 47);

/// The least number of faults that show something.
const ENOUGH: usize = 20_000;

/// Tries all faults whose names begin with `only`; writes the page if asked to. True when each was put right.
///
/// # Errors
///
/// When an app cannot be deployed even without faults, or the page cannot be written.
pub fn run(seed: Option<u64>, only: &str, write: bool) -> Result<bool> {
    let seed = seed.unwrap_or_else(chance);
    print(format_args!("seed {seed}; tried again by: cargo xtask faults --seed {seed}"))?;
    let began = Instant::now();
    let names = Drill::fleets().into_iter().filter(|name| begins(only, &format!("{name}/")));
    let drills: Vec<Drill> = names.map(|name| drill(name, seed)).collect::<Result<_>>()?;
    // What takes longest goes first.
    let of = |drill: &Drill, exercise: &Exercise| begins(only, &format!("{}/{}/", drill.name(), exercise.command));
    let exercises = |drill| -> Vec<_> {
        let all = Drill::exercises(drill).into_iter().filter(|exercise| of(drill, exercise));
        all.map(|exercise| (drill, exercise)).collect()
    };
    let work: Vec<_> = drills.iter().rev().flat_map(exercises).collect();
    let (next, trials) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((drill, exercise)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let swept = drill.sweep(exercise, |i, name| {
                        name.starts_with(only) && (only == name || picks(drill.name(), i, seed))
                    });
                    tell(drill, exercise, &swept, seed);
                    trials.lock().unwrap_or_else(PoisonError::into_inner).extend(swept);
                }
            });
        }
    });
    let trials = trials.into_inner().unwrap_or_else(PoisonError::into_inner);
    let wrong = trials.iter().filter(|trial| !trial.problems.is_empty()).count();
    let took = began.elapsed().as_secs();
    print(format_args!("{} faults in {took} s with seed {seed}: {wrong} wrong", trials.len()))?;
    let enough = !only.is_empty() || trials.len() >= ENOUGH;
    if !enough {
        print(format_args!("that is fewer than the {ENOUGH} that show something"))?;
    }
    if write && wrong == 0 && only.is_empty() {
        let real = fs::read_to_string(file()).unwrap_or_default();
        write_page(&page::replaced(&real, &page::text(&trials, seed)))?;
    }
    Ok(wrong == 0 && enough)
}

/// Tries faults on real hosts, as [`real::run`] does; writes what came of all that were tried into the page if asked to.
///
/// # Errors
///
/// As [`real::run`], and when the page cannot be read or written.
pub fn run_real(seed: Option<u64>, only: &str, bounds: real::Bounds, write: bool) -> Result<bool> {
    let right = real::run(seed.unwrap_or_else(chance), only, bounds)?;
    if write {
        let page = fs::read_to_string(file()).context(|| format!("reading {}", page::FILE))?;
        write_page(&page::with_real(&page, &real::kept()?))?;
    }
    Ok(right)
}

fn file() -> PathBuf {
    workspace().join(page::FILE)
}

fn write_page(text: &str) -> Result<()> {
    fs::write(file(), text).context(|| format!("writing {}", file().display()))?;
    note(format_args!("wrote {}", page::FILE));
    Ok(())
}

/// Whether a name that begins like `start` is among those that begin with `only`.
fn begins(only: &str, start: &str) -> bool {
    only.starts_with(start) || start.starts_with(only)
}

/// Tells how a sweep went, and what was not put right.
fn tell(drill: &Drill, exercise: &Exercise, swept: &[Trial], seed: u64) {
    let wrong: Vec<&Trial> = swept.iter().filter(|trial| !trial.problems.is_empty()).collect();
    for trial in &wrong {
        note(format_args!("{trial}\n  again: cargo xtask faults --seed {seed} --only '{}'", trial.name));
    }
    note(format_args!("{}: {}, {} faults, {} wrong", drill.name(), exercise.command, swept.len(), wrong.len()));
}

fn drill(name: &str, seed: u64) -> Result<Drill> {
    Drill::of_fleet(name, seed)
        .ok_or_else(|| Error::Refused(format!("there is no fleet {name}, or it cannot be deployed")))
}

fn picks(fleet: &str, fault: usize, seed: u64) -> bool {
    let (large, one_in) = LARGE;
    fleet != large || (fault as u64).wrapping_add(seed).is_multiple_of(one_in)
}

/// A number that is another one each time.
fn chance() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
