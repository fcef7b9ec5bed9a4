//! The state file of the proxy: read, written and read again it says the same.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| kamal_proxy::server::fuzzing::restore(text));
