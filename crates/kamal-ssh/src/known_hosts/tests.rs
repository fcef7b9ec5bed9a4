//! known_hosts files as people have them: hashed, with wildcards, ports, authorities and revoked keys.

use proptest::prelude::*;

use super::*;

const ED: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";
const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBMxBTpMIGvo7CnordO7wP0QQRqpBwUjOLl4eMhfucfE1sjTYyK5wmTl1UqoSDS1PtRVTBdl+0+9pquFb46U7fwg=";

fn key(text: &str) -> PublicKey {
    PublicKey::from_openssh(text).unwrap()
}

fn hosts(text: &str) -> KnownHosts {
    KnownHosts::of(text)
}

fn changed(verdict: &Verdict) -> Option<usize> {
    match verdict {
        Verdict::Changed(place, _) => Some(place.line),
        _ => None,
    }
}

#[test]
fn plain_names_ports_and_lists() {
    let known = hosts(&format!("# comment\n\nweb,10.0.0.1 {ED} comment\n[db]:2222 {ED}\n"));
    assert_eq!(known.check("WEB", 22, &key(ED)), Verdict::Known);
    assert_eq!(known.check("10.0.0.1", 22, &key(ED)), Verdict::Known);
    assert_eq!(changed(&known.check("web", 22, &key(OTHER))), Some(3));
    assert_eq!(known.check("db", 2222, &key(ED)), Verdict::Known);
    assert_eq!(known.check("db", 22, &key(ED)), Verdict::Unknown);
    assert_eq!(known.check("web", 2222, &key(ED)), Verdict::Known, "a key recorded without a port");
    assert_eq!(known.check("web", 2222, &key(OTHER)), Verdict::Unknown);
}

#[test]
fn another_algorithm_is_a_change_and_the_same_algorithm_is_named() {
    let known = hosts(&format!("web {ECDSA}\nweb {ED}\n"));
    assert_eq!(changed(&known.check("web", 22, &key(OTHER))), Some(2));
    assert_eq!(known.algorithms("web", 22).len(), 2);
    assert_eq!(changed(&hosts(&format!("web {ECDSA}\n")).check("web", 22, &key(ED))), Some(1));
}

#[test]
fn wildcards_negations_and_marks() {
    let known =
        hosts(&format!("*.example.com,!bad.example.com {ED}\n@cert-authority *.corp {OTHER}\n@revoked * {ECDSA}\n"));
    assert_eq!(known.check("web.example.com", 22, &key(ED)), Verdict::Known);
    assert_eq!(known.check("bad.example.com", 22, &key(ED)), Verdict::Unknown);
    assert_eq!(known.check("web.corp", 22, &key(OTHER)), Verdict::Unknown, "an authority's key is no host's");
    assert_eq!(known.authorities("web.corp", 22).count(), 1);
    assert!(matches!(known.check("web.example.com", 22, &key(ECDSA)), Verdict::Revoked(place) if place.line == 3));
}

#[test]
fn hashed_names_as_ssh_keygen_writes_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kh");
    std::fs::write(&file, format!("web.example.com {ED}\n[web.example.com]:2222 {OTHER}\n")).unwrap();
    let run = std::process::Command::new("ssh-keygen").arg("-H").arg("-f").arg(&file).output().unwrap();
    assert!(run.status.success(), "{run:?}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("example"), "{text}");
    let known = KnownHosts::load(&[file]).unwrap();
    assert_eq!(known.check("web.example.com", 22, &key(ED)), Verdict::Known);
    assert_eq!(known.check("web.example.com", 2222, &key(OTHER)), Verdict::Known);
    assert_eq!(changed(&known.check("web.example.com", 2222, &key(ED))), Some(2));
    assert_eq!(known.check("other.example.com", 22, &key(ED)), Verdict::Unknown);
}

#[test]
fn a_recorded_key_is_found_again_and_the_file_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".ssh/known_hosts");
    record(&file, "Web", 22, &key(ED), false).unwrap();
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().trim_end()).unwrap();
    record(&file, "web", 2222, &key(OTHER), false).unwrap();
    let known = KnownHosts::load(std::slice::from_ref(&file)).unwrap();
    assert_eq!(known.check("web", 22, &key(ED)), Verdict::Known);
    assert_eq!(known.check("web", 2222, &key(OTHER)), Verdict::Known);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_unreadable_file_is_not_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    assert!(KnownHosts::load(&[folder.path().to_owned()]).is_err());
    assert!(KnownHosts::load(&[folder.path().join("missing")]).is_ok());
}

fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        "[@|!*?,a-z0-9\\[\\]:=/+#-]{0,30}",
        Just("web".to_owned()),
        Just("@cert-authority".to_owned()),
        Just("@revoked".to_owned()),
        "\\|1\\|[A-Za-z0-9+/=|]{0,60}",
        "[*?]{1,400}",
        Just(ED.to_owned()),
        Just(OTHER.to_owned()),
        Just(ECDSA.to_owned()),
        "(ssh-rsa|ssh-dss|ecdsa-sha2-nistp256|sk-ssh-ed25519@openssh.com|ssh-ed25519) AAAA[A-Za-z0-9+/]{0,80}={0,2}",
        "\\PC{0,20}",
    ]
}

proptest! {
    #[test]
    fn hostile_files_are_only_passed_over(
        host in "[a-z0-9.]{1,12}(:[1-9][0-9]{0,3})?",
        lines in prop::collection::vec(prop::collection::vec(field(), 0..6), 0..12),
        blank in "[ \t]{1,3}|\r| \u{b}",
    ) {
        let lines: Vec<String> = lines.iter().map(|fields| fields.join(&blank)).collect();
        crate::fuzzing::known_hosts(&format!("{host}\n{}", lines.join("\n")));
    }
}

/// A line of a megabyte, and patterns that take a naive matcher for ever.
#[test]
fn long_lines_are_read_in_no_time() {
    let began = std::time::Instant::now();
    let stars = "*a".repeat(10_000);
    let known = hosts(&format!("{} {ED}\n{stars} {ED}\nweb {OTHER}\n", "x,".repeat(1 << 16)));
    assert_eq!(known.check(&"a".repeat(255), 22, &key(ED)), Verdict::Unknown);
    assert_eq!(known.check("web", 22, &key(OTHER)), Verdict::Known);
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
}
