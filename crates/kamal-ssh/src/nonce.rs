//! Random names: marks in a shell's output that no program can print by chance, and names of temporary files.

use kamal_core::ports::TransportErrorKind;

/// 128 random bits in hex.
pub(crate) fn nonce() -> Result<String, TransportErrorKind> {
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| TransportErrorKind::Client("the system gives no random numbers".to_owned()))?;
    Ok(u128::from_ne_bytes(bytes)).map(|number| format!("{number:032x}"))
}
