//! From a checked tree to the model: each section is checked and read in one place, in the order in which Kamal does
//! it (spec 2.2), so that the first finding is the one Kamal would have printed.

mod accessory;
mod blank;
mod builder;
mod cluster;
mod cross;
mod deliver;
mod env;
mod guard;
mod hosts;
mod ignored;
mod loadbalancer;
mod options;
mod paths;
mod places;
mod policies;
mod proxy;
mod registry;
mod release;
mod root;
mod servers;
mod services;
mod shadowed;
mod ssh;
mod tags;
pub(crate) mod version;
mod words;

pub(crate) use root::build;
