//! The words of `$(kamal secrets …)` in a secrets file, which is run without a shell and without another process.

use kamal_core::secrets::CommandError;

/// What a secrets file asks of the command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretsCommand {
    /// Fetches secrets from where they are kept.
    Fetch(Fetch),
    /// Takes one of what was fetched.
    Extract(Extract),
}

/// `kamal secrets fetch`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetch {
    /// The names of the secrets.
    pub names: Vec<String>,
    /// Where they are kept: the name of an adapter.
    pub adapter: String,
    /// The account or user to fetch them as.
    pub account: Option<String>,
    /// The vault, folder, project or file to fetch them from.
    pub from: Option<String>,
    /// As one word of a command.
    pub inline: bool,
}

/// `kamal secrets extract`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extract {
    /// The name of the secret, or its end.
    pub name: String,
    /// What `kamal secrets fetch` printed.
    pub fetched: Option<String>,
}

/// Options that take a value, and the letters for them. Most are every command's and mean nothing here.
const WITH_VALUE: [(&str, Option<char>); 8] = [
    ("adapter", Some('a')),
    ("account", None),
    ("from", None),
    ("config-file", Some('c')),
    ("destination", Some('d')),
    ("hosts", Some('h')),
    ("roles", Some('r')),
    ("version", None),
];

/// Options that take none.
const SWITCHES: [(&str, Option<char>); 5] =
    [("inline", None), ("verbose", Some('v')), ("quiet", Some('q')), ("primary", Some('p')), ("skip-hooks", Some('H'))];

impl SecretsCommand {
    /// Reads the words, which begin with `secrets`.
    ///
    /// # Errors
    ///
    /// What is wrong with them, without repeating values: these may be what was fetched.
    pub fn read(words: &[String]) -> Result<Self, CommandError> {
        let shell = ["|", "||", "&&", "&", ";", ">", "2>", "<"];
        if let Some(word) = words.iter().find(|word| shell.contains(&word.as_str())) {
            return Err(CommandError::Words(format!(
                "`{word}` has no meaning in $(kamal secrets …), which is run without a shell\n\
                 help: put the rest of the command into another $(…)"
            )));
        }
        let (verb, rest) = match words {
            [_, verb, rest @ ..] => (verb.as_str(), rest),
            _ => {
                let message = "`kamal secrets` does nothing by itself; it is `kamal secrets fetch` or `extract`";
                return Err(CommandError::words(message));
            }
        };
        let found = Found::read(rest)?;
        match verb {
            "print" => Err(CommandError::words("a secrets file cannot print itself")),
            "fetch" => {
                let [adapter, account, from] = [found.value("adapter"), found.value("account"), found.value("from")];
                let lacking = || CommandError::words("No value provided for required options '--adapter'");
                let adapter = adapter.ok_or_else(lacking)?;
                Ok(Self::Fetch(Fetch { names: found.words, adapter, account, from, inline: true }))
            }
            "extract" => match &found.words[..] {
                [name] => Ok(Self::Extract(Extract { name: name.clone(), fetched: None })),
                [name, fetched] => Ok(Self::Extract(Extract { name: name.clone(), fetched: Some(fetched.clone()) })),
                words => Err(CommandError::Words(format!(
                    "`kamal secrets extract` takes a name and what was fetched, not {} words; is a quote missing?",
                    words.len()
                ))),
            },
            verb if verb.chars().all(|c| c.is_ascii_alphabetic()) => {
                Err(CommandError::Words(format!("Could not find command \"{verb}\".")))
            }
            _ => Err(CommandError::words(UNKNOWN)),
        }
    }
}

/// What is said of an option nobody knows: its text may be part of a secret.
const UNKNOWN: &str = "`kamal secrets …` has arguments it does not know; see `kamal secrets --help`";

