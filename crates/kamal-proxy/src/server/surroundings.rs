//! What the proxy learns of the machine it runs on, said once by whoever starts it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// What a service may name besides files: variables of somebody's environment, by name.
#[derive(Clone)]
pub(crate) struct Variables(Arc<Find>);

type Find = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Variables {
    pub(crate) fn new(find: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }
}

/// There are none.
impl Default for Variables {
    fn default() -> Self {
        Self::new(|_| None)
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Variables")
    }
}

/// The values one proxy has in place of what a process has once.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) variables: Variables,
    /// Where what is deployed is kept; `None` where it is forgotten.
    pub(crate) state: Option<PathBuf>,
    /// For files nobody else sees.
    pub(crate) temporary: PathBuf,
    /// Certificates in DER that are trusted besides Mozilla's roots.
    pub(crate) roots: Vec<Vec<u8>>,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self { variables: Variables::default(), state: None, temporary: "/tmp".into(), roots: Vec::new() }
    }
}
