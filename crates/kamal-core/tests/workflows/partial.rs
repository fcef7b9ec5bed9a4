//! Hosts that cannot be reached hide nothing of the others, and hold nobody up.

use kamal_core::{
    command_line::CommandLine,
    error::{Error, ErrorKind, HostError},
    name::Version,
    op::{App as AppOp, Exec, Logs, Op},
    ports::Clock as _,
    query::{Attach, LogLines},
    testing::{Fault, How, every_operation},
};

use crate::harness::{App, THREE, Verb, seconds};

const WITH_DB: &str = "servers: [h1, h2, h3]\naccessories: {db: {image: acme/db, hosts: [h1, h2, h3]}}\n";

/// The commands that tell something of each host.
const TELLING: [&str; 17] = [
    "details",
    "audit",
    "app exec",
    "app logs",
    "app details",
    "app containers",
    "app images",
    "app version",
    "app stale_containers",
    "accessory exec",
    "accessory logs",
    "accessory details",
    "proxy details",
    "proxy list",
    "proxy logs",
    "proxy boot_config",
    "server exec",
];

/// How a host gets lost.
type Losing = fn(&App, &str);

fn set_up() -> App {
    let app = App::new(WITH_DB);
    app.fleet.publish("acme/db");
    app.operate(Verb::Setup, "v1", None).unwrap();
    app
}

fn telling(app: &App) -> Vec<Op> {
    let all = every_operation(&app.config, &Version::parse("v1").unwrap());
    let tells = |op: &Op| {
        TELLING.contains(&op.row().name().as_str()) && (!op.row().changes || op.row().name().ends_with("exec"))
    };
    all.into_iter().filter(tells).collect()
}

/// What came of an operation: the hosts that answered, those that failed, and whether something is left to attach.
fn told(app: &App, op: &Op) -> Result<(Vec<String>, Vec<String>, bool), Error> {
    let report = app.perform(op, None, None)?;
    let (mut answered, mut failed) = (Vec::new(), Vec::new());
    for answer in &report.answers {
        match (&answer.outcome, &answer.host) {
            (Ok(_), Some(host)) => answered.push(host.to_string()),
            (Err(error), _) => failed.push(error.host().to_string()),
            _ => {}
        }
    }
    answered.sort();
    answered.dedup();
    Ok((answered, failed, report.attach.is_some()))
}

#[test]
fn what_each_host_says_that_can_be_reached_is_told_and_then_which_could_not_be() {
    let (base, mut seen) = (set_up(), Vec::new());
    let lost: [(&str, Losing); 2] = [
        ("unplugged", |app, host| app.fleet.unplug(host)),
        ("without docker", |app, host| app.fleet.change(host, |host| host.docker = false)),
    ];
    for op in telling(&base) {
        let name = op.row().name();
        for (what, lose) in lost {
            // What is asked without docker has answers of its own.
            if what == "without docker" && !op.row().docker {
                continue;
            }
            for host in ["h1", "h3"] {
                let app = base.fork();
                let (all, none, attached) = told(&app, &op).unwrap();
                lose(&app, host);
                let left: Vec<String> = all.iter().filter(|other| *other != host).cloned().collect();
                match told(&app, &op) {
                    Ok((answered, failed, _)) if !attached => {
                        assert!(none.is_empty());
                        assert_eq!((answered, failed), (left, vec![host.to_owned()]), "{name}, {host} {what}");
                    }
                    // What is shown of one host is shown, whatever becomes of others; whoever shows it connects by himself.
                    Ok((_, failed, attaches)) => {
                        let other = host == "h3" || !op.row().observes;
                        assert!(attaches && failed.is_empty() && other, "{name} {what}");
                    }
                    Err(Error::Hosts(errors)) => {
                        assert!(attached && host == "h1", "{name}, {host} {what}: {errors:?}");
                        assert_eq!(*errors[0].host(), *host, "{name} {what}");
                    }
                    Err(error) => panic!("{name}, {host} {what}: {error}"),
                }
                seen.push(name.clone());
            }
        }
    }
    for wanted in TELLING.iter().filter(|name| **name != "proxy boot_config") {
        assert!(seen.iter().any(|name| name == wanted), "{wanted} was not tried");
    }
}

#[test]
fn where_no_host_can_be_reached_that_is_the_error() {
    for op in telling(&set_up()) {
        let app = set_up();
        for host in ["h1", "h2", "h3"] {
            app.fleet.unplug(host);
        }
        let result = app.perform(&op, None, None);
        let failed = match result {
            Ok(report) => {
                report.answers.iter().all(|answer| answer.outcome.is_err())
                    && (report.attach.is_none() || !op.row().observes)
            }
            Err(error) => error.kind() == ErrorKind::Unreachable,
        };
        assert!(failed, "{}", op.row().name());
    }
}

#[test]
fn a_command_in_running_containers_needs_no_primary_host() {
    let app = set_up();
    app.fleet.unplug("h1");
    let exec =
        Exec { command: CommandLine::Shell("true".to_owned()), reuse: true, env: Vec::new(), attach: Attach::Output };
    let (answered, failed, _) = told(&app, &Op::App(AppOp::Exec(exec))).unwrap();
    assert_eq!((answered, failed), (vec!["h2".to_owned(), "h3".to_owned()], vec!["h1".to_owned()]));
    let follow = LogLines { follow: true, ..LogLines::default() };
    let error = told(&app, &Op::App(AppOp::Logs(Logs { lines: follow, container: None }))).unwrap_err();
    assert!(error.to_string().starts_with("h1: cannot connect"), "{error}");
}

/// Nothing a host does alone comes to anything, so it is not waited for.
#[test]
fn a_host_that_fails_stops_the_others_early() {
    let slow = format!("{THREE}deploy_timeout: 600\n");
    let app = App::deployed(&slow, "v1");
    app.fleet.sicken("v2");
    let probe = app.fork();
    probe.fleet.heal();
    probe.deploy("v2").unwrap();
    for (what, how) in
        [("start app-web-v2", How::Fails), ("pull acme/app:v2", How::Fails), ("pull acme/app:v2", How::LostBefore)]
    {
        let app = app.fork();
        let effects = probe.fleet.effects();
        let at = effects.iter().position(|effect| effect.to_string() == format!("h2: {what}")).unwrap();
        let began = app.fleet.clock().elapsed();
        let error = app.operate(Verb::Deploy, "v2", Some(Fault { at, how })).unwrap_err();
        let took = app.fleet.clock().elapsed() - began;
        assert!(took < seconds(30), "{what}: {took:?}");
        let Error::Hosts(errors) = &error else { panic!("{error}") };
        assert!(errors.iter().any(|error| error.host() == "h2"), "{error}");
        if what.starts_with("start") {
            let given_up = errors.iter().filter(|error| matches!(error, HostError::Abandoned { .. })).count();
            assert_eq!((given_up, error.kind()), (2, ErrorKind::StepFailed), "{error}");
        }
        assert_eq!(app.versions(), ["v1"]);
        assert!(app.locks().is_empty());
        app.fleet.heal();
        app.deploy("v2").unwrap();
        app.assert_converged("v2", "again");
    }
}