/// Words and options told apart.
#[derive(Debug, Default)]
struct Found {
    words: Vec<String>,
    values: Vec<(&'static str, String)>,
}

impl Found {
    fn read(words: &[String]) -> Result<Self, CommandError> {
        let mut found = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                found.words.extend(words.by_ref().cloned());
            } else if let Some(option) = word.strip_prefix("--") {
                let (name, value) = option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
                let name = name.replace('_', "-");
                let known = |options: &[(&'static str, Option<char>)]| {
                    options.iter().find(|(own, _)| *own == name).map(|(own, _)| *own)
                };
                let bare = name.strip_prefix("no-").or_else(|| name.strip_prefix("skip-")).unwrap_or(&name);
                if let Some(name) = known(&WITH_VALUE) {
                    found.take(name, value, &mut words)?;
                } else if !SWITCHES.iter().any(|(own, _)| *own == name || *own == bare) {
                    return Err(CommandError::words(UNKNOWN));
                }
            } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                found.letters(letters, &mut words)?;
            } else {
                found.words.push(word.clone());
            }
        }
        Ok(found)
    }

    /// Options of one letter: switches, and behind them one with a value.
    fn letters<'w>(&mut self, letters: &str, words: &mut impl Iterator<Item = &'w String>) -> Result<(), CommandError> {
        for (at, letter) in letters.char_indices() {
            if let Some((name, _)) = WITH_VALUE.iter().find(|(_, own)| *own == Some(letter)) {
                let rest = &letters[at + letter.len_utf8()..];
                let value = rest.strip_prefix('=').unwrap_or(rest);
                return self.take(name, Some(value).filter(|value| !value.is_empty()), words);
            }
            if !SWITCHES.iter().any(|(_, own)| *own == Some(letter)) {
                return Err(CommandError::words(UNKNOWN));
            }
        }
        Ok(())
    }

    fn take<'w>(
        &mut self,
        name: &'static str,
        value: Option<&str>,
        words: &mut impl Iterator<Item = &'w String>,
    ) -> Result<(), CommandError> {
        let value = value.map(str::to_owned).or_else(|| words.next().cloned());
        let value = value.ok_or_else(|| CommandError::Words(format!("No value provided for option '--{name}'")))?;
        self.values.push((name, value));
        Ok(())
    }

    /// The value given last.
    fn value(&self, name: &str) -> Option<String> {
        self.values.iter().rev().find(|(own, _)| *own == name).map(|(_, value)| value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<SecretsCommand, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        SecretsCommand::read(&words).map_err(|error| error.to_string())
    }

    #[test]
    fn options_of_every_command_are_taken_wherever_they_stand() {
        let expected = Fetch {
            names: vec!["A".to_owned(), "B".to_owned()],
            adapter: "test".to_owned(),
            account: Some("me".to_owned()),
            from: Some("Vault/Item".to_owned()),
            inline: true,
        };
        for line in [
            "secrets fetch -a test --account me --from Vault/Item A B",
            "secrets fetch A B --adapter=test --account=me --from=Vault/Item",
            "secrets fetch A -a other -vatest --account me -d staging --from Vault/Item -q B --no-verbose --inline",
            "secrets fetch -atest --account me --from Vault/Item --config_file x -- A B",
        ] {
            assert_eq!(read(line), Ok(SecretsCommand::Fetch(expected.clone())), "{line}");
        }
    }

    #[test]
    fn wrong_words_are_explained_without_repeating_secrets() {
        assert!(read("secrets fetch A").unwrap_err().contains("required options '--adapter'"));
        assert!(read("secrets fech A").unwrap_err().contains("fech"));
        assert_eq!(read("secrets print").unwrap_err(), "a secrets file cannot print itself");
        assert!(read("secrets fetch -a test A | jq .A").unwrap_err().starts_with("`|` has no meaning"));
        assert!(read("secrets fetch -a").unwrap_err().contains("'--adapter'"));
        for line in [
            "secrets extract A {\"A\":\"hunter2\"} --hunter2",
            "secrets {\"A\":\"hunter2\"}",
            "secrets extract A -hunter2x=3 b c",
        ] {
            let error = read(line).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(read("secrets").unwrap_err().contains("by itself"));
    }
}
