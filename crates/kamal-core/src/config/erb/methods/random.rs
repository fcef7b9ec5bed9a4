//! Things that are left to chance.

use super::super::run::{Found, Run};
use super::super::value::Value;
use super::encode;
use super::{Call, Method, plain};

/// `SecureRandom` and `Random` themselves.
pub(super) const MODULE: &[Method] = &[
    plain("hex", 0, 1, |run, call| Ok(Value::text(encode::hex(&bytes(run, call, 16)?)))),
    plain("base64 urlsafe_base64", 0, 2, |run, call| {
        let bytes = bytes(run, call, 16)?;
        Ok(Value::text(encode::base64(&bytes, call.name == "urlsafe_base64")))
    }),
    plain("uuid", 0, 0, |run, _| {
        let mut bytes = run.outside.random(16);
        bytes.resize(16, 0);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = encode::hex(&bytes);
        Ok(Value::text([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")))
    }),
    plain("alphanumeric", 0, 1, |run, call| {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let count = if call.values.is_empty() { 16 } else { call.size(0)?.min(10_000) };
        let letters = (0..count).map(|_| char::from(LETTERS[below(run, LETTERS.len())])).collect::<String>();
        Ok(Value::text(letters))
    }),
    plain("random_number rand", 0, 1, chosen),
];

/// `rand`.
pub(super) fn chosen(run: &mut Run<'_>, call: &Call<'_>) -> Found {
    Ok(match call.value(0) {
        Value::Nil => Value::Float(below(run, 1 << 52) as f64 / (1_u64 << 52) as f64),
        Value::Int(most) if *most > 0 => Value::count(below(run, usize::try_from(*most).unwrap_or(usize::MAX))),
        Value::Range(range) => {
            let items = super::range::items(run, range, call.place)?;
            if items.is_empty() { Value::Nil } else { items[below(run, items.len())].clone() }
        }
        _ => return Err(call.unknown()),
    })
}

fn bytes(run: &mut Run<'_>, call: &Call<'_>, usual: usize) -> Result<Vec<u8>, super::Stop> {
    let count = if call.value(0).is_nil() { usual } else { call.size(0)?.min(10_000) };
    Ok(run.outside.random(count))
}

/// A number below another, which is above 0.
pub(super) fn below(run: &mut Run<'_>, most: usize) -> usize {
    let number = run.outside.random(8).into_iter().fold(0_u64, |number, byte| number << 8 | u64::from(byte));
    usize::try_from(number % most.max(1) as u64).unwrap_or(0)
}
