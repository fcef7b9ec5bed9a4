//! YAML as Ruby reads it. Kamal loads deploy.yml with Psych, a YAML 1.1 reader with habits of its own, and its users
//! write for that; the parser below us speaks YAML 1.2 and only hands us events. Here they become a tree of
//! [`Node`]s whose scalars mean what Psych makes of them (spec 2.1), each with the place it came from.

pub(crate) mod merge;
pub(crate) mod node;
pub(crate) mod scalar;
pub(crate) mod tree;

pub(crate) use merge::overlay;
pub(crate) use node::{Entry, Form, Kind, Map, Node};
pub(crate) use tree::parse;
