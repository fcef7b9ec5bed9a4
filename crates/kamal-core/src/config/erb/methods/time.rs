//! Times and dates.

use std::rc::Rc;

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Span, Zoned};

use super::super::run::Found;
use super::super::stop::Stop;
use super::super::time::{format, offset};
use super::super::value::Value;
use super::{Call, Method, plain};

/// `Time` itself.
pub(super) const TIME_CLASS: &[Method] = &[
    plain("now current", 0, 0, |run, _| Ok(time(run.outside.now()))),
    plain("today", 0, 0, |run, _| Ok(Value::Date(run.outside.now().date()))),
    plain("at", 1, 1, |run, call| {
        let zone = run.outside.now().time_zone().clone();
        let at = jiff::Timestamp::from_second(call.int(0)?).map_err(|_| call.unknown())?;
        Ok(time(at.to_zoned(zone)))
    }),
    plain("utc gm mktime local new", 0, 6, |run, call| {
        if call.values.is_empty() {
            return if call.name == "new" { Ok(time(run.outside.now())) } else { Err(call.unknown()) };
        }
        let part = |index: usize, default: i64| match call.values.get(index) {
            Some(_) => call.int(index),
            None => Ok(default),
        };
        let small = |value: i64| i8::try_from(value).map_err(|_| call.raise("ArgumentError", "argument out of range"));
        let year = i16::try_from(call.int(0)?).map_err(|_| call.unknown())?;
        let made = jiff::civil::DateTime::new(
            year,
            small(part(1, 1)?)?,
            small(part(2, 1)?)?,
            small(part(3, 0)?)?,
            small(part(4, 0)?)?,
            small(part(5, 0)?)?,
            0,
        );
        let zone =
            if matches!(call.name, "utc" | "gm") { TimeZone::UTC } else { run.outside.now().time_zone().clone() };
        let made = made.and_then(|made| made.to_zoned(zone));
        made.map(time).map_err(|_| call.raise("ArgumentError", "argument out of range"))
    }),
    plain("parse iso8601", 1, 1, |run, call| {
        let text = call.text(0)?;
        let zone = run.outside.now().time_zone().clone();
        let zoned = text.parse::<jiff::Timestamp>().ok().map(|at| at.to_zoned(zone.clone()));
        let local = || text.parse::<jiff::civil::DateTime>().ok().and_then(|at| at.to_zoned(zone).ok());
        zoned.or_else(local).map(time).ok_or_else(|| call.unknown())
    }),
];

/// `Date` itself.
pub(super) const DATE_CLASS: &[Method] = &[
    plain("today current", 0, 0, |run, _| Ok(Value::Date(run.outside.now().date()))),
    plain("yesterday tomorrow", 0, 0, |run, call| {
        let today = run.outside.now().date();
        let day = if call.name == "tomorrow" { today.tomorrow() } else { today.yesterday() };
        day.map(Value::Date).map_err(|_| call.unknown())
    }),
    plain("new civil", 3, 3, |_, call| {
        let year = i16::try_from(call.int(0)?).ok();
        let rest = i8::try_from(call.int(1)?).ok().zip(i8::try_from(call.int(2)?).ok());
        let made = year.zip(rest).and_then(|(year, (month, day))| Date::new(year, month, day).ok());
        made.map(Value::Date).ok_or_else(|| call.raise("Date::Error", "invalid date"))
    }),
    plain("valid_date? valid_civil?", 3, 3, |_, call| {
        let year = i16::try_from(call.int(0)?).ok();
        let rest = i8::try_from(call.int(1)?).ok().zip(i8::try_from(call.int(2)?).ok());
        let made = year.zip(rest).is_some_and(|(year, (month, day))| Date::new(year, month, day).is_ok());
        Ok(Value::Bool(made))
    }),
    plain("parse iso8601", 1, 1, |_, call| {
        let text = call.text(0)?;
        text.parse::<Date>().map(Value::Date).map_err(|_| call.unknown())
    }),
];

