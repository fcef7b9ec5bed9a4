//! What proxies that share a secret tell each other, so that nobody else can read it or make it up: sealed with a key made
//! of the secret (RFC 5869), and bound to the question it answers, which holds a number that is used once.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hkdf, rand};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// What makes the key another one than anybody else makes of the same secret.
const PURPOSE: &[u8] = b"kamal-proxy: certificates among peers";
/// Bytes of a number before what is sealed.
const NONCE: usize = 12;

/// The key.
#[derive(Debug)]
pub(super) struct Seal(RandomizedNonceKey);

impl Seal {
    pub(super) fn new(secret: &str) -> Option<Self> {
        let made = hkdf::Salt::new(hkdf::HKDF_SHA256, PURPOSE).extract(secret.as_bytes());
        let mut key = [0; 32];
        made.expand(&[b"key"], &AES_256_GCM).ok()?.fill(&mut key).ok()?;
        RandomizedNonceKey::new(&AES_256_GCM, &key).ok().map(Self)
    }

    /// Seals the answer to a question.
    pub(super) fn close(&self, question: &str, answer: &str) -> Option<String> {
        let mut sealed = answer.as_bytes().to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(question), &mut sealed).ok()?;
        Some(STANDARD.encode([&nonce.as_ref()[..], &sealed].concat()))
    }

    /// The answer to that question, if whoever sealed it has the secret.
    pub(super) fn open(&self, question: &str, sealed: &[u8]) -> Option<String> {
        let mut sealed = STANDARD.decode(sealed).ok()?;
        let (nonce, sealed) = sealed.split_at_mut_checked(NONCE)?;
        let nonce = Nonce::from(nonce.first_chunk::<NONCE>()?);
        let answer = self.0.open_in_place(nonce, Aad::from(question), sealed).ok()?;
        String::from_utf8(answer.to_vec()).ok()
    }
}

/// A number nobody has used.
pub(super) fn once() -> Option<String> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_the_secret_reads_the_answer_and_only_to_that_question() {
        let seal = Seal::new("a secret of some length").unwrap();
        let sealed = seal.close("app certificate a.test 1", "the key").unwrap();
        assert!(!sealed.contains("key"));
        let opened = |seal: &Seal, question: &str, sealed: &str| seal.open(question, sealed.as_bytes());
        let again = Seal::new("a secret of some length").unwrap();
        assert_eq!(opened(&again, "app certificate a.test 1", &sealed).as_deref(), Some("the key"));
        assert_eq!(opened(&seal, "app certificate a.test 2", &sealed), None);
        assert_eq!(opened(&Seal::new("another secret").unwrap(), "app certificate a.test 1", &sealed), None);
        for damaged in ["", "AAAA", "not base64!", &sealed[..sealed.len() - 8]] {
            assert_eq!(opened(&seal, "app certificate a.test 1", damaged), None, "{damaged}");
        }
        assert_ne!(once().unwrap(), once().unwrap());
    }
}
