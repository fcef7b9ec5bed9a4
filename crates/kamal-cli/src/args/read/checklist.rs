//! Every command and option of Kamal in every spelling, row by row of the checklist.

use std::collections::BTreeSet;

use clap::{Arg, Command};

use super::{tests::told, *};

const ROWS: &str = include_str!("../../../tests/checklist.txt");

/// Options Kamal has not.
const OUR_OPTIONS: [&str; 15] = [
    "as-deployed",
    "dry-run",
    "force",
    "format",
    "help",
    "json",
    "keep",
    "man",
    "no-color",
    "output",
    "plan",
    "reveal",
    "schema",
    "timings",
    "watch",
];

/// A row: a command, and an option of it or the words behind it.
struct Row {
    letter: &'static str,
    command: String,
    option: Option<Switch>,
    words: String,
    is_hidden: bool,
}

/// An option as the row has it.
struct Switch {
    short: Option<String>,
    long: String,
    kind: &'static str,
    is_required: bool,
}

fn rows() -> Vec<Row> {
    let row = |line: &'static str| {
        let (id, text) = line.split_once(' ')?;
        let (letter, _) = id.split_once('.').filter(|(letter, _)| ("A"..="K").contains(letter))?;
        let is_hidden = text.ends_with(" hidden");
        let mut words = text.trim_end_matches(" hidden").split(' ').peekable();
        let is_name = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase() || c == '*');
        let command: Vec<&str> = std::iter::from_fn(|| words.next_if(is_name)).collect();
        let rest: Vec<&str> = words.collect();
        let long = rest.iter().find_map(|word| word.strip_prefix("--"));
        let option = long.map(|long| Switch {
            short: rest.iter().find_map(|word| word.strip_suffix(',')).map(str::to_owned),
            long: long.to_owned(),
            kind: rest.iter().find(|word| !word.starts_with('-')).expect("a type"),
            is_required: rest.last() == Some(&"required"),
        });
        let words = if option.is_some() { String::new() } else { rest.join(" ") };
        // Any command will do for what all have.
        let command = command.join(" ").replace('*', "app details");
        Some(Row { letter, command, option, words, is_hidden })
    };
    ROWS.lines().filter_map(row).collect()
}

