//! What is quoted for hosts, put before the shells that read it: whatever a text holds, it arrives as it was, and as one word.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "shells are asked, which the engine itself never does")]

use std::process::Command;

use kamal_core::shell::escape::{path, value, word};
use proptest::{prelude::*, sample::select};

/// Shells that a host's `sh` may be, and two that people log in with. None of them is to read start-up files.
const SHELLS: [&[&str]; 5] =
    [&["dash"], &["bash", "--norc", "--noprofile"], &["bash", "--posix"], &["busybox", "sh"], &["zsh", "-f"]];

/// What shells have a meaning for, and a little that they have none for.
const PIECES: [&str; 36] = [
    "'", "\"", "\\", "`", "$", "$(id)", "`id`", "$HOME", "$$", "$PWD", "!", "!!", "\n", " ", "\t", "\r", "*", "?",
    "[a-z]", "~", "=", "#", "&", ";", "|", "<", ">", "{a,b}", "%", "-n", "(", ")", "é", "日本", "\u{7f}", "a",
];

fn texts(pieces: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    let text = prop::collection::vec(select(pieces), 1..10).prop_map(|pieces| pieces.concat());
    prop::collection::vec(text, 1..40)
}

/// The words a shell makes of these texts, in a folder of its own.
fn words(shell: &[&str], texts: &[String]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("printf '%s\\000' {}\n", texts.join(" "));
    let file = folder.path().join("script");
    std::fs::write(&file, script).unwrap();
    let output = Command::new(shell[0]).args(&shell[1..]).arg("script").current_dir(folder.path()).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap().replace(&*folder.path().to_string_lossy(), "FOLDER");
    let mut words: Vec<String> = printed.split('\0').map(str::to_owned).collect();
    assert_eq!(words.pop().as_deref(), Some(""), "{shell:?}: {}", String::from_utf8_lossy(&output.stderr));
    words
}

#[test]
fn what_looks_harmless_is_so_in_every_shell() {
    let texts =
        ["=a", "=ls", "==", "a=b", "-n", "%1", "%%", "a,b", "@x", "+x", ":", ".", "-", "1", "é"].map(str::to_owned);
    let quoted: Vec<String> = texts.iter().map(|text| word(text)).collect();
    for shell in SHELLS {
        assert_eq!(words(shell, &quoted), texts, "{shell:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_word_is_one_word_in_every_shell(texts in texts(&PIECES)) {
        let quoted: Vec<String> = texts.iter().map(|text| word(text)).collect();
        for shell in SHELLS {
            prop_assert_eq!(&words(shell, &quoted), &texts, "{:?}", shell);
        }
    }

    /// Control characters are spelled as Ruby does, and `${…}` is left to the host: neither is here.
    #[test]
    fn a_value_is_one_word_in_every_shell(texts in texts(&PIECES)) {
        let texts: Vec<String> =
            texts.into_iter().map(|text| text.replace(char::is_control, "c").replace("${", "$ {")).collect();
        let quoted: Vec<String> = texts.iter().map(|text| value(text)).collect();
        for shell in SHELLS {
            prop_assert_eq!(&words(shell, &quoted), &texts, "{:?}", shell);
        }
    }

    /// Of variables only the folder is known here.
    #[test]
    fn a_path_is_one_word_in_which_the_folder_is_filled_in(texts in texts(&PIECES)) {
        let only_folders = |text: String| {
            let parts: Vec<String> = text.split("$PWD").map(|part| part.replace('$', "S").replace("S(", "$(")).collect();
            parts.join("$PWD/")
        };
        let texts: Vec<String> = texts.into_iter().map(only_folders).collect();
        let quoted: Vec<String> = texts.iter().map(|text| path(text)).collect();
        let filled: Vec<String> = texts.iter().map(|text| text.replace("$PWD", "FOLDER")).collect();
        for shell in SHELLS {
            prop_assert_eq!(&words(shell, &quoted), &filled, "{:?}", shell);
        }
    }
}
