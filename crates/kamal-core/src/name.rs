//! Typed identifiers, so that a role can never be passed where a host is meant, and what each may hold: they stand in
//! the shell text hosts run, so none of them can hold shell syntax, whoever wrote it. They are parsed at the edge and
//! borrowed as `&str` inside.

mod identity;

use serde::{Deserialize, Serialize};

/// What a kind of name may hold.
struct Rule {
    /// The kind, as people call it.
    kind: &'static str,
    /// The signs that may stand in it beside letters and digits.
    signs: &'static str,
    /// The signs it may not begin with.
    not_first: &'static str,
    /// Whether letters beyond ASCII's are among them.
    any_letters: bool,
    /// How many characters it may have.
    longest: usize,
}

/// Why a text is not a name of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// There is nothing in it.
    #[error("the {kind} is empty")]
    Empty {
        /// The kind of name.
        kind: &'static str,
    },
    /// A character that may not stand in it.
    #[error("the {kind} {text:?} holds {found:?}; it is made of letters, digits and {}", spaced(.signs))]
    Character {
        /// The kind of name.
        kind: &'static str,
        /// The text.
        text: String,
        /// The first such character.
        found: char,
        /// What else may.
        signs: &'static str,
    },
    /// A beginning that would be taken for something else, as `-` for a switch.
    #[error("the {kind} {text:?} may not begin with {found:?}")]
    Beginning {
        /// The kind of name.
        kind: &'static str,
        /// The text.
        text: String,
        /// The character.
        found: char,
    },
    /// More characters than it may have.
    #[error("the {kind} has {length} characters; {longest} are the most it may have")]
    Length {
        /// The kind of name.
        kind: &'static str,
        /// How many there are.
        length: usize,
        /// How many there may be.
        longest: usize,
    },
}

fn spaced(signs: &str) -> String {
    signs.chars().map(String::from).collect::<Vec<_>>().join(" ")
}

