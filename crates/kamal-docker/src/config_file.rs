//! docker's config.json, as far as logins go. Whatever else is in it stays as it is, in its order.

use kamal_core::secret::Secret;
use serde::Serialize as _;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::credentials::Account;

/// What one holds.
#[derive(Clone)]
pub(crate) struct ConfigFile(Map<String, Value>);

/// Why logins cannot be read, without anything that stands in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("docker's config.json is {0}; put it right, or move it away")]
pub(crate) struct ConfigError(String);

impl ConfigFile {
    /// Reads one; there may be nothing in it.
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        if text.trim().is_empty() {
            return Ok(Self(Map::new()));
        }
        let unread = |error: serde_json::Error| {
            ConfigError(format!("no JSON (line {}, column {})", error.line(), error.column()))
        };
        let Value::Object(map) = serde_json::from_str(text).map_err(unread)? else {
            return Err(ConfigError("JSON, but no mapping".to_owned()));
        };
        for key in ["auths", "credHelpers"] {
            if map.get(key).is_some_and(|value| !value.is_object() && !value.is_null()) {
                return Err(ConfigError(format!("unusable: `{key}` in it is no mapping")));
            }
        }
        Ok(Self(map))
    }

    /// The credential helper that keeps a registry's login.
    pub(crate) fn helper(&self, key: &str) -> Option<&str> {
        let of_registry = self.0.get("credHelpers").and_then(|helpers| helpers.get(key));
        of_registry.or_else(|| self.0.get("credsStore"))?.as_str().filter(|name| !name.is_empty())
    }

    /// Whether it is this account's login that docker finds here.
    pub(crate) fn holds(&self, account: &Account) -> bool {
        let entry = self.0.get("auths").and_then(|auths| auths.get(&account.key));
        self.helper(&account.key).is_none() && entry == Some(&entry_of(account))
    }

    /// Whether docker has any login for a registry, or asks a helper for one.
    pub(crate) fn has_one(&self, key: &str) -> bool {
        let entry = self.0.get("auths").and_then(|auths| auths.get(key)).and_then(Value::as_object);
        self.helper(key).is_some() || entry.is_some_and(|entry| !entry.is_empty())
    }

    /// With an account's login, in itself or in the helper that is to keep it.
    pub(crate) fn with(mut self, account: &Account) -> Self {
        let entry = if self.helper(&account.key).is_some() { json!({}) } else { entry_of(account) };
        self.put("auths", &account.key, entry);
        self
    }

    /// With an account's login in itself, whatever helper there is: for a while, and for nobody else.
    pub(crate) fn with_own(mut self, account: &Account) -> Self {
        if self.helper(&account.key).is_some() {
            // One without a name is none, for this registry alone.
            self.put("credHelpers", &account.key, json!(""));
        }
        self.put("auths", &account.key, entry_of(account));
        self
    }

    fn put(&mut self, section: &str, key: &str, value: Value) {
        match self.0.entry(section).or_insert(Value::Null) {
            Value::Object(map) => drop(map.insert(key.to_owned(), value)),
            empty => *empty = json!({ key: value }),
        }
    }

    /// As docker writes it.
    pub(crate) fn text(&self) -> Secret {
        let mut text = Zeroizing::new(Vec::new());
        let tabs = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        let written = self.0.serialize(&mut serde_json::Serializer::with_formatter(&mut *text, tabs));
        debug_assert!(written.is_ok(), "what was JSON is JSON");
        Secret::new(String::from_utf8_lossy(&text))
    }
}

fn entry_of(account: &Account) -> Value {
    json!({ "auth": account.auth().expose() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account {
            server: "r.example:5000".to_owned(),
            key: "r.example:5000".to_owned(),
            user: Secret::new("us\"er$"),
            password: Secret::new("p4ss\\ 'w`rd"),
        }
    }

    fn with(text: &str) -> String {
        ConfigFile::parse(text).unwrap().with(&account()).text().expose().to_owned()
    }

    #[test]
    fn the_login_is_put_in_and_the_rest_stays_in_its_order() {
        let auth = account().auth();
        let entry = format!("\"r.example:5000\": {{\n\t\t\t\"auth\": \"{}\"\n\t\t}}", auth.expose());
        let alone = format!("{{\n\t\"auths\": {{\n\t\t{entry}\n\t}}\n}}");
        for empty in ["", " \n", "{}", "{\"auths\": {}}", "{\"auths\":null}"] {
            assert_eq!(with(empty), alone, "{empty}");
        }
        let before = r#"{"z": {"n": null, "x": [1, {"r.example:5000": 2}]}, "auths": {"b": {"auth": "a}\"b", "email": "é"},
            "r.example:5000": {"auth": "b2xk", "identitytoken": "t"}, "a": {}}, "HttpHeaders": {"b": "c"}, "a": 18446744073709551615}"#;
        let after: Value = serde_json::from_str(&with(before)).unwrap();
        let mut expected: Value = serde_json::from_str(before).unwrap();
        expected["auths"]["r.example:5000"] = json!({"auth": auth.expose()});
        assert_eq!(after, expected);
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!((keys(&after), keys(&after["auths"])), (keys(&expected), keys(&expected["auths"])));
        assert!(ConfigFile::parse(&with(before)).unwrap().holds(&account()));
        assert!(!ConfigFile::parse(before).unwrap().holds(&account()));
        for (key, has) in [("b", true), ("r.example:5000", true), ("a", false), ("c", false)] {
            assert_eq!(ConfigFile::parse(before).unwrap().has_one(key), has, "{key}");
        }
    }

    #[test]
    fn a_helper_keeps_its_registry_out_of_the_file() {
        for (text, helper) in [
            (r#"{"credsStore": "safe"}"#, Some("safe")),
            (r#"{"credsStore": "no", "credHelpers": {"x": "y", "r.example:5000": "safe"}}"#, Some("safe")),
            (r#"{"credsStore": "no", "credHelpers": {"r.example:5000": ""}}"#, None),
            (r#"{"credsStore": "", "credHelpers": {"x": "y"}}"#, None),
        ] {
            let config = ConfigFile::parse(text).unwrap();
            assert_eq!(config.helper("r.example:5000"), helper, "{text}");
            let after: Value = serde_json::from_str(config.clone().with(&account()).text().expose()).unwrap();
            let in_file = after["auths"]["r.example:5000"].get("auth").is_some();
            assert_eq!(in_file, helper.is_none(), "{text}");
            let own = config.with_own(&account());
            assert!(own.holds(&account()) && own.helper("r.example:5000").is_none(), "{text}");
            assert_eq!(own.helper("other"), ConfigFile::parse(text).unwrap().helper("other"), "{text}");
        }
    }

    #[test]
    fn what_is_unreadable_is_told_without_what_is_in_it() {
        for (text, problem) in [
            ("{\"auths\": {\n\"s3cret", "no JSON (line 2, column 7)"),
            ("[1]", "JSON, but no mapping"),
            ("\"s3cret\"", "JSON, but no mapping"),
            ("{\"auths\": \"s3cret\"}", "unusable: `auths` in it is no mapping"),
            ("{\"credHelpers\": [\"s3cret\"]}", "unusable: `credHelpers` in it is no mapping"),
        ] {
            let error = ConfigFile::parse(text).err().unwrap().to_string();
            assert!(error.contains(problem) && !error.contains("s3cret"), "{error}");
        }
    }
}
