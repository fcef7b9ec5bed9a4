//! Promises about several scripts, and about connections.

use futures_channel::oneshot;
use futures_util::future::{Either, join, join_all, select};

use super::{
    Promise,
    bench::{Bench, must},
    promises,
};
use crate::{ports::Chunk, shell::Script};

pub(super) const PROMISES: &[Promise] = promises! {
    "output is handed on while the script runs": while_it_runs,
    "calls may overlap": overlapping,
    "calls that overlap have shells and output of their own": apart,
    "a call that is cancelled leaves the connection usable": cancelled,
    "connecting again hands out a connection that works": again,
    "after `forget` the next connection works": forgotten,
};

/// Shell text that waits for a file for half a minute.
fn wait_for(file: &str) -> String {
    format!("i=0; while [ ! -e {file} ]; do i=$((i + 1)); [ $i -lt 300 ] || exit 1; sleep 0.1; done")
}

async fn while_it_runs(bench: &Bench) -> Result<(), String> {
    let exec = bench.connect().await?;
    let (sender, first) = oneshot::channel();
    let mut sender = Some(sender);
    let mut output = |_: Chunk<'_>| {
        // Nobody may wait for it any more.
        sender.take().and_then(|sender| sender.send(()).ok());
    };
    let file = bench.word("go-on");
    let script = Script::write("suite", format!("echo first; {}", wait_for(&file)));
    let answer = async {
        // A sender that is gone cannot tell any more.
        first.await.ok();
        bench.told(&format!("mkdir -p {}; : > {file}", bench.folder)).await
    };
    let (exit, answer) = join(exec.exec(&script, &mut output), answer).await;
    answer?;
    let exit = exit.map_err(|error| error.to_string())?;
    must(exit.success(), || "what was printed came only when the script had ended".to_owned())
}

async fn overlapping(bench: &Bench) -> Result<(), String> {
    let file = bench.word("made");
    let waits = wait_for(&file);
    let (waited, made) = join(bench.told(&waits), bench.told(&format!("mkdir -p {}; : > {file}", bench.folder))).await;
    made?;
    waited.map(drop).map_err(|_| "one script ran only when the other had ended".to_owned())
}

async fn apart(bench: &Bench) -> Result<(), String> {
    let one = |number: usize| async move {
        let text =
            format!("x={number}; i=0; while [ $i -lt 50 ]; do echo $x; echo $x >&2; i=$((i + 1)); done; exit {number}");
        let printed = format!("{number}\n").repeat(50);
        bench.expect(&text, &printed, &printed, i32::try_from(number).unwrap_or_default()).await
    };
    join_all((1..=12).map(one)).await.into_iter().collect()
}

async fn cancelled(bench: &Bench) -> Result<(), String> {
    let exec = bench.connect().await?;
    for text in ["sleep 20", "i=0; while [ $i -lt 50000 ]; do echo x; i=$((i + 1)); done; sleep 20"] {
        let script = Script::write("suite", text);
        let mut output = |_: Chunk<'_>| {};
        match select(exec.exec(&script, &mut output), Box::pin(bench.told("echo other"))).await {
            Either::Left(_) => return Err(format!("{text:?} ended before it could be cancelled")),
            Either::Right((other, running)) => {
                drop(running);
                must(other? == "other\n", || "another script printed something else".to_owned())?;
            }
        }
        bench.expect("echo fine", "fine\n", "", 0).await.map_err(|error| format!("after {text:?}: {error}"))?;
    }
    Ok(())
}

async fn again(bench: &Bench) -> Result<(), String> {
    for exec in join_all((0..4).map(|_| bench.connect())).await {
        must(*exec?.host() == bench.host, || "it is one to another host".to_owned())?;
    }
    bench.expect("echo fine", "fine\n", "", 0).await
}

async fn forgotten(bench: &Bench) -> Result<(), String> {
    // One that was never opened as well.
    bench.ssh.forget(&bench.host).await;
    for _ in 0..2 {
        bench.expect("echo fine", "fine\n", "", 0).await?;
        bench.ssh.forget(&bench.host).await;
    }
    Ok(())
}
