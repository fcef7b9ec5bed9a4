//! Each cause is told by its signs, and by nothing else.

use super::*;
use crate::state::ContainerState;

fn expected() -> Expectation {
    let probe = Probe { port: 80, path: "/up".to_owned(), timeout: 5 };
    Expectation { probe: Some(probe), limit: 30, built_for: vec!["amd64".to_owned()] }
}

fn running() -> Evidence {
    Evidence {
        state: Some(ContainerState::Running),
        on_network: Some(true),
        listeners: Some(vec![Listener { port: 80, loopback: false }]),
        ran: Some(31),
        silent: Some(25),
        disk_free: Some(9_000_000_000),
        memory_free: Some(900_000_000),
        ..Evidence::default()
    }
}

fn ended(exit_code: i32) -> Evidence {
    Evidence { state: Some(ContainerState::Exited), exit_code, listeners: None, ..running() }
}

fn answers(status: u16, headers: &[(&str, &str)], body: &str) -> Evidence {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Evidence { answer: Answer::Response(Response { status, headers, body: body.to_owned() }), ..running() }
}

fn listening(all: &[(u16, bool)]) -> Evidence {
    let listeners = all.iter().map(|&(port, loopback)| Listener { port, loopback }).collect();
    Evidence { listeners: Some(listeners), answer: Answer::Refused, ..running() }
}

fn with_clue(evidence: Evidence, kind: ClueKind, line: &str) -> Evidence {
    Evidence { clues: vec![Clue { kind, line: line.to_owned() }], ..evidence }
}

