//! The digest that names content: an algorithm and hexadecimal digits, `sha256:` and 64 of them or `sha512:` and 128.

use std::fmt::{self, Write};
use std::fs::File;
use std::io::{self, Read};
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256, SHA512};
use serde::{Deserialize, Serialize};

/// Read and digested in pieces of this size.
const PIECE: usize = 256 * 1024;

/// How content is digested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    pub(super) const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// Its name in digests and in folders.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The algorithm of this name, if it is one that is supported.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == text)
    }

    /// The digest of `content`.
    pub(super) fn of(self, content: &[u8]) -> Digest {
        let mut context = self.context();
        context.update(content);
        self.finish(context)
    }

    /// The digest of what is left to read of `file`; blocks while it reads.
    pub(super) fn of_file(self, mut file: &File) -> io::Result<Digest> {
        let mut context = self.context();
        let mut buffer = vec![0; PIECE];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(self.finish(context)),
                length => context.update(&buffer[..length]),
            }
        }
    }

    pub(super) fn context(self) -> Context {
        match self {
            Self::Sha256 => Context::new(&SHA256),
            Self::Sha512 => Context::new(&SHA512),
        }
    }

    fn digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }

    pub(super) fn finish(self, context: Context) -> Digest {
        let hex = context.finish().as_ref().iter().fold(String::with_capacity(self.digits()), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        Digest { algorithm: self, hex }
    }
}

/// A checked digest: sha256 or sha512, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

/// What is not a digest.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a digest: sha256: and 64, or sha512: and 128 lower-case hexadecimal digits")]
pub struct DigestError(String);

impl Digest {
    /// How the content was digested.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digits alone, as used in file names.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// Of the algorithm and the digits, if they fit each other.
    pub(super) fn from_parts(algorithm: Algorithm, hex: &str) -> Option<Self> {
        let canonical =
            hex.len() == algorithm.digits() && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        canonical.then(|| Self { algorithm, hex: hex.to_owned() })
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let parts = text.split_once(':').and_then(|(name, hex)| Some((Algorithm::parse(name)?, hex)));
        parts.and_then(|(algorithm, hex)| Self::from_parts(algorithm, hex)).ok_or_else(|| DigestError(text.to_owned()))
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_sha256_and_sha512_are_digests() {
        for good in [format!("sha256:{}", "0a".repeat(32)), format!("sha512:{}", "0a".repeat(64))] {
            assert_eq!(good.parse::<Digest>().unwrap().to_string(), good);
        }
        let (short, long) = ("0a".repeat(32), "0a".repeat(64));
        for bad in [
            "",
            "sha256:",
            "sha256:../../etc",
            &format!("sha256:{}", "0A".repeat(32)),
            &format!("sha256:{long}"),
            &format!("sha512:{short}"),
            &format!("md5:{short}"),
            &short,
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_digest_of_nothing_is_the_well_known_one() {
        assert_eq!(Algorithm::Sha256.of(b"").hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert!(
            Algorithm::Sha512.of(b"").hex().starts_with("cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921")
        );
    }
}
