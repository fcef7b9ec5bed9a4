//! What the environment tells the app, read once at start so that a wrong value is refused then and not in a request.

use std::env;

/// How the app answers health checks, and what else may be the matter with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    Ok,
    /// Refuses them.
    Fail,
    /// Answers them with this status.
    Status(u16),
    /// Answers them as Rails does where it does not know the host.
    Blocked,
    /// Leads them to https.
    Https,
    /// Answers them after a minute.
    Slow,
    /// Listens on the loopback alone.
    Loopback,
    /// Listens after 8 s.
    Late,
    /// Never listens.
    Idle,
    /// Answers every twentieth request for / with an error.
    Shaky,
    /// Ends at once.
    Crash,
    /// Is ended by a signal of its own.
    Abort,
    /// Takes all the memory there is.
    Hungry,
    /// Fills the disk at /full.
    Full,
    /// Looks for a database that has no address.
    Nameless,
}

/// The words for them.
const WORDS: [(&str, Health); 14] = [
    ("ok", Health::Ok),
    ("fail", Health::Fail),
    ("blocked", Health::Blocked),
    ("https", Health::Https),
    ("slow", Health::Slow),
    ("loopback", Health::Loopback),
    ("late", Health::Late),
    ("idle", Health::Idle),
    ("shaky", Health::Shaky),
    ("crash", Health::Crash),
    ("abort", Health::Abort),
    ("hungry", Health::Hungry),
    ("full", Health::Full),
    ("nameless", Health::Nameless),
];

impl Health {
    fn parse(word: &str) -> Option<Self> {
        let status = || word.parse().ok().filter(|status| (200..600).contains(status)).map(Self::Status);
        WORDS.iter().find(|(known, _)| *known == word).map(|(_, health)| *health).or_else(status)
    }
}

/// The whole configuration of the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) port: u16,
    pub(crate) version: String,
    pub(crate) health: Health,
    pub(crate) echo: Vec<(String, String)>,
}

impl Settings {
    /// The settings of this process.
    pub(crate) fn from_env() -> Result<Self, String> {
        Self::from_lookup(|name| env::var(name).ok())
    }

    fn from_lookup(get: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let port = match get("PORT") {
            None => 80,
            Some(text) => text.parse().map_err(|_| format!("PORT is {text:?}; give a number from 1 to 65535"))?,
        };
        let word = get("HEALTH").filter(|word| !word.is_empty()).unwrap_or_else(|| "ok".to_owned());
        let health = Health::parse(&word).ok_or_else(|| {
            let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
            format!("HEALTH is {word:?}; give a status, or one of {}", words.join(", "))
        })?;
        let version = get("KAMAL_VERSION").unwrap_or_else(|| "unknown".to_owned());
        if version.chars().any(char::is_control) {
            return Err("KAMAL_VERSION has control characters, which no HTTP header may carry".to_owned());
        }
        let echo = get("ECHO").unwrap_or_default();
        let names = echo.split(',').filter(|name| !name.is_empty());
        let echo = names.map(|name| (name.to_owned(), get(name).unwrap_or_default())).collect();
        Ok(Self { port, version, health, echo })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        Settings::from_lookup(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn defaults_are_port_80_and_healthy() {
        let expected = Settings { port: 80, version: "unknown".to_owned(), health: Health::Ok, echo: Vec::new() };
        assert_eq!(read(&[]), Ok(expected));
    }

    #[test]
    fn a_wrong_value_names_the_variable() {
        assert!(read(&[("PORT", "http")]).unwrap_err().contains("PORT"));
        assert!(read(&[("HEALTH", "meh")]).unwrap_err().contains("HEALTH"));
        assert!(read(&[("KAMAL_VERSION", "1\r\nx: y")]).unwrap_err().contains("KAMAL_VERSION"));
    }

    #[test]
    fn the_environment_chooses_version_and_health() {
        let given = [("KAMAL_VERSION", "abc"), ("HEALTH", "fail"), ("PORT", "3000"), ("ECHO", "HEALTH,X")];
        let echo = vec![("HEALTH".to_owned(), "fail".to_owned()), ("X".to_owned(), String::new())];
        let expected = Settings { port: 3000, version: "abc".to_owned(), health: Health::Fail, echo };
        assert_eq!(read(&given).unwrap(), expected);
    }
}
