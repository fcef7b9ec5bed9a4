//! The command line of `kamal secrets` itself.

use crate::bench::{Bench, real_path, to};

const TEST: [&str; 6] = ["secrets", "fetch", "--adapter", "test", "--account", "me"];

#[test]
fn fetch_prints_compact_json_and_extract_takes_it_apart_in_any_folder() {
    let bench = Bench::new();
    std::fs::remove_dir_all(bench.project().join("config")).unwrap();
    let json = bench.kamal(&[&TEST[..], &["foo", "bar"]].concat());
    assert_eq!(json.ok(), "{\"foo\":\"oof\",\"bar\":\"rab\"}\n");
    assert_eq!(bench.kamal(&["secrets", "extract", "foo", json.ok()]).ok(), "oof\n");
    let inline = bench.kamal(&[&TEST[..], &["--from", "f", "b r", "--inline"]].concat());
    assert_eq!(inline.ok(), "\\{\\\"f/b\\ r\\\":\\\"r\\ b/f\\\"\\}\n");
    assert_eq!(bench.kamal(&["secrets", "extract", "r", "{\"f/r\":\"a\\u001b[31m\\n\"}"]).ok(), "a\u{1b}[31m\n");
}

#[test]
fn a_missing_account_is_no_error_as_in_kamal_but_one_in_a_secrets_file() {
    for account in [&[][..], &["--account", " "]] {
        let ran = Bench::new().kamal(&[&["secrets", "fetch", "-a", "1password", "A"], account].concat());
        assert_eq!(ran.ok(), "No value provided for required options '--account'\n");
    }
    let bench = Bench::new().with_secrets("\nA=$(kamal secrets fetch -a 1password A)\n");
    assert_eq!(
        bench.kamal(&["secrets", "print"]).refused(),
        ".kamal/secrets:2: A: Missing required option '--account'"
    );
}

#[test]
fn slips_are_explained() {
    let bench = Bench::new();
    assert_eq!(
        bench.kamal(&["secrets", "fetch", "-a", "dopler", "A"]).refused(),
        "Unknown secrets adapter: dopler\nhelp: did you mean `doppler`?"
    );
    assert!(bench.kamal(&["secrets", "fetch", "A"]).stderr.contains("required options '--adapter'"));
    assert_eq!(
        bench.kamal(&["secrets", "extract", "B", "{\"A\":\"hunter2\"}"]).refused(),
        "Could not find secret B\nhelp: fetched were A"
    );
    let error = bench.kamal(&["secrets", "extract", "A", "hunter2"]);
    assert!(error.refused().starts_with("what `kamal secrets extract` was given is no JSON object"));
    assert!(!error.stderr.contains("hunter2"));
    assert!(
        bench.kamal(&["secrets", "extract", "A"]).refused().starts_with("there is nothing to extract A from\nhelp: ")
    );
    let help = bench.kamal(&["secrets", "fetch", "--help"]);
    for adapter in ["1password", "aws_ssm_parameter_store", "infisical", "age"] {
        assert!(help.ok().contains(adapter), "{}", help.stdout);
    }
}

#[test]
fn a_slip_in_a_secrets_file_has_its_place_and_shows_no_secret() {
    for (line, expected) in [
        ("A=$(kamal secrets fetch -a dopler A)", "A: Unknown secrets adapter: dopler\nhelp: did you mean `doppler`?"),
        ("A=$(kamal secrets extract A $NOTHING)", "A: there is nothing to extract A from\nhelp: "),
        ("A=$(kamal secrets fetch -a test --account me X | jq -r .X)", "A: `|` has no meaning in $(kamal secrets …)"),
        ("A=$(kamal secrets print)", "A: a secrets file cannot print itself"),
        ("A=$(kamal secrets extract X '{\"A\":\"hunter2\"}' --hunter2)", "A: `kamal secrets …` has arguments"),
    ] {
        let ran = Bench::new().with_secrets(&format!("# note\n{line}\n")).kamal(&["secrets", "print"]);
        assert!(ran.refused().starts_with(&format!(".kamal/secrets:2: {expected}")), "{}", ran.stderr);
        assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    }
}

