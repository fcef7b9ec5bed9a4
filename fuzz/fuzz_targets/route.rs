//! Hosts and paths: whatever is deployed and asked for, the service with the best claim gets the request.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| kamal_proxy::server::fuzzing::route(text));
