//! Every command of the table: each effect goes wrong once, in every way it can, and then the command is run again.

use std::collections::BTreeMap;

use kamal_core::{
    name::Version,
    op::{App as AppOp, Deploy, Lock, Op, Policy, Proxy, Rollback, Rollout},
    testing::{Effect, Fault, How, Serving, every_operation},
};

use crate::harness::{App, Verb};

/// Roles and accessories on three hosts.
const YAML: &str = "servers: {web: [h1, h2], workers: {hosts: [h3], proxy: false, cmd: bin/jobs}}\n\
    error_pages_path: public\n\
    accessories:\n  db: {image: acme/db, host: h3, files: [\"config/my.cnf:/etc/my.cnf\"], directories: [\"data:/data\"]}\n  \
    cache: {image: acme/cache, hosts: [h1, h2], proxy: {host: cache.test}, env: {secret: [DATABASE_URL]}}\n";

pub(crate) fn base() -> App {
    of(App::new(YAML))
}

fn of(app: App) -> App {
    app.fleet.project_file("public/503.html", "back soon");
    app.fleet.project_file("config/my.cnf", "[mysqld]");
    app.fleet.publish("acme/db");
    app.fleet.publish("acme/cache");
    app.operate(Verb::Setup, "v1", None).unwrap();
    app.deploy("v2").unwrap();
    app
}

/// Hosts as they have to be for an operation: what is about a rollout takes one that is under way.
pub(crate) fn ready_for(base: &App, op: &Op) -> App {
    let app = base.fork();
    if matches!(op, Op::Rollout(Rollout::Set { .. } | Rollout::Promote | Rollout::Abort)) {
        let begin = Op::Rollout(Rollout::Deploy { how: Deploy::default(), percent: 10 });
        app.perform(&begin, Some("v3"), None).unwrap();
    }
    app
}

/// Operations that stop something on purpose.
pub(crate) fn stops(op: &Op) -> bool {
    match op {
        Op::Remove | Op::Upgrade { .. } => true,
        Op::App(app) => matches!(app, AppOp::Stop | AppOp::Remove),
        Op::Accessory(_) => true,
        Op::Proxy(proxy) => !matches!(proxy, Proxy::Boot | Proxy::Reboot { .. } | Proxy::Details | Proxy::List),
        _ => false,
    }
}

/// What version each is given, as `--version` or as that of the project.
pub(crate) fn asked(op: &Op) -> Option<&'static str> {
    match op {
        Op::Rollback(_) | Op::App(AppOp::Boot | AppOp::Exec(_)) => None,
        Op::App(AppOp::Start) | Op::Build(_) | Op::Deploy(Deploy { skip_push: true, .. }) => Some("v2"),
        _ if op.row().version => Some("v3"),
        _ => None,
    }
}

fn essences(app: &App) -> Vec<(String, BTreeMap<String, String>)> {
    app.targets.hosts.iter().map(|host| (host.to_string(), app.fleet.host(host).essence())).collect()
}

pub(crate) struct Swept {
    effects: usize,
    faults: usize,
    wrong: Vec<String>,
}

/// What a sweep goes over.
pub(crate) struct Sweep<'s> {
    /// What each app is given besides.
    pub(crate) dress: &'s dyn Fn(&mut App),
    /// Which effects go wrong.
    pub(crate) fails: &'s dyn Fn(&Effect) -> bool,
}

fn sweep(base: &App, op: &Op, what: &Sweep<'_>) -> Swept {
    let fork = || {
        let mut app = base.fork();
        (what.dress)(&mut app);
        if stops(op) {
            app.fleet.expect_outage();
        }
        app
    };
    let smooth = fork();
    let name = op.row().name();
    smooth.perform(op, asked(op), None).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(smooth.fleet.violations(), [""; 0], "{name}");
    let locked = matches!(op, Op::Lock(Lock::Acquire { .. }));
    assert_eq!(smooth.locks().is_empty(), !locked, "{name}");
    let (wanted, effects) = (essences(&smooth), smooth.fleet.effects());
    let mut swept = Swept { effects: effects.len(), faults: 0, wrong: Vec::new() };
    for (at, effect) in effects.iter().enumerate().filter(|(_, effect)| (what.fails)(effect)) {
        for &how in effect.hows() {
            swept.faults += 1;
            let problems = fail_once(&fork(), op, Fault { at, how }, effect, &wanted);
            swept
                .wrong
                .extend(problems.into_iter().map(|problem| format!("{name}: {how:?} at {at}, {effect}: {problem}")));
        }
    }
    swept
}

