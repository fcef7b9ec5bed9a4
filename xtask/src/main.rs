//! Chores of the workspace: `cargo xtask sandbox`, `ci`, `tidy`. The chores themselves are in the library.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::bench::{figures::Figures, instructions::Workload};
use xtask::ci::Verdict;
use xtask::command::print;
use xtask::error::{Error, Result};
use xtask::programs::Profile;
use xtask::sandbox::{self, Sandbox};
use xtask::{bench, book, by_hand, cases, ci, demo, dist, faults, fuzz, hello, parity, reach, schema, surface, tidy};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Chores of the workspace", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Hosts on this machine, with real sshd and Docker, to deploy to.
    #[command(subcommand)]
    Sandbox(SandboxChore),
    /// Deploys the example app to a host of the sandbox, and again and back under load; exits non-zero if a request
    /// failed.
    Demo {
        /// Leaves everything running and says where.
        #[arg(long)]
        keep: bool,
    },
    /// Measures, as ratios taken in one run.
    #[command(subcommand)]
    Bench(BenchChore),
    /// Builds the example app and puts everything needed to deploy it into a folder.
    Hello {
        /// The folder; made when missing.
        folder: PathBuf,
    },
    /// Writes schema/deploy.schema.json, which editors complete deploy.yml by.
    Schema,
    /// Writes the chapters of the book that are made of tables, and builds its pages.
    Book,
    /// Writes the surface.txt of each library: the list of what it shows to programs that embed it.
    Surface,
    /// Everything a change must pass: format, lints, tests, documentation, house rules.
    Ci,
    /// Gives what reads the text of others text nobody would write; exits non-zero if something was found.
    Fuzz {
        /// Names of targets; all when there are none.
        targets: Vec<String>,
        /// How long each is fuzzed.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Every effect of every command that changes something goes wrong once in every way, on simulated hosts, and the command
    /// is run again; exits non-zero if a fault was not put right by that. `cargo run --profile quick -p xtask -- faults` is
    /// ten times as fast.
    Faults {
        /// What all that happens follows from [default: another one each time].
        #[arg(long)]
        seed: Option<u64>,
        /// Tries only those whose name begins like that: `FLEET/`, `FLEET/COMMAND/`, `FLEET/COMMAND/NUMBER/WAY`.
        #[arg(long, value_name = "NAME", default_value = "")]
        only: String,
        /// Writes docs/RELIABILITY.md.
        #[arg(long)]
        write: bool,
        /// On hosts of the sandbox instead: faults that have not been tried yet, others first with each seed.
        #[arg(long)]
        real: bool,
        /// With --real, so many.
        #[arg(long, default_value_t = 50, requires = "real")]
        count: usize,
        /// With --real, none begins after so many minutes.
        #[arg(long, default_value_t = 60, requires = "real")]
        minutes: u64,
    },
    /// Every case of tests/cases, tried, and a line for each; exits non-zero if one does not come out as it should.
    Cases,
    /// Makes a release: archives, packages, checksums, what is in them.
    Dist {
        /// `x86_64` or `aarch64`; all when there are none.
        machines: Vec<String>,
        /// Where it goes; emptied first [default: target/dist].
        #[arg(long)]
        folder: Option<PathBuf>,
    },
    /// Which test shows which row of a checklist; exits non-zero if a row has none.
    Parity {
        /// The checklist of kamal-proxy's behaviour, not that of the command line.
        #[arg(long)]
        proxy: bool,
    },
    /// How far the crates reach: every set of features, the web's target, the oldest Rust, dependencies. What cannot be
    /// had here is skipped, and said so.
    #[command(subcommand)]
    Reach(ReachChore),
    /// The house rules that no other tool checks.
    Tidy,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum ReachChore {
    /// Each crate with every set of its features.
    Features,
    /// The engine for wasm32-unknown-unknown.
    Web,
    /// Each crate with the oldest Rust it says it needs.
    Oldest,
    /// Licences, sources and known faults of dependencies, by cargo-deny.
    Dependencies,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum BenchChore {
    /// Everything below but soaking, in one run; writes docs/performance.tsv and the book's chapter of it.
    All,
    /// `kamal config` on a file of 500 lines.
    Config,
    /// Reading and deploying, to a host 50 ms away; exits non-zero if a target was missed.
    Far {
        /// How many rounds.
        #[arg(default_value_t = 7)]
        rounds: u32,
    },
    /// A deploy to 100 and 1000 simulated hosts, beside one; exits non-zero if a target was missed.
    Fleet,
    /// The instructions that the pure core takes, by valgrind's count; exits non-zero if they are more than they were.
    Instructions {
        /// Keeps the counts.
        #[arg(long)]
        write: bool,
    },
    /// Does what is counted, once.
    #[command(hide = true)]
    Workload {
        /// What to do.
        workload: Workload,
    },
    /// The proxy beside nginx, HAProxy and Caddy; exits non-zero if a target was missed.
    Proxy {
        /// Instead, mixed load for so many minutes, with memory over time.
        #[arg(long, value_name = "MINUTES")]
        soak: Option<u64>,
    },
    /// Images from the registry inside the command to hosts: one layer to a distant host, beside a registry of its own
    /// behind a forwarded port, and one large layer to many hosts; exits non-zero if a target was missed.
    Registry {
        /// How many hosts the large layer goes to.
        #[arg(long, default_value_t = 8)]
        hosts: u8,
        /// How many rounds the small one is sent.
        #[arg(long, default_value_t = 5)]
        rounds: u32,
        /// Takes the command as it is built for tests, which is slower than what is shipped.
        #[arg(long)]
        dev: bool,
    },
    /// Twenty commands contend for the deploy lock of a real host and are killed at any moment; exits non-zero if two ever
    /// held it, or nobody did for longer than a lease lasts.
    Lock {
        /// For how many seconds.
        #[arg(long, default_value_t = 300)]
        seconds: u64,
    },
    /// Deploys, rollbacks, deploys that fail and reboots of the proxy while requests keep coming to a real host; exits
    /// non-zero if one failed.
    Load {
        /// How many deploys; a fifth as many rollbacks and a tenth as many that fail come with them.
        #[arg(long, default_value_t = 50)]
        deploys: u32,
        /// How many requests at least.
        #[arg(long, default_value_t = 1_000_000)]
        requests: u64,
        /// When it ends, whatever is missing.
        #[arg(long, default_value_t = 60)]
        minutes: u64,
    },
    /// Ten deploys and three rollbacks of an app on joined hosts while requests come to all of them; an app is killed and a
    /// host cut off meanwhile; exits non-zero if a request failed that was not at what died.
    Cluster,
    /// Commands, files and many hosts over SSH, beside OpenSSH.
    Ssh,
    /// A whole deploy beside the same docker commands typed by hand.
    Deploy {
        /// How many rounds.
        #[arg(default_value_t = 7)]
        rounds: u32,
    },
}

#[derive(Debug, Subcommand)]
enum SandboxChore {
    /// Makes what is missing, heals what broke; does nothing when all is well.
    Up {
        /// How many hosts there should be at least.
        #[arg(default_value_t = 2)]
        hosts: u8,
    },
    /// Removes the sandbox and everything in it.
    Down,
    /// Shows what every part is doing.
    Status {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Runs a command on a host, through ssh; without a command, a shell.
    Exec {
        /// `1`, `host1` or `10.77.1.2`.
        host: String,
        /// The command, as ssh takes it: the words are joined and given to the host's shell.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Prints the variables with which scripts find the sandbox: `eval "$(cargo xtask sandbox env)"`.
    Env,
    /// Serves the sandbox's registry; `up` runs this in the background.
    #[command(hide = true)]
    Registry {
        /// Address and port.
        listen: SocketAddr,
        /// The folder of its store.
        store: PathBuf,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().chore {
        Chore::Sandbox(chore) => run_sandbox(chore),
        Chore::Demo { keep } => demo::run(keep).map(|()| ExitCode::SUCCESS),
        Chore::Bench(chore) => run_bench(chore),
        Chore::Hello { folder } => hello::stage(&folder).map(|()| ExitCode::SUCCESS),
        Chore::Schema => schema::write().map(|()| ExitCode::SUCCESS),
        Chore::Book => book::write().map(|()| ExitCode::SUCCESS),
        Chore::Surface => surface::write().map(|()| ExitCode::SUCCESS),
        Chore::Ci => ci::run_all().map(verdict),
        Chore::Fuzz { targets, seconds } => fuzz::run_all(&targets, seconds).map(verdict),
        Chore::Dist { machines, folder } => dist::make(&machines, folder).map(|()| ExitCode::SUCCESS),
        Chore::Faults { seed, only, write, real: false, .. } => faults::run(seed, &only, write).map(verdict),
        Chore::Faults { seed, only, write, count, minutes, .. } => {
            faults::run_real(seed, &only, faults::real::Bounds { count, minutes }, write).map(verdict)
        }
        Chore::Cases => cases::run().map(verdict),
        Chore::Parity { proxy } => {
            let list = if proxy { parity::PROXY } else { parity::COMMAND };
            parity::show(list).map(verdict)
        }
        Chore::Reach(chore) => run_reach(chore),
        Chore::Tidy => run_tidy(),
    };
    done.unwrap_or_else(|error| {
        // When even standard error is gone, the exit code has to do.
        let _ = writeln!(io::stderr(), "error: {error}");
        ExitCode::FAILURE
    })
}

fn verdict(passed: bool) -> ExitCode {
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_reach(chore: ReachChore) -> Result<ExitCode> {
    let found = match chore {
        ReachChore::Features => reach::features(),
        ReachChore::Web => reach::web(),
        ReachChore::Oldest => reach::oldest(),
        ReachChore::Dependencies => reach::dependencies(),
    }?;
    let why = if let Verdict::Skipped(why) = &found { format!(": {why}") } else { String::new() };
    print(format_args!("{found}{why}"))?;
    Ok(verdict(found != Verdict::Failed))
}

fn run_bench(chore: BenchChore) -> Result<ExitCode> {
    if !matches!(chore, BenchChore::Instructions { .. } | BenchChore::Workload { .. }) {
        bench::quiet::look();
    }
    let mut figures = Figures::default();
    match chore {
        BenchChore::All => return bench::all::run().map(verdict),
        BenchChore::Config => bench::config::measure(&mut figures),
        BenchChore::Far { rounds } => bench::far::measure(rounds, &mut figures),
        BenchChore::Fleet => bench::fleet::measure(&mut figures),
        BenchChore::Instructions { write } => return bench::instructions::count(write).map(verdict),
        BenchChore::Workload { workload } => workload.run(),
        BenchChore::Ssh => bench::ssh(&mut figures),
        BenchChore::Lock { seconds } => return bench::lock::contend(seconds).map(verdict),
        BenchChore::Cluster => return bench::cluster::run().map(verdict),
        BenchChore::Load { deploys, requests, minutes } => {
            return bench::load::run(bench::load::Amount { deploys, requests, minutes }).map(verdict);
        }
        BenchChore::Deploy { rounds } => by_hand::deploy(rounds, &mut figures),
        BenchChore::Registry { hosts, rounds, dev } => {
            bench::registry::measure(hosts, rounds, if dev { Profile::Dev } else { Profile::Quick }, &mut figures)
        }
        BenchChore::Proxy { soak: Some(minutes) } => return bench::proxy::soak(minutes).map(verdict),
        BenchChore::Proxy { soak: None } => bench::proxy::compare(&mut figures),
    }?;
    Ok(verdict(figures.reached()))
}

fn run_sandbox(chore: SandboxChore) -> Result<ExitCode> {
    match chore {
        SandboxChore::Up { hosts } => sandbox::up(hosts).map(drop)?,
        SandboxChore::Down => sandbox::down()?,
        SandboxChore::Status { json } => return show_status(json),
        SandboxChore::Exec { host, command } => return exec(&host, &command),
        SandboxChore::Env => {
            for (name, value) in Sandbox::attach()?.environment() {
                print(format_args!("export {name}='{}'", value.replace('\'', r"'\''")))?;
            }
        }
        SandboxChore::Registry { listen, store } => sandbox::serve_registry(listen, &store)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Success means: there is a sandbox and all of it answers.
fn show_status(json: bool) -> Result<ExitCode> {
    let status = Sandbox::find()?.status();
    if json {
        let text = serde_json::to_string_pretty(&status).map_err(|error| Error::Refused(error.to_string()))?;
        print(text)?;
    } else {
        print(&status)?;
    }
    Ok(verdict(status.healthy()))
}

fn exec(host: &str, command: &[String]) -> Result<ExitCode> {
    let sandbox = Sandbox::find()?;
    let mut ssh = sandbox.ssh(sandbox.host(host)?);
    let status = ssh.args(command).status();
    let status = status.map_err(|source| Error::Io { what: "starting `ssh`".to_owned(), source })?;
    // Killed by a signal, as a shell would report it.
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(255);
    Ok(ExitCode::from(code))
}

fn run_tidy() -> Result<ExitCode> {
    let complaints = tidy::check()?;
    for complaint in &complaints {
        print(complaint)?;
    }
    Ok(verdict(complaints.is_empty()))
}
