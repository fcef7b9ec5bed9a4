//! `kamal secrets` (spec 1.3, 3.3).

use clap::{Args, Subcommand};
use indexmap::IndexMap;
use kamal_core::secrets::vendors::Vendor;

use super::{Command, Line, read};

/// Secrets commands.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretsCommand {
    /// Fetch secrets from where they are kept, and print them as JSON
    Fetch(FetchArgs),
    /// Print one secret of what `secrets fetch` printed
    Extract(ExtractArgs),
    /// Print all secrets of the secrets files
    Print,
}

/// Options of `secrets fetch`.
#[derive(Args, Debug)]
#[command(after_help = adapters())]
pub(crate) struct FetchArgs {
    /// The names of the secrets
    #[arg(value_name = "SECRETS")]
    pub(crate) names: Vec<String>,
    /// Where they are kept, one of those listed below
    #[arg(short, long)]
    pub(crate) adapter: String,
    /// The account or user to fetch them as
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// The vault, folder, project or file to fetch them from
    #[arg(long)]
    pub(crate) from: Option<String>,
    /// As one word of a command, for secrets files
    #[arg(long, hide = true)]
    pub(crate) inline: bool,
}

/// Options of `secrets extract`.
#[derive(Args, Debug)]
#[command(after_help = "NAME may be the end of a longer one: DB_PASSWORD finds my-vault/my-item/DB_PASSWORD.")]
pub(crate) struct ExtractArgs {
    /// The name of the secret
    pub(crate) name: String,
    /// What `kamal secrets fetch` printed
    #[arg(value_name = "JSON")]
    pub(crate) fetched: Option<String>,
    /// For secrets files
    #[arg(long, hide = true)]
    pub(crate) inline: bool,
}

fn adapters() -> String {
    let entry = |vendor: &Vendor| {
        let (what, options) = vendor.about().split_once("; ").unwrap_or((vendor.about(), ""));
        format!("  {:<25}{what}\n      {options}\n", vendor.name())
    };
    format!(
        "Adapters; each needs its program on this machine:\n{}\n\
         In .kamal/secrets, one fetch serves all its names, and runs only when one of them is used:\n\
         \x20 S=$(kamal secrets fetch -a 1password --account me --from Vault/Item DB_PW KEY)\n\
         \x20 DB_PW=$(kamal secrets extract DB_PW $S)\n\
         \x20 KEY=$(kamal secrets extract KEY $S)",
        Vendor::all().map(entry).collect::<String>()
    )
}

/// Reads the words of `$(kamal secrets …)`, which begin with `secrets`.
pub(crate) fn inline(words: &[String]) -> Result<SecretsCommand, String> {
    let shell = ["|", "||", "&&", "&", ";", ">", "2>", "<"];
    if let Some(word) = words.iter().find(|word| shell.contains(&word.as_str())) {
        return Err(format!(
            "`{word}` has no meaning in $(kamal secrets …), which is run without a shell\n\
             help: put the rest of the command into another $(…)"
        ));
    }
    if words.get(1).is_some_and(|verb| verb == "print") {
        return Err("a secrets file cannot print itself".to_owned());
    }
    let mut words = words.to_vec();
    words.insert(words.len().min(2), "--inline=true".to_owned());
    let unknown = || Err("`kamal secrets …` has arguments it does not know; see `kamal secrets --help`".to_owned());
    match read(&words, &|_, _| Ok(IndexMap::new())) {
        Ok(Line::Run(cli)) => match cli.command {
            Command::Secrets(command) => Ok(command),
            _ => unknown(),
        },
        // Only its kind: the words may hold what was fetched.
        Err(refusal) if refusal.shows_no_values() => Err(refusal.to_string()),
        _ => unknown(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> String {
        inline(&line.split(' ').map(str::to_owned).collect::<Vec<_>>()).unwrap_err()
    }

    #[test]
    fn options_of_every_command_are_taken() {
        let words = "secrets fetch -a test --account me -d staging -v A".split(' ').map(str::to_owned);
        assert!(matches!(
            inline(&words.collect::<Vec<_>>()),
            Ok(SecretsCommand::Fetch(FetchArgs { inline: true, .. }))
        ));
    }

    #[test]
    fn wrong_words_in_a_secrets_file_are_explained_without_repeating_secrets() {
        assert!(refused("secrets fetch A").contains("required options '--adapter'"));
        assert!(refused("secrets fech A").contains("fech"));
        assert_eq!(refused("secrets print"), "a secrets file cannot print itself");
        assert!(refused("secrets fetch -a test A | jq .A").starts_with("`|` has no meaning in $(kamal secrets …)"));
        let error = refused("secrets extract A {\"A\":\"hunter2\"} --hunter2");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
