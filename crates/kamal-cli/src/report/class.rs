//! Kinds of failures by the names Kamal's classes of exceptions have (spec 1.5), which what reads its logs goes by.

use kamal_core::error::ErrorKind;

/// The class Kamal would have raised.
pub(super) fn class(kind: Option<ErrorKind>) -> &'static str {
    match kind {
        Some(ErrorKind::Config | ErrorKind::SecretMissing) => "Kamal::ConfigurationError",
        Some(ErrorKind::LockHeld) => "Kamal::Cli::LockError",
        Some(ErrorKind::HookFailed) => "Kamal::Cli::HookError",
        Some(ErrorKind::BuildFailed) => "Kamal::Cli::Build::BuildError",
        Some(ErrorKind::Unhealthy) => "Kamal::Cli::BootError",
        Some(ErrorKind::DockerMissing) => "Kamal::Cli::DependencyError",
        Some(ErrorKind::Authentication) => "Net::SSH::AuthenticationFailed",
        Some(ErrorKind::HostKey) => "Net::SSH::HostKeyMismatch",
        Some(ErrorKind::Unreachable) => "SocketError",
        Some(ErrorKind::ConnectionLost) => "Net::SSH::Disconnect",
        Some(ErrorKind::Usage) => "ArgumentError",
        Some(ErrorKind::Cancelled) => "Interrupt",
        Some(ErrorKind::ImageMissing | ErrorKind::RegistryRefused | ErrorKind::DiskFull | ErrorKind::StepFailed) => {
            "SSHKit::Command::Failed"
        }
        _ => "RuntimeError",
    }
}
