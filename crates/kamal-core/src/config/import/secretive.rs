//! What looks like a secret: by its name, or by a password inside it.

/// What names of secrets end with.
const LAST: [&str; 16] = [
    "AUTH",
    "CREDENTIAL",
    "CREDENTIALS",
    "DSN",
    "KEY",
    "PASS",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "PAT",
    "PRIVATE",
    "PW",
    "PWD",
    "SALT",
    "SECRET",
    "TOKEN",
];

/// What makes a name a secret's wherever it stands in it.
const WITHIN: [&str; 4] = ["PASSWORD", "SECRET", "MASTER_KEY", "ACCESS_KEY"];

/// Whether a variable's name, and what is known of its value, say that it is a secret.
pub(super) fn is_secret(name: &str, value: &str) -> bool {
    by_name(name) && !is_harmless(name, value) || password(value).is_some()
}

fn by_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase().replace(['-', '.'], "_");
    let last = name.rsplit('_').next().unwrap_or_default();
    if name.contains("PUBLIC")
        || name.contains("PUBLISHABLE")
        || ["FILE", "PATH", "DIR", "NAME", "LENGTH"].contains(&last)
    {
        return false;
    }
    // `API_KEY`, but also `APIKEY`; not `MONKEY`.
    let glued = ["APIKEY", "SECRETKEY", "AUTHTOKEN"].iter().any(|glued| last.ends_with(glued));
    LAST.contains(&last) || glued || last.ends_with("PASSWORD") || WITHIN.iter().any(|part| name.contains(part))
}

/// A switch, or nothing at all: `ALLOW_EMPTY_PASSWORD=yes`.
fn is_harmless(name: &str, value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    matches!(value.as_str(), "true" | "false" | "yes" | "no" | "on" | "off")
        || value.is_empty() && name.to_ascii_uppercase().starts_with("ALLOW")
        || value.starts_with('/') && name.to_ascii_uppercase().ends_with("_PATH")
}

/// Where the password stands in an address such as `postgres://user:password@host/name`, in bytes.
pub(super) fn password(text: &str) -> Option<std::ops::Range<usize>> {
    let authority = text.find("://")? + 3;
    let end = text[authority..].find(['/', '?', '#', ' ']).map_or(text.len(), |length| authority + length);
    let at = authority + text[authority..end].rfind('@')?;
    let colon = authority + text[authority..at].find(':')?;
    (colon + 1 < at).then_some(colon + 1..at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_give_secrets_away() {
        for name in [
            "POSTGRES_PASSWORD",
            "SECRET_KEY_BASE",
            "RAILS_MASTER_KEY",
            "AWS_SECRET_ACCESS_KEY",
            "api-key",
            "STRIPE_APIKEY",
            "SENTRY_DSN",
            "GITHUB_TOKEN",
            "MYSQL_PWD",
            "PGPASSWORD",
        ] {
            assert!(is_secret(name, "x"), "{name}");
        }
        for (name, value) in [
            ("POSTGRES_PASSWORD_FILE", "/run/secrets/db"),
            ("STRIPE_PUBLISHABLE_KEY", "pk_1"),
            ("ALLOW_EMPTY_PASSWORD", "yes"),
            ("KEYBOARD", "de"),
            ("MONKEY", "x"),
            ("RAILS_ENV", "production"),
            ("REDIS_URL", "redis://redis:6379/0"),
        ] {
            assert!(!is_secret(name, value), "{name}");
        }
        assert!(is_secret("DATABASE_URL", "postgres://app:hunter2@db:5432/app"));
        assert_eq!(&"redis://:pw@r:1"[password("redis://:pw@r:1").unwrap()], "pw");
    }
}
