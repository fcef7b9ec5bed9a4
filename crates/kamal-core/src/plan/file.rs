//! Plans that are kept: written as JSON, and read back only in the form this program writes.

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{FORMAT, Plan};

/// Why a text is not a plan that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is of another form.
    #[error("the plan is of format {found}, and this program reads format {FORMAT}; make it again with this program")]
    Format {
        /// The number it has.
        found: u64,
    },
    /// It is no plan at all, or was cut short.
    #[error("this is no plan: {0}")]
    NotAPlan(#[from] serde_json::Error),
}

impl Plan {
    /// The plan as JSON, to be kept and read back.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Reads a plan that was kept.
    ///
    /// # Errors
    ///
    /// When it is of another form than this program's, or no plan.
    pub fn from_json(text: &str) -> Result<Self, ReadError> {
        #[derive(Deserialize)]
        struct Head {
            format: u64,
        }
        // A plan of another form may lack anything but its number.
        let Head { format: found } = serde_json::from_str(text)?;
        if found == u64::from(FORMAT) { Ok(serde_json::from_str(text)?) } else { Err(ReadError::Format { found }) }
    }
}

/// The number of the form, which must be this program's.
pub(super) fn format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let found = u64::deserialize(deserializer)?;
    if found == u64::from(FORMAT) { Ok(FORMAT) } else { Err(D::Error::custom(ReadError::Format { found })) }
}
