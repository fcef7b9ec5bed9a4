//! What is shown holds no secret, however it is cut, and is otherwise what was printed.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use kamal_core::{
    redact::{MARK, Redactor},
    secret::Secret,
    shell::escape,
};
use proptest::prelude::*;

fn knowing(values: &[impl AsRef<str>]) -> Redactor {
    let redactor = Redactor::new();
    values.iter().for_each(|value| redactor.learn(&Secret::new(value.as_ref())));
    redactor
}

/// The slow and certain way: marks every byte of every value.
fn covered(text: &str, values: &[String]) -> String {
    let mut secret = vec![false; text.len()];
    for value in values {
        for at in 0..text.len() {
            if text.as_bytes()[at..].starts_with(value.as_bytes()) {
                secret[at..at + value.len()].fill(true);
            }
        }
    }
    let mut out = Vec::new();
    for (at, byte) in text.bytes().enumerate() {
        if !secret[at] {
            out.push(byte);
        } else if at == 0 || !secret[at - 1] {
            out.extend_from_slice(MARK.as_bytes());
        }
    }
    String::from_utf8(out).unwrap()
}

/// Feeds pieces of these sizes, in turn.
fn streamed(redactor: &Redactor, text: &str, sizes: &[usize]) -> String {
    let (mut stream, mut out, mut rest) = (redactor.stream(), Vec::new(), text.as_bytes());
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at((*size).min(rest.len()));
        out.extend(stream.feed(piece));
        rest = after;
    }
    out.extend(stream.end());
    String::from_utf8(out).unwrap()
}

