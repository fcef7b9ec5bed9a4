//! OpenSSH's client configuration, several files of it: it is read, or refused with a place.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| kamal_ssh::fuzzing::ssh_config(text));
