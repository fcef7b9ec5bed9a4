//! What an unquoted scalar means to Psych 4 (spec 2.1, "YAML 1.1 facts"): `yes` is true, `0755` is 493, `22:22` is a
//! number of seconds, `1e3` is text.

use super::node::Kind;

/// A scalar's meaning, and whether it is one that surprises people who did not write YAML 1.1 on purpose.
pub(crate) struct Resolved {
    pub(crate) kind: Kind,
    pub(crate) surprise: Option<Surprise>,
}

/// Why a value is not what it looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surprise {
    /// `0755`.
    Octal,
    /// `22:22`.
    Sexagesimal,
}

/// Resolves a plain (unquoted, untagged) scalar.
pub(crate) fn resolve(text: &str) -> Resolved {
    let surprise = if is_sexagesimal(text) {
        Some(Surprise::Sexagesimal)
    } else if is_octal(text) {
        Some(Surprise::Octal)
    } else {
        None
    };
    let kind = kind(text);
    let surprise = surprise.filter(|_| matches!(kind, Kind::Int(_)));
    Resolved { kind, surprise }
}

/// Ruby's `Float#to_s`.
pub(crate) fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() };
    }
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{value:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mantissa = if mantissa.contains('.') { mantissa.to_owned() } else { format!("{mantissa}.0") };
        let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    let text = value.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

fn kind(text: &str) -> Kind {
    if text.is_empty() || text == "~" {
        return Kind::Null;
    }
    if text.contains('\n') {
        return Kind::Text(text.to_owned());
    }
    match text.to_ascii_lowercase().as_str() {
        "null" => return Kind::Null,
        "yes" | "true" | "on" => return Kind::Bool(true),
        "no" | "false" | "off" => return Kind::Bool(false),
        ".inf" | "+.inf" => return Kind::Float(f64::INFINITY),
        "-.inf" => return Kind::Float(f64::NEG_INFINITY),
        ".nan" => return Kind::Float(f64::NAN),
        _ => {}
    }
    if let Some(name) = text.strip_prefix(':').filter(|name| !name.is_empty()) {
        let bare = name.strip_prefix(['"', '\'']).map(|rest| rest.strip_suffix(['"', '\'']).unwrap_or(rest));
        return Kind::Symbol(bare.unwrap_or(name).to_owned());
    }
    if is_date(text) {
        return Kind::Date(text.to_owned());
    }
    if is_sexagesimal(text) {
        return sexagesimal(text);
    }
    if let Some(value) = sexagesimal_float(text).or_else(|| float(text)) {
        return Kind::Float(value);
    }
    integer(text).map_or_else(|| Kind::Text(text.to_owned()), Kind::Int)
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

fn is_octal(text: &str) -> bool {
    let digits = unsigned(text);
    digits.len() > 1
        && digits.starts_with('0')
        && digits.bytes().skip(1).all(|byte| matches!(byte, b'0'..=b'7' | b'_' | b','))
        && digits.bytes().skip(1).any(|byte| matches!(byte, b'1'..=b'7'))
}

/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9]){1,2}`
fn is_sexagesimal(text: &str) -> bool {
    let mut parts = unsigned(text).split(':');
    let Some(first) = parts.next() else { return false };
    let head = first.starts_with(|c: char| c.is_ascii_digit())
        && first.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let rest: Vec<&str> = parts.collect();
    let sixtieth = |part: &&str| matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
    head && (1..=2).contains(&rest.len()) && rest.iter().all(sixtieth)
}

fn sexagesimal(text: &str) -> Kind {
    let mut sum = 0_i128;
    for (part, weight) in text.split(':').zip([3600_i128, 60, 1]) {
        let Some(value) = part.replace('_', "").parse::<i128>().ok().and_then(|value| value.checked_mul(weight)) else {
            return Kind::Text(text.to_owned());
        };
        sum += value;
    }
    Kind::Int(sum)
}

/// `190:20:30.15`
fn sexagesimal_float(text: &str) -> Option<f64> {
    let (whole, fraction) = text.rsplit_once('.')?;
    if !is_sexagesimal(whole) || !fraction.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        return None;
    }
    let parts = text.split(':').zip([3600.0, 60.0, 1.0]);
    parts.map(|(part, weight)| Some(part.replace('_', "").parse::<f64>().ok()? * weight)).sum()
}

/// `[-+]?([0-9][0-9_,]*)?\.[0-9]*([eE][+-][0-9]+)?`, not a lone point.
fn float(text: &str) -> Option<f64> {
    let (whole, fraction) = unsigned(text).split_once('.')?;
    let (digits, exponent) = fraction.split_once(['e', 'E']).map_or((fraction, None), |(d, e)| (d, Some(e)));
    let whole_fits = whole.is_empty()
        || whole.starts_with(|c: char| c.is_ascii_digit())
            && whole.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'_' | b','));
    let exponent_fits = exponent.is_none_or(|exponent| {
        exponent.strip_prefix(['-', '+']).is_some_and(|e| !e.is_empty() && e.bytes().all(|b| b.is_ascii_digit()))
    });
    let some = !whole.is_empty() || !digits.is_empty();
    if !(some && whole_fits && exponent_fits && digits.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    text.replace([',', '_'], "").parse().ok()
}

fn integer(text: &str) -> Option<i128> {
    let digits = unsigned(text);
    let (radix, body) = match digits.as_bytes() {
        [b'0', b'b', ..] => (2, &digits[2..]),
        [b'0', b'x', ..] => (16, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        [b'0'..=b'9', ..] => (10, digits),
        _ => return None,
    };
    let separators_fit = radix != 10 || decimal_separators_fit(body);
    let clean: String = body.chars().filter(|c| !matches!(c, '_' | ',')).collect();
    if !separators_fit || clean.starts_with(['-', '+']) {
        return None;
    }
    // `0,` and `0_` are zeros.
    let value = if radix == 8 && clean.is_empty() { 0 } else { i128::from_str_radix(&clean, radix).ok()? };
    Some(if text.starts_with('-') { -value } else { value })
}

/// Every `_` and `,` of a decimal stands between two digits.
fn decimal_separators_fit(body: &str) -> bool {
    let bytes = body.as_bytes();
    bytes.iter().enumerate().all(|(index, byte)| match byte {
        b'0'..=b'9' => true,
        b'_' | b',' => bytes.get(index + 1).is_some_and(u8::is_ascii_digit),
        _ => false,
    })
}

/// A date `2024-1-2`, or a date and a time.
fn is_date(text: &str) -> bool {
    let day = text.split(['T', 't', ' ', '\t']).next().unwrap_or_default();
    let rest = text[day.len()..].trim_start_matches(['T', 't', ' ', '\t']);
    let parts: Vec<&str> = day.split('-').collect();
    let [year, month, date] = parts[..] else { return false };
    let number = |part: &str, len: std::ops::RangeInclusive<usize>| {
        (len.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse::<u32>().ok())
            .flatten()
    };
    let Some(year) = number(year, 4..=4) else { return false };
    let (Some(month), Some(date)) = (number(month, 1..=2), number(date, 1..=2)) else { return false };
    is_day(year, month, date) && (rest.is_empty() && day.len() == text.len() || is_time(rest))
}

fn is_day(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return false,
    };
    (1..=last).contains(&day)
}

/// `1:02:03`, with fraction and zone.
fn is_time(text: &str) -> bool {
    let mut parts = text.splitn(3, ':');
    let (Some(hour), Some(minute), Some(rest)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let digits = |part: &str, len: std::ops::RangeInclusive<usize>| {
        len.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let Some((second, rest)) = rest.split_at_checked(2) else { return false };
    let rest = rest.strip_prefix('.').map_or(rest, |rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    let rest = rest.trim_start();
    let zone = rest.is_empty()
        || rest == "Z"
        || rest.strip_prefix(['-', '+']).is_some_and(|zone| {
            let zone = zone.replacen(':', "", 1);
            digits(&zone, 1..=4)
        });
    digits(hour, 1..=2) && digits(minute, 2..=2) && digits(second, 2..=2) && zone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Kind {
        Kind::Text(text.to_owned())
    }

    #[test]
    fn scalars_mean_what_psych_makes_of_them() {
        let cases = [
            ("yes", Kind::Bool(true)),
            ("Off", Kind::Bool(false)),
            ("TRUE", Kind::Bool(true)),
            ("y", text("y")),
            ("~", Kind::Null),
            ("Null", Kind::Null),
            ("", Kind::Null),
            ("40_000_000", Kind::Int(40_000_000)),
            ("1,000", Kind::Int(1000)),
            ("-12", Kind::Int(-12)),
            ("0", Kind::Int(0)),
            ("0755", Kind::Int(493)),
            ("0,", Kind::Int(0)),
            ("0o755", text("0o755")),
            ("08", text("08")),
            ("0888", text("0888")),
            ("0x1F", Kind::Int(31)),
            ("0b11", Kind::Int(3)),
            ("0b", text("0b")),
            ("22:22", Kind::Int(80520)),
            ("1:30:45", Kind::Int(5445)),
            ("5432:22", Kind::Int(19_556_520)),
            ("8080:80", text("8080:80")),
            ("3306:3306", text("3306:3306")),
            ("1.10", Kind::Float(1.1)),
            (".5", Kind::Float(0.5)),
            ("1.", Kind::Float(1.0)),
            (".", text(".")),
            ("1e3", text("1e3")),
            ("1.5e+3", Kind::Float(1500.0)),
            ("1.1.1.1", text("1.1.1.1")),
            ("190:20:30.15", Kind::Float(685_230.15)),
            ("8080:80.5", text("8080:80.5")),
            (":verbose", Kind::Symbol("verbose".to_owned())),
            (":\"x\"", Kind::Symbol("x".to_owned())),
            (":", text(":")),
            ("2024-01-01", Kind::Date("2024-01-01".to_owned())),
            ("2024-13-01", text("2024-13-01")),
            ("2024-01-01 10:00:00 Z", Kind::Date("2024-01-01 10:00:00 Z".to_owned())),
            ("1_", text("1_")),
            ("12abc", text("12abc")),
            ("-", text("-")),
            ("99999999999999999999999999999999999999999999", text("99999999999999999999999999999999999999999999")),
        ];
        for (input, expected) in cases {
            assert_eq!(kind(input), expected, "{input:?}");
        }
    }

    #[test]
    fn surprises_are_told() {
        assert_eq!(resolve("0644").surprise, Some(Surprise::Octal));
        assert_eq!(resolve("22:22").surprise, Some(Surprise::Sexagesimal));
        assert_eq!(resolve("22").surprise, None);
        assert_eq!(resolve("00").surprise, None);
    }

    #[test]
    fn floats_print_as_in_ruby() {
        for (value, expected) in [
            (1.5, "1.5"),
            (1.0, "1.0"),
            (1e20, "1.0e+20"),
            (1.5e-7, "1.5e-07"),
            (0.0, "0.0"),
            (1e15, "1000000000000000.0"),
        ] {
            assert_eq!(float_text(value), expected);
        }
    }
}
