//! Whole and broken numbers.

use super::super::run::{Found, Run};
use super::super::stop::Stop;
use super::super::value::Value;
use super::{Call, Method, block, plain, series};

pub(super) const INT: &[Method] = &[
    plain("+ - * / % modulo div fdiv ** pow & | ^ << >> remainder", 1, 1, arithmetic),
    plain("divmod", 1, 1, |run, call| {
        let (quotient, rest) = (operate(call, "div")?, operate(call, "%")?);
        Ok(run.list(vec![quotient, rest]))
    }),
    plain("~", 0, 0, |_, call| Ok(Value::Int(!int(call)))),
    plain("to_i to_int ord floor ceil round truncate", 0, 1, |_, call| {
        if let (Value::Int(digits @ -18..=-1), "round") = (call.value(0), call.name) {
            let unit = 10_i64.pow(u32::try_from(-digits).unwrap_or(0));
            let half = if int(call) < 0 { -unit / 2 } else { unit / 2 };
            return int(call).checked_add(half).map(|sum| Value::Int(sum / unit * unit)).ok_or_else(|| call.unknown());
        }
        if call.values.iter().all(|digits| matches!(digits, Value::Int(0..))) || call.keywords {
            Ok(call.receiver.clone())
        } else {
            Err(call.unknown())
        }
    }),
    plain("chr", 0, 1, |_, call| {
        let found = u32::try_from(int(call)).ok().filter(|code| *code < 128 || !call.values.is_empty());
        let found = found.and_then(char::from_u32);
        found.map(|found| Value::text(found.to_string())).ok_or_else(|| call.unknown())
    }),
    plain("to_s", 0, 1, |_, call| match call.value(0) {
        Value::Nil => Ok(Value::text(int(call).to_string())),
        Value::Int(base @ 2..=36) => Ok(Value::text(in_base(int(call), *base))),
        _ => Err(call.unknown()),
    }),
    plain("digits", 0, 0, |run, call| {
        let digits =
            int(call).unsigned_abs().to_string().chars().rev().filter_map(|c| c.to_digit(10)).collect::<Vec<_>>();
        Ok(run.list(digits.into_iter().map(|digit| Value::Int(digit.into())).collect()))
    }),
    plain("succ next", 0, 0, |_, call| int(call).checked_add(1).map(Value::Int).ok_or_else(|| call.unknown())),
    plain("pred", 0, 0, |_, call| int(call).checked_sub(1).map(Value::Int).ok_or_else(|| call.unknown())),
    plain("even?", 0, 0, |_, call| Ok(Value::Bool(int(call) % 2 == 0))),
    plain("odd?", 0, 0, |_, call| Ok(Value::Bool(int(call) % 2 != 0))),
    plain("gcd lcm", 1, 1, |_, call| {
        let (mut left, mut right) = (int(call).unsigned_abs(), call.int(0)?.unsigned_abs());
        let (first, second) = (left, right);
        while right != 0 {
            (left, right) = (right, left % right);
        }
        let found = if call.name == "gcd" {
            Some(left)
        } else {
            first.checked_div(left).and_then(|part| part.checked_mul(second))
        };
        found.and_then(|found| i64::try_from(found).ok()).map(Value::Int).ok_or_else(|| call.unknown())
    }),
    block("times", 0, 0, |run, call| each(run, call, 0, int(call).saturating_sub(1), 1)),
    block("upto", 1, 1, |run, call| each(run, call, int(call), call.int(0)?, 1)),
    block("downto", 1, 1, |run, call| each(run, call, int(call), call.int(0)?, -1)),
    block("step", 1, 2, |run, call| {
        let (_, options) = call.options(&["by", "to"])?;
        if call.keywords {
            let number = |name| match options.get(name) {
                Some(Value::Int(value)) => Ok(value),
                None if name == "by" => Ok(1),
                _ => Err(call.unknown()),
            };
            return each(run, call, int(call), number("to")?, number("by")?);
        }
        let step = if call.values.len() > 1 { call.int(1)? } else { 1 };
        each(run, call, int(call), call.int(0)?, step)
    }),
    // ActiveSupport's sizes and durations, in bytes and seconds.
    plain("byte bytes", 0, 0, |_, call| scaled(call, 1)),
    plain("kilobyte kilobytes", 0, 0, |_, call| scaled(call, 1 << 10)),
    plain("megabyte megabytes", 0, 0, |_, call| scaled(call, 1 << 20)),
    plain("gigabyte gigabytes", 0, 0, |_, call| scaled(call, 1 << 30)),
    plain("second seconds", 0, 0, |_, call| scaled(call, 1)),
    plain("minute minutes", 0, 0, |_, call| scaled(call, 60)),
    plain("hour hours", 0, 0, |_, call| scaled(call, 3600)),
    plain("day days", 0, 0, |_, call| scaled(call, 86_400)),
    plain("week weeks", 0, 0, |_, call| scaled(call, 604_800)),
    plain("ordinalize", 0, 0, |_, call| {
        let number = int(call);
        let ending = match (number.abs() % 100, number.abs() % 10) {
            (11..=13, _) => "th",
            (_, 1) => "st",
            (_, 2) => "nd",
            (_, 3) => "rd",
            _ => "th",
        };
        Ok(Value::text(format!("{number}{ending}")))
    }),
];

