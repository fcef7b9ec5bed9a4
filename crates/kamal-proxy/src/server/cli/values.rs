//! The literals of flags, as Go reads them (spec 1.1).

/// `1 t T TRUE true True` and their opposites.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
    }
}

/// A decimal number, or one with a base prefix; underscores may stand between digits.
pub(crate) fn integer(text: &str) -> Result<i64, String> {
    let invalid = |why: &str| format!("strconv.ParseInt: parsing {text:?}: {why}");
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    let stripped = digits.replace('_', "");
    let misplaced = digits.ends_with('_') || digits.contains("__") || (base == 10 && digits.starts_with('_'));
    if stripped.is_empty() || misplaced || !stripped.chars().all(|c| c.is_digit(base)) {
        return Err(invalid("invalid syntax"));
    }
    let value = i128::from_str_radix(&stripped, base).map_err(|_| invalid("value out of range"))?;
    i64::try_from(if negative { -value } else { value }).map_err(|_| invalid("value out of range"))
}

/// One record of comma-separated values; an empty text is an empty list.
pub(crate) fn list(text: &str) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    if text.is_empty() {
        return Ok(fields);
    }
    let mut rest = text;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                if rest[..end].contains('"') {
                    return Err("parse error on line 1, column 1: bare \" in non-quoted-field".into());
                }
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Ok(fields),
        }
    }
}

/// Reads up to the closing quote; two quotes stand for one.
fn quoted_field(text: &str) -> Result<(String, &str), String> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let quote =
            rest.find('"').ok_or("parse error on line 1, column 1: extraneous or missing \" in quoted-field")?;
        field.push_str(&rest[..quote]);
        rest = &rest[quote + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None if rest.is_empty() || rest.starts_with(',') => return Ok((field, rest)),
            None => return Err("parse error on line 1, column 1: extraneous or missing \" in quoted-field".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        for (text, value) in [("5", 5), ("-5", -5), ("0x10", 16), ("1_000", 1000), ("010", 8), ("0b11", 3), ("0", 0)] {
            assert_eq!(integer(text), Ok(value), "{text}");
        }
        for text in ["", "abc", "1.5", "1__0", "0x", "99999999999999999999"] {
            assert!(integer(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lists() {
        let of = |text: &str| list(text).unwrap();
        assert_eq!(of(""), Vec::<String>::new());
        assert_eq!(of("a,b"), ["a", "b"]);
        assert_eq!(of("\"a,b\",\"c\"\"d\""), ["a,b", "c\"d"]);
        assert_eq!(of("a,"), ["a", ""]);
        assert!(list("\"a").is_err() && list("a\"b").is_err());
    }
}