#[test]
fn an_empty_variable_that_leaves_a_switch_without_a_value_is_named() {
    for (line, expected) in [
        ("--account $OP_ACCOUNT --from $OP_VAULT/app KEY", "A: --account has no value, since $OP_ACCOUNT is empty"),
        ("--account me --from ${OP_VAULT} KEY", "A: --from has no value, since $OP_VAULT is empty"),
    ] {
        let text = format!("\nA=$(kamal secrets fetch --adapter 1password {line})\n");
        let ran = Bench::new().with_secrets(&text).kamal(&["secrets", "print"]);
        assert_eq!(ran.refused(), format!(".kamal/secrets:2: {expected}"));
    }
    let text = "S=$(kamal secrets extract A $NOTHING)\n";
    assert!(
        Bench::new().with_secrets(text).kamal(&["secrets", "print"]).refused().ends_with("help: $NOTHING is empty")
    );
}

#[test]
fn a_missing_program_is_an_error_with_its_place() {
    let ran =
        Bench::new().with_secrets("P=x\nA=$(nosuchtool read a)\nC=ok\n").kamal_on(&real_path(), &["secrets", "print"]);
    let said = ran.stderr.clone();
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(1), ""));
    assert!(said.contains(".kamal/secrets:2: A: a program of its command is not there"), "{said}");
    // What was printed before counts, as in Kamal.
    let ran = Bench::new().with_secrets("A=$(echo x; nosuchtool)\n").kamal_on(&real_path(), &["secrets", "print"]);
    assert_eq!(ran.ok(), "A=x\n");
}

#[test]
fn constructs_of_a_shell_are_refused_all_at_once() {
    let text = "P=${UNSET_X:-abc}\nB=\"a ${UNSET_X-d}\"\nC=${UNSET_X:?must}\nD=${UNSET_X:=zz}\nE=${B%%x}\nF=${#B}\n\
                G=${B:0:2}\nH=${B/a/b}\nI=$(echo ${B:+c})\nJ=${!B}\nK=${B^^}\nL=${A.B}\n";
    for command in [&["secrets", "print"][..], &["registry", "login"]] {
        let ran = Bench::new().with_secrets(text).kamal(command);
        for (at, construct) in [
            "${UNSET_X:-abc}",
            "${UNSET_X-d}",
            "${UNSET_X:?must}",
            "${UNSET_X:=zz}",
            "${B%%x}",
            "${#B}",
            "${B:0:2}",
            "${B/a/b}",
            "${B:+c}",
            "${!B}",
            "${B^^}",
            "${A.B}",
        ]
        .iter()
        .enumerate()
        {
            let line = format!(".kamal/secrets:{}: ", at + 1);
            let told = ran.refused().lines().any(|told| told.contains(&line) && told.contains(construct));
            assert!(told, "{construct}: {}", ran.stderr);
        }
    }
    for (text, told) in [
        ("A=${X:-${Y:-d}}", "${X:-${Y:-d}} is shell syntax"),
        ("A=$(cat <<E\nx\nE\n)", "in double quotes it may go over several lines"),
        ("A=$(echo \"x\ny\")", "$( begins a command that is not closed"),
        ("A=\"x$(echo y\"", "$( begins a command that is not closed"),
        ("A=$'a\\n'", "$'…' is shell syntax"),
    ] {
        let ran = Bench::new().with_secrets(text).kamal(&["secrets", "print"]);
        let line = ran.refused().lines().next().unwrap_or_default();
        assert!(line.contains(".kamal/secrets:1: A: ") && line.contains(told), "{text}: {}", ran.stderr);
    }
    let sound =
        "A='${X:-d}'\nB=\\${X:-d}\nC=${X}y\nD=$X-e\nE=a#${#b\nF='$(x'\nG=\\$(x\nH=$()\nI=a`b`\nJ=\"$(\n echo 1\n)\"\n";
    assert_eq!(
        Bench::new().with_secrets(sound).kamal_on(&real_path(), &["secrets", "print"]).ok(),
        "A=${X:-d}\nB=${X:-d}\nC=y\nD=-e\nE=a\nF=$(x\nG=$(x\nH=$()\nI=a`b`\nJ=1\n"
    );
}

