//! Typed identifiers, so that a role can never be passed where a host is meant. They are parsed at the edge and
//! borrowed as `&str` inside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a text that is known to be one.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::ops::Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }
    };
}

name! {
    /// A host as deploy.yml spells it: a name or an address.
    HostName
}
name! {
    /// A role: `web`, `workers`, …
    RoleName
}
name! {
    /// The service every name on a host begins with.
    ServiceName
}
name! {
    /// A destination such as `staging`.
    Destination
}
name! {
    /// An app version: a git revision, or whatever `VERSION` or `--version` says.
    Version
}
name! {
    /// A container's name.
    ContainerName
}
name! {
    /// A container's id, long or short.
    ContainerId
}
name! {
    /// An image with its tag: `registry/repository:tag`.
    ImageRef
}

impl Version {
    /// The version as people read it: its first seven characters, or all of it when it holds an underscore
    /// (Kamal's glossary, spec 0.3).
    #[must_use]
    pub fn abbreviated(&self) -> &str {
        if self.contains('_') {
            self
        } else {
            self.char_indices().nth(7).map_or(self.as_str(), |(end, _)| &self[..end])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_abbreviated_like_kamal() {
        assert_eq!(Version::new("0123456789abcdef").abbreviated(), "0123456");
        assert_eq!(Version::new("v1").abbreviated(), "v1");
        assert_eq!(Version::new("0123456789_uncommitted_ff").abbreviated(), "0123456789_uncommitted_ff");
    }
}
