//! Command lines and what they come to.

use super::*;

/// Command lines and what they come to; the file says how.
const LINES: &str = include_str!("../../../tests/command_lines.txt");

pub(super) fn told(line: &str, aliases: &[(&str, &str)]) -> String {
    let known = aliases.iter().map(|(name, line)| ((*name).to_owned(), (*line).to_owned()));
    let aliases = |_: &str, _: Option<&str>| Ok(known.clone().collect());
    match plain(&kamal_core::shell::split(line).unwrap(), &aliases) {
        Ok(Plain::Words(words)) => {
            let read = Cli::try_parse_from(["kamal"].into_iter().chain(words.iter().map(String::as_str)));
            let quoted = |word: &String| {
                if word.contains([' ', '"']) || word.is_empty() { format!("'{word}'") } else { word.clone() }
            };
            let words = words.iter().map(quoted).collect::<Vec<_>>().join(" ");
            read.map_or_else(|error| format!("refused: {}", error.to_string().lines().next().unwrap()), |_| words)
        }
        Ok(Plain::Planned(words)) => format!("planned: {}", words.join(" ")),
        Ok(Plain::Help(path)) => format!("help: {}", path.join(" ")).trim_end().to_owned(),
        Err(refusal) => format!("refused: {}", refusal.to_string().lines().next().unwrap()),
    }
}

