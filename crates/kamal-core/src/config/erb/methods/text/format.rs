//! `format("%05.1f %-10s %<name>d", …)`.

use super::super::super::ast::Place;
use super::super::super::run::{MAX_OUTPUT, Run};
use super::super::super::stop::Stop;
use super::super::super::value::{Key, Value};
use super::super::number::{in_base, leading_float, leading_int, whole};

/// How one value is to be written.
#[derive(Default)]
struct Spec {
    left: bool,
    plus: bool,
    blank: bool,
    zero: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

pub(in super::super) fn format(
    run: &mut Run<'_>,
    pattern: &str,
    values: &[Value],
    place: Place,
) -> Result<String, Stop> {
    let mut out = String::new();
    let mut characters = pattern.chars().peekable();
    let mut next = 0;
    while let Some(c) = characters.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut spec = Spec::default();
        let mut named = None;
        loop {
            let Some(c) = characters.next() else {
                return Err(Stop::raise(
                    place,
                    "ArgumentError",
                    "incomplete format specifier; use %% (double %) instead",
                ));
            };
            match c {
                '%' => {
                    out.push('%');
                    break;
                }
                '-' => spec.left = true,
                '+' => spec.plus = true,
                ' ' => spec.blank = true,
                '0' => spec.zero = true,
                '#' => spec.alternate = true,
                '1'..='9' => {
                    spec.width = number(c, &mut characters);
                }
                '*' => {
                    let Some(Value::Int(width)) = values.get(next) else { return Err(too_few(place)) };
                    next += 1;
                    spec.left |= *width < 0;
                    spec.width = usize::try_from(width.unsigned_abs()).unwrap_or(usize::MAX);
                }
                '.' => {
                    spec.precision = Some(match characters.peek() {
                        Some(c) if c.is_ascii_digit() => {
                            let c = characters.next().unwrap_or('0');
                            number(c, &mut characters)
                        }
                        _ => 0,
                    });
                }
                '<' | '{' => {
                    let close = if c == '<' { '>' } else { '}' };
                    let name: String = characters.by_ref().take_while(|c| *c != close).collect();
                    let Some(Value::Map(map)) = values.first() else {
                        return Err(Stop::raise(place, "ArgumentError", "one hash required"));
                    };
                    let Some(value) = map.get(&Key::Symbol(name.as_str().into())) else {
                        return Err(Stop::raise(place, "KeyError", format!("key{c}{name}{close} not found")));
                    };
                    if c == '{' {
                        let text = run.print(&value, place)?;
                        out.push_str(&spec.padded(&text));
                        break;
                    }
                    named = Some(value);
                }
                kind => {
                    let value = match named {
                        Some(value) => value,
                        None => {
                            next += 1;
                            values.get(next - 1).cloned().ok_or_else(|| too_few(place))?
                        }
                    };
                    if spec.width > 10_000 || spec.precision.is_some_and(|precision| precision > 1000) {
                        return Err(Stop::limit(place, "this template makes too large a value"));
                    }
                    out.push_str(&one(run, kind, &spec, &value, place)?);
                    break;
                }
            }
        }
        if out.len() > MAX_OUTPUT {
            return Err(Stop::limit(place, "this template makes too large a value"));
        }
    }
    Ok(out)
}

fn too_few(place: Place) -> Stop {
    Stop::raise(place, "ArgumentError", "too few arguments")
}

