//! Texts that are nearly right, for tests.

/// A text with some of its bytes lost, doubled or changed, in so many ways.
pub(crate) fn damaged(text: &[u8], ways: usize) -> impl Iterator<Item = Vec<u8>> {
    const LIKELY: &[u8] = b"\r\n :;,0159af\0\x7f\xff";
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = move |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % limit
    };
    (0..ways).map(move |_| {
        let mut bytes = text.to_vec();
        for _ in 0..=below(3) {
            let at = below(bytes.len());
            match below(4) {
                0 if bytes.len() > 1 => drop(bytes.remove(at)),
                1 => bytes.insert(at, bytes[at]),
                2 => bytes[at] = LIKELY[below(LIKELY.len())],
                _ => bytes.truncate(at.max(1)),
            }
        }
        bytes
    })
}
