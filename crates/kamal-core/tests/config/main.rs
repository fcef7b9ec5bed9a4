//! The loader from the outside: what Kamal recorded, messages, templates, secrets, and texts nobody should write.

mod conformance;
mod effects;
mod erb;
mod messages;
mod outside;
mod robust;
mod secrets;