fn number(first: char, characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> usize {
    let mut text = first.to_string();
    while let Some(digit) = characters.peek().copied().filter(char::is_ascii_digit) {
        text.push(digit);
        characters.next();
    }
    text.parse().unwrap_or(usize::MAX)
}

fn one(run: &mut Run<'_>, kind: char, spec: &Spec, value: &Value, place: Place) -> Result<String, Stop> {
    Ok(match kind {
        's' | 'p' => {
            run.measure(value, place)?;
            let text = if kind == 's' { value.print() } else { value.inspect() };
            let text = match spec.precision {
                Some(most) => text.chars().take(most).collect(),
                None => text,
            };
            spec.padded(&text)
        }
        'd' | 'i' | 'u' => {
            let number = int(value, place)?;
            let mut digits = number.unsigned_abs().to_string();
            if let Some(least) = spec.precision {
                digits = format!("{digits:0>least$}");
            }
            spec.signed(number < 0, &digits)
        }
        'x' | 'X' | 'o' | 'b' | 'B' => {
            let number = int(value, place)?;
            if number < 0 {
                return Err(Stop::unknown(place, "a negative number is not understood here"));
            }
            let (base, sign) = match kind {
                'x' | 'X' => (16, "0x"),
                'o' => (8, "0"),
                _ => (2, "0b"),
            };
            let digits = in_base(number, base);
            let digits = if spec.alternate { format!("{sign}{digits}") } else { digits };
            spec.signed(false, &if kind == 'X' { digits.to_uppercase() } else { digits })
        }
        'f' => {
            let number = float(value, place)?;
            let precision = spec.precision.unwrap_or(6);
            spec.signed(number.is_sign_negative() && number != 0.0, &format!("{:.precision$}", number.abs()))
        }
        'e' | 'E' => {
            let number = float(value, place)?;
            let precision = spec.precision.unwrap_or(6);
            let text = format!("{:.precision$e}", number.abs());
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
            let text = format!("{mantissa}e{sign}{digits:0>2}");
            spec.signed(number < 0.0, &if kind == 'E' { text.to_uppercase() } else { text })
        }
        'g' | 'G' => {
            let number = float(value, place)?;
            let digits = spec.precision.unwrap_or(6).max(1);
            let text = general(number.abs(), digits);
            spec.signed(number < 0.0, &if kind == 'G' { text.to_uppercase() } else { text })
        }
        'c' => spec.padded(&match value {
            Value::Int(code) => {
                u32::try_from(*code).ok().and_then(char::from_u32).map(String::from).unwrap_or_default()
            }
            other => other.print().chars().take(1).collect(),
        }),
        _ => return Err(Stop::unknown(place, format!("the format %{kind} is not understood"))),
    })
}

/// So many digits, without zeros at the end, with an exponent where that is shorter.
fn general(number: f64, digits: usize) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{number:.0$e}", digits - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let bare = |text: &str| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
    };
    let after = i32::try_from(digits).unwrap_or(i32::MAX) - 1 - exponent;
    match usize::try_from(after) {
        Ok(after) if exponent >= -4 => bare(&format!("{number:.after$}")),
        _ => format!("{}e{}{:02}", bare(mantissa), if exponent < 0 { '-' } else { '+' }, exponent.abs()),
    }
}

/// As `Integer(value)`.
fn int(value: &Value, place: Place) -> Result<i64, Stop> {
    match value {
        Value::Int(value) => Ok(*value),
        Value::Float(value) if value.abs() < 9e15 => Ok(whole(value.floor())),
        Value::Text(text) => {
            let text = text.borrow();
            let plain = text.trim().trim_start_matches(['-', '+']);
            if plain.is_empty() || !plain.bytes().all(|byte| byte.is_ascii_digit()) {
                let message = format!("invalid value for Integer(): {}", value.inspect());
                return Err(Stop::raise(place, "ArgumentError", message));
            }
            leading_int(&text, 10).ok_or_else(|| Stop::unknown(place, "this number is too large here"))
        }
        other => Err(Stop::raise(place, "TypeError", format!("can't convert {} into Integer", other.class()))),
    }
}

fn float(value: &Value, place: Place) -> Result<f64, Stop> {
    match value {
        Value::Text(text) => Ok(leading_float(&text.borrow())),
        other => other
            .number()
            .ok_or_else(|| Stop::raise(place, "TypeError", format!("can't convert {} into Float", other.class()))),
    }
}

impl Spec {
    fn padded(&self, text: &str) -> String {
        let width = self.width;
        if self.left { format!("{text:<width$}") } else { format!("{text:>width$}") }
    }

    /// A number's digits with its sign, filled with zeros where that is asked for.
    fn signed(&self, negative: bool, digits: &str) -> String {
        let sign = match (negative, self.plus, self.blank) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            _ => "",
        };
        if self.zero && !self.left {
            let width = self.width.saturating_sub(sign.len());
            return format!("{sign}{digits:0>width$}");
        }
        self.padded(&format!("{sign}{digits}"))
    }
}
