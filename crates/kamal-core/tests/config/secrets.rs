//! Secrets files from the outside: what Kamal printed for each recorded file, laziness, messages.

use std::cell::RefCell;
use std::collections::HashMap;

use indexmap::IndexMap;
use kamal_core::secret::Secret;
use kamal_core::secrets::{CommandError, Commands, Ran, Secrets, SecretsFile, parse};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    secrets: String,
    stdout: String,
}

/// Runs commands in a real shell and remembers them.
#[derive(Debug, Default)]
struct Shell {
    ran: RefCell<Vec<String>>,
    inline: HashMap<String, String>,
}

impl Commands for Shell {
    fn env(&self, name: &str) -> Option<String> {
        (name == "HOME_X").then(|| "hx".to_owned())
    }

    #[expect(clippy::disallowed_methods, reason = "the recorded cases need a real shell")]
    fn run(&self, command: &str) -> Result<Ran, CommandError> {
        self.ran.borrow_mut().push(command.to_owned());
        let output = std::process::Command::new("sh").args(["-c", command]).env("HOME_X", "hx").output();
        let output = output.map_err(|error| CommandError::NotRun(error.to_string()))?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(Ran::printed(printed).ended(output.status.code().unwrap_or(-1)))
    }

    fn inline_kamal(&self, args: &[String]) -> Result<String, CommandError> {
        self.ran.borrow_mut().push(format!("inline {}", args.join("|")));
        self.inline.get(&args[1]).cloned().ok_or_else(|| CommandError::NotRun("the vault is locked".to_owned()))
    }
}

fn file(text: &str) -> SecretsFile {
    SecretsFile::new(".kamal/secrets", Secret::new(text))
}

fn printed(text: &str, commands: &dyn Commands) -> String {
    let secrets = parse(&file(text), commands).unwrap();
    secrets.iter().map(|(key, value)| format!("{key}={}\n", value.expose())).collect()
}

fn value(text: &str) -> String {
    parse(&file(text), &Shell::default()).unwrap()["A"].expose().to_owned()
}

#[test]
fn every_recorded_file_agrees() {
    let cases: IndexMap<String, Case> = serde_json::from_str(include_str!("../conformance/dotenv.json")).unwrap();
    assert_eq!(cases.len(), 10);
    for (name, case) in &cases {
        // Two things Kamal gets plainly wrong: a parenthesis in quotes ends its command, and a backslash inside a
        // command is lost on the way to the shell.
        let expected = match name.as_str() {
            "command" => case.stdout.replace("I=b\")\n", "I=a)b\n").replace("F=l1nl2\n", "F=l1\nl2\n"),
            _ => case.stdout.clone(),
        };
        assert_eq!(printed(&case.secrets, &Shell::default()), expected, "{name}");
    }
}

#[test]
fn only_what_is_asked_for_runs_and_only_once() {
    let shell = Shell::default();
    let text = "A=$(echo one)\nB=$(echo $A two)\nC=$(echo never)\nD=$(echo one)\n";
    let secrets = Secrets::new(&[file(text)], &[]).unwrap();
    assert!(shell.ran.borrow().is_empty());
    for _ in 0..2 {
        assert_eq!(secrets.get("B", &shell).unwrap().expose(), "one two");
    }
    assert_eq!(secrets.get("D", &shell).unwrap().expose(), "one");
    assert_eq!(*shell.ran.borrow(), ["echo one", "echo one two"]);
}

#[test]
fn what_a_command_prints_is_not_expanded_again() {
    // \044 is the dollar sign: as one in the command's own text it would be expanded before the command runs.
    assert_eq!(value("X=no\nA=$(printf 'pa\\044X\\044{X}\\044(id)')\n"), "pa$X${X}$(id)");
}

