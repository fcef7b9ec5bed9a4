//! What the end-to-end tests share: the sandbox, images, and what a deploy left on a host.

pub mod effects;
pub mod images;
pub mod rig;