/// Few letters, so that secrets overlap, repeat and begin with one another, and none that a spelling changes.
fn tight() -> impl Strategy<Value = (Vec<String>, String)> {
    let secrets = prop::collection::vec("[abÄ]{4,9}", 1..6);
    (secrets, prop::collection::vec(prop::sample::select(vec!["a", "b", "Ä", "ab", "\n", "."]), 0..120))
        .prop_flat_map(|(secrets, letters)| {
            let inserted = prop::collection::vec(prop::sample::select(secrets.clone()), 0..4);
            (Just(secrets), Just(letters), inserted)
        })
        .prop_map(|(secrets, letters, inserted)| {
            let middle = letters.len() / 2;
            (secrets, format!("{}{}{}", letters[..middle].concat(), inserted.concat(), letters[middle..].concat()))
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn exactly_the_secrets_are_covered_however_the_output_is_cut(
        (secrets, text) in tight(), sizes in prop::collection::vec(1_usize..12, 1..5),
    ) {
        let redactor = knowing(&secrets);
        let expected = covered(&text, &secrets);
        prop_assert_eq!(redactor.text(&text), expected.as_str());
        prop_assert_eq!(streamed(&redactor, &text, &sizes), expected.as_str());
        for piece in expected.split(MARK) {
            prop_assert!(secrets.iter().all(|secret| !piece.contains(secret.as_str())));
        }
    }

    #[test]
    fn any_secret_in_any_spelling_is_found(
        secret in "[ -~\n\u{e4}\u{1f511}]{4,80}".prop_filter("blank", |text| text.trim().chars().count() > 3),
        before in "[#]{0,5}", after in "[#]{0,5}", size in 1_usize..20,
    ) {
        let (redactor, trimmed) = (knowing(&[&secret]), secret.trim());
        let encode = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
        let json = serde_json::to_string(trimmed).unwrap();
        let spellings = [
            trimmed.to_owned(), escape::word(trimmed), escape::value(trimmed), escape::env_file_value(trimmed), json,
        ];
        for spelling in spellings {
            let text = format!("{before}{spelling}{after}");
            let shown = streamed(&redactor, &text, &[size]);
            prop_assert_eq!(&shown, &redactor.text(&text));
            let kept: String = shown.split(MARK).collect();
            let quotes = spelling.strip_prefix(['"', '\'']).and_then(|rest| rest.strip_suffix(['"', '\'']));
            prop_assert!(kept.len() <= before.len() + after.len() + 2, "{} shows {} of {:?}", text, kept, quotes);
        }
        // Within something larger the first and the last character belong to the neighbours, too.
        for outer in ["", "u", "us", "user:"] {
            let text = encode(&format!("{outer}{trimmed}"));
            let kept: String = redactor.text(&text).split(MARK).collect();
            prop_assert!(kept.trim_end_matches('=').len() <= outer.len() * 4 / 3 + 3, "{} shows {}", text, kept);
        }
    }

    #[test]
    fn what_holds_no_secret_is_not_touched(text in "[^s]{0,200}", size in 1_usize..40) {
        let redactor = knowing(&["secret-one", "sesame"]);
        prop_assert_eq!(redactor.text(&text), text.as_str());
        prop_assert_eq!(streamed(&redactor, &text, &[size]), text);
    }
}

#[test]
fn nothing_is_held_back_that_cannot_become_a_secret() {
    let mut stream = knowing(&["hunter2", "hunger"]).stream();
    assert_eq!(stream.feed(b"a line\nhu"), b"a line\n");
    assert_eq!(stream.feed(b"man\nhunt"), b"human\n");
    assert_eq!(stream.feed(b"er2!"), b"[REDACTED]!");
    assert_eq!(stream.feed(b"hunge"), b"");
    assert_eq!(stream.end(), b"hunge");
}

#[test]
fn a_secret_that_others_begin_with_does_not_leave_their_rest() {
    let redactor = knowing(&["abcd", "abcdefgh", "ghij-klm"]);
    for size in 1..10 {
        assert_eq!(
            streamed(&redactor, "1 abcdefgh 2 abcde 3 abcdefghij-klm", &[size]),
            "1 [REDACTED] 2 [REDACTED]e 3 [REDACTED]"
        );
    }
}

#[test]
fn lines_of_a_key_are_covered_one_by_one() {
    let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\nxy==\n-----END KEY-----\n";
    let redactor = knowing(&[key]);
    assert_eq!(redactor.text("  MIIEvQIBADANBgkqhkiG9w0B\r"), "  [REDACTED]\r");
    assert_eq!(redactor.text(&format!("<{key}>")), "<[REDACTED]\n>");
    let wrapped = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, key.repeat(2));
    let lines: Vec<String> =
        wrapped.as_bytes()[..76].chunks(76).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect();
    assert_eq!(redactor.text(&lines[0]), "[REDACTED]");
}

#[test]
fn short_values_and_blank_ones_cover_nothing() {
    let redactor = knowing(&["abc", "  \n", "", " x y \n"]);
    assert_eq!(redactor.text("abc x y"), "abc x y");
    redactor.learn(&Secret::new("  abcd\n"));
    assert_eq!(redactor.text("abcd"), MARK);
}

#[test]
fn what_is_part_of_a_public_name_is_no_secret() {
    let redactor = Redactor::new();
    redactor.spare(["ghcr.io/acme/shop", "shop"]);
    ["acme", "shop", "shopping"].iter().for_each(|value| redactor.learn(&Secret::new(*value)));
    assert_eq!(redactor.text("pull ghcr.io/acme/shop:1 for shopping"), "pull ghcr.io/acme/shop:1 for [REDACTED]");
}

/// How long 10 MB take; run with `--no-capture` to see it. The limit is far off, for slow machines and debug builds.
#[test]
#[expect(clippy::disallowed_methods, reason = "it measures time")]
fn ten_megabytes_pass_quickly() {
    let secrets: Vec<String> = (0..30).map(|n| format!("s3cret-{n}-{}", "x9".repeat(n))).collect();
    let redactor = knowing(&secrets);
    let line = "2026-11-24T00:00:00Z INFO request id=8f2c method=GET path=/orders/1881 status=200 duration=12ms\n";
    let log = line.repeat(10_000_000 / line.len());
    let began = std::time::Instant::now();
    let (mut stream, mut bytes) = (redactor.stream(), 0);
    for piece in log.as_bytes().chunks(16 * 1024) {
        bytes += stream.feed(piece).len();
    }
    bytes += stream.end().len();
    let took = began.elapsed();
    println!("{bytes} bytes in {took:?}");
    assert_eq!(bytes, log.len());
    assert!(took.as_secs() < 10, "{took:?}");
}