/// The command, with words and options it cannot do without.
fn base(rows: &[Row], row: &Row) -> String {
    let mut line = row.command.clone();
    for other in rows.iter().filter(|other| other.command == row.command) {
        let words = other.words.replace("CMD...", "ls").replace("<set|get|reset>", "get").replace("[VERSION]", "");
        line.push_str(&format!(" {}", words.replace("SECRETS...", "A").trim()));
        let needed = other.option.as_ref().filter(|option| option.is_required);
        let needed = needed.filter(|option| row.option.as_ref().is_none_or(|own| own.long != option.long));
        line.extend(needed.map(|option| format!(" --{}=needed", option.long)));
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn runs(line: &str) -> String {
    let told = told(line, &[]);
    assert!(!told.starts_with("refused") && !told.starts_with("help"), "{line}: {told}");
    told
}

fn is_refused(line: &str) {
    let told = told(line, &[]);
    assert!(told.starts_with("refused"), "{line}: {told}");
}

/// Lines that all come to the same.
fn alike(lines: &[String]) -> String {
    let first = runs(&lines[0]);
    for line in lines {
        assert_eq!(runs(line), first, "{line}\n{}", lines[0]);
    }
    first
}

/// Shows the rows of a letter.
fn show(letter: &str) {
    let rows = rows();
    let shown: Vec<&Row> = rows.iter().filter(|row| row.letter == letter).collect();
    assert!(!shown.is_empty());
    for row in shown {
        let base = base(&rows, row);
        let root = Cli::command();
        let command = row.command.split(' ').fold(&root, |at, name| at.find_subcommand(name).unwrap_or(at));
        match &row.option {
            Some(option) => {
                show_option(&base, option);
                let hidden =
                    command.get_arguments().any(|arg| arg.get_long() == Some(&option.long) && arg.is_hide_set());
                assert_eq!(hidden, row.is_hidden, "{base} --{}", option.long);
            }
            None if row.command == "help" => {}
            None => {
                assert!(runs(&base).starts_with(&row.command), "{base}");
                assert_eq!(command.is_hide_set(), row.is_hidden, "{base}");
                let bare = told(&row.command, &[]);
                let needs_words = !row.words.is_empty() && !row.words.starts_with('[') && row.command != "server exec";
                assert_eq!(bare.starts_with("refused"), needs_words || base.contains("needed"), "{bare}");
                if !row.words.ends_with("...") {
                    is_refused(&format!("{base} one word too many"));
                }
            }
        }
    }
}

fn show_option(base: &str, option: &Switch) {
    let Switch { short, long, kind, is_required } = option;
    let under = long.replace('-', "_");
    let spelled = |value: &str| -> Vec<String> {
        let shorts = short.iter().flat_map(|short| [format!("{base} {short}{value}")]);
        [format!("{base} --{long}{value}"), format!("{base} --{under}{value}")].into_iter().chain(shorts).collect()
    };
    let set = |value: &str| [spelled(&format!(" {value}")), spelled(&format!("={value}"))].concat();
    let without = if *is_required { String::new() } else { runs(base) };
    match *kind {
        "bool" | "flag" => {
            let on = alike(&[spelled(""), set("true"), set("TRUE"), set("t"), set("T")].concat());
            let off = alike(
                &[
                    set("false"),
                    set("F"),
                    vec![
                        format!("{base} --no-{long}"),
                        format!("{base} --skip_{under}"),
                        format!("{base} --{long} --no-{long}"),
                    ],
                ]
                .concat(),
            );
            assert_ne!(on, off);
            let off = off.replace(" --follow=false", "");
            assert!([&on, &off].contains(&&without), "{base} --{long}: neither {on} nor {off} is {without}");
        }
        "string" => {
            let given = alike(&set("some"));
            assert!(given.contains(&format!("--{long}=some")), "{given}");
            assert_eq!(runs(&format!("{base} --{long} other --{long} some")), given);
            assert!(runs(&format!("{base} --{long}=--some")).contains(&format!("--{long}=--some")));
            if *is_required {
                is_refused(&format!("{base} --{long}"));
                is_refused(base);
            } else {
                let default = ["output", "log-max-size", "config-file"].contains(&long.as_str());
                let bare = alike(&spelled(""));
                assert!(default || bare.contains(&format!("--{long}={under}")), "{bare}");
                assert_eq!(runs(&format!("{base} --no-{long}")), without);
            }
        }
        "numeric" => {
            let attached = short.iter().map(|short| format!("{base} {short}5")).collect();
            let given = alike(&[set("5"), attached].concat());
            assert!(given.contains(&format!("--{long}=5")), "{given}");
            assert_eq!(runs(&format!("{base} --{long} 7 --{long}=5")), given);
            is_refused(&format!("{base} --{long}"));
            is_refused(&format!("{base} --{long} many"));
            assert_eq!(runs(&format!("{base} --no-{long}")), without);
        }
        "hash" => {
            let given =
                alike(&[set("A:b C:d"), vec![format!("{base} --{long} A:b -v --{long} C:d --no-verbose")]].concat());
            assert!(given.contains(&format!("--{long}=A:b --{long}=C:d")), "{given}");
            is_refused(&format!("{base} --{long}"));
        }
        "array" => {
            let given = alike(&set("a=b c=d"));
            assert!(given.contains(&format!("--{long}=a=b --{long}=c=d")), "{given}");
            is_refused(&format!("{base} --{long}"));
        }
        "repeatable" => {
            let given = runs(&format!("{base} --{long} ::1 --{under}=::2"));
            assert!(given.contains(&format!("--{long}=::1 --{long}=::2")), "{given}");
        }
        kind => panic!("no type: {kind}"),
    }
}

// spec 1.A.1-22
#[test]
fn commands_outside_of_groups() {
    show("A");
}

// spec 1.B.1-28
#[test]
fn accessory() {
    show("B");
}

// spec 1.C.1-32
#[test]
fn app() {
    show("C");
}

// spec 1.D.1-11
#[test]
fn build() {
    show("D");
}

// spec 1.E.1-34
#[test]
fn proxy() {
    show("E");
}

// spec 1.F.1-4
#[test]
fn lock() {
    show("F");
}

// spec 1.G.1-4
#[test]
fn prune() {
    show("G");
}

// spec 1.H.1-12
#[test]
fn registry() {
    show("H");
}

// spec 1.I.1-8
#[test]
fn secrets() {
    show("I");
}

// spec 1.J.1-4
#[test]
fn server() {
    show("J");
}

// spec 1.K.1-12
#[test]
fn options_of_every_command() {
    show("K");
}

#[test]
fn nothing_but_what_the_list_has_and_what_is_ours() {
    let rows = rows();
    let listed: BTreeSet<String> = rows.iter().map(|row| row.command.clone()).collect();
    let root = Cli::command();
    let mut ours = BTreeSet::new();
    let mut visit = |path: String, command: &Command| {
        if !command.has_subcommands() && !listed.contains(&path) {
            // So are its options.
            ours.insert(path);
            return;
        }
        let is_listed = |arg: &&Arg| {
            let long = arg.get_long().map(|long| if long == "no-publish" { "publish" } else { long });
            let options = rows.iter().filter(|row| row.command == path).filter_map(|row| row.option.as_ref());
            options.into_iter().any(|option| Some(option.long.as_str()) == long)
        };
        for arg in command.get_opts().filter(|arg| !is_listed(arg)) {
            let long = arg.get_long().unwrap_or_default();
            assert!(OUR_OPTIONS.contains(&long), "{path} --{long}: no row");
        }
    };
    visit("app details".to_owned(), &root);
    for command in root.get_subcommands() {
        visit(command.get_name().to_owned(), command);
        for sub in command.get_subcommands() {
            visit(format!("{} {}", command.get_name(), sub.get_name()), sub);
        }
    }
    assert_eq!(
        ours.into_iter().collect::<Vec<_>>(),
        [
            "app scale",
            "completion",
            "doctor ssh",
            "import capistrano",
            "import compose",
            "import kamal1",
            "plan",
            "proxy list",
            "registry gc",
            "registry ls",
            "rollout abort",
            "rollout deploy",
            "rollout promote",
            "rollout set",
            "server join",
            "server leave",
            "status"
        ]
    );
}

#[test]
fn what_changes_something_can_be_looked_at_first() {
    let looks = [
        "details",
        "audit",
        "config",
        "docs",
        "init",
        "version",
        "help",
        "logs",
        "exec",
        "containers",
        "images",
        "status",
    ];
    for row in rows().iter().filter(|row| row.option.is_none()) {
        let last = row.command.rsplit(' ').next().unwrap();
        let only_looks = looks.contains(&last) && row.command != "prune images" && row.command != "prune containers";
        let changes = !only_looks && !row.command.starts_with("secrets");
        let base = base(&rows(), row);
        let told = told(&format!("{base} --dry-run --plan=abc"), &[]);
        let options = told.split(" -- ").next().unwrap();
        let previewed = options.contains(" --dry-run --plan=abc") && !told.starts_with("refused");
        assert_eq!(previewed, changes, "{told}");
    }
}
