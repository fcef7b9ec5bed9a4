//! In what two plans differ, for people.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::{Plan, Stage, Work};

/// Something a plan does: as people read it, and all there is to it.
#[derive(PartialEq)]
struct Deed {
    line: String,
    whole: Value,
}

impl Plan {
    /// What this plan does and the other does not, behind `-`; the other way round, behind `+`; and what both do, but not
    /// alike, behind `~`, with what differs. Nothing when both do the same in the same order.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let (mut mine, mut its) = (self.deeds(), other.deeds());
        let order = |deeds: &[Deed]| deeds.iter().map(|deed| deed.line.clone()).collect::<Vec<_>>();
        let (my_order, its_order) = (order(&mine), order(&its));
        take_out(&mut mine, &mut its, |one, other| one == other);
        let unlike = take_out(&mut mine, &mut its, |one, other| one.line == other.line);
        let mut lines: Vec<String> = mine.into_iter().map(|deed| format!("- {}", deed.line)).collect();
        lines.extend(its.into_iter().map(|deed| format!("+ {}", deed.line)));
        lines.extend(unlike.into_iter().map(|(one, other)| {
            let mut fields = BTreeSet::new();
            unlike_fields(&one.whole, &other.whole, "", &mut fields);
            let fields = fields.into_iter().collect::<Vec<_>>().join(", ");
            format!("~ {} ({fields})", one.line)
        }));
        if lines.is_empty() && my_order != its_order {
            lines.push("~ the same steps in another order".to_owned());
        }
        lines
    }

    fn deeds(&self) -> Vec<Deed> {
        let of = |word: &str, name: Option<&str>| Deed {
            line: format!("{word}: {}", name.unwrap_or("none")),
            whole: Value::Null,
        };
        let mut deeds = vec![
            of("operation", Some(&self.operation)),
            of("service", Some(&self.service)),
            of("destination", self.destination.as_deref()),
            of("version", self.version.as_deref()),
        ];
        deeds.extend(self.stages.iter().flat_map(Stage::deeds));
        deeds
    }
}

impl Stage {
    fn deeds(&self) -> Vec<Deed> {
        let steps = self.steps().map(|(host, step)| Deed::of(host, step, step));
        match &self.work {
            Work::Hosts(_) => steps.collect(),
            Work::Boot { placements, .. } => {
                let placed = placements.iter().map(|placed| {
                    let old = placed.old.as_deref().unwrap_or("nothing");
                    Deed::of(&placed.host, format!("put {} in the place of {old}", placed.new), placed)
                });
                steps.chain(placed).collect()
            }
            Work::Ask(questions) => questions.iter().map(|asked| Deed::of(&asked.host, &asked.query, asked)).collect(),
            Work::Tell(told) => told.iter().map(|told| Deed::of("local", "answer", told)).collect(),
            work => self.lines().into_iter().map(|(place, what)| Deed::of(place, what, work)).collect(),
        }
    }
}

impl Deed {
    fn of(place: &str, what: impl std::fmt::Display, whole: &impl Serialize) -> Self {
        Self { line: format!("{place}: {what}"), whole: serde_json::to_value(whole).unwrap_or_default() }
    }
}

/// Takes out of both lists what is alike, in pairs.
fn take_out(mine: &mut Vec<Deed>, its: &mut Vec<Deed>, alike: impl Fn(&Deed, &Deed) -> bool) -> Vec<(Deed, Deed)> {
    let mut pairs = Vec::new();
    for one in std::mem::take(mine) {
        match its.iter().position(|other| alike(&one, other)) {
            Some(at) => pairs.push((one, its.remove(at))),
            None => mine.push(one),
        }
    }
    pairs
}

/// The names of the fields in which two values differ. Values are not told: they may be long.
fn unlike_fields(one: &Value, other: &Value, path: &str, found: &mut BTreeSet<String>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            for name in one.keys().chain(other.keys()) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let of = |object: &serde_json::Map<String, Value>| object.get(name).cloned().unwrap_or_default();
                unlike_fields(&of(one), &of(other), &path, found);
            }
        }
        (one, other) if one != other => drop(found.insert(path.to_owned())),
        _ => {}
    }
}
