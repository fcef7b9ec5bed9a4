//! Contents of files in plans.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A file's content. A plan shows and keeps its size and a digest of it, and no more: it may hold a secret, or be large. One
/// that was read back from a plan is only known by these, which is enough to tell whether it is the same.
#[derive(Clone)]
pub struct Blob {
    content: Option<Arc<[u8]>>,
    known_by: Arc<str>,
}

impl Blob {
    /// The content; `None` where only its size and digest are known.
    #[must_use]
    pub fn content(&self) -> Option<&[u8]> {
        self.content.as_deref()
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        let known_by = format!("{} bytes, {:016x}", bytes.len(), crate::plan::fnv1a(&bytes)).into();
        Self { content: Some(bytes.into()), known_by }
    }
}

impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        match (&self.content, &other.content) {
            (Some(one), Some(other)) => one == other,
            _ => self.known_by == other.known_by,
        }
    }
}

impl Eq for Blob {}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.known_by)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parts = text.split_once(" bytes, ");
        let is_one = parts.is_some_and(|(size, digest)| {
            size.parse::<u64>().is_ok() && digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        if !is_one {
            return Err(D::Error::custom(format!("{text:?} is not the size and the digest of a file")));
        }
        Ok(Self { content: None, known_by: text.into() })
    }
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.known_by)
    }
}

#[cfg(test)]
mod tests {
    use super::Blob;

    #[test]
    fn what_is_read_back_equals_what_it_was_and_nothing_else() {
        let blob = Blob::from(b"hunter2".to_vec());
        let text = serde_json::to_string(&blob).unwrap();
        assert!(!text.contains("hunter2"));
        let back: Blob = serde_json::from_str(&text).unwrap();
        assert_eq!((&back, back.content()), (&blob, None));
        assert_ne!(back, Blob::from(b"hunter3".to_vec()));
        for odd in ["\"\"", "\"7 bytes\"", "\"x bytes, 0123456789abcdef\"", "7"] {
            assert!(serde_json::from_str::<Blob>(odd).is_err(), "{odd}");
        }
    }
}