pub(super) const TIME: &[Method] = &[
    plain("to_i tv_sec", 0, 0, |_, call| Ok(Value::Int(moment(call)?.timestamp().as_second()))),
    plain("to_f", 0, 0, |_, call| {
        let at = moment(call)?.timestamp();
        Ok(Value::Float(at.as_second() as f64 + f64::from(at.subsec_nanosecond()) / 1e9))
    }),
    plain("hour", 0, 0, |_, call| Ok(Value::Int(moment(call)?.hour().into()))),
    plain("min", 0, 0, |_, call| Ok(Value::Int(moment(call)?.minute().into()))),
    plain("sec", 0, 0, |_, call| Ok(Value::Int(moment(call)?.second().into()))),
    plain("nsec", 0, 0, |_, call| Ok(Value::Int(moment(call)?.subsec_nanosecond().into()))),
    plain("usec", 0, 0, |_, call| Ok(Value::Int((moment(call)?.subsec_nanosecond() / 1000).into()))),
    plain("utc getutc gmtime getgm", 0, 0, |_, call| Ok(time(moment(call)?.with_time_zone(TimeZone::UTC)))),
    plain("localtime getlocal in_time_zone", 0, 1, |run, call| {
        let zone = match call.value(0) {
            Value::Nil => run.outside.now().time_zone().clone(),
            Value::Text(text) => fixed(&text.borrow()).ok_or_else(|| call.unknown())?,
            _ => return Err(call.unknown()),
        };
        Ok(time(moment(call)?.with_time_zone(zone)))
    }),
    plain("utc? gmt?", 0, 0, |_, call| Ok(Value::Bool(moment(call)?.offset().is_zero()))),
    plain("zone", 0, 0, |_, call| Ok(Value::text(format(moment(call)?, "%Z")))),
    plain("utc_offset gmt_offset gmtoff", 0, 0, |_, call| Ok(Value::Int(moment(call)?.offset().seconds().into()))),
    plain("to_date", 0, 0, |_, call| Ok(Value::Date(moment(call)?.date()))),
    plain("to_time to_datetime", 0, 0, |_, call| Ok(call.receiver.clone())),
    plain("iso8601 xmlschema", 0, 1, |_, call| {
        let at = moment(call)?;
        let digits = if call.values.is_empty() { 0 } else { call.size(0)?.min(9) };
        let fraction = if digits > 0 { format!(".%{digits}N") } else { String::new() };
        let zone = if at.offset().is_zero() { "Z".to_owned() } else { offset(at.offset().seconds(), 1) };
        Ok(Value::text(format(at, &format!("%Y-%m-%dT%H:%M:%S{fraction}")) + &zone))
    }),
    plain("+ -", 1, 1, |_, call| {
        let at = moment(call)?;
        if let (Value::Time(other), "-") = (call.value(0), call.name) {
            return Ok(Value::Float(at.duration_since(other).as_secs_f64()));
        }
        let Some(seconds) = call.value(0).number().filter(|seconds| seconds.abs() < 1e12) else {
            return Err(call.no_conversion(call.value(0), "exact number"));
        };
        let by = SignedDuration::from_secs_f64(if call.name == "-" { -seconds } else { seconds });
        at.checked_add(by).map(time).map_err(|_| call.unknown())
    }),
    plain("round floor", 0, 0, |_, call| {
        let at = moment(call)?;
        let whole = jiff::Timestamp::from_second(at.timestamp().as_second()).map_err(|_| call.unknown())?;
        if call.name == "floor" { Ok(time(whole.to_zoned(at.time_zone().clone()))) } else { Err(call.unknown()) }
    }),
    plain("beginning_of_day midnight", 0, 0, |_, call| {
        moment(call)?.start_of_day().map(time).map_err(|_| call.unknown())
    }),
];

