//! The first field of a known_hosts line: a list of patterns, or a hashed name.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::pattern::matches;

/// A name hidden in a hash, as `HashKnownHosts yes` wants it.
pub(super) fn hashed(name: &str) -> std::io::Result<String> {
    let mut salt = [0; 20];
    aws_lc_rs::rand::fill(&mut salt).map_err(std::io::Error::other)?;
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt);
    let hash = aws_lc_rs::hmac::sign(&key, name.as_bytes());
    Ok(format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(hash.as_ref())))
}

#[derive(Debug)]
pub(super) enum Names {
    /// `|1|salt|hash`: HMAC-SHA1 of the name under the salt.
    Hashed { salt: Vec<u8>, hash: Vec<u8> },
    /// Patterns with `*` and `?`; `!` takes names out again.
    Patterns(Vec<String>),
}

impl Names {
    pub(super) fn parse(field: &str) -> Option<Self> {
        let Some(hashed) = field.strip_prefix("|1|") else {
            return Some(Self::Patterns(field.split(',').map(str::to_ascii_lowercase).collect()));
        };
        let (salt, hash) = hashed.split_once('|')?;
        Some(Self::Hashed { salt: STANDARD.decode(salt).ok()?, hash: STANDARD.decode(hash).ok()? })
    }

    /// True when a name, in lower case and with its port, belongs to the line.
    pub(super) fn match_name(&self, name: &str) -> bool {
        match self {
            Self::Hashed { salt, hash } => {
                let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
                aws_lc_rs::hmac::verify(&key, name.as_bytes(), hash).is_ok()
            }
            Self::Patterns(patterns) => {
                let (taken_out, named): (Vec<&str>, Vec<&str>) =
                    patterns.iter().map(String::as_str).partition(|pattern| pattern.starts_with('!'));
                named.iter().any(|pattern| matches(pattern, name))
                    && !taken_out.iter().any(|pattern| matches(pattern.trim_start_matches('!'), name))
            }
        }
    }
}