impl Rule {
    fn check(&self, text: &str) -> Result<(), NameError> {
        let kind = self.kind;
        let fits = |c: char| {
            c.is_ascii_alphanumeric()
                || self.signs.contains(c)
                || self.any_letters && !c.is_ascii() && c.is_alphanumeric()
        };
        let Some(first) = text.chars().next() else { return Err(NameError::Empty { kind }) };
        if let Some(found) = text.chars().find(|c| !fits(*c)) {
            return Err(NameError::Character { kind, text: text.to_owned(), found, signs: self.signs });
        }
        let length = text.chars().count();
        if length > self.longest {
            return Err(NameError::Length { kind, length, longest: self.longest });
        }
        // In `user@host` either could be taken for a switch.
        let mut beginnings =
            std::iter::once(first).chain(text.split('@').skip(1).filter_map(|part| part.chars().next()));
        match beginnings.find(|c| self.not_first.contains(*c)) {
            Some(found) => Err(NameError::Beginning { kind, text: text.to_owned(), found }),
            None => Ok(()),
        }
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The text as a name.
            ///
            /// # Errors
            ///
            /// When it holds what a name of this kind cannot.
            pub fn parse(text: impl Into<String>) -> Result<Self, NameError> {
                const RULE: Rule = $rule;
                let text = text.into();
                RULE.check(&text)?;
                Ok(Self(text))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(text)
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

/// What docker takes in the name of a container, which most names become a part of.
const fn in_container_names(kind: &'static str) -> Rule {
    Rule { kind, signs: "_.-", not_first: "", any_letters: false, longest: usize::MAX }
}

name! {
    /// A host as deploy.yml spells it: a name or an address, with a user and a port or without.
    HostName, Rule { kind: "host", signs: "-_.:@[]%/+", not_first: "-/", any_letters: true, longest: usize::MAX }
}
name! {
    /// A role: `web`, `workers`, …
    RoleName, in_container_names("role")
}
name! {
    /// The service every name on a host begins with.
    ServiceName, Rule { signs: "_-", not_first: "-", ..in_container_names("service") }
}
name! {
    /// A destination such as `staging`.
    Destination, in_container_names("destination")
}
name! {
    /// An app version: a git revision, or whatever `VERSION` or `--version` says. It is the tag of an image.
    Version, Rule { not_first: ".-", longest: 128, ..in_container_names("version") }
}
name! {
    /// A container's name.
    ContainerName, Rule { not_first: "_.-", ..in_container_names("container's name") }
}
name! {
    /// A container's id, long or short.
    ContainerId, Rule { not_first: ".-", ..in_container_names("container's id") }
}
name! {
    /// An image with its tag: `registry/repository:tag`.
    ImageRef, Rule { signs: "-_.:/@[]", not_first: "-", ..in_container_names("image") }
}

macro_rules! put_together {
    ($($name:ident),*) => {
        $(impl $name {
            /// A name put together here of checked ones, or one whose fault has been reported and that nobody will use.
            pub(crate) fn of_checked(text: impl Into<String>) -> Self {
                Self(text.into())
            }
        })*
    };
}

put_together!(HostName, RoleName, ServiceName, Version, ContainerName, ImageRef);

/// Checks an accessory's name, which becomes part of a container's.
pub(crate) fn check_accessory(text: &str) -> Result<(), NameError> {
    in_container_names("accessory's name").check(text)
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
        let abbreviated = |text: &str| Version::parse(text).unwrap().abbreviated().to_owned();
        assert_eq!(abbreviated("0123456789abcdef"), "0123456");
        assert_eq!(abbreviated("v1"), "v1");
        assert_eq!(abbreviated("0123456789_uncommitted_ff"), "0123456789_uncommitted_ff");
    }

    #[test]
    fn what_a_name_would_be_taken_for_is_refused() {
        assert!(matches!(ServiceName::parse("-x"), Err(NameError::Beginning { found: '-', .. })));
        assert!(matches!(HostName::parse("/etc/passwd"), Err(NameError::Beginning { found: '/', .. })));
        // As long as a tag may be, and no longer.
        assert!(Version::parse("v".repeat(128)).is_ok());
        let error = Version::parse("v".repeat(129)).unwrap_err();
        assert_eq!(error.to_string(), "the version has 129 characters; 128 are the most it may have");
    }

    #[test]
    fn no_name_can_hold_shell_syntax() {
        let parsers: [fn(&str) -> bool; 8] = [
            |text| HostName::parse(text).is_ok(),
            |text| RoleName::parse(text).is_ok(),
            |text| ServiceName::parse(text).is_ok(),
            |text| Destination::parse(text).is_ok(),
            |text| Version::parse(text).is_ok(),
            |text| ContainerName::parse(text).is_ok(),
            |text| ContainerId::parse(text).is_ok(),
            |text| ImageRef::parse(text).is_ok(),
        ];
        for (at, parses) in parsers.into_iter().enumerate() {
            assert!(parses("a1"), "{at}");
            for sign in " \t\n\r\0\u{a0}\u{202e};&|<>()$`\\\"'*?#~!{}^=,".chars() {
                for text in [format!("a{sign}"), format!("{sign}a"), format!("a{sign}b"), sign.to_string()] {
                    assert!(!parses(&text), "{at}: {text:?}");
                }
            }
            for text in ["", "x;echo>pwned;", "v7$(echo>pwned)", "a\nb"] {
                assert!(!parses(text), "{at}: {text:?}");
            }
        }
    }

    #[test]
    fn what_kamal_takes_and_docker_too_is_taken() {
        for version in ["0123abc_uncommitted_ff00", "v1.2-rc.1", "_1", "latest-staging", "20261129"] {
            assert!(Version::parse(version).is_ok(), "{version}");
        }
        for host in [
            "app-1.example.com",
            "10.0.0.1",
            "me@app:2222",
            "me@corp@app:22",
            "::1",
            "[2001:db8::1]:22",
            "me@[fe80::1%eth0]:23",
            "ssh://me@app:23",
            "bücher.example",
            "my_host",
        ] {
            assert!(HostName::parse(host).is_ok(), "{host}");
        }
        for image in
            ["acme/app:v1", "localhost:5555/app", "r.example.com:443/a/b__c:latest-x", "a@sha256:0f", "[::1]:5000/a"]
        {
            assert!(ImageRef::parse(image).is_ok(), "{image}");
        }
    }

    #[test]
    fn a_beginning_that_reads_as_a_switch_is_refused() {
        for host in ["-oProxyCommand=x", "-host", "me@-host", "-me@host"] {
            assert!(HostName::parse(host).is_err(), "{host}");
        }
        assert!(Version::parse("-v").is_err() && Version::parse(".1").is_err() && ImageRef::parse("-a").is_err());
    }

    #[test]
    fn the_reason_names_the_kind_the_text_and_the_character() {
        let why = Version::parse("v7$(id)").unwrap_err().to_string();
        assert_eq!(why, "the version \"v7$(id)\" holds '$'; it is made of letters, digits and _ . -");
    }

    #[test]
    fn what_is_read_from_json_is_checked_as_well() {
        fn reads<N: serde::de::DeserializeOwned>(text: &str) -> bool {
            serde_json::from_value::<N>(text.into()).is_ok()
        }
        let readers = [
            reads::<HostName>,
            reads::<RoleName>,
            reads::<ServiceName>,
            reads::<Destination>,
            reads::<Version>,
            reads::<ContainerName>,
            reads::<ContainerId>,
            reads::<ImageRef>,
        ];
        for (at, reads) in readers.into_iter().enumerate() {
            assert!(reads("v1"), "{at}");
            for text in ["", "x;echo>pwned;", "v7$(echo>pwned)", "a\nb", "a b", "`id`", "a'b"] {
                assert!(!reads(text), "{at}: {text:?}");
            }
        }
        assert_eq!(serde_json::to_string(&Version::parse("v1").unwrap()).unwrap(), "\"v1\"");
    }
}
