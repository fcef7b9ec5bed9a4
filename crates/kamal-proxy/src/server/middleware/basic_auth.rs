//! A name and a password before anything else (RFC 7617).
//!
//! Passwords are kept as bcrypt hashes, as `htpasswd -B` writes them. A check costs what bcrypt is meant to cost, so
//! what was right once is remembered (as a keyed hash), and only a few are checked at the same time, the latest first:
//! somebody who guesses does not take the processor away from everybody else, nor make them wait.

use std::collections::HashMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use tokio::task::spawn_blocking;

use super::turns::Turns;
use crate::server::surroundings::Variables;

/// Checks at the same time.
const CHECKS: usize = 2;
/// Passwords that were right and are remembered.
const REMEMBERED: usize = 1024;
/// The hash of no password anybody knows, checked for names nobody has: answers take as long as for those that exist.
const NOBODY: &str = "$2y$10$BLQFS0dpjNP0CmGtLnHGAOKS2b5mr2fFbNtiXfSIcdcv7ol9CYmVq";

/// The users of one service.
#[derive(Debug)]
pub(super) struct BasicAuth {
    /// Hash by name.
    users: HashMap<String, String>,
    right: Mutex<HashMap<u128, ()>>,
    keys: [RandomState; 2],
    checks: Arc<Turns>,
}

/// Why there are no users. Nothing of the lines themselves is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UsersError {
    #[error("unable to read the basic auth file {path}: {reason}")]
    File { path: String, reason: String },
    #[error("the server has no environment variable {0} with users for basic auth")]
    Variable(String),
    #[error(
        "line {0} of the users for basic auth is not of the form name:hash with a bcrypt hash, as `htpasswd -nB name` prints it"
    )]
    Line(usize),
    #[error("there are no users for basic auth")]
    Nobody,
}

impl BasicAuth {
    /// Reads the users from a file, a variable, or both; `None` where neither is asked for.
    pub(super) fn load(file: &str, variable: &str, variables: &Variables) -> Result<Option<Self>, UsersError> {
        let mut lines = String::new();
        if !file.is_empty() {
            lines = fs::read_to_string(file)
                .map_err(|error| UsersError::File { path: file.to_owned(), reason: error.to_string() })?;
        }
        if !variable.is_empty() {
            let more = variables.get(variable).ok_or_else(|| UsersError::Variable(variable.to_owned()))?;
            lines = format!("{lines}\n{more}");
        }
        if file.is_empty() && variable.is_empty() { Ok(None) } else { Self::new(&lines).map(Some) }
    }

    fn new(lines: &str) -> Result<Self, UsersError> {
        let mut users = HashMap::new();
        for (number, line) in lines.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let user = line.split_once(':').filter(|(_, hash)| hash.parse::<bcrypt::HashParts>().is_ok());
            let (name, hash) = user.ok_or(UsersError::Line(number + 1))?;
            users.insert(name.to_owned(), hash.to_owned());
        }
        if users.is_empty() {
            return Err(UsersError::Nobody);
        }
        let keys = [RandomState::new(), RandomState::new()];
        Ok(Self { users, right: Mutex::default(), keys, checks: Turns::new(CHECKS) })
    }

    /// What a request says: name and password.
    pub(super) fn given(&self, headers: &HeaderMap) -> Option<(String, String)> {
        let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, encoded) = text.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        decoded.split_once(':').map(|(name, password)| (name.to_owned(), password.to_owned()))
    }

    /// Whether name and password belong together.
    pub(super) async fn admits(&self, given: Option<(String, String)>) -> bool {
        let Some((name, password)) = given else { return false };
        let key = self.key(&name, &password);
        if self.right.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&key) {
            return true;
        }
        let hash = self.users.get(&name).map_or(NOBODY, String::as_str).to_owned();
        let Some(_turn) = self.checks.take().await else { return false };
        let right = spawn_blocking(move || bcrypt::verify(password, &hash).unwrap_or(false)).await.unwrap_or(false);
        if right && self.users.contains_key(&name) {
            let mut remembered = self.right.lock().unwrap_or_else(PoisonError::into_inner);
            if remembered.len() >= REMEMBERED {
                remembered.clear();
            }
            remembered.insert(key, ());
            return true;
        }
        false
    }

    /// Two keyed hashes, so that finding another pair with the same key is out of the question.
    fn key(&self, name: &str, password: &str) -> u128 {
        let [first, second] = self.keys.each_ref().map(|key| u128::from(key.hash_one((name, password))));
        first << 64 | second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, format!("Basic {}", STANDARD.encode(text)).parse().unwrap());
        headers
    }

    #[tokio::test]
    async fn the_right_password_and_no_other() {
        let hash = bcrypt::hash("pa:ss", 4).unwrap();
        let auth = BasicAuth::new(&format!("# people\n\nann:{hash}\n")).unwrap();
        for (text, right) in
            [("ann:pa:ss", true), ("ann:pa:ss", true), ("ann:pass", false), ("bob:pa:ss", false), ("ann", false)]
        {
            assert_eq!(auth.admits(auth.given(&given(text))).await, right, "{text}");
        }
        assert_eq!(auth.right.lock().unwrap().len(), 1, "only what was right is remembered");
        let mut bearer = HeaderMap::new();
        bearer.insert(AUTHORIZATION, "Bearer YQ==".parse().unwrap());
        assert_eq!((auth.given(&bearer), auth.given(&HeaderMap::new())), (None, None));
    }

    // Names nobody has must not be told by a quick answer, and nobody's password must not be right.
    #[test]
    fn the_hash_of_nobody_is_one() {
        assert!(NOBODY.parse::<bcrypt::HashParts>().is_ok());
        assert_eq!(bcrypt::verify("", NOBODY).ok(), Some(false));
    }

    #[test]
    fn what_are_no_users() {
        for (lines, error) in [
            ("", UsersError::Nobody),
            ("# nobody\n", UsersError::Nobody),
            ("\nann:secret", UsersError::Line(2)),
            ("ann", UsersError::Line(1)),
            ("ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", UsersError::Line(1)),
        ] {
            assert_eq!(BasicAuth::new(lines).unwrap_err(), error, "{lines}");
        }
    }
}
