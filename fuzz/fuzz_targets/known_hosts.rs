//! known_hosts: whatever a file holds, a key written down is found again and a revoked one refused.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| kamal_ssh::fuzzing::known_hosts(text));