#[test]
fn each_cause_is_told_by_its_signs() {
    let health =
        |status: &str, exit_code| HealthCommand { status: status.to_owned(), exit_code, output: String::new() };
    let cases: Vec<(Evidence, Cause, &[&str])> = vec![
        (
            with_clue(ended(255), ClueKind::Format, "exec /server: exec format error"),
            Cause::WrongArchitecture,
            &["builder/arch", "amd64"],
        ),
        (ended(127), Cause::MissingProgram, &["`cmd`"]),
        (ended(126), Cause::NotExecutable, &["chmod +x"]),
        (Evidence { out_of_memory: true, ..ended(137) }, Cause::OutOfMemory, &["options/memory"]),
        (Evidence { memory_free: Some(1_000_000), ..ended(137) }, Cause::OutOfMemory, &["host had no memory"]),
        (with_clue(ended(1), ClueKind::Memory, "JavaScript heap out of memory"), Cause::OutOfMemory, &["heap"]),
        (with_clue(ended(1), ClueKind::Disk, "No space left on device"), Cause::DiskFull, &["9000 MB", "prune"]),
        (Evidence { disk_free: Some(1_000_000), ..ended(1) }, Cause::DiskFull, &["1 MB"]),
        (
            Evidence { state: Some(ContainerState::Created), error: "port is already allocated".into(), ..ended(128) },
            Cause::NotStarted,
            &["already allocated"],
        ),
        (
            with_clue(ended(1), ClueKind::Name, "getaddrinfo ENOTFOUND db"),
            Cause::NameUnknown,
            &["ENOTFOUND db", "accessory"],
        ),
        (
            with_clue(answers(500, &[], ""), ClueKind::Network, "connect ECONNREFUSED"),
            Cause::NetworkUnreachable,
            &["ECONNREFUSED"],
        ),
        (ended(139), Cause::Signal, &["11 (SIGSEGV)", "31 s"]),
        (ended(0), Cause::Finished, &["foreground"]),
        (ended(3), Cause::Exited, &["exit code 3"]),
        (Evidence { restarts: 5, ..running() }, Cause::Exited, &["restarted 5 times"]),
        (Evidence { on_network: Some(false), ..running() }, Cause::OffNetwork, &["`network`"]),
        (
            with_clue(answers(403, &[], "Blocked hosts: 1234:80"), ClueKind::Host, "Blocked hosts: 1234:80"),
            Cause::HostRefused,
            &["Blocked hosts", "host_authorization"],
        ),
        (answers(301, &[("Location", "https://x/up")], ""), Cause::RedirectsToHttps, &["https://x/up", "ssl_options"]),
        (answers(302, &[("location", "/login")], ""), Cause::Redirects, &["/login", "healthcheck/path"]),
        (answers(401, &[("WWW-Authenticate", "Basic")], ""), Cause::LoginWanted, &["401", "WWW-Authenticate: Basic"]),
        (answers(403, &[], "no"), Cause::LoginWanted, &["403"]),
        (answers(404, &[], "nothing\u{1b}[31m here"), Cause::NotFound, &["/up with 404", "nothing [31m here"]),
        (answers(503, &[], "oops"), Cause::ServerError, &["503", "oops"]),
        (answers(200, &[], "fine"), Cause::TooSlow, &["within 30 s", "after 31 s", "deploy_timeout: 60"]),
        (answers(418, &[], ""), Cause::OtherAnswer, &["418"]),
        (Evidence { answer: Answer::Silent, ..running() }, Cause::SlowAnswer, &["within 5 s", "timeout: 15"]),
        (Evidence { answer: Answer::NotHttp, ..running() }, Cause::NotHttp, &["app_port"]),
        (listening(&[(80, true)]), Cause::LoopbackOnly, &["0.0.0.0"]),
        (listening(&[(3000, true)]), Cause::LoopbackOnly, &["3000"]),
        (listening(&[(3000, false), (9394, true)]), Cause::OtherPort, &["app_port: 3000", "9394 (127.0.0.1 only)"]),
        (listening(&[]), Cause::NothingListens, &["nor on any other", "deploy_timeout: 60"]),
        (Evidence { silent: Some(1), ..listening(&[]) }, Cause::TooSlow, &["still starts"]),
        (Evidence { health: Some(health("unhealthy", 7)), ..running() }, Cause::HealthCommand, &["exit status 7"]),
        (Evidence { health: Some(health("starting", 0)), ..running() }, Cause::TooSlow, &["no result yet"]),
        (Evidence::default(), Cause::Unknown, &["kamal app logs"]),
    ];
    for (evidence, cause, pieces) in &cases {
        let found = Diagnosis::of(evidence, &expected());
        let told = format!("{found}\n{}", found.advice);
        assert_eq!(found.cause, *cause, "{told}");
        for piece in *pieces {
            assert!(told.contains(piece), "{piece}: {told}");
        }
        assert!(
            !told.contains(['{', '}']) || told.contains("->(request)") || told.contains("no-healthcheck"),
            "{told}"
        );
    }
    for cause in Cause::all() {
        assert!(cases.iter().any(|(_, shown, _)| *shown == cause), "{} is not shown", cause.name());
    }
}

/// A line in a log explains a failure, and nothing else: an app that answers may complain about what it likes.
#[test]
fn what_a_log_says_is_no_cause_of_what_it_does_not_explain() {
    let complains = |evidence| with_clue(evidence, ClueKind::Network, "connection refused");
    for (evidence, cause) in [
        (answers(404, &[], ""), Cause::NotFound),
        (answers(301, &[("location", "https://x/")], ""), Cause::RedirectsToHttps),
        (listening(&[(3000, false)]), Cause::OtherPort),
    ] {
        assert_eq!(Diagnosis::of(&complains(evidence), &expected()).cause, cause);
    }
}

#[test]
fn names_are_those_of_the_serialised_form() {
    for cause in Cause::all() {
        assert_eq!(serde_json::to_value(cause).unwrap(), cause.name());
    }
}

#[test]
fn the_documentation_has_the_table() {
    let page = include_str!("../../../../docs/diagnosis.md");
    assert!(page.contains(&table_as_markdown()), "docs/diagnosis.md should have:\n{}", table_as_markdown());
}