#[test]
fn oddities_of_the_gem() {
    assert_eq!(value("\u{feff}A=1\n"), "1");
    assert_eq!(value("A=$HOME_X}\n"), "hx");
    assert_eq!(value("A={$HOME_X}\n"), "{hx");
    assert_eq!(value("A=${HOME_X\n"), "hx");
    assert_eq!(value("DOTENV_LINEBREAK_MODE=legacy\nA=\"a\\nb\"\n"), "a\nb");
    assert_eq!(value("A=\"a\\nb\"\nDOTENV_LINEBREAK_MODE=legacy\n"), "a\\nb");
    let shell = Shell { inline: [("extract".to_owned(), "x".to_owned())].into(), ..Shell::default() };
    assert_eq!(printed("A=$( kamal  secrets extract P '{}')\n", &shell), "A=x\n");
}

#[test]
fn commands_may_hold_what_would_end_a_value() {
    assert_eq!(value("A=$(echo \"a#b\") # note\n"), "a#b");
    assert_eq!(value("A=\"$(echo \\\"a b\\\")\"\n"), "a b");
    assert_eq!(value("A=$(printf 'a\\tb')\n"), "a\tb");
    assert_eq!(value("A=$(printf 'a\\\\tb')\n"), "a\tb");
    assert_eq!(value("A=$(echo it's) # unbalanced\n"), "");
}

#[test]
fn kamal_secrets_runs_inside_with_the_variables_as_words() {
    let inline = [
        ("fetch".to_owned(), "\\{\\\"P\\\":\\\"x\\ \\(y\\)\\\"\\}".to_owned()),
        ("extract".to_owned(), "x (y)\n".to_owned()),
    ];
    let shell = Shell { inline: inline.into(), ..Shell::default() };
    let text = "S=$(kamal secrets fetch --adapter test --account me P)\nA=$(kamal secrets extract P $S)\n";
    let secrets = Secrets::new(&[file(text)], &[]).unwrap();
    assert_eq!(secrets.get("A", &shell).unwrap().expose(), "x (y)");
    assert_eq!(
        *shell.ran.borrow(),
        ["inline secrets|fetch|--adapter|test|--account|me|P", "inline secrets|extract|P|{\"P\":\"x (y)\"}"]
    );
}

#[test]
fn failures_name_the_file_the_line_and_the_key() {
    let shell = Shell::default();
    let secrets = Secrets::new(&[file("# note\n\nexport A=$(kamal secrets fetch X)\n")], &[]).unwrap();
    let error = secrets.get("A", &shell).unwrap_err().to_string();
    assert_eq!(error, ".kamal/secrets:3: A: the vault is locked");
    let error = Secrets::new(&[file("A=1\nexport A\nexport B\n")], &[]).unwrap_err().to_string();
    assert_eq!(error, ".kamal/secrets:3: Line \"export B\" has an unset variable");
}

#[test]
fn missing_keys_are_told_in_kamals_words() {
    let shell = Shell::default();
    let candidates = [".kamal/secrets-common".to_owned(), ".kamal/secrets".to_owned()];
    let none = Secrets::new(&[], &candidates).unwrap().get("K", &shell).unwrap_err().to_string();
    assert_eq!(none, "Secret 'K' not found, no secret files (.kamal/secrets-common, .kamal/secrets) provided");
    let one = Secrets::new(&[file("A=1")], &candidates).unwrap().get("K", &shell).unwrap_err().to_string();
    assert_eq!(one, "Secret 'K' not found in .kamal/secrets");
}

