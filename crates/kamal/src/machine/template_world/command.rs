//! Whether a command can be run at all, as Ruby's backticks see it: a plain one is started without a shell, and then a
//! program that is not there is an error.

use std::{os::unix::fs::PermissionsExt, path::Path};

use kamal_core::config::CommandError;

/// Characters with which Ruby leaves a command to a shell.
const FOR_SHELLS: &str = "*?{}[]<>()~&|\\$;'`\"\n#";

/// First words with which it does.
const WORDS_OF_SHELLS: [&str; 29] = [
    "!", ".", ":", "break", "case", "continue", "do", "done", "elif", "else", "esac", "eval", "exec", "exit", "export",
    "fi", "for", "if", "in", "readonly", "return", "set", "shift", "then", "times", "trap", "unset", "until", "while",
];

/// Why a command cannot be started. `path` is where programs are looked for.
pub(super) fn refusal(command: &str, project: &Path, path: &str) -> Option<CommandError> {
    let program = command.split_whitespace().next().unwrap_or_default();
    let for_shell = command.contains(|c| FOR_SHELLS.contains(c))
        || program.split('/').next().is_some_and(|first| first.contains('='))
        || WORDS_OF_SHELLS.contains(&program);
    if for_shell {
        return None;
    }
    let named = |folder: &Path| std::fs::metadata(folder.join(program)).ok().filter(std::fs::Metadata::is_file);
    let found: Vec<_> = if program.contains('/') {
        named(project).into_iter().collect()
    } else {
        path.split(':').filter_map(|folder| named(&project.join(folder))).collect()
    };
    if program.is_empty() || found.is_empty() {
        return Some(CommandError::missing(program));
    }
    let starts = found.iter().any(|file| file.permissions().mode() & 0o111 != 0);
    (!starts).then(|| CommandError::Denied { program: program.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_command_that_is_not_there_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("data"), "").unwrap();
        let refused = |command: &str| refusal(command, folder.path(), "/usr/bin:/bin").map(|error| error.to_string());
        assert_eq!(refused("nosuchtool describe").as_deref(), Some("No such file or directory - nosuchtool"));
        assert_eq!(refused("bin/nosuchtool host").as_deref(), Some("No such file or directory - bin/nosuchtool"));
        assert_eq!(refused("./data").as_deref(), Some("Permission denied - ./data"));
        assert_eq!(refused("").as_deref(), Some("No such file or directory - "));
        for run in ["sh -c x", "/bin/sh", "nosuchtool 2>/dev/null", "A=b nosuchtool", "exit 3", "nosuchtool | cat"] {
            assert_eq!(refused(run), None, "{run}");
        }
    }
}
