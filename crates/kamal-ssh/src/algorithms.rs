//! Which algorithms are offered: russh's, in an order of ours, changed as ssh config says (`KexAlgorithms`, `Ciphers`,
//! `MACs`, `HostKeyAlgorithms` with OpenSSH's forms `+list`, `-list`, `^list`).

use kamal_core::ports::TransportErrorKind;
use russh::{Preferred, cipher, kex, keys::Algorithm, mac};

use crate::{pattern::matches, ssh_config::Settings};

/// The lists of one host; `None` where ssh config says nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Algorithms {
    kex: Option<Vec<kex::Name>>,
    ciphers: Option<Vec<cipher::Name>>,
    macs: Option<Vec<mac::Name>>,
    /// Host key algorithms, the most wanted first.
    pub(crate) host_keys: Option<Vec<Algorithm>>,
}

/// The fastest first where the processor has instructions for it, which every server of ours has.
const CIPHERS: [cipher::Name; 5] =
    [cipher::AES_256_GCM, cipher::CHACHA20_POLY1305, cipher::AES_256_CTR, cipher::AES_192_CTR, cipher::AES_128_CTR];

/// Further ciphers that ssh config may ask for.
const MORE_CIPHERS: [cipher::Name; 4] =
    [cipher::AES_128_GCM, cipher::AES_256_CBC, cipher::AES_192_CBC, cipher::AES_128_CBC];

/// Key exchanges that are no algorithms but announcements, which belong into every list.
const ANNOUNCEMENTS: [kex::Name; 4] = [
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

impl Algorithms {
    /// The lists as ssh config has them.
    pub(crate) fn choose(settings: &Settings) -> Result<Self, TransportErrorKind> {
        let defaults = Preferred::default();
        let kex: Vec<kex::Name> = defaults.kex.iter().filter(|name| !ANNOUNCEMENTS.contains(name)).copied().collect();
        let all_kex: Vec<kex::Name> =
            kex::ALL_KEX_ALGORITHMS.iter().map(|name| **name).filter(|name| *name != kex::NONE).collect();
        let ciphers: Vec<cipher::Name> = CIPHERS.into_iter().chain(MORE_CIPHERS).collect();
        let all_macs: Vec<mac::Name> =
            mac::ALL_MAC_ALGORITHMS.iter().map(|name| **name).filter(|name| *name != mac::NONE).collect();
        let mut kex = choose("KexAlgorithms", settings.kex.as_deref(), &kex, &all_kex)?;
        if let Some(kex) = &mut kex {
            kex.extend(ANNOUNCEMENTS);
        }
        Ok(Self {
            kex,
            ciphers: choose("Ciphers", settings.ciphers.as_deref(), &CIPHERS, &ciphers)?,
            macs: choose("MACs", settings.macs.as_deref(), &defaults.mac, &all_macs)?,
            host_keys: choose(
                "HostKeyAlgorithms",
                settings.host_key_algorithms.as_deref(),
                &defaults.key,
                &defaults.key,
            )?,
        })
    }

    /// What is offered to a server, but for host keys.
    pub(crate) fn preferred(&self) -> Preferred {
        let defaults = Preferred::default();
        Preferred {
            kex: self.kex.clone().map_or(defaults.kex, Into::into),
            cipher: self.ciphers.clone().unwrap_or_else(|| CIPHERS.to_vec()).into(),
            mac: self.macs.clone().map_or(defaults.mac, Into::into),
            ..defaults
        }
    }
}

/// Applies a list of ssh config to what is offered otherwise.
fn choose<N: AsRef<str> + Clone + PartialEq>(
    keyword: &str,
    list: Option<&str>,
    defaults: &[N],
    known: &[N],
) -> Result<Option<Vec<N>>, TransportErrorKind> {
    let Some(list) = list else { return Ok(None) };
    let (form, names) = match list.chars().next() {
        Some(form @ ('+' | '-' | '^')) => (Some(form), list.get(1..).unwrap_or_default()),
        _ => (None, list),
    };
    let patterns: Vec<&str> = names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    // Each pattern's own, so that the order is the list's.
    let mut asked: Vec<N> = Vec::new();
    for pattern in &patterns {
        let fits = known.iter().filter(|name| matches(pattern, name.as_ref()));
        let fresh: Vec<N> = fits.filter(|name| !asked.contains(name)).cloned().collect();
        asked.extend(fresh);
    }
    let without = |names: &[N]| names.iter().filter(|name| !asked.contains(name)).cloned().collect::<Vec<N>>();
    let chosen = match form {
        None => asked,
        Some('-') => without(defaults),
        Some('^') => [asked.clone(), without(defaults)].concat(),
        Some(_) => [defaults.to_vec(), asked.into_iter().filter(|name| !defaults.contains(name)).collect()].concat(),
    };
    if chosen.is_empty() {
        let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
        return Err(TransportErrorKind::Client(format!(
            "{keyword} {list} in ssh config leaves nothing that is supported here; supported are {}",
            known.join(", ")
        )));
    }
    Ok(Some(chosen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openssh_s_forms() {
        let choose = |list| choose("X", Some(list), &["a1", "a2", "b"], &["a1", "a2", "b", "c"]);
        assert_eq!(choose("c,a*,unknown").unwrap().unwrap(), ["c", "a1", "a2"]);
        assert_eq!(choose("+c,a1").unwrap().unwrap(), ["a1", "a2", "b", "c"]);
        assert_eq!(choose("-a*").unwrap().unwrap(), ["b"]);
        assert_eq!(choose("^b").unwrap().unwrap(), ["b", "a1", "a2"]);
        let error = choose("never,heard").unwrap_err().to_string();
        assert!(error.contains("X never,heard") && error.contains("a1, a2, b, c"), "{error}");
        assert!(choose("-*").is_err());
    }
}