#[test]
fn a_blank_secret_that_is_needed_is_an_error_unless_it_may_be_blank() {
    let shell = Shell::default();
    let need = |text: &str, key: &str| {
        Secrets::new(&[file(text)], &[]).unwrap().need(key, &shell).map(|secret| secret.expose().to_owned())
    };
    let blank = "; if it is meant to be, name it in KAMAL_ALLOW_BLANK";
    let cases = [
        ("# note\nA=\nB=$A\n", "A", format!(".kamal/secrets:2: Secret 'A' is blank{blank}")),
        ("A=' \n\t'\n", "A", format!(".kamal/secrets:1: Secret 'A' is blank{blank}")),
        ("A=$NOT_SET_ANYWHERE\n", "A", format!(".kamal/secrets:1: Secret 'A' is blank{blank}")),
        (
            "X=$(exit 7)\nA=\"$X\"\n",
            "A",
            format!(
                ".kamal/secrets:2: Secret 'A' is blank: its command ended with exit status 7, what it said is above{blank}"
            ),
        ),
        ("KAMAL_ALLOW_BLANK=AB\nA=\n", "A", format!(".kamal/secrets:2: Secret 'A' is blank{blank}")),
    ];
    for (text, key, expected) in cases {
        assert_eq!(need(text, key).unwrap_err().to_string(), expected, "{text:?}");
    }
    for text in ["KAMAL_ALLOW_BLANK=B,A\nA=\n", "A=$(exit 7)\nL=A\nKAMAL_ALLOW_BLANK=\"B $L\"\n"] {
        assert_eq!(need(text, "A").unwrap(), "", "{text:?}");
    }
    // What a failing command printed counts, as in Kamal.
    assert_eq!(need("A=$(echo x; exit 7)\n", "A").unwrap(), "x");
    // Asked for without being needed, as hooks and `secrets print` do, it may be blank.
    assert_eq!(value("A=\n"), "");
}

#[test]
fn debugging_shows_no_value() {
    let shell = Shell::default();
    let secrets = Secrets::new(&[file("A=hunter2\nB='hunter2'\nC=$(echo $A)\n")], &[]).unwrap();
    assert_eq!(secrets.get("C", &shell).unwrap().expose(), "hunter2");
    let shown = format!("{secrets:?} {:?}", file("A=hunter2"));
    assert!(shown.contains("[REDACTED]") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn later_files_win_and_do_not_see_each_others_variables() {
    let shell = Shell::default();
    let common = SecretsFile::new(".kamal/secrets-common", Secret::new("A=common\nB=b\n"));
    let secrets = Secrets::new(&[common, file("A=own\nC=[$B]\n")], &[]).unwrap();
    let all = secrets.all(&shell).unwrap();
    let all: Vec<(&str, &str)> = all.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
    assert_eq!(all, [("A", "own"), ("B", "b"), ("C", "[]")]);
}

#[test]
fn odd_syntax_is_read_as_the_gem_reads_it() {
    let cases = [
        ("A='it\\'s'", "it\\'s"),
        ("A=\"a\" junk", "\"a\" junk"),
        ("A: b c", "b c"),
        ("A=\\$X", "$X"),
        ("A=\\${X}", "${X}"),
        ("A=$", "$"),
        ("A=$$X", "$"),
        ("A=a\\\\b", "a\\b"),
        ("nonsense here\nA=1", "1"),
        ("A=1\n  \n\n# A=2", "1"),
        ("export\tA=1", "1"),
        ("A.B=1\nA=$HOME_X", "hx"),
        ("A=$(echo a)$(echo b)", "ab"),
        ("A=\\$(echo a) $(echo b)", "$(echo a) b"),
    ];
    for (text, expected) in cases {
        assert_eq!(value(text), expected, "{text:?}");
    }
}

#[derive(Debug)]
struct Echo;

impl Commands for Echo {
    fn env(&self, _name: &str) -> Option<String> {
        None
    }

    fn run(&self, command: &str) -> Result<Ran, CommandError> {
        Ok(Ran::printed(command))
    }

    fn inline_kamal(&self, args: &[String]) -> Result<String, CommandError> {
        Ok(args.join(" "))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_parser_panic(parts in prop::collection::vec(prop::sample::select(vec![
        "A", "B", "=", "$", "(", ")", "{", "}", "\"", "'", "\\", "\n", "\r\n", " ", "#", "export ", ":", "é", "☃", "x", "$(", "${A", "kamal secrets ",
    ]), 0..40)) {
        let _ = parse(&file(&parts.concat()), &Echo);
    }

    #[test]
    fn single_quotes_keep_everything(text in "[^']*") {
        let text = text.replace(['\r', '\\'], "");
        let read = parse(&file(&format!("A='{text}'\n")), &Echo).unwrap();
        prop_assert_eq!(read["A"].expose(), text);
    }
}
