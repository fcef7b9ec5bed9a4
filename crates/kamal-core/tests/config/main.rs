//! The loader from the outside: what Kamal recorded, messages, templates, secrets, and texts nobody should write.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod blank;
mod conformance;
mod destinations;
mod effective;
mod effects;
mod erb;
mod found;
mod import;
mod messages;
mod policies;
mod robust;
mod schema;
mod secrets;
mod silent;
mod template_world;
