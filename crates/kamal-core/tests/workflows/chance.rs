//! Faults by chance: fleets of one to fifty hosts, an operation, one effect of it that goes wrong in one of its ways, the
//! program being killed among them; then the same operation again, from here or from elsewhere, with nothing in between.
//!
//! A round is its number. `KAMAL_SEED=7 KAMAL_ROUNDS=1` replays the one that is told when it fails; without a seed each run
//! tries others.

use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

use kamal_core::{
    lock::EXPIRY,
    op::{App as AppOp, Op, Proxy, Rollback},
    ports::Clock,
    testing::Fault,
};

use crate::harness::{App, Verb};

/// Numbers that look like chance and are the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 16).unwrap() % limit
    }

    fn one_of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }
}

fn hosts(from: usize, to: usize) -> String {
    (from..to).map(|host| format!("h{host}")).collect::<Vec<_>>().join(", ")
}

/// Web on all hosts, with workers on some of them or on hosts of their own; all at once or in groups.
fn fleet(chance: &mut Chance) -> String {
    // Fifty take long and seldom show what five do not.
    let size = *chance.one_of(&[1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 5, 5, 5, 5, 5, 5, 5, 5, 5, 50]);
    let apart = (size / 2).max(1);
    let roles = match chance.below(3) {
        0 => format!("servers: [{}]\n", hosts(0, size)),
        1 => format!("servers: {{web: [{}], workers: {{hosts: [{}], cmd: w}}}}\n", hosts(0, size), hosts(0, apart)),
        _ => format!("servers: {{web: [{}], workers: {{hosts: [{}], cmd: w}}}}\n", hosts(0, apart), hosts(0, size)),
    };
    let groups = if chance.below(3) == 0 { "boot: {limit: 2}\n" } else { "" };
    let release = if chance.below(3) == 0 { "x-release: {cmd: bin/migrate}\n" } else { "" };
    format!("{roles}{groups}{release}")
}

/// One round; a fault, and what failed with it.
fn round(seed: u64) {
    let mut chance = Chance(seed);
    let yaml = fleet(&mut chance);
    let app = App::deployed(&yaml, "v1");
    app.deploy("v2").unwrap();
    let back = Op::Rollback(Rollback { to: Some("v1".parse().unwrap()), as_deployed: false });
    let operations = [
        (Verb::Setup.op(), Some("v3"), "v3"),
        (Verb::Deploy.op(), Some("v3"), "v3"),
        (Verb::Deploy.op(), Some("v3"), "v3"),
        (Verb::Redeploy.op(), Some("v2"), "v2"),
        (back, None, "v1"),
        (Op::App(AppOp::Boot), None, "v2"),
        (Op::Proxy(Proxy::Reboot { rolling: false }), None, "v2"),
    ];
    let (op, asked, version) = chance.one_of(&operations);
    app.fleet.reseed(seed);
    let probe = app.fork();
    probe.perform(op, *asked, None).unwrap();
    let effects = probe.fleet.effects();
    let at = chance.below(effects.len());
    let how = *chance.one_of(effects[at].hows());
    let elsewhere = chance.below(2) == 0;
    let context = format!(
        "seed {seed}: {} of {yaml}{how:?} at {at}, {}, then again{}",
        op.row().name(),
        effects[at],
        if elsewhere { " from elsewhere" } else { "" }
    );
    let first = app.perform(op, *asked, Some(Fault { at, how }));
    assert_eq!(app.fleet.violations(), [""; 0], "{context}");
    app.fleet.plug_in();
    if elsewhere {
        app.fleet.next_machine();
        app.fleet.drive(app.fleet.clock().sleep(EXPIRY)).unwrap();
    }
    let again = app.perform(op, *asked, None);
    assert!(again.is_ok(), "{context}: {:?} (first: {:?})", again.err(), first.map(drop));
    app.assert_converged(version, &context);
}

#[test]
fn whatever_goes_wrong_the_same_again_puts_right() {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() % 1_000_000_000 * 1000;
    let (first, rounds) = (number("KAMAL_SEED").unwrap_or_else(now), number("KAMAL_ROUNDS").unwrap_or(300));
    #[expect(clippy::print_stdout, reason = "whoever wants the same again needs it")]
    {
        println!("KAMAL_SEED={first} KAMAL_ROUNDS={rounds}");
    }
    (first..first + rounds).for_each(round);
}
