//! End-to-end tests: the real command against real sshd, Docker and proxy on the hosts of the sandbox.
//!
//! Each test has a host or more of its own, so that they can run side by side within one process.

mod conformance;
