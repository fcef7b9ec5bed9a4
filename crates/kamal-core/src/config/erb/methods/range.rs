//! Ranges.

use super::super::ast::Place;
use super::super::run::Run;
use super::super::stop::Stop;
use super::super::value::{Range, Value};
use super::{Call, Method, block, plain, series};

/// More items than any range in a template has.
const MAX_ITEMS: i64 = 100_000;

/// As many of the numbers of a range without end.
const MAX_TAKEN: usize = 100_000;

pub(super) const METHODS: &[Method] = &[
    plain("first begin min take", 0, 1, |run, call| {
        let range = own(call)?;
        if let (Value::Int(first), Value::Nil, 1) = (&range.first, &range.last, call.values.len()) {
            let numbers = (*first..).take(call.size(0)?.min(MAX_TAKEN)).map(Value::Int).collect();
            return Ok(run.list(numbers));
        }
        if call.name == "take" && call.values.is_empty() {
            return Err(call.unknown());
        }
        if call.name == "min" || !call.values.is_empty() {
            let items = items(run, range, call.place)?;
            if call.values.is_empty() {
                return Ok(items.into_iter().next().unwrap_or(Value::Nil));
            }
            let count = call.size(0)?;
            return Ok(run.list(items.into_iter().take(count).collect()));
        }
        Ok(range.first.clone())
    }),
    plain("last end max", 0, 1, |run, call| {
        let range = own(call)?;
        if call.name == "max" || call.name == "last" && !call.values.is_empty() {
            let items = items(run, range, call.place)?;
            if call.values.is_empty() {
                return Ok(items.into_iter().next_back().unwrap_or(Value::Nil));
            }
            let skipped = items.len().saturating_sub(call.size(0)?);
            return Ok(run.list(items[skipped..].to_vec()));
        }
        Ok(range.last.clone())
    }),
    plain("size length", 0, 0, |run, call| Ok(Value::count(items(run, own(call)?, call.place)?.len()))),
    plain("exclude_end?", 0, 0, |_, call| Ok(Value::Bool(own(call)?.exclusive))),
    plain("cover? include? member? === in?", 1, 1, |run, call| {
        let range = own(call)?;
        // `"a".."c"` covers "bb" and has it not among its texts.
        let listed = !matches!(call.name, "cover?" | "===") && matches!(range.first, Value::Text(_));
        if !listed || range.last.is_nil() {
            return Ok(Value::Bool(covers(range, call.value(0))));
        }
        let items = items(run, range, call.place)?;
        Ok(Value::Bool(items.iter().any(|item| item.same(call.value(0)))))
    }),
    block("step %", 1, 1, |run, call| {
        let range = own(call)?;
        if matches!(call.value(0), Value::Float(_)) {
            return Err(call.unknown());
        }
        let step = call.size(0)?;
        if step == 0 {
            return Err(call.raise("ArgumentError", "step can't be 0"));
        }
        let chosen: Vec<Value> = items(run, range, call.place)?.into_iter().step_by(step).collect();
        if call.block.is_none() {
            return series::of(run, chosen, "each");
        }
        for item in chosen {
            call.yields(run, &[item])?;
        }
        Ok(call.receiver.clone())
    }),
    block("each", 0, 0, |run, call| {
        let range = own(call)?;
        if let (Value::Int(first), Value::Nil, Some(_)) = (&range.first, &range.last, &call.block) {
            // Until the block has had enough, or the template has run too long.
            for number in *first.. {
                run.step(call.place)?;
                call.yields(run, &[Value::Int(number)])?;
            }
        }
        let items = items(run, range, call.place)?;
        if call.block.is_none() {
            return series::of(run, items, "each");
        }
        for item in items {
            call.yields(run, &[item])?;
        }
        Ok(call.receiver.clone())
    }),
    block("sum", 0, 0, |run, call| {
        let list = items(run, own(call)?, call.place)?;
        let list = run.list(list);
        let inner = Call { receiver: &list, block: call.block.clone(), ..*call };
        super::call(run, &inner)
    }),
];