#[test]
fn backslashes_in_a_command_are_the_commands() {
    for (line, value) in [
        ("A=$(echo \"a,b\" | tr \",\" \"\\n\" | tail -1)", "b"),
        ("A=$(echo K=kv | sed -E 's/^K=(.*)$/\\1/')", "kv"),
        ("A=$(echo K=kv | sed 's/^K=\\(.*\\)/\\1/')", "kv"),
        ("A=$(printf 'a\\tb')", "a\tb"),
        ("A=$(printf 'a\\\\tb')", "a\tb"),
        ("A=$(echo a\\ \\ b)", "a  b"),
        ("A=$(echo \"{\\\"a\\\":1}\")", "{\"a\":1}"),
        ("A=\"$(echo \\\"a  b\\\")\"", "a  b"),
        ("A=$(echo x.y | sed 's/\\./-/')", "x-y"),
        ("A=$(echo one two | awk '{print \\$2}')", "two"),
        ("A=\\a\\\\b", "a\\b"),
    ] {
        let ran = Bench::new().with_secrets(&format!("{line}\n")).kamal_on(&real_path(), &["secrets", "print"]);
        assert_eq!(ran.ok(), format!("A={value}\n"), "{line}");
    }
}

#[test]
fn a_program_that_is_none_is_no_missing_one() {
    let bench = Bench::new();
    std::fs::write(bench.path("bin/sops"), "not executable").unwrap();
    let ran = bench.kamal(&["secrets", "fetch", "-a", "sops", "--from", "f", "A"]);
    assert_eq!(ran.refused(), "cannot run `sops`: Permission denied (os error 13)");
}

#[test]
fn what_no_secret_needs_is_not_fetched_and_what_two_need_is_fetched_once() {
    let bench = Bench::new().with_secrets(
        "S=$(kamal secrets fetch -a sops --from f)\nA=$(kamal secrets extract A $S)\nB=$(kamal secrets extract B $S)\n",
    );
    bench.program("sops", &[to(&["decrypt", "--output-type", "json", "f"]).says(&"{\"A\":\"a\",\"B\":\"b\"}")]);
    bench.kamal(&["config"]);
    assert!(bench.ran().is_empty(), "{:?}", bench.ran());
    assert!(bench.kamal(&["secrets", "print"]).ok().ends_with("A=a\nB=b\n"));
    assert_eq!(bench.ran().len(), 1);
}

#[test]
fn bytes_that_are_no_text_are_refused_rather_than_changed() {
    use std::{fs, os::unix::fs::PermissionsExt};
    let bench = Bench::new();
    let path = bench.path("bin/sops");
    fs::write(&path, "#!/bin/sh\nprintf '{\"A\":\"caf\\351\"}'\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let ran = bench.kamal(&["secrets", "fetch", "-a", "sops", "--from", "f", "A"]);
    assert!(ran.refused().starts_with("`sops` printed something else than the JSON expected of it"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("caf"), "{}", ran.stderr);
}

#[test]
fn a_program_that_is_killed_has_not_answered() {
    let bench = Bench::new();
    bench.program("sops", &[to(&["decrypt", "--output-type", "json", "f"]).says(&"{\"A\":\"half\"}").killed()]);
    let ran = bench.kamal(&["secrets", "fetch", "-a", "sops", "--from", "f", "A"]);
    assert_eq!(ran.refused(), "Could not decrypt f with sops: it was ended by a signal");
}