pub(super) const FLOAT: &[Method] = &[
    plain("+ - * / % ** fdiv modulo", 1, 1, arithmetic),
    plain("to_i to_int truncate", 0, 0, |_, call| to_int(call, f64::trunc)),
    plain("floor", 0, 1, |_, call| rounded(call, f64::floor)),
    plain("ceil", 0, 1, |_, call| rounded(call, f64::ceil)),
    plain("round", 0, 1, |_, call| rounded(call, f64::round)),
    plain("nan?", 0, 0, |_, call| Ok(Value::Bool(float(call).is_nan()))),
    plain("infinite?", 0, 0, |_, call| {
        let value = float(call);
        Ok(if value.is_infinite() { Value::Int(if value > 0.0 { 1 } else { -1 }) } else { Value::Nil })
    }),
];

pub(super) const BOTH: &[Method] = &[
    plain("< <= > >=", 1, 1, |_, call| {
        let Some(order) = call.receiver.order(call.value(0)) else {
            let message = format!("comparison of {} with {} failed", call.receiver.class(), call.value(0).inspect());
            return Err(call.raise("ArgumentError", message));
        };
        Ok(Value::Bool(compares(call.name, order)))
    }),
    plain("to_f", 0, 0, |_, call| Ok(Value::Float(float(call)))),
    plain("to_c to_r rationalize", 0, 0, |_, call| Err(call.unknown())),
    plain("-@", 0, 0, |_, call| match call.receiver {
        Value::Int(value) => value.checked_neg().map(Value::Int).ok_or_else(|| call.unknown()),
        _ => Ok(Value::Float(-float(call))),
    }),
    plain("abs magnitude", 0, 0, |_, call| match call.receiver {
        Value::Int(value) => value.checked_abs().map(Value::Int).ok_or_else(|| call.unknown()),
        _ => Ok(Value::Float(float(call).abs())),
    }),
    plain("zero?", 0, 0, |_, call| Ok(Value::Bool(float(call) == 0.0))),
    plain("nonzero?", 0, 0, |_, call| Ok(if float(call) == 0.0 { Value::Nil } else { call.receiver.clone() })),
    plain("positive?", 0, 0, |_, call| Ok(Value::Bool(float(call) > 0.0))),
    plain("negative?", 0, 0, |_, call| Ok(Value::Bool(float(call) < 0.0))),
    plain("integer?", 0, 0, |_, call| Ok(Value::Bool(matches!(call.receiver, Value::Int(_))))),
    plain("finite?", 0, 0, |_, call| Ok(Value::Bool(float(call).is_finite()))),
    plain("between?", 2, 2, |_, call| {
        let value = float(call);
        let bounds = call.value(0).number().zip(call.value(1).number());
        bounds.map(|(low, high)| Value::Bool((low..=high).contains(&value))).ok_or_else(|| call.unknown())
    }),
    plain("clamp", 1, 2, |_, call| {
        let (low, high) = match call.value(0) {
            Value::Range(range) if !range.exclusive => (range.first.clone(), range.last.clone()),
            low => (low.clone(), call.value(1).clone()),
        };
        let below = call.receiver.order(&low) == Some(std::cmp::Ordering::Less);
        let above = call.receiver.order(&high) == Some(std::cmp::Ordering::Greater);
        Ok(if below {
            low
        } else if above {
            high
        } else {
            call.receiver.clone()
        })
    }),
    plain("coerce", 1, 1, |_, call| Err(call.unknown())),
];

