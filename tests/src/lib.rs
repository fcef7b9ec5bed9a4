//! End-to-end tests against real sshd, Docker and proxy.
