//! Commands that need the project's files alone: `config`, aliases, `secrets print` byte for byte.

use std::fs;

use crate::bench::Bench;

const SOUND: &str = "service: app\nimage: acme/app\nservers: [192.0.2.1]\nregistry: {username: u, password: [P]}\n\
                     builder: {arch: amd64}\n";

fn project(more: &str) -> Bench {
    let bench = Bench::new();
    fs::write(bench.project().join("config/deploy.yml"), format!("{SOUND}{more}")).unwrap();
    bench
}

// spec 1.9
#[test]
fn aliases_are_found_in_a_file_that_is_wrong_otherwise() {
    let bench = project("unknown: 1\naliases: {json: secrets extract A}\n");
    assert_eq!(bench.kamal(&["json", "{\"A\":\"b\"}"]).ok(), "b\n");
}

#[test]
fn aliases_come_from_the_file_and_destination_that_are_named() {
    let bench = project("aliases: {take: secrets extract A}\n");
    let other = format!("{SOUND}aliases: {{take: secrets extract B}}\n");
    fs::write(bench.project().join("other.yml"), other).unwrap();
    fs::write(bench.project().join("other.prod.yml"), "aliases: {take: secrets extract C}\n").unwrap();
    let json = "{\"A\":\"1\",\"B\":\"2\",\"C\":\"3\"}";
    assert_eq!(bench.kamal(&["take", json]).ok(), "1\n");
    for named in [&["-c", "other.yml"][..], &["--config-file=other.yml"], &["-c=other.yml"]] {
        assert_eq!(bench.kamal(&[&["take", json], named].concat()).ok(), "2\n", "{named:?}");
        assert_eq!(bench.kamal(&[&["take", json, "-d=prod"], named].concat()).ok(), "3\n", "{named:?}");
    }
}

#[test]
fn aliases_may_stand_for_aliases_but_not_for_themselves() {
    let bench = project("aliases: {one: two, two: secrets extract, xa: xb, xb: xa}\n");
    assert_eq!(bench.kamal(&["one", "A", "{\"A\":\"b\"}"]).ok(), "b\n");
    assert!(bench.kamal(&["xa"]).refused().contains("it stands for itself"));
}

#[test]
fn hosts_and_roles_that_fit_nothing_are_told_by_config_too() {
    let bench = project("");
    assert!(bench.kamal(&["config", "--version", "1", "-h", "192.0.2.*"]).ok().contains("192.0.2.1"));
    for (switch, pattern, message) in
        [("-h", "10.*", "No --hosts match for 10.*"), ("-r", "jobs", "No --roles match for jobs")]
    {
        let ran = bench.kamal(&["config", "--version", "1", switch, pattern]);
        assert!(ran.refused().starts_with(message), "{}", ran.stderr);
    }
}

#[test]
fn why_there_is_no_commit_is_told() {
    let bench = project("");
    let said = bench.kamal(&["config"]).refused().to_owned();
    assert!(said.starts_with("Can't use commit hash as version, git is not installed\nhelp: "), "{said}");
    let folder = bench.project().canonicalize().unwrap().display().to_string();
    for (git, message) in [
        ("fatal: not a git repository (or any of the parent directories): .git", "no git repository found in "),
        ("fatal: Needed a single revision", "the repository in "),
        ("fatal: detected dubious ownership in repository at '/x'", "the repository in "),
    ] {
        let program = bench.path("bin").join("git");
        fs::write(&program, format!("#!/bin/sh\necho \"{git}\" >&2; exit 128\n")).unwrap();
        fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let said = bench.kamal(&["config"]).refused().to_owned();
        assert!(said.starts_with(&format!("Can't use commit hash as version, {message}{folder}")), "{said}");
    }
}

#[test]
fn secrets_are_printed_byte_for_byte_with_one_line_end() {
    let bench = project("").with_secrets("A='\u{1b}[31m\u{b}x'\nB=\"one\ntwo\n\"\nC=\n");
    assert_eq!(bench.kamal(&["secrets", "print"]).ok(), "A=\u{1b}[31m\u{b}x\nB=one\ntwo\nC=\n");
}
