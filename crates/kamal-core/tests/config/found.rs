//! What fuzzing and reading the evaluator closely found: each once took all the memory, the stack or for ever.

use kamal_core::config::{Source, render_template};
use kamal_core::secret::Secret;
use kamal_core::secrets::{CommandError, Commands, Ran, Secrets, SecretsFile};

use crate::template_world::Table;

fn refused(template: &str) -> String {
    render_template(&Source::new("t", template), &Table::default()).unwrap_err().0[0].message.clone()
}

#[test]
fn values_do_not_double_without_end() {
    let too_large = "this template makes too large a value";
    assert_eq!(refused("<% x = 'a' %><% 99.times { x = x + x } %>"), too_large);
    assert_eq!(refused("<% x = ['a'] %><% 99.times { x = [x, x] } %><%= x %>"), too_large);
    assert_eq!(refused("<% x = 'a' %><% 99.times { x = \"#{x}#{x}\" } %>"), too_large);
    assert_eq!(refused("<%= ('a' * 9999).gsub('', 'a' * 9999) %>"), too_large);
    assert_eq!(refused("<%= ('a' * 9999).chars.join('a' * 9999) %>"), too_large);
}

#[test]
fn loops_end_also_when_nothing_is_done_in_them() {
    assert_eq!(refused("<% 1000000.times { 1000000.times { } } %>"), "this template runs too long");
}

#[test]
fn long_chains_do_not_exhaust_the_stack() {
    for link in [" + 1", " || nil", " && 1", " and 1", " or nil", " if 1", ".to_s", "[0]", " == 1"] {
        let chain = format!("<%= 1{} %>", link.repeat(100_000));
        assert_eq!(refused(&chain), "too much in one expression", "{link}");
    }
    let branches = format!("<% if nil %>{}<% end %>", "<% elsif nil %>".repeat(100_000));
    assert_eq!(refused(&branches), "too much in one expression");
    for open in ["(", "[", "!", "-(", "not ", "if 1; ", "\"#{", "[1].map { "] {
        let deep = format!("<% {} %>", open.repeat(100_000));
        let message = refused(&deep);
        assert!(!message.is_empty(), "{open}");
    }
}

#[test]
fn as_much_as_is_allowed_fits_on_a_threads_stack() {
    // Parentheses at the deepest, each with as long a chain as the total allows.
    let deep = format!("<%= {}1{} %>", "(1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + ".repeat(15), ")".repeat(15));
    assert_eq!(render_template(&Source::new("t", deep), &Table::default()).unwrap(), "121");
    let long = format!("<%= 1{} %>", " + 1".repeat(199));
    assert_eq!(render_template(&Source::new("t", long), &Table::default()).unwrap(), "200");
    // Neighbours do not add up.
    let list = format!("<%= [{}].length %>", "1 + 1 + 1, ".repeat(150));
    assert_eq!(render_template(&Source::new("t", list), &Table::default()).unwrap(), "150");
}

/// A world without commands.
struct Nothing;

impl Commands for Nothing {
    fn env(&self, _name: &str) -> Option<String> {
        None
    }

    fn run(&self, _command: &str) -> Result<Ran, CommandError> {
        Err(CommandError::NotRun("no commands here".to_owned()))
    }

    fn inline_kamal(&self, _args: &[String]) -> Result<String, CommandError> {
        Err(CommandError::NotRun("no commands here".to_owned()))
    }
}

#[test]
fn secrets_do_not_refer_to_each_other_without_end() {
    let refused = |line: &str, times| {
        let text = format!("A=aaaaaaaaaa\n{}", line.repeat(times));
        let files = [SecretsFile::new(".kamal/secrets", Secret::new(text))];
        Secrets::new(&files, &[]).unwrap().get("A", &Nothing).unwrap_err().to_string()
    };
    let message = "A: too large with all it refers to (over 1048576 bytes, or 100 levels)";
    assert_eq!(refused("A=$A$A$A$A\n", 40), format!(".kamal/secrets:10: {message}"));
    assert_eq!(refused("A=$A\n", 10_000), format!(".kamal/secrets:9900: {message}"));
}
