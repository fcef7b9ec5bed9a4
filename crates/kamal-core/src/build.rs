//! What is done about images on the local machine: building, builders, logins (spec 9.2, 9.4).

use serde::{Deserialize, Serialize};

/// A task about images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildTask {
    /// Builds the image and hands it on.
    Push {
        /// Builds every layer anew.
        no_cache: bool,
        /// What buildx does with the result: `registry`, `docker`, …
        output: String,
    },
    /// Builds from the work tree as it is, under tags of its own that end in `-dirty`.
    Dev {
        /// Builds every layer anew.
        no_cache: bool,
        /// What buildx does with the result.
        output: String,
    },
    /// Creates the builder.
    CreateBuilder,
    /// Removes the builder.
    RemoveBuilder,
    /// Tells about the builder.
    Details,
    /// Finds out what an image in a registry is made of, as far as that can be told.
    Measure {
        /// The image.
        image: String,
    },
    /// Logs in to the registry.
    Login,
    /// Logs out of the registry.
    Logout,
}

impl BuildTask {
    /// True when an image comes out of it, which may have to go into a registry.
    #[must_use]
    pub fn makes_an_image(&self) -> bool {
        matches!(self, Self::Push { .. } | Self::Dev { .. })
    }

    /// True when it changes something.
    #[must_use]
    pub fn changes(&self) -> bool {
        !matches!(self, Self::Details | Self::Measure { .. })
    }
}

impl std::fmt::Display for BuildTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Push { output, .. } if output == "registry" => {
                f.write_str("build the image and push it to the registry")
            }
            Self::Push { output, .. } => write!(f, "build the image for output to {output}"),
            Self::Dev { output, .. } => write!(f, "build the work tree for output to {output}"),
            Self::CreateBuilder => f.write_str("create the builder"),
            Self::RemoveBuilder => f.write_str("remove the builder"),
            Self::Details => f.write_str("look at the builder"),
            Self::Measure { image } => write!(f, "find out how large {image} is"),
            Self::Login => f.write_str("log in to the registry"),
            Self::Logout => f.write_str("log out of the registry"),
        }
    }
}
