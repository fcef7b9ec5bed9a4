//! HTTP proxy for zero downtime deployments.

use std::process::ExitCode;

#[cfg(target_env = "musl")]
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    kamal_proxy::server::main(std::env::args_os())
}