// spec 1.L.1-9
#[test]
fn command_lines_come_to_what_kamal_makes_of_them() {
    let lines = LINES.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let wrong: Vec<String> = lines
        .filter_map(|line| {
            let (words, right) = line.split_once(" => ").unwrap_or_else(|| panic!("no `=>`: {line}"));
            let told = told(words.trim(), &[]);
            (told != right).then(|| format!("{words}\n  is    {told}\n  not   {right}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(LINES.lines().count() > 200);
}

// spec 1.L.9
#[test]
fn the_usage_is_told_in_kamals_words() {
    for (line, usage) in [
        ("rollback a b", "rollback [VERSION]"),
        ("accessory exec", "accessory exec [NAME] [CMD...]"),
        ("proxy boot_config", "proxy boot_config <set|get|reset>"),
        ("lock acquire -m why now", "lock acquire -m, --message=MESSAGE"),
        ("app boot x", "app boot"),
    ] {
        let refusal =
            plain(&kamal_core::shell::split(line).unwrap(), &|_, _| Ok(IndexMap::new())).unwrap_err().to_string();
        assert_eq!(refusal.lines().nth(1), Some(format!("Usage: \"kamal {usage}\"").as_str()), "{line}");
    }
}

#[test]
fn clap_is_left_no_choice() {
    use clap::error::ErrorKind::{ArgumentConflict, InvalidValue, ValueValidation};
    let commands = [
        "",
        "help",
        "app",
        "app exec",
        "deploy",
        "docs",
        "accessory logs db",
        "proxy boot_config set",
        "secrets fetch -a x",
    ];
    let words =
        ["''", "-", "---", "-=x", "--no-", "--é", "-é", "-n5", "-vqp", "--json=maybe", "A:b", "--plan", "--", "-5"];
    for command in commands {
        for line in words.iter().flat_map(|first| words.map(|second| format!("{command} {first} {second}"))) {
            let Ok(Plain::Words(words)) = plain(&kamal_core::shell::split(&line).unwrap(), &|_, _| Ok(IndexMap::new()))
            else {
                continue;
            };
            if let Err(error) = Cli::try_parse_from(["kamal".to_owned()].into_iter().chain(words)) {
                assert!([ArgumentConflict, InvalidValue, ValueValidation].contains(&error.kind()), "{line}: {error}");
            }
        }
    }
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

// spec 1.L.10
#[test]
fn an_alias_comes_before_prefixes_and_our_own_commands_but_not_before_kamals() {
    let aliases = [
        ("dep", "details -q"),
        ("doctor", "app logs"),
        ("deploy", "audit"),
        ("console", "app exec -i -r jobs 'bin/rails console'"),
        ("note", "app exec echo #1 'a  b' c\\ d"),
        ("blank", " "),
    ];
    assert_eq!(told("dep -v", &aliases), "details --quiet --verbose");
    assert_eq!(told("depl", &aliases), "deploy");
    assert_eq!(told("doctor", &aliases), "app logs");
    assert_eq!(told("doctor ssh", &[]), "doctor ssh");
    assert_eq!(told("doctor -h a -v", &[]), "doctor --hosts=a --verbose");
    assert_eq!(told("status --watch", &[]), "status --watch");
    assert_eq!(told("status", &[("status", "audit")]), "audit");
    assert_eq!(told("lock status", &aliases), "lock status");
    assert_eq!(told("deploy", &aliases), "deploy");
    assert_eq!(
        told("console -r web", &aliases),
        "app exec --roles=web --interactive -- 'bin/rails console'",
        "what is written behind an alias counts"
    );
    assert_eq!(told("note e", &aliases), "app exec -- echo #1 'a  b' 'c d' e", "no comment begins in an alias");
    assert_eq!(told("blank", &aliases), "help:");
    assert_eq!(
        told("x", &[("x", "y"), ("y", "x")]),
        "refused: aliases/x: it stands for itself, by way of others or alone"
    );
    assert_eq!(told("x", &[("x", "app exec 'a")]), "refused: aliases/x: a quote is not closed in: app exec 'a");
}

#[test]
fn the_file_and_the_destination_of_aliases_are_those_of_the_command_line() {
    let asked = std::cell::RefCell::new(Vec::new());
    let aliases = |file: &str, destination: Option<&str>| {
        asked.borrow_mut().push((file.to_owned(), destination.map(str::to_owned)));
        Err("there are none".to_owned())
    };
    for line in ["typo", "typo -c a.yml -dest -d staging", "typo --config_file=b.yml --no-destination"] {
        let words = kamal_core::shell::split(line).unwrap();
        let refusal = plain(&words, &aliases).unwrap_err().to_string();
        assert!(refusal.starts_with("Could not find command \"typo\".") && refusal.contains("there are none"));
    }
    let asked = asked.into_inner();
    assert_eq!(asked[0], ("config/deploy.yml".to_owned(), None));
    assert_eq!(asked[1], ("a.yml".to_owned(), Some("staging".to_owned())));
    assert_eq!(asked[2], ("b.yml".to_owned(), None));
}

// spec 1.L.6
#[test]
fn what_was_meant_is_guessed() {
    for (line, meant) in [("dpeloy", "deploy"), ("app lgos", "logs"), ("deploy --skip-pushh", "--skip-push")] {
        let refusal =
            plain(&kamal_core::shell::split(line).unwrap(), &|_, _| Ok(IndexMap::new())).unwrap_err().to_string();
        assert!(refusal.ends_with(&format!("Did you mean?  {meant:?}")), "{refusal}");
    }
}

// spec 1.A.23, 1.L.3
#[test]
fn every_command_has_a_help() {
    let root = Cli::command();
    let groups = root.get_subcommands().filter(|command| command.has_subcommands());
    let nested =
        groups.flat_map(|group| group.get_subcommands().map(|command| vec![group.get_name(), command.get_name()]));
    let paths = root.get_subcommands().map(|command| vec![command.get_name()]).chain(nested);
    for path in paths.collect::<Vec<_>>() {
        let line = path.join(" ");
        assert_eq!(told(&format!("{line} --help"), &[]), format!("help: {line}"));
        assert_eq!(told(&format!("help {line}"), &[]), format!("help: {line}"));
        let text = help_text(&path.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).to_string();
        assert!(text.contains(&format!("Usage: kamal {line}")), "{text}");
    }
}

#[test]
fn every_line_can_be_planned_instead() {
    for (line, comes_to) in [
        ("plan deploy -P", "planned: deploy --skip-push"),
        ("plan app exec --reuse -- ls -l", "planned: app exec --reuse -- ls -l"),
        ("plan app exec ls --json", "planned: app exec -- ls --json"),
        ("plan ship -d staging", "planned: deploy --destination=staging"),
        ("plan", "help: plan"),
        ("plan --help", "help: plan"),
        ("plan deploy --help", "help: deploy"),
        ("plan plan redeploy", "planned: redeploy"),
    ] {
        assert_eq!(told(line, &[("ship", "deploy")]), comes_to, "{line}");
    }
    // An alias of that name comes first.
    assert_eq!(told("plan", &[("plan", "app details")]), "app details");
}
