//! The SSH port over russh: connect, authenticate, run, upload, forward.
