//! Fetches of many vendors from one secrets file run side by side: each stand-in waits until all have begun, so that
//! they end only if none waits for another's end.

use std::{collections::BTreeSet, fs};

use crate::{
    bench::{Answer, Bench, word},
    cases::{self, Case, VALUES},
};

fn ten() -> [Case; 10] {
    [
        cases::onepassword(),
        cases::lastpass(),
        cases::bitwarden(),
        cases::bitwarden_sm(),
        cases::aws_secrets_manager(),
        cases::aws_ssm_parameter_store(),
        cases::doppler(),
        cases::gcp(),
        cases::passbolt(),
        cases::enpass(),
    ]
}

#[test]
fn ten_adapters_with_three_secrets_each_run_side_by_side() {
    let cases = ten();
    let (mut text, mut expected) = (String::new(), Vec::new());
    for (index, case) in cases.iter().enumerate() {
        let ask: Vec<String> = case.ask.iter().map(|part| word(part)).collect();
        text += &format!("F{index}=$(kamal secrets fetch --adapter {} {})\n", case.adapter, ask.join(" "));
        for (at, (name, value)) in case.names.iter().zip(VALUES).enumerate() {
            text += &format!("S{index}_{at}=$(kamal secrets extract {} $F{index})\n", word(name));
            expected.push(format!("S{index}_{at}={value}\n"));
        }
    }
    let bench = Bench::new().with_secrets(&text);
    let meeting = bench.path("meeting");
    fs::create_dir(&meeting).unwrap();
    let programs: BTreeSet<&str> = cases.iter().map(|case| case.program).collect();
    for program in programs {
        let of_program = cases.iter().filter(|case| case.program == program);
        let answers: Vec<Answer> = of_program.flat_map(|case| case.answers.clone()).collect();
        bench.program(program, &answers);
    }
    let meeting = meeting.display().to_string();
    let bench = bench.with_env("MEETING", &meeting).with_env("MEETING_OF", "10");
    let printed = bench.kamal(&["secrets", "print"]);
    for line in expected {
        assert!(printed.ok().contains(&line), "{line} is not in\n{}", printed.stdout);
    }
    assert_eq!(fs::read_dir(meeting).unwrap().count(), 10);
    let runs: usize = cases.iter().map(|case| case.answers.len()).sum();
    assert_eq!(bench.ran().len(), runs, "each fetch runs once for its three secrets");
}
