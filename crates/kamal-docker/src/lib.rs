//! The Docker port: turns steps into docker scripts, reads their answers, builds images.

#[cfg(feature = "registry")]
pub mod registry;
