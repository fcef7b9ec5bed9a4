//! What clients send over HTTP/1.1: the same requests in whatever pieces it comes.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| kamal_proxy::server::fuzzing::requests(bytes));