/// Whether an order is what a comparison asks for.
pub(super) fn compares(operator: &str, order: std::cmp::Ordering) -> bool {
    match operator {
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }
}

fn int(call: &Call<'_>) -> i64 {
    if let Value::Int(value) = call.receiver { *value } else { 0 }
}

fn float(call: &Call<'_>) -> f64 {
    call.receiver.number().unwrap_or_default()
}

fn scaled(call: &Call<'_>, by: i64) -> Found {
    int(call).checked_mul(by).map(Value::Int).ok_or_else(|| call.unknown())
}

fn arithmetic(_: &mut Run<'_>, call: &Call<'_>) -> Found {
    operate(call, call.name)
}

fn operate(call: &Call<'_>, operator: &str) -> Found {
    if let (Value::Int(left), Value::Int(right)) = (call.receiver, call.value(0)) {
        return of_ints(call, operator, *left, *right);
    }
    let (Some(left), Some(right)) = (call.receiver.number(), call.value(0).number()) else {
        let other = call.value(0);
        let other = if other.is_nil() { "nil".into() } else { other.class() };
        return Err(call.raise("TypeError", format!("{other} can't be coerced into {}", call.receiver.class())));
    };
    Ok(Value::Float(match operator {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" | "fdiv" => left / right,
        "**" | "pow" => left.powf(right),
        "%" | "modulo" => left - right * (left / right).floor(),
        "div" if right != 0.0 => return Ok(Value::Int(whole((left / right).floor()))),
        _ => return Err(call.unknown()),
    }))
}

fn of_ints(call: &Call<'_>, operator: &str, left: i64, right: i64) -> Found {
    let divides = matches!(operator, "/" | "%" | "modulo" | "div" | "remainder");
    if divides && right == 0 {
        return Err(call.raise("ZeroDivisionError", "divided by 0"));
    }
    let found = match operator {
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        // Ruby rounds down, not towards zero.
        "/" | "div" => left
            .checked_div(right)
            .map(|quotient| if left % right != 0 && (left < 0) != (right < 0) { quotient - 1 } else { quotient }),
        "%" | "modulo" => {
            left.checked_rem(right).map(|rest| if rest != 0 && (rest < 0) != (right < 0) { rest + right } else { rest })
        }
        "remainder" => left.checked_rem(right),
        "fdiv" => return Ok(Value::Float(left as f64 / right as f64)),
        "**" | "pow" => u32::try_from(right).ok().and_then(|power| left.checked_pow(power)),
        "&" => Some(left & right),
        "|" => Some(left | right),
        "^" => Some(left ^ right),
        "<<" => u32::try_from(right).ok().and_then(|by| left.checked_mul(2_i64.checked_pow(by)?)),
        ">>" => u32::try_from(right).ok().map(|by| left >> by.min(63)),
        _ => None,
    };
    found.map(Value::Int).ok_or_else(|| Stop::unknown(call.place, "this number is too large here"))
}

