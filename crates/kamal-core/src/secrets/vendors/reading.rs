//! Reading what programs print, without a copy of a secret that is not wiped where that can be had, and without a
//! secret in any message.

use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::Value;

use super::program::{Output, Tool};
use super::{Found, VendorError};
use crate::secret::Secret;

/// Lines kept of the beginning and of the end: some programs say first what is wrong, some after their whole stack.
const LINES: usize = 4;

/// What a program said on its standard error, trimmed.
pub(super) fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.trim().lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    if lines.len() <= 2 * LINES {
        let killed = if output.status.is_none() { "it was ended by a signal" } else { "" };
        return if lines.is_empty() { killed.to_owned() } else { lines.join("\n") };
    }
    [&lines[..LINES], &["…"], &lines[lines.len() - LINES..]].concat().join("\n")
}

/// The output if the program succeeded, else what could not be read.
pub(super) fn read(output: Output, message: impl Into<String>) -> Result<Output, VendorError> {
    if output.succeeded() { Ok(output) } else { Err(unread(&output, message)) }
}

/// The error for a program that failed.
pub(super) fn unread(output: &Output, message: impl Into<String>) -> VendorError {
    VendorError::Unread { message: message.into(), said: said(output) }
}

/// JSON on the standard output.
pub(super) fn json<T: DeserializeOwned>(tool: &Tool, output: &Output) -> Result<T, VendorError> {
    serde_json::from_slice(&output.stdout).map_err(|error| VendorError::Garbled {
        program: tool.program,
        // The error's own text may quote a value.
        expected: format!("the JSON expected of it (line {}, column {})", error.line(), error.column()),
    })
}

/// Text on the standard output.
pub(super) fn text(tool: &Tool, output: &Output) -> Result<String, VendorError> {
    let text = std::str::from_utf8(&output.stdout).map(str::to_owned);
    text.map_err(|_| VendorError::Garbled { program: tool.program, expected: "text in UTF-8".to_owned() })
}

/// A secret's value: null and nothing at all are the empty text.
pub(super) fn value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    Ok(Secret::new(Option::<String>::deserialize(deserializer)?.unwrap_or_default()))
}

/// No value.
pub(super) fn blank() -> Secret {
    Secret::new("")
}

/// A value as text: a text as it is, anything else as compact JSON.
pub(super) fn plain(value: Value) -> Secret {
    match value {
        Value::String(text) => Secret::new(text),
        other => Secret::new(other.to_string()),
    }
}

/// The leaves of nested objects, by their paths.
pub(super) fn flattened(value: Value, path: &str, into: &mut Found) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name } else { format!("{path}/{name}") };
                flattened(value, &path, into);
            }
        }
        leaf => {
            into.insert(path.to_owned(), plain(leaf));
        }
    }
}

/// Those asked for, a name of a group standing for all in it; all when none is named. `place` is for the message.
pub(super) fn chosen(all: &Found, names: &[String], place: &str) -> Result<Found, VendorError> {
    if names.is_empty() {
        return Ok(all.clone());
    }
    let (mut found, mut missing) = (Found::new(), Vec::new());
    for name in names {
        let fits = |key: &str| key == name || key.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('/'));
        let fitting: Vec<_> = all.iter().filter(|(key, _)| fits(key)).collect();
        found.extend(fitting.iter().map(|(key, value)| ((*key).clone(), (*value).clone())));
        if fitting.is_empty() {
            missing.push(name.as_str());
        }
    }
    if missing.is_empty() {
        Ok(found)
    } else {
        Err(VendorError::missing(format!("Could not find {} in {place}", missing.join(", "))))
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn of_a_long_speech_both_ends_are_kept() {
        let spoken = |lines: u32| {
            let stderr = (1..=lines).map(|line| format!("{line}  \n\n")).collect::<String>().into_bytes();
            said(&Output { status: Some(1), stdout: Zeroizing::default(), stderr })
        };
        assert_eq!(spoken(8), "1\n2\n3\n4\n5\n6\n7\n8");
        assert_eq!(spoken(90), "1\n2\n3\n4\n…\n87\n88\n89\n90");
    }
}