fn own<'a>(call: &'a Call<'_>) -> Result<&'a Range, Stop> {
    if let Value::Range(range) = call.receiver { Ok(range) } else { Err(call.unknown()) }
}

/// Whether a value lies in a range.
pub(in super::super) fn covers(range: &Range, value: &Value) -> bool {
    use std::cmp::Ordering::{Greater, Less};
    let above = range.first.is_nil() || matches!(range.first.order(value), Some(order) if order != Greater);
    let below = match range.last.order(value) {
        _ if range.last.is_nil() => true,
        Some(order) => order != Less && !(range.exclusive && order.is_eq()),
        None => false,
    };
    above && below
}

/// All of a range.
pub(super) fn items(run: &mut Run<'_>, range: &Range, place: Place) -> Result<Vec<Value>, Stop> {
    let mut items = Vec::new();
    match (&range.first, &range.last) {
        (Value::Int(first), Value::Int(last)) => {
            let end = if range.exclusive { *last } else { last.saturating_add(1) };
            if end.saturating_sub(*first) > MAX_ITEMS {
                return Err(Stop::limit(place, "a range of more than a hundred thousand numbers"));
            }
            items.extend((*first..end).map(Value::Int));
        }
        (Value::Text(first), Value::Text(last)) => {
            let (mut at, last) = (first.borrow().clone(), last.borrow().clone());
            loop {
                run.step(place)?;
                if at.chars().count() > last.chars().count() || range.exclusive && at == last {
                    break;
                }
                items.push(Value::text(at.clone()));
                if at == last || at.is_empty() {
                    break;
                }
                at = successor(&at);
            }
        }
        (Value::Date(first), Value::Date(last)) => {
            let mut at = *first;
            while at < *last || !range.exclusive && at == *last {
                run.step(place)?;
                items.push(Value::Date(at));
                let Ok(next) = at.tomorrow() else { break };
                at = next;
            }
        }
        (Value::Nil, _) => return Err(Stop::raise(place, "TypeError", "can't iterate from NilClass")),
        (Value::Float(_), _) => return Err(Stop::raise(place, "TypeError", "can't iterate from Float")),
        _ => return Err(Stop::unknown(place, "this range is not understood")),
    }
    Ok(items)
}

/// The stretch of something so long that a range means as an index.
pub(super) fn stretch(range: &Range, length: usize) -> Option<(usize, usize)> {
    let total = i64::try_from(length).ok()?;
    let place = |value: &Value, open: i64| match value {
        Value::Nil => Some(open),
        Value::Int(at) => Some(if *at < 0 { at + total } else { *at }),
        _ => None,
    };
    let start = place(&range.first, 0)?;
    let end = place(&range.last, total)?;
    let end = if range.exclusive || range.last.is_nil() { end } else { end.checked_add(1)? };
    let start = usize::try_from(start).ok().filter(|start| *start <= length)?;
    let end = usize::try_from(end.clamp(0, total)).ok()?;
    Some((start, end.max(start)))
}

/// Ruby's `String#succ`: `a9` is followed by `b0`, `Zz` by `AAa`.
pub(super) fn successor(text: &str) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    let counts = |c: char| c.is_ascii_alphanumeric();
    let Some(last) = characters.iter().rposition(|c| counts(*c)) else {
        if let Some(last) = characters.last_mut() {
            *last = char::from_u32(u32::from(*last) + 1).unwrap_or('\u{1}');
        }
        return characters.into_iter().collect();
    };
    let mut at = last;
    loop {
        let (next, carried) = match characters[at] {
            'z' => ('a', Some('a')),
            'Z' => ('A', Some('A')),
            '9' => ('0', Some('1')),
            c => (char::from_u32(u32::from(c) + 1).unwrap_or(c), None),
        };
        characters[at] = next;
        let Some(carried) = carried else { break };
        match characters[..at].iter().rposition(|c| counts(*c)) {
            // Over what stands between them: `1.9` is followed by `2.0`.
            Some(before) => at = before,
            None => {
                characters.insert(at, carried);
                break;
            }
        }
    }
    characters.into_iter().collect()
}
