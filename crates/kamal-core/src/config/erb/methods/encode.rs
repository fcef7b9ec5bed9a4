//! Texts in other forms: Base64, digests, words of a shell, parts of an address.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

use super::super::run::{Found, Run};
use super::super::value::Value;
use super::{Call, Method, plain};

/// `Base64` itself.
pub(super) const BASE64: &[Method] = &[
    plain("strict_encode64", 1, 1, |_, call| Ok(Value::text(STANDARD.encode(call.text(0)?)))),
    plain("encode64", 1, 1, |_, call| {
        let whole: Vec<char> = STANDARD.encode(call.text(0)?).chars().collect();
        Ok(Value::text(whole.chunks(60).map(|line| line.iter().collect::<String>() + "\n").collect::<String>()))
    }),
    plain("urlsafe_encode64", 1, 2, |_, call| {
        let (_, options) = call.options(&["padding"])?;
        let bare = options.get("padding").is_some_and(|padding| !padding.truthy());
        let engine = if bare { URL_SAFE_NO_PAD } else { URL_SAFE };
        Ok(Value::text(engine.encode(call.text(0)?)))
    }),
    plain("strict_decode64 decode64 urlsafe_decode64", 1, 1, |_, call| {
        let strict = call.name == "strict_decode64";
        let mut text = call.text(0)?;
        if call.name == "urlsafe_decode64" {
            text = text.replace('-', "+").replace('_', "/");
        }
        if !strict {
            text.retain(|c| c.is_ascii_alphanumeric() || c == '+' || c == '/');
            text.extend(std::iter::repeat_n('=', (4 - text.len() % 4) % 4));
        }
        let decoded = STANDARD.decode(text).map_err(|_| call.raise("ArgumentError", "invalid base64"))?;
        String::from_utf8(decoded).map(Value::text).map_err(|_| call.unknown())
    }),
];

/// `Digest::SHA256` and its like.
pub(super) const DIGEST: &[Method] = &[
    plain("hexdigest", 1, 1, |_, call| Ok(Value::text(hex(&digest(call)?)))),
    plain("base64digest", 1, 1, |_, call| Ok(Value::text(STANDARD.encode(digest(call)?)))),
    plain("file", 1, 1, |run, call| {
        let text = super::file::read(run, &call.text(0)?, call.place)?;
        let digest = digested(&call.receiver.print(), text.as_bytes()).ok_or_else(|| call.unknown())?;
        // Only what prints as its digest is asked of it.
        Ok(Value::text(hex(&digest)))
    }),
];

/// `Shellwords` itself.
pub(super) const SHELLWORDS: &[Method] = &[
    plain("escape shellescape", 1, 1, |run, call| {
        Ok(Value::text(shell_escaped(&run.print(call.value(0), call.place)?)))
    }),
    plain("join shelljoin", 1, 1, joined),
    plain("split shellsplit shellwords", 1, 1, |run, call| {
        let words = crate::shell::split(&call.text(0)?);
        let words = words.ok_or_else(|| call.raise("ArgumentError", "Unmatched quote"))?;
        Ok(run.texts(words))
    }),
];

/// `CGI`, `ERB::Util`, and what `URI` escapes.
pub(super) const ESCAPES: &[Method] = &[
    plain("escape encode_www_form_component", 1, 1, |run, call| {
        Ok(Value::text(percent(&run.print(call.value(0), call.place)?, "*-._", true)))
    }),
    plain("url_encode u encode_uri_component escapeURIComponent", 1, 1, |run, call| {
        Ok(Value::text(percent(&run.print(call.value(0), call.place)?, "-._~", false)))
    }),
    plain("escapeHTML escape_html html_escape h", 1, 1, |run, call| {
        let text = run.print(call.value(0), call.place)?;
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        Ok(Value::text(text.replace('"', "&quot;").replace('\'', "&#39;")))
    }),
    plain("unescape decode_www_form_component", 1, 1, |_, call| {
        unescaped(&call.text(0)?.replace('+', " ")).map(Value::text).ok_or_else(|| call.unknown())
    }),
];

fn joined(run: &mut Run<'_>, call: &Call<'_>) -> Found {
    let words = super::listed(run, call.value(0), call.place)?;
    let mut escaped = Vec::new();
    for word in words {
        escaped.push(shell_escaped(&run.print(&word, call.place)?));
    }
    Ok(Value::text(escaped.join(" ")))
}

fn digest(call: &Call<'_>) -> Result<Vec<u8>, super::Stop> {
    digested(&call.receiver.print(), call.text(0)?.as_bytes()).ok_or_else(|| call.unknown())
}

fn digested(class: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    Some(match class {
        "Digest::MD5" => md5::compute(bytes).to_vec(),
        "Digest::SHA1" => sha1_smol::Sha1::from(bytes).digest().bytes().to_vec(),
        "Digest::SHA256" => hmac_sha256::Hash::hash(bytes).to_vec(),
        "Digest::SHA384" => hmac_sha512::sha384::Hash::hash(bytes).to_vec(),
        "Digest::SHA512" => hmac_sha512::Hash::hash(bytes).to_vec(),
        _ => return None,
    })
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn base64(bytes: &[u8], for_addresses: bool) -> String {
    if for_addresses { URL_SAFE_NO_PAD.encode(bytes) } else { STANDARD.encode(bytes) }
}

/// `Shellwords.escape`: a backslash before whatever may mean something to a shell.
pub(super) fn shell_escaped(text: &str) -> String {
    if text.is_empty() {
        return "''".to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\n' => out.push_str("'\n'"),
            c if c.is_ascii_alphanumeric() || "_-.,:+/@".contains(c) => out.push(c),
            c => {
                out.push('\\');
                out.push(c);
            }
        }
    }
    out
}

fn percent(text: &str, kept: &str, plus: bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' if plus => out.push('+'),
            byte if byte.is_ascii_alphanumeric() || kept.contains(char::from(byte)) => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn unescaped(text: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = [bytes.next()?, bytes.next()?];
        out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(out).ok()
}
