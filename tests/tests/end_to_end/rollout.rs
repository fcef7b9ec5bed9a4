//! `rollout`: a version beside the one that is live, for a part of the requests, every one of which is counted.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use kamal_tests::app::App;

/// How many visitors come.
const VISITORS: u64 = 400;

/// A number as good as a random one, and the same each time: what is alike the proxy does not spread evenly.
fn scattered(visitor: u64) -> u64 {
    (visitor + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Sends a request of each visitor, with a cookie of his own or without one, and counts the versions that answered.
fn visits(app: &App, cookie: bool) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    for host in app.hosts() {
        for visitor in 0..VISITORS {
            let cookie = if cookie {
                format!("cookie: a=b; kamal-rollout={:016x}\r\n", scattered(visitor))
            } else {
                String::new()
            };
            let asked = format!("GET / HTTP/1.1\r\nhost: {}.test\r\n{cookie}connection: close\r\n\r\n", app.service);
            let mut stream = TcpStream::connect(SocketAddr::from((host.address, 80))).unwrap();
            stream.write_all(asked.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            let version =
                answer.lines().find_map(|line| line.to_lowercase().strip_prefix("x-version: ").map(str::to_owned));
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            *answers.entry(version.unwrap_or_default()).or_default() += 1;
        }
    }
    answers
}

/// The part of the visitors, in percent, that a version answered.
fn part(app: &App, version: &str) -> f64 {
    let answers = visits(app, true);
    let all: usize = answers.values().sum();
    100.0 * f64::from(u32::try_from(answers.get(version).copied().unwrap_or_default()).unwrap())
        / f64::from(u32::try_from(all).unwrap())
}

#[test]
fn a_version_gets_as_many_requests_as_it_was_given_and_none_is_lost() {
    let app = App::on_two("e2e-rollout");
    let first = app.set_up();
    let loads = app.hosts().into_iter().map(|host| app.load_on(host, 50)).collect::<Vec<_>>();
    let second = app.release();
    app.ok(&["rollout", "deploy", "--percent", "10"]);
    assert!((5.0..15.0).contains(&part(&app, &second)), "{}", part(&app, &second));
    // Who has no cookie is not asked.
    assert_eq!(visits(&app, false).into_keys().collect::<Vec<_>>(), std::slice::from_ref(&first));
    let status = app.ok(&["status"]);
    assert!(status.contains(&format!("Rollout of {} under way: 10 %", &second[..12])), "{status}");
    app.fails(&["deploy"]).says(&["a rollout of", "is under way", "kamal rollout abort"]);
    app.ok(&["rollout", "set", "50%"]);
    assert!((40.0..60.0).contains(&part(&app, &second)), "{}", part(&app, &second));
    app.ok(&["rollout", "set", "0"]);
    assert_eq!(visits(&app, true).into_keys().collect::<Vec<_>>(), std::slice::from_ref(&first));

    app.ok(&["rollout", "set", "100"]);
    assert_eq!(visits(&app, true).into_keys().collect::<Vec<_>>(), std::slice::from_ref(&second));
    app.ok(&["rollout", "abort"]);
    assert_eq!(visits(&app, true).into_keys().collect::<Vec<_>>(), std::slice::from_ref(&first));
    assert_eq!(app.states(&second), ["", ""]);

    // Killed while it is led to, the same command again ends what was begun.
    let begin = app.start(&["rollout", "deploy", "--percent", "30"]);
    app.await_running(&second);
    begin.signal("KILL");
    drop(begin.wait());
    app.ok(&["rollout", "deploy", "--percent", "30"]);
    assert!((22.0..38.0).contains(&part(&app, &second)), "{}", part(&app, &second));
    app.ok(&["rollout", "promote"]);
    assert_eq!(visits(&app, false).into_keys().collect::<Vec<_>>(), std::slice::from_ref(&second));
    assert_eq!(
        (app.states(&second), app.states(&first)),
        (vec!["running".to_owned(); 2], vec!["exited".to_owned(); 2])
    );
    assert!(app.ok(&["rollout", "promote"]).contains("No rollout is under way"));
    for tally in loads.into_iter().map(xtask::load::Load::stop) {
        assert_eq!(tally.failed, Vec::<String>::new(), "{tally:?}");
        assert!(tally.sent > 100, "{tally:?}");
    }
    assert!(!app.locked());
}