fn fail_once(
    app: &App,
    op: &Op,
    fault: Fault,
    effect: &Effect,
    wanted: &[(String, BTreeMap<String, String>)],
) -> Vec<String> {
    let old = app.fleet.serving();
    let first = app.perform(op, asked(op), Some(fault));
    let mut problems = app.fleet.violations();
    let by_hand = op.row().policy == Policy::Alone;
    let stopped = matches!(fault.how, How::Stopped | How::StoppedLate);
    let lost = effect.what.contains("release the deploy lock") || fault.how == How::Unplugged;
    let excused = by_hand || lost && !stopped || fault.how.kills();
    if first.is_err() && !stops(op) && fault.how != How::Unplugged && !fault.how.kills() {
        // Beside what is live another version runs on purpose.
        let alone = !matches!(op, Op::Rollout(_));
        problems.extend(half_switched(app, &old, stopped, alone));
    }
    if !excused && !app.locks().is_empty() {
        problems.push("the lock was left behind".to_owned());
    }
    // What nobody could give back is taken over.
    app.fleet.plug_in();
    let is_acquire = matches!(op, Op::Lock(Lock::Acquire { .. }));
    if is_acquire && !app.locks().is_empty() {
        return problems;
    }
    if matches!(op, Op::Rollback(Rollback { as_deployed: true, .. }) | Op::Rollout(Rollout::Promote)) {
        // What it would switch to may serve already; then nothing has to move before the rest stops.
        app.fleet.expect_outage();
    }
    match app.perform(op, asked(op), None) {
        // It had come to its end the first time: nothing took the lock, which is nobody's by now; whoever comes next does.
        Ok(report) if report.plan.stages.is_empty() && !app.locks().is_empty() => {
            app.perform_well(&Op::Lock(Lock::Acquire { message: String::new() }));
            app.perform_well(&Op::Lock(Lock::Release));
        }
        // It said that it was done: what was of no matter is left to the next deploy.
        Ok(report) if report.plan.stages.is_empty() && first.is_ok() && matches!(op, Op::Rollout(_)) => {
            return problems;
        }
        Ok(_) => {}
        // It said that it was done: what was of no matter is left to the next deploy.
        Err(error) if first.is_ok() && is_back_already(app, op) && error.to_string().contains("no earlier version") => {
            return problems;
        }
        // It had come to its end the first time, and there is nothing before what it went back to.
        Err(error) if is_back_already(app, op) && error.to_string().contains("no earlier version") => {
            // Nothing took the lock, which is nobody's by now; whoever comes next does.
            app.perform_well(&Op::Lock(Lock::Acquire { message: String::new() }));
            app.perform_well(&Op::Lock(Lock::Release));
        }
        Err(error) => {
            problems.push(format!("again: {error} (first: {:?})", first.map(drop).map_err(|error| error.to_string())));
            return problems;
        }
    }
    problems.extend(app.fleet.violations());
    for ((host, wanted), (_, found)) in wanted.iter().zip(essences(app)) {
        for (name, value) in wanted.iter().filter(|(name, value)| found.get(*name) != Some(value)) {
            problems.push(format!("{host}: {name} is {:?}, not {value}", found.get(name)));
        }
        for (name, value) in found.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
            problems.push(format!("{host}: {name} is left ({value})"));
        }
    }
    problems
}

/// All hosts answer from what they had, and under the names they had, or all from something else. After a request to stop
/// nothing that was to make way runs beside it either; what fails while that is stopped leaves it to the next run. `alone` is
/// whether nothing is to run beside what answers.
fn half_switched(app: &App, old: &[Serving], stopped: bool, alone: bool) -> Option<String> {
    let now = app.fleet.serving();
    let has_another = |before: &Serving| {
        let containers = app.fleet.host(before.host.as_str()).containers;
        let mut of_role = containers.iter().filter(|found| found.role().as_ref() == Some(&before.role) && found.runs());
        alone && of_role.any(|found| found.id != before.container)
    };
    let moved = |before: &Serving| !now.contains(before) || has_another(before);
    if old.iter().any(moved) && !old.iter().all(moved) {
        return Some(format!("some hosts switched and some did not: {now:?}"));
    }
    let hosts = app.targets.hosts.iter().map(|host| (host, app.fleet.host(host)));
    let renamed = hosts.flat_map(|(host, state)| state.containers.into_iter().map(move |found| (host, found))).find(
        |(_, container)| {
            container.name.contains("_replaced_") && (stopped && container.runs() || !old.iter().any(moved))
        },
    );
    renamed.map(|(host, container)| format!("{host}: {} was left", container.name))
}

