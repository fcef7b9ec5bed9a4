//! A plan's digest: CI shows a plan for review and later applies exactly that one.

use super::Plan;

impl Plan {
    /// Sixteen hexadecimal digits that change with any step, and with nothing else. It guards against mistakes, not
    /// against an attacker.
    #[must_use]
    pub fn digest(&self) -> String {
        let what = (&self.operation, &self.service, &self.destination, &self.version, &self.stages);
        format!("{:016x}", fnv1a(serde_json::to_string(&what).unwrap_or_default().as_bytes()))
    }
}

/// FNV-1a, 64 bits (RFC 9923): tells texts apart where nobody tries to make two alike.
#[must_use]
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::fnv1a;

    #[test]
    fn hashes_as_the_rfc_says() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
