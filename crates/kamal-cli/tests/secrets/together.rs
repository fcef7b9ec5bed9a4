//! Fetches of many vendors from one secrets file run side by side: each stand-in waits until all have begun, so that
//! they end only if none waits for another's end.

use std::{collections::BTreeSet, fs};

use serde_json::json;

use crate::{
    bench::{Answer, Bench, to, word},
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

#[test]
fn items_of_one_vendor_run_side_by_side_where_each_needs_a_run() {
    let get = |item: &'static str| to(&["get", "item", item]).says(&json!({"login": {"password": item}})).meets(item);
    let open = [to(&["status"]).says(&json!({"status": "unlocked"})), to(&["sync"])];
    let bench = Bench::new();
    let meeting = bench.path("meeting");
    fs::create_dir(&meeting).unwrap();
    bench.program("bw", &[&open[..], &["A", "B", "C", "D"].map(get)].concat());
    let bench = bench.with_env("MEETING", &meeting.display().to_string()).with_env("MEETING_OF", "4");
    let ran = bench.kamal(&["secrets", "fetch", "-a", "bitwarden", "--account", "me", "A", "B", "C", "D"]);
    assert_eq!(ran.ok(), "{\"A\":\"A\",\"B\":\"B\",\"C\":\"C\",\"D\":\"D\"}\n");
}

#[test]
fn logins_take_turns_and_are_made_once_per_account() {
    let bench = Bench::new().with_secrets(
        "OP=$(kamal secrets fetch -a 1password --account me v/i/A)\n\
         LP1=$(kamal secrets fetch -a lastpass --account me A)\n\
         LP2=$(kamal secrets fetch -a lastpass --account me B)\n\
         DP=$(kamal secrets fetch -a doppler --from p/c A)\n",
    );
    let field = json!({"id": "A", "label": "A", "value": "a", "reference": "op://v/i/A"});
    let get = ["item", "get", "i", "--vault", "v", "--format", "json", "--account", "me", "--fields", "label=A"];
    bench.program(
        "op",
        &[
            to(&["account", "get", "--account", "me"]).fails(1, ""),
            to(&["signin", "--account", "me", "--force", "--raw"]).alone(),
            to(&get).says(&field),
        ],
    );
    let item = |name: &str| json!([{"fullname": name, "password": name}]);
    bench.program(
        "lpass",
        &[
            to(&["status", "--color", "never"]).fails(1, ""),
            to(&["login", "me"]).alone(),
            to(&["show", "A", "--json"]).says(&item("A")),
            to(&["show", "B", "--json"]).says(&item("B")),
        ],
    );
    bench.program(
        "doppler",
        &[
            to(&["me", "--json"]).fails(1, ""),
            to(&["login", "-y"]).alone(),
            to(&["secrets", "get", "A", "--json", "-p", "p", "-c", "c"]).says(&json!({"A": {"computed": "a"}})),
        ],
    );
    bench.kamal(&["secrets", "print"]).ok();
    assert_eq!(bench.ran().len(), 3 + 4 + 3, "{:?}", bench.ran());
}