fn each(run: &mut Run<'_>, call: &Call<'_>, first: i64, last: i64, step: i64) -> Found {
    // Between fractions the numbers would be others.
    if call.values.iter().any(|value| matches!(value, Value::Float(_))) {
        return Err(call.unknown());
    }
    if step == 0 {
        return Err(call.raise("ArgumentError", "step can't be 0"));
    }
    let within = |at: &i64| if step > 0 { *at <= last } else { *at >= last };
    let mut items = Vec::new();
    let mut next = Some(first);
    while let Some(at) = next.filter(within) {
        run.step(call.place)?;
        match call.block {
            Some(_) => drop(call.yields(run, &[Value::Int(at)])?),
            None => items.push(Value::Int(at)),
        }
        next = at.checked_add(step);
    }
    if call.block.is_some() { Ok(call.receiver.clone()) } else { series::of(run, items, "each") }
}

fn to_int(call: &Call<'_>, round: fn(f64) -> f64) -> Found {
    let value = round(float(call));
    if value.is_nan() || value.is_infinite() {
        return Err(call.raise("FloatDomainError", super::super::super::yaml::scalar::float_text(value)));
    }
    if value.abs() < 9e15 { Ok(Value::Int(whole(value))) } else { Err(call.unknown()) }
}

fn rounded(call: &Call<'_>, round: fn(f64) -> f64) -> Found {
    match call.value(0) {
        Value::Nil => to_int(call, round),
        Value::Int(0) => to_int(call, round),
        Value::Int(digits @ 1..=15) => {
            let value = float(call);
            if call.name == "round" {
                // As the digits say, not as the bits do.
                return Ok(Value::Float(format!("{value:.0$}", *digits as usize).parse().unwrap_or(value)));
            }
            let scale = 10_f64.powi(*digits as i32);
            Ok(Value::Float(round(value * scale) / scale))
        }
        _ => Err(call.unknown()),
    }
}

/// A number without its fraction, which fits.
pub(super) fn whole(value: f64) -> i64 {
    format!("{:.0}", value.trunc()).parse().unwrap_or_default()
}

pub(super) fn in_base(value: i64, base: i64) -> String {
    let mut left = value.unsigned_abs();
    let base = base.unsigned_abs();
    let mut digits = Vec::new();
    loop {
        digits.push(u32::try_from(left % base).ok().and_then(|digit| char::from_digit(digit, 36)).unwrap_or('0'));
        left /= base;
        if left == 0 {
            break;
        }
    }
    if value < 0 {
        digits.push('-');
    }
    digits.into_iter().rev().collect()
}

/// Ruby's `String#to_i`: the number at the beginning, 0 when there is none.
pub(super) fn leading_int(text: &str, base: u32) -> Option<i64> {
    let text = text.trim_start();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = match base {
        16 => digits.strip_prefix("0x").unwrap_or(digits),
        2 => digits.strip_prefix("0b").unwrap_or(digits),
        _ => digits,
    };
    let mut number = sign.to_owned();
    let mut last = '_';
    for character in digits.chars() {
        match character {
            '_' if last != '_' => {}
            c if c.is_digit(base) => number.push(character),
            _ => break,
        }
        last = character;
    }
    if number.len() == sign.len() { Some(0) } else { i64::from_str_radix(&number, base).ok() }
}

/// Ruby's `String#to_f`.
pub(super) fn leading_float(text: &str) -> f64 {
    let text = text.trim_start();
    let (mut end, mut point, mut exponent) = (0, false, false);
    for (at, character) in text.char_indices() {
        let digit_follows = text[at + character.len_utf8()..].starts_with(|c: char| c.is_ascii_digit());
        match character {
            '0'..='9' => {}
            '-' | '+' if at == 0 || exponent && text[..at].ends_with(['e', 'E']) => {}
            '.' if !point && !exponent && digit_follows => point = true,
            'e' | 'E' if !exponent && at > 0 && (digit_follows || text[at + 1..].starts_with(['-', '+'])) => {
                exponent = true;
            }
            _ => break,
        }
        end = at + 1;
    }
    text[..end].parse().unwrap_or(0.0)
}