pub(super) const DATE: &[Method] = &[
    plain("to_date", 0, 0, |_, call| Ok(call.receiver.clone())),
    plain("to_time", 0, 0, |run, call| {
        let zone = run.outside.now().time_zone().clone();
        date(call)?.to_zoned(zone).map(time).map_err(|_| call.unknown())
    }),
    plain("iso8601", 0, 0, |_, call| Ok(Value::text(date(call)?.to_string()))),
    plain("cwday", 0, 0, |_, call| Ok(Value::Int(date(call)?.weekday().to_monday_one_offset().into()))),
    plain("cweek", 0, 0, |_, call| Ok(Value::Int(date(call)?.iso_week_date().week().into()))),
    plain("next_day prev_day next succ tomorrow yesterday", 0, 1, |_, call| {
        let days = if call.values.is_empty() { 1 } else { call.int(0)? };
        moved(call, if matches!(call.name, "prev_day" | "yesterday") { days.saturating_neg() } else { days }, 0)
    }),
    plain("next_month prev_month", 0, 1, |_, call| {
        let months = if call.values.is_empty() { 1 } else { call.int(0)? };
        moved(call, 0, if call.name == "prev_month" { months.saturating_neg() } else { months })
    }),
    plain(">> <<", 1, 1, |_, call| {
        let months = call.int(0)?;
        moved(call, 0, if call.name == "<<" { months.saturating_neg() } else { months })
    }),
    plain("+ -", 1, 1, |_, call| {
        if matches!(call.value(0), Value::Date(_)) {
            return Err(call.unknown());
        }
        let days = call.int(0)?;
        moved(call, if call.name == "-" { days.saturating_neg() } else { days }, 0)
    }),
];

pub(super) const BOTH: &[Method] = &[
    plain("strftime to_fs to_formatted_s", 1, 1, |_, call| match call.name {
        "strftime" => Ok(Value::text(format(&day_or_moment(call)?, &call.text(0)?))),
        _ => Err(call.unknown()),
    }),
    plain("year", 0, 0, |_, call| Ok(Value::Int(day_or_moment(call)?.year().into()))),
    plain("month mon", 0, 0, |_, call| Ok(Value::Int(day_or_moment(call)?.month().into()))),
    plain("day mday", 0, 0, |_, call| Ok(Value::Int(day_or_moment(call)?.day().into()))),
    plain("wday", 0, 0, |_, call| Ok(Value::Int(day_or_moment(call)?.weekday().to_sunday_zero_offset().into()))),
    plain("yday", 0, 0, |_, call| Ok(Value::Int(day_or_moment(call)?.day_of_year().into()))),
    plain("monday? tuesday? wednesday? thursday? friday? saturday? sunday?", 0, 0, |_, call| {
        let name = format(&day_or_moment(call)?, "%A").to_lowercase();
        Ok(Value::Bool(call.name.strip_suffix('?') == Some(&name)))
    }),
    plain("< <= > >=", 1, 1, |_, call| match call.receiver.order(call.value(0)) {
        Some(order) => Ok(Value::Bool(super::number::compares(call.name, order))),
        None => {
            let (own, other) = (call.receiver.class(), call.value(0).inspect());
            Err(call.raise("ArgumentError", format!("comparison of {own} with {other} failed")))
        }
    }),
    plain("since ago from_now advance change to_r sunday? end_of_day", 0, 2, |_, call| Err(call.unknown())),
];

fn time(at: Zoned) -> Value {
    Value::Time(Rc::new(at))
}

fn moment<'a>(call: &'a Call<'_>) -> Result<&'a Zoned, Stop> {
    if let Value::Time(at) = call.receiver { Ok(at) } else { Err(call.unknown()) }
}

fn date(call: &Call<'_>) -> Result<Date, Stop> {
    if let Value::Date(date) = call.receiver { Ok(*date) } else { Err(call.unknown()) }
}

/// A date as the time it begins, anywhere.
fn day_or_moment(call: &Call<'_>) -> Result<Zoned, Stop> {
    match call.receiver {
        Value::Time(at) => Ok(Zoned::clone(at)),
        Value::Date(date) => date.to_zoned(TimeZone::UTC).map_err(|_| call.unknown()),
        _ => Err(call.unknown()),
    }
}

fn moved(call: &Call<'_>, days: i64, months: i64) -> Found {
    let date = date(call)?;
    let span = Span::new().try_days(days).and_then(|span| span.try_months(months));
    span.and_then(|span| date.checked_add(span)).map(Value::Date).map_err(|_| call.unknown())
}

/// A zone such as `+09:00` or `UTC`.
fn fixed(name: &str) -> Option<TimeZone> {
    if name == "UTC" {
        return Some(TimeZone::UTC);
    }
    let (sign, rest) = match name.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let seconds = hours.parse::<i32>().ok()?.checked_mul(3600)? + minutes.parse::<i32>().ok()?.checked_mul(60)?;
    Offset::from_seconds(sign * seconds).ok().map(TimeZone::fixed)
}
