//! Secrets files: every key can be asked for, alone and all at once, with the same answer.

#![no_main]

use kamal_core::secret::Secret;
use kamal_core::secrets::{CommandError, Commands, Ran, Secrets, SecretsFile};
use libfuzzer_sys::fuzz_target;

/// Echoes.
struct Echo;

impl Commands for Echo {
    fn env(&self, name: &str) -> Option<String> {
        (name.len() < 3 || name == "DOTENV_LINEBREAK_MODE").then(|| "legacy".to_owned())
    }

    fn run(&self, command: &str) -> Result<Ran, CommandError> {
        match command {
            refused if refused.contains('!') => Err(CommandError::NotRun("refused".to_owned())),
            failing if failing.contains('%') => Ok(Ran::default().ended(1)),
            command => Ok(Ran::printed(format!("{command}\n"))),
        }
    }

    fn inline_kamal(&self, args: &[String]) -> Result<String, CommandError> {
        Ok(args.join(" "))
    }
}

fuzz_target!(|text: &str| {
    let files = [SecretsFile::new(".kamal/secrets", Secret::new(text))];
    let Ok(secrets) = Secrets::new(&files, &[]) else { return };
    let all = secrets.all(&Echo);
    for key in secrets.keys() {
        let one = secrets.get(key, &Echo);
        let needed = secrets.need(key, &Echo);
        assert!(needed.is_err() || needed == one, "what is needed is what is there");
        if let Ok(all) = &all {
            assert_eq!(one.as_ref().ok().map(|one| one.expose()), all.get(key).map(|one| one.expose()));
        }
    }
});
