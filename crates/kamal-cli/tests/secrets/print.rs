//! `kamal secrets print` against what Kamal 2.12 was recorded to print for each file.

use indexmap::IndexMap;
use serde::Deserialize;

use crate::bench::{Bench, real_path};

#[derive(Deserialize)]
struct Case {
    secrets: String,
    exit: i32,
    stdout: String,
}

#[test]
fn every_recorded_file_prints_as_in_kamal() {
    let recorded = include_str!("../../../kamal-core/tests/conformance/dotenv.json");
    let cases: IndexMap<String, Case> = serde_json::from_str(recorded).unwrap();
    assert_eq!(cases.len(), 10);
    for (name, case) in &cases {
        // The two differences of PARITY.md: a parenthesis in quotes, and a line end a command printed.
        let expected = match name.as_str() {
            "command" => case.stdout.replace("I=b\")\n", "I=a)b\n").replace("F=l1nl2\n", "F=l1\nl2\n"),
            _ => case.stdout.clone(),
        };
        let ran = Bench::new()
            .with_secrets(&case.secrets)
            .with_env("HOME_X", "hx")
            .kamal_on(&real_path(), &["secrets", "print"]);
        assert_eq!((ran.status, ran.stdout), (Some(case.exit), expected), "{name}: {}", ran.stderr);
    }
}

#[test]
fn kamals_own_idiom_works_without_any_program() {
    let text = "SECRETS=$(kamal secrets fetch --adapter test --account me --from f LPAREN'\"'RPAREN 文中 A_B)\n\
                ONE=$(kamal secrets extract LPAREN'\"'RPAREN $SECRETS)\n\
                TWO=$(kamal secrets extract 文中 ${SECRETS})\n\
                THREE=\"[$(kamal secrets extract f/A_B $SECRETS)]\"\n";
    let ran = Bench::new().with_secrets(text).kamal(&["secrets", "print"]);
    let expected = "SECRETS=\\{\\\"f/LPAREN\\\\\\\"RPAREN\\\":\\\")\\\\\\\"(/f\\\",\\\"f/文中\\\":\\\"中文/f\\\",\\\"f/A_B\\\":\\\"B_A/f\\\"\\}\n"
        .replace(")\\\\\\\"(/f", "\\)\\\\\\\"\\(/f")
        .replace('文', "\\文")
        .replace('中', "\\中");
    assert_eq!(ran.ok(), format!("{expected}ONE=)\"(/f\nTWO=中文/f\nTHREE=[B_A/f]\n"));
}
