//! What a build has for itself, in a folder that goes with it: where buildx writes down what it made, and the login, so that
//! nobody's login lingers where images are built. docker finds everything else of its user's there too.

use kamal_core::{
    ports::{BuildError, BuildOrder, Command, RenderError, Scratch},
    secret::Secret,
    shell::{Text, escape::word},
    step::LoginPlace,
};

use super::program::{Show, look, must, run};
use crate::{config_file::ConfigFile, credentials::Account, login};

/// The folder, while it is needed.
#[derive(Debug)]
pub(super) struct Session {
    folder: Scratch,
}

/// Which configuration of docker's a build is run with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Configuration {
    /// The user's.
    Users,
    /// That of the session.
    Sessions,
}

/// How the login gets there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// When the registry has been asked whether it takes it.
    Checked,
    /// Unseen.
    Unchecked,
    /// Unseen, and only where the user's own docker has none for the registry: who builds elsewhere logs in by himself, as
    /// with Kamal, or need not.
    Lent,
}

impl Session {
    /// Makes the folder.
    pub(super) async fn open(order: &BuildOrder<'_>) -> Result<Self, BuildError> {
        Ok(Self { folder: order.local.scratch().await? })
    }

    /// The file buildx tells the image's digest in.
    pub(super) fn metadata(&self) -> String {
        format!("{}/metadata.json", self.folder.path)
    }

    /// Puts the login for the registry into the folder, unless the user's own docker holds it already or there is none.
    pub(super) async fn log_in(&self, order: &BuildOrder<'_>, how: How) -> Result<Configuration, BuildError> {
        if !order.config.registry.needs_login() {
            return Ok(Configuration::Users);
        }
        let account = Account::of(&order.config.registry, order.secrets)?;
        let config = read(order).await?;
        if config.holds(&account) || how == How::Lent && config.has_one(&account.key) {
            return Ok(Configuration::Users);
        }
        let mut text = Text::from("(umask 077\nfolder=${DOCKER_CONFIG:-$HOME/.docker}\n");
        text.push(&format!("copy={}\n", word(&self.folder.path))).push(LINKS);
        login::document(&mut text, "$copy/config.json", config.with_own(&account).text());
        if how == How::Checked {
            text.push(&login::ask(&account)).push(":)");
            shell(order, &text).await?;
        } else {
            text.push(":)");
            must(order, &script(&text)).await?;
        }
        Ok(Configuration::Sessions)
    }

    /// Has a command find docker's configuration.
    pub(super) fn give(&self, configuration: &Configuration, command: &mut Command) {
        if *configuration == Configuration::Sessions {
            command.env.push(("DOCKER_CONFIG".to_owned(), Secret::new(self.folder.path.as_str())));
        }
    }
}

/// docker keeps builders, contexts and plugins beside its configuration.
const LINKS: &str = r#"mkdir -p "$folder/buildx" 2>/dev/null
[ ! -d "$folder" ] || for one in "$(cd "$folder" && pwd)"/*; do
[ "${one##*/}" = config.json ] || [ ! -e "$one" ] || ln -s "$one" "$copy/" || exit; done
"#;

/// docker's configuration of this user.
async fn read(order: &BuildOrder<'_>) -> Result<ConfigFile, BuildError> {
    ConfigFile::parse(text_of(order).await?.expose()).map_err(|error| BuildError::Unfit(error.to_string()))
}

async fn text_of(order: &BuildOrder<'_>) -> Result<Secret, BuildError> {
    let printed = look(order, &Command::new("sh", ["-c", login::READ])).await?;
    if printed.exit.success() {
        return Ok(Secret::new(printed.out));
    }
    Err(BuildError::Unfit(printed.err.trim().to_owned()))
}

/// Logs the user's own docker in, for good.
pub(super) async fn log_in(order: &BuildOrder<'_>) -> Result<(), BuildError> {
    let registry = &order.config.registry;
    if !registry.needs_login() {
        return Ok(());
    }
    let place = LoginPlace::File(text_of(order).await?);
    let text = login::text(registry, order.secrets, Some(&place)).map_err(|error| match error {
        RenderError::Secret { source, .. } => BuildError::Secret(source),
        other => BuildError::Unfit(other.to_string()),
    })?;
    shell(order, &text).await
}

/// A shell that is told a text, where nobody else can read it.
fn script(text: &Text) -> Command {
    let input = Some(Secret::new(std::mem::take(&mut *text.expose())));
    Command { input, ..Command::new("sh", ["-s"]) }
}

/// Runs a text that logs in.
async fn shell(order: &BuildOrder<'_>, text: &Text) -> Result<(), BuildError> {
    let named = |error| match error {
        BuildError::Failed { status, output, shown, .. } => {
            let server = order.config.registry.server.iter().map(|server| format!(" {server}")).collect::<String>();
            BuildError::Failed { what: format!("`docker login{server}`"), status, output, shown }
        }
        error => error,
    };
    run(order, "log in to the registry", &script(text), Show::Nothing).await.map(drop).map_err(named)
}
