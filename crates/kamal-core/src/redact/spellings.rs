//! How programs print a value: as it is, quoted for a shell, escaped for JSON, an env file or a URL, in base64 alone or
//! inside something larger, and each line of several by itself.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::shell::escape;

/// Fewer characters than this are no secret, and would cover words that have nothing to do with it.
const SHORTEST: usize = 4;

/// The same for a part of a secret: its lines are often as plain as `production`.
const SHORTEST_PART: usize = 8;

/// Where programs break base64: MIME and coreutils, PEM, Ruby.
const WRAPS: [usize; 3] = [76, 64, 60];

/// All spellings, at least four bytes each. Blanks around a value do not matter.
pub(super) fn of(value: &str) -> Vec<Zeroizing<String>> {
    let whole = value.trim();
    let long = |text: &str, least| text.chars().nth(least - 1).is_some();
    if !long(whole, SHORTEST) {
        return Vec::new();
    }
    let mut out = Vec::new();
    let lines = whole.lines().map(str::trim).filter(|line| *line != whole && long(line, SHORTEST_PART));
    for text in std::iter::once(whole).chain(lines) {
        out.push(Zeroizing::new(text.to_owned()));
        out.extend(escaped(text).into_iter().filter(|spelling| spelling.as_str() != text));
        base64(text.as_bytes(), &mut out);
    }
    out
}

fn escaped(text: &str) -> [Zeroizing<String>; 10] {
    let json = json(text);
    let within = |quoted: String| quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).map(str::to_owned);
    [
        text.replace('\'', r"'\''"),
        // dash's and Python's.
        text.replace('\'', r#"'"'"'"#),
        // Within bash's `$'…'`.
        text.replace('\\', r"\\").replace('\'', r"\'").replace('\n', r"\n").replace('\t', r"\t"),
        backslashed(text),
        within(escape::value(text)).unwrap_or_default(),
        escape::env_file_value(text),
        // Go's encoder, and so docker's.
        json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"),
        // Python's.
        json.chars().map(|c| if c.is_ascii() { c.to_string() } else { utf16(c) }).collect(),
        percent(text),
        json,
    ]
    .map(Zeroizing::new)
}

/// What stands between the quotes.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn utf16(c: char) -> String {
    c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// As Ruby's Shellwords and bash's `%q` do.
fn backslashed(text: &str) -> String {
    let mut out = String::with_capacity(2 * text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("'\n'"),
            c if c.is_ascii_alphanumeric() || !c.is_ascii() || "_-.,:+/@".contains(c) => out.push(c),
            c => out.extend(['\\', c]),
        }
    }
    out
}

fn percent(text: &str) -> String {
    let mut out = String::with_capacity(3 * text.len());
    for byte in text.bytes() {
        match byte {
            b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Base64 of the bytes wherever they stand in what is encoded: three texts, one for each place within a group of three
/// bytes, without the characters at their ends that the neighbours have a share in. The first also as lines.
fn base64(bytes: &[u8], out: &mut Vec<Zeroizing<String>>) {
    for before in 0..3 {
        let shifted = Zeroizing::new([&[0; 2][..before], bytes].concat());
        let (from, to) = ((before * 8).div_ceil(6), shifted.len() * 8 / 6);
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = Zeroizing::new(engine.encode(&*shifted));
            let alone = &encoded[from..to];
            if before == 0 {
                let wraps = WRAPS.into_iter().filter(|width| alone.len() > *width);
                let lines = wraps.flat_map(|width| alone.as_bytes().chunks(width));
                let lines = lines.filter(|line| line.len() >= SHORTEST_PART);
                out.extend(lines.map(|line| Zeroizing::new(String::from_utf8_lossy(line).into_owned())));
            }
            if alone.len() >= SHORTEST {
                out.push(Zeroizing::new(alone.to_owned()));
            }
        }
    }
}
