//! `kamal secrets` (spec 1.3, 3.3).

use clap::{Args, Subcommand};
use kamal_core::secrets::vendors::Vendor;

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
