//! Values that are no secret by what they are: they stand in every second line of any output, and covering them there
//! would hide nothing and leave nothing to read.

use std::fmt;

/// Why a value is not covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Weak {
    /// It has fewer than four characters.
    Short,
    /// It is a word or a number that is everywhere.
    Common,
}

impl fmt::Display for Weak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "is shorter than four characters",
            Self::Common => "is a common word or number",
        })
    }
}

/// Why a value is not covered, if it is not. One that is blank hides nothing.
#[must_use]
pub fn weak(value: &str) -> Option<Weak> {
    let value = value.trim();
    if value.is_empty() {
        return None;
    }
    if value.chars().nth(3).is_none() {
        return Some(Weak::Short);
    }
    // Ports, years, sizes.
    let number = value.len() <= 5 && value.bytes().all(|byte| byte.is_ascii_digit());
    (number || COMMON.contains(&value.to_ascii_lowercase().as_str())).then_some(Weak::Common)
}

/// Words of configurations and logs.
const COMMON: [&str; 62] = [
    "true",
    "false",
    "null",
    "none",
    "enabled",
    "disabled",
    "production",
    "staging",
    "development",
    "test",
    "testing",
    "localhost",
    "127.0.0.1",
    "0.0.0.0",
    "host",
    "http",
    "https",
    "postgres",
    "postgresql",
    "mysql",
    "mariadb",
    "redis",
    "mongo",
    "mongodb",
    "sqlite",
    "rabbitmq",
    "memcached",
    "elasticsearch",
    "kafka",
    "minio",
    "docker",
    "kamal",
    "rails",
    "puma",
    "sidekiq",
    "node",
    "root",
    "admin",
    "administrator",
    "user",
    "username",
    "guest",
    "default",
    "deploy",
    "deployer",
    "ubuntu",
    "debian",
    "main",
    "master",
    "latest",
    "public",
    "private",
    "info",
    "debug",
    "warn",
    "warning",
    "error",
    "data",
    "database",
    "redis://localhost:6379",
    "us-east-1",
    "eu-central-1",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_common_values_are_told_from_secrets() {
        for short in ["a", "abc", " ab ", "é"] {
            assert_eq!(weak(short), Some(Weak::Short), "{short}");
        }
        for common in ["true", "Production", "5432", "65535", "postgres", "deploy"] {
            assert_eq!(weak(common), Some(Weak::Common), "{common}");
        }
        for secret in ["", "hunter2", "654321", "s3cr", "postgres1", "password"] {
            assert_eq!(weak(secret), None, "{secret}");
        }
    }
}
