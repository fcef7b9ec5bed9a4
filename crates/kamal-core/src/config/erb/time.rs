//! `strftime`.

use jiff::Zoned;

/// A time in Ruby's words: `%Y-%m-%d`, `%-d`, `%^a`, `%3N`.
pub(super) fn format(at: &Zoned, pattern: &str) -> String {
    let mut out = String::new();
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut flags = String::new();
        let mut width = String::new();
        loop {
            match characters.next() {
                Some(flag @ ('-' | '0' | '^' | '_' | '#' | ':')) if width.is_empty() => flags.push(flag),
                Some(digit @ '0'..='9') => width.push(digit),
                Some(directive) => {
                    let width = width.parse().ok().filter(|width| *width <= 100);
                    out.push_str(&one(at, directive, &flags, width));
                    break;
                }
                None => {
                    out.push('%');
                    break;
                }
            }
        }
    }
    out
}

fn one(at: &Zoned, directive: char, flags: &str, width: Option<usize>) -> String {
    let twelve = (at.hour() + 11) % 12 + 1;
    let day_of_week = at.weekday().to_sunday_zero_offset();
    // A number, its usual width, and what it is filled with.
    let number = |value: i64, usual: usize, fill: char| {
        let width = width.unwrap_or(usual);
        let fill = if flags.contains('_') {
            ' '
        } else if flags.contains('0') {
            '0'
        } else {
            fill
        };
        if flags.contains('-') {
            value.to_string()
        } else if fill == '0' {
            format!("{value:0>width$}")
        } else {
            format!("{value:>width$}")
        }
    };
    let name = |name: &str| {
        let name = if flags.contains('^') { name.to_uppercase() } else { name.to_owned() };
        format!("{name:>0$}", width.unwrap_or(0))
    };
    let weeks = |first: i8| {
        let passed = (i64::from(day_of_week) - i64::from(first)).rem_euclid(7);
        (i64::from(at.day_of_year()) + 6 - passed) / 7
    };
    let fraction = |usual: usize| {
        let digits = width.unwrap_or(usual);
        format!("{:0<digits$}", format!("{:09}", at.subsec_nanosecond()).chars().take(digits).collect::<String>())
    };
    match directive {
        'Y' => number(at.year().into(), 1, '0'),
        'C' => number(i64::from(at.year()) / 100, 2, '0'),
        'y' => number(i64::from(at.year()) % 100, 2, '0'),
        'm' => number(at.month().into(), 2, '0'),
        'd' => number(at.day().into(), 2, '0'),
        'e' => number(at.day().into(), 2, ' '),
        'j' => number(at.day_of_year().into(), 3, '0'),
        'H' => number(at.hour().into(), 2, '0'),
        'k' => number(at.hour().into(), 2, ' '),
        'I' => number(twelve.into(), 2, '0'),
        'l' => number(twelve.into(), 2, ' '),
        'M' => number(at.minute().into(), 2, '0'),
        'S' => number(at.second().into(), 2, '0'),
        'L' => fraction(3),
        'N' => fraction(9),
        's' => number(at.timestamp().as_second(), 1, '0'),
        'u' => number(if day_of_week == 0 { 7 } else { day_of_week.into() }, 1, '0'),
        'w' => number(day_of_week.into(), 1, '0'),
        'U' => number(weeks(0), 2, '0'),
        'W' => number(weeks(1), 2, '0'),
        'V' => number(at.date().iso_week_date().week().into(), 2, '0'),
        'G' => number(at.date().iso_week_date().year().into(), 1, '0'),
        'A' => name(weekday(day_of_week)),
        'a' => name(&weekday(day_of_week)[..3]),
        'B' => name(month(at.month())),
        'b' | 'h' => name(&month(at.month())[..3]),
        'p' if flags.contains('#') => if at.hour() < 12 { "am" } else { "pm" }.to_owned(),
        'p' => name(if at.hour() < 12 { "AM" } else { "PM" }),
        'P' => name(if at.hour() < 12 { "am" } else { "pm" }),
        'Z' => zone(at),
        'z' => offset(at.offset().seconds(), flags.matches(':').count()),
        'F' => format(at, "%Y-%m-%d"),
        'T' | 'X' => format(at, "%H:%M:%S"),
        'D' | 'x' => format(at, "%m/%d/%y"),
        'R' => format(at, "%H:%M"),
        'r' => format(at, "%I:%M:%S %p"),
        'c' => format(at, "%a %b %e %H:%M:%S %Y"),
        'v' => format(at, "%e-%^b-%Y"),
        'n' => "\n".to_owned(),
        't' => "\t".to_owned(),
        '%' => "%".to_owned(),
        other => format!("%{flags}{other}"),
    }
}

fn zone(at: &Zoned) -> String {
    let info = at.time_zone().to_offset_info(at.timestamp());
    let name = info.abbreviation();
    // A zone that is only an offset has no name.
    if name.starts_with(['+', '-']) || name.is_empty() {
        return if at.offset().is_zero() { "UTC".to_owned() } else { String::new() };
    }
    name.to_owned()
}

/// `+0200`, `+02:00`.
pub(super) fn offset(seconds: i32, colons: usize) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() % 3600 / 60);
    if colons > 0 { format!("{sign}{hours:02}:{minutes:02}") } else { format!("{sign}{hours:02}{minutes:02}") }
}

fn weekday(day: i8) -> &'static str {
    const NAMES: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    usize::try_from(day).ok().and_then(|day| NAMES.get(day)).copied().unwrap_or("Sunday")
}

fn month(month: i8) -> &'static str {
    const NAMES: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    usize::try_from(month - 1).ok().and_then(|month| NAMES.get(month)).copied().unwrap_or("January")
}