fn is_back_already(app: &App, op: &Op) -> bool {
    let hosts = app.targets.hosts.iter().map(|host| app.fleet.host(host));
    let services = hosts.flat_map(|host| host.swarm.services.into_values());
    let mut versions: Vec<String> = services.map(|service| service.spec.version.to_string()).collect();
    versions.extend(app.versions());
    let back = !versions.is_empty() && versions.iter().all(|version| version == "v1");
    matches!(op, Op::Rollback(Rollback { to: None, .. })) && back
}

/// Sweeps the operations of one part of the table, so that the parts run side by side.
fn sweep_all(of: impl Fn(&Op) -> bool) {
    sweep_with(of, &Sweep { dress: &|_| {}, fails: &|_| true });
}

pub(crate) fn sweep_with(of: impl Fn(&Op) -> bool, what: &Sweep<'_>) {
    sweep_on(&base(), of, what);
}

pub(crate) fn sweep_on(base: &App, of: impl Fn(&Op) -> bool, what: &Sweep<'_>) {
    let all = every_operation(&base.config, &Version::parse("v1").unwrap());
    let (mut commands, mut effects, mut faults, mut wrong) = (0, 0, 0, Vec::new());
    for op in all.iter().filter(|op| of(op)) {
        let swept = sweep(&ready_for(base, op), op, what);
        commands += 1;
        effects += swept.effects;
        faults += swept.faults;
        wrong.extend(swept.wrong);
    }
    #[expect(clippy::print_stdout, reason = "how much was tried is worth knowing")]
    {
        println!("{commands} commands, {effects} effects, {faults} faults: {} problems", wrong.len());
    }
    assert!(wrong.is_empty(), "{} problems\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn main_commands() {
    sweep_all(|op| matches!(op, Op::Setup(_) | Op::Deploy(_) | Op::Redeploy(_) | Op::Details | Op::Audit));
}

/// What pulls does so through the registry on this machine.
#[test]
fn without_a_registry() {
    let text = format!(
        "service: app\nimage: acme/app\nbuilder: {{arch: amd64}}\nenv: {{secret: [DATABASE_URL]}}\nretain_containers: 2\n{YAML}"
    );
    let picks = |op: &Op| {
        matches!(op, Op::Setup(_) | Op::Deploy(_) | Op::Redeploy(_) | Op::Rollback(_) | Op::Remove | Op::Build(_))
    };
    sweep_on(&of(App::of(&text)), picks, &Sweep { dress: &|_| {}, fails: &|_| true });
}

#[test]
fn rollbacks() {
    sweep_all(|op| matches!(op, Op::Rollback(_)));
}

#[test]
fn rollouts() {
    sweep_all(|op| matches!(op, Op::Rollout(_)));
}

#[test]
fn removal_and_upgrade() {
    sweep_all(|op| matches!(op, Op::Remove | Op::Upgrade { .. }));
}

#[test]
fn app_commands() {
    sweep_all(|op| matches!(op, Op::App(_)));
}

#[test]
fn accessory_commands() {
    sweep_all(|op| matches!(op, Op::Accessory(_)));
}

#[test]
fn proxy_commands() {
    sweep_all(|op| matches!(op, Op::Proxy(_)));
}

#[test]
fn other_commands() {
    sweep_all(|op| matches!(op, Op::Build(_) | Op::Registry(_) | Op::Server(_) | Op::Prune(_) | Op::Lock(_)));
}

/// The rows of the table are the commands of spec chapter 1 that act on hosts or images, and few others.
#[test]
fn the_table_is_kamals() {
    let base = base();
    let mut rows: Vec<String> =
        every_operation(&base.config, &Version::parse("v1").unwrap()).iter().map(|op| op.row().name()).collect();
    rows.sort();
    rows.dedup();
    let nouns = [
        (
            "accessory",
            "boot details directories exec logs pull_image reboot remove remove_container remove_image \
            remove_service_directory restart start stop upgrade upload",
        ),
        (
            "app",
            "boot containers details exec images live logs maintenance remove remove_app_directories \
            remove_container remove_containers remove_images stale_containers start stop version",
        ),
        ("build", "create deliver details dev pull push remove"),
        ("lock", "acquire release status"),
        (
            "proxy",
            "boot boot_config details list logs reboot remove remove_container remove_image \
            remove_proxy_directory restart start stop upgrade",
        ),
        ("prune", "all containers images"),
        ("registry", "login logout remove setup"),
        ("rollout", "abort deploy promote set"),
        ("server", "bootstrap exec"),
    ];
    let mut expected: Vec<String> =
        ["audit", "deploy", "details", "doctor", "redeploy", "remove", "rollback", "setup", "status", "upgrade"]
            .map(str::to_owned)
            .into();
    for (noun, verbs) in nouns {
        expected.extend(verbs.split_whitespace().map(|verb| format!("{noun} {verb}")));
    }
    expected.sort();
    assert_eq!(rows, expected);
}
