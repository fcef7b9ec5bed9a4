//! Every vendor through the command: odd values arrive whole, arguments are what the program expects (a stand-in answers
//! to nothing else), and each way it can fail says what to do.

use serde_json::Value;

use crate::{
    bench::{Answer, Bench, Ran},
    cases::{Case, VALUES},
};

fn fetch(case: &Case, answers: &[Answer]) -> (Bench, Ran) {
    let bench = Bench::new();
    bench.program(case.program, answers);
    let ran = bench.kamal(&[&["secrets", "fetch", "--adapter", case.adapter], case.ask].concat());
    (bench, ran)
}

/// Odd values arrive as they are, under the vendor's names, in order, with no run more than the stand-in was told of.
fn gives_all_three(case: &Case) {
    let (bench, ran) = fetch(case, &case.answers);
    let json: Value = serde_json::from_str(ran.ok()).unwrap();
    let found: Vec<(&str, &str)> =
        json.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    let expected: Vec<_> = case.names.into_iter().zip(VALUES).collect();
    assert_eq!(found, expected);
    assert_eq!(bench.ran().len(), case.answers.len(), "{:?}", bench.ran());
    assert_eq!(ran.stderr, "");
}

/// The same in a secrets file: fetched in this process, each secret taken out of it.
fn serves_a_secrets_file(case: &Case) {
    let quoted: Vec<String> = case.ask.iter().map(|word| crate::bench::word(word)).collect();
    let lines = case
        .names
        .iter()
        .enumerate()
        .map(|(index, name)| format!("S{index}=$(kamal secrets extract {} $FETCHED)\n", crate::bench::word(name)));
    let text = format!(
        "FETCHED=$(kamal secrets fetch --adapter {} {})\n{}",
        case.adapter,
        quoted.join(" "),
        lines.collect::<String>()
    );
    let bench = Bench::new().with_secrets(&text);
    bench.program(case.program, &case.answers);
    let printed = bench.kamal(&["secrets", "print"]);
    let expected: String = VALUES.iter().enumerate().map(|(index, value)| format!("S{index}={value}\n")).collect();
    assert!(printed.ok().ends_with(&expected), "{}", printed.stdout);
}

fn is_missed(case: &Case) {
    let ran = Bench::new().kamal(&[&["secrets", "fetch", "--adapter", case.adapter], case.ask].concat());
    let expected =
        format!("{}\nhelp: there is no program `{}` on the PATH; get it from http", case.not_installed, case.program);
    assert!(ran.refused().starts_with(&expected), "{}", ran.stderr);
}

fn wants_a_login(case: &Case) {
    let (_bench, ran) = fetch(case, &case.stranger.0);
    assert_eq!(ran.refused(), case.stranger.1);
}

fn names_what_is_lacking(case: &Case) {
    let (_bench, ran) = fetch(case, &case.lacking.0);
    assert_eq!(ran.refused(), case.lacking.1);
}

macro_rules! vendors {
    ($($vendor:ident)*) => {$(
        mod $vendor {
            use crate::cases;

            #[test]
            fn gives_all_three() {
                super::gives_all_three(&cases::$vendor());
            }

            #[test]
            fn serves_a_secrets_file() {
                super::serves_a_secrets_file(&cases::$vendor());
            }

            #[test]
            fn is_missed() {
                super::is_missed(&cases::$vendor());
            }

            #[test]
            fn wants_a_login() {
                super::wants_a_login(&cases::$vendor());
            }

            #[test]
            fn names_what_is_lacking() {
                super::names_what_is_lacking(&cases::$vendor());
            }
        }
    )*};
}

vendors! {
    onepassword lastpass bitwarden bitwarden_sm aws_secrets_manager aws_ssm_parameter_store doppler gcp passbolt enpass
    vault infisical sops age
}
