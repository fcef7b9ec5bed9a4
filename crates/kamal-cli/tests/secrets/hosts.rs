//! Questions to hosts that do not answer.

use std::fs;

use crate::bench::Bench;

// They fail as those of an operation do, host by host.
#[test]
fn hosts_that_cannot_be_asked_fail_as_one() {
    let bench = Bench::new();
    // Nothing listens there.
    let file = "service: app\nimage: acme/app\nservers: [127.0.0.1, 127.0.0.2]\nssh: {port: 1}\nbuilder: {arch: amd64}\n\
        registry: {username: u, password: [P]}\n";
    fs::write(bench.project().join("config/deploy.yml"), file).unwrap();
    let ran = bench.kamal(&["audit"]);
    assert_eq!(ran.status, Some(10), "{}", ran.stderr);
    for text in ["2 hosts failed:", "127.0.0.1: connection refused", "127.0.0.2: connection refused"] {
        assert!(ran.stderr.contains(text), "{text}: {}", ran.stderr);
    }
}
