//! What the environment tells the app, read once at start so that a wrong value is refused then and not in a request.

use std::env;

/// How the app answers health checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    Ok,
    Fail,
    Crash,
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
        let health = match get("HEALTH").as_deref() {
            None | Some("" | "ok") => Health::Ok,
            Some("fail") => Health::Fail,
            Some("crash") => Health::Crash,
            Some(other) => return Err(format!("HEALTH is {other:?}; give ok, fail or crash")),
        };
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
