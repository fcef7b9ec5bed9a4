//! What targets answer over HTTP/1.1: the same answer in whatever pieces it comes.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| kamal_proxy::server::fuzzing::answers(bytes));
