//! The examples that need no host, run as whoever reads them would.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{process::Command, sync::Arc, time::Duration};

use kamal::core::testing::exec_suite;

#[path = "../examples/transport.rs"]
#[expect(dead_code, reason = "the program around it is run by itself")]
mod transport;

/// Runs an example, which cargo has built beside the tests, and returns what it printed.
fn run(name: &str) -> String {
    let tests = std::env::current_exe().unwrap();
    let example = tests.parent().unwrap().with_file_name("examples").join(name);
    // One of them takes the folder it runs in for a host's home.
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(&example).current_dir(home.path()).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", example.display()));
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{name}: {}\n{out}{err}", output.status);
    out
}

fn tells(name: &str, expected: &[&str]) {
    let told = run(name);
    for text in expected {
        assert!(told.contains(text), "{name} does not tell {text:?}:\n{told}");
    }
}

#[test]
fn a_text_is_validated() {
    let places = ["config/deploy.yml:6:13", "config/deploy.yml:11:3", "passwort"];
    tells("validate", &places);
}

#[test]
fn simulated_hosts_are_deployed_to() {
    tells("fleet", &["v3 is served by all"]);
}

#[test]
fn hooks_steps_and_builders_are_ones_own() {
    let expected = [
        "the build service builds v1",
        "v1: deployed; served: v1, v1",
        "v2-rc: Hook `pre-deploy` failed",
        "the checkout page of v3 answers with an error",
        "v4: deployed; served: v4, v4",
    ];
    tells("hooks", &expected);
}

#[test]
fn another_transport_is_four_methods() {
    tells("transport", &["here: Linux"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_transport_keeps_what_the_engine_relies_on() {
    let home = tempfile::tempdir().unwrap();
    let here = Arc::new(transport::Here { home: home.path().to_owned() });
    let broken =
        exec_suite(|| here.clone(), &"h1".parse().unwrap(), || tokio::time::sleep(Duration::from_secs(60))).await;
    assert!(broken.is_empty(), "{broken:#?}");
}
