//! What the end-to-end tests share: the sandbox, images, an app to deploy, and what a deploy left on a host.

pub mod app;
pub mod case;
pub mod effects;
pub mod engine;
pub mod images;
pub mod pebble;
pub mod postgres;
pub mod pty;
pub mod rig;
pub mod sentinel;
pub mod swarm;
