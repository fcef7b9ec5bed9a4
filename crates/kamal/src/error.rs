//! What can go wrong before the engine is at work, and in it.

use std::path::PathBuf;

use kamal_core::{
    config::ConfigErrors, error::ErrorKind, hint::Hint, name::NameError, ports::SecretError, targets::SelectionError,
};

/// Why something could not be done. A person reads its text and [`Error::hints`], a program decides by [`Error::kind`].
///
/// ```
/// # use kamal::{core::testing::SimFleet, prelude::*};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # const DEPLOY: &str = "service: shop\nimage: acme/shop\nservers: [h1, h2]\nbuilder: {arch: amd64}\n\
/// #     registry: {username: me, password: [PASSWORD]}\n";
/// # let fleet = SimFleet::new(["h1", "h2"]);
/// # let project = Project::builder().text(DEPLOY).world(fleet.world()).secret_map([("PASSWORD", "x")]).build().await?;
/// fleet.sicken("v2");
/// let error = project.deploy(&Version::parse("v2")?).run().await.expect_err("v2 is sick");
/// match error.kind() {
///     ErrorKind::Unhealthy => println!("nothing was switched: {error}"),
///     ErrorKind::LockHeld | ErrorKind::Unreachable => println!("again in a minute"),
///     _ => return Err(error.into()),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine says why.
    #[error(transparent)]
    Engine(#[from] kamal_core::error::Error),
    /// The configuration is wrong. It prints itself, source lines and all.
    #[error("{0}")]
    Config(ConfigErrors),
    /// There is no configuration where it was looked for.
    #[error("Configuration file not found in {}", .path.display())]
    NoConfig {
        /// Where.
        path: PathBuf,
        /// What to do.
        help: String,
    },
    /// A file is there and cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The selection of hosts and roles matches nothing.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// The project has no version.
    #[error(transparent)]
    NoVersion(#[from] NoVersion),
    /// A key for SSH that is kept as a secret cannot be had.
    #[error("ssh/key_data: {0}")]
    KeyData(SecretError),
    /// A file is no proxy that hosts could run.
    #[error("{} is no static binary for Linux on amd64 or arm64, which the proxy's image is made of", .path.display())]
    ProxyBinary {
        /// The file.
        path: PathBuf,
    },
    /// The work was begun outside of a tokio runtime, or its runtime ended before it did.
    #[error("there is no tokio runtime to work on, or it ended")]
    NoRuntime,
}

impl Error {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Engine(error) => error.kind(),
            Self::Config(_) | Self::NoConfig { .. } => ErrorKind::Config,
            Self::Unreadable { .. } | Self::ProxyBinary { .. } => ErrorKind::Local,
            Self::Name(_) | Self::Selection(_) => ErrorKind::Usage,
            Self::NoVersion(_) => ErrorKind::NoVersion,
            Self::KeyData(_) => ErrorKind::SecretMissing,
            Self::NoRuntime => ErrorKind::Internal,
        }
    }

    /// What would put it right, as far as that is known.
    #[must_use]
    pub fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Engine(error) => error.hints(),
            Self::NoConfig { help, .. } => vec![Hint::new(help)],
            Self::NoVersion(why) => why.hint().into_iter().collect(),
            Self::KeyData(error) => error.hints.clone(),
            _ => Vec::new(),
        }
    }
}

/// Why the project has no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoVersion {
    /// The variable `VERSION` holds none.
    #[error("VERSION: {0}")]
    Variable(String),
    /// Git is not there.
    #[error("{}", commit("git is not installed"))]
    NoGit,
    /// The folder is in no repository.
    #[error("{}", commit(&format!("no git repository found in {}", .0)))]
    NoRepository(String),
    /// The repository has no commit yet.
    #[error("{}", commit(&format!("the repository in {} has no commits yet", .0)))]
    NoCommit(String),
    /// Git does not trust the repository, which belongs to another user.
    #[error("{}", commit(&format!("the repository in {} belongs to somebody else", .0)))]
    ForeignRepository(String),
    /// Git says something else.
    #[error("{}", commit(&format!("git says: {}", .0)))]
    Git(String),
    /// The project has no folder to look into.
    #[error("the project has no folder whose commit could be its version; give it one")]
    NoFolder,
}

impl NoVersion {
    /// What would put it right, as far as that is known.
    fn hint(&self) -> Option<Hint> {
        let fix = match self {
            Self::Variable(_) | Self::NoFolder => return None,
            Self::NoGit => "install git".to_owned(),
            Self::NoRepository(_) => "commit the project to git".to_owned(),
            Self::NoCommit(_) => "commit the project".to_owned(),
            Self::ForeignRepository(place) => {
                format!("`git config --global --add safe.directory {place}` if you trust it")
            }
            Self::Git(_) => "see to that".to_owned(),
        };
        Some(Hint::new(format!("{fix}, or give --version (or the variable VERSION)")))
    }
}

/// In Kamal's words.
fn commit(why: &str) -> String {
    format!("Can't use commit hash as version, {why}")
}
