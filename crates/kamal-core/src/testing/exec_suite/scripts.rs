//! Promises about one script.

use super::{
    Promise,
    bench::{Bench, must},
    promises,
};

pub(super) const PROMISES: &[Promise] = promises! {
    "a connection names its host": names_its_host,
    "an exit status is data": statuses,
    "standard output and standard error are told apart": both_streams,
    "each stream arrives in order": in_order,
    "much output arrives whole": much_output,
    "every byte of the output arrives": every_byte,
    "output without a last newline, or none at all, stays as it is": no_newline,
    "standard input is empty": no_input,
    "a script runs in the login directory": login_directory,
    "nothing a script sets is left for the next": nothing_left,
    "scripts are POSIX shell: quotes, comments, here documents, functions": posix,
    "every byte of a script but NUL arrives": odd_script,
    "a script may be long": long_script,
    "a script that ends its shell ends itself alone": exits,
    "a script that cannot be read fails by itself alone": unreadable,
    "a program that is not there is status 127": missing_program,
    "a script stands in no argument list": not_in_arguments,
};

async fn names_its_host(bench: &Bench) -> Result<(), String> {
    let exec = bench.connect().await?;
    must(*exec.host() == bench.host, || format!("it says {}, not {}", exec.host(), bench.host))
}

async fn statuses(bench: &Bench) -> Result<(), String> {
    for status in [0, 1, 2, 7, 91, 126, 127, 255] {
        bench.expect(&format!("(exit {status})"), "", "", status).await?;
    }
    Ok(())
}

async fn both_streams(bench: &Bench) -> Result<(), String> {
    bench.expect("echo out; echo err >&2; (exit 3)", "out\n", "err\n", 3).await
}

async fn in_order(bench: &Bench) -> Result<(), String> {
    let numbers: String = (0..500).map(|number| format!("{number}\n")).collect();
    let text = "i=0; while [ $i -lt 500 ]; do echo $i; echo $i >&2; i=$((i + 1)); done";
    bench.expect(text, &numbers, &numbers, 0).await
}

async fn much_output(bench: &Bench) -> Result<(), String> {
    let ran =
        bench.run("head -c 3000000 /dev/zero | tr '\\000' x; head -c 1000000 /dev/zero | tr '\\000' y >&2").await?;
    let (out, err) = (ran.out.len(), ran.err.len());
    must((out, err) == (3_000_000, 1_000_000), || format!("{out} and {err} bytes came, not 3000000 and 1000000"))?;
    let whole = ran.out.iter().all(|byte| *byte == b'x') && ran.err.iter().all(|byte| *byte == b'y');
    must(whole, || "other bytes came than were printed".to_owned())
}

async fn every_byte(bench: &Bench) -> Result<(), String> {
    let all: Vec<u8> = (0..=255).collect();
    let spelled: String = all.iter().map(|byte| format!("\\{byte:03o}")).collect();
    for (redirect, of) in [("", 0), (" >&2", 1)] {
        let ran = bench.run(&format!("printf '{spelled}'{redirect}")).await?;
        let found = if of == 0 { &ran.out } else { &ran.err };
        must(*found == all, || format!("of the bytes 0 to 255 came {found:?}"))?;
    }
    Ok(())
}

async fn no_newline(bench: &Bench) -> Result<(), String> {
    bench.expect("printf one; printf two >&2", "one", "two", 0).await?;
    bench.expect("printf '\\n\\n'", "\n\n", "", 0).await?;
    bench.expect("", "", "", 0).await?;
    bench.expect(":", "", "", 0).await
}

async fn no_input(bench: &Bench) -> Result<(), String> {
    bench.expect("cat; echo done", "done\n", "", 0).await?;
    bench.expect("read -r line && echo \"$line\"; echo done", "done\n", "", 0).await
}

async fn login_directory(bench: &Bench) -> Result<(), String> {
    let text = "[ \"$(pwd -P)\" = \"$(cd && pwd -P)\" ] || pwd";
    bench.expect(text, "", "", 0).await
}

async fn nothing_left(bench: &Bench) -> Result<(), String> {
    let before = bench.told("umask; pwd").await?;
    bench.told("cd /; left=behind; export left; umask 0000; set -e; f() { :; }; trap 'echo trapped' EXIT").await?;
    must(bench.told("umask; pwd").await? == before, || "a folder or a umask was left behind".to_owned())?;
    bench.expect("echo \"${left-nothing}\"; false; echo on", "nothing\non\n", "", 0).await
}

async fn posix(bench: &Bench) -> Result<(), String> {
    let text = "f() { printf '%s\\n' \"$1\"; } # a comment\nf 'it'\\''s'\nf \"a\\\\b\"\ncat <<'END'\n$x `y` \\ 'z'\nEND\nx=1; cat <<END\n$x\nEND\n\
        if [ -n \"$x\" ]; then\n  f yes\nfi";
    bench.expect(text, "it's\na\\b\n$x `y` \\ 'z'\n1\nyes\n", "", 0).await
}

async fn odd_script(bench: &Bench) -> Result<(), String> {
    let odd: String =
        (1..0x80_u8).filter(|byte| *byte != b'\n').map(char::from).chain("äß漢\u{1f600}\u{85}".chars()).collect();
    bench.expect(&format!("cat <<'END-OF-IT'\n{odd}\nEND-OF-IT"), &format!("{odd}\n"), "", 0).await
}

async fn long_script(bench: &Bench) -> Result<(), String> {
    let line = "0123456789abcdef".repeat(4);
    let lines = format!("{line}\n").repeat(20_000);
    let told = bench.told(&format!("wc -c <<'END'\n{lines}END")).await?;
    must(told.trim() == lines.len().to_string(), || format!("of {} bytes came {}", lines.len(), told.trim()))
}

async fn exits(bench: &Bench) -> Result<(), String> {
    bench.expect("echo before; exit 5; echo never", "before\n", "", 5).await?;
    bench.expect("exec sh -c 'echo gone; exit 6'", "gone\n", "", 6).await?;
    bench.expect("set -e; false; echo never", "", "", 1).await?;
    bench.expect("echo fine", "fine\n", "", 0).await
}

async fn unreadable(bench: &Bench) -> Result<(), String> {
    for text in ["if", "'", "echo \"", ")", "done", "}; echo never", "cat <<"] {
        let ran = bench.run(text).await?;
        must(ran.status != 0, || format!("{text:?} came to {ran:?}"))?;
        bench.expect("echo fine", "fine\n", "", 0).await.map_err(|error| format!("after {text:?}: {error}"))?;
    }
    Ok(())
}

async fn missing_program(bench: &Bench) -> Result<(), String> {
    let ran = bench.run("/nowhere/there-is-no-such-program").await?;
    must(ran.status == 127, || format!("{ran:?}"))
}

/// Whoever may list processes may read their arguments. Where there is no `/proc` nothing is found.
async fn not_in_arguments(bench: &Bench) -> Result<(), String> {
    // Of this process alone: another may put a transport to the test whose scripts do stand in arguments.
    let (one, other) = ("qzvj84", format!("wkxp{}", std::process::id()));
    let text = format!(
        "a={one}; b={other}\nfor f in /proc/[0-9]*/cmdline; do\n\
         case \"$(tr '\\000' ' ' < \"$f\" 2>/dev/null)\" in *\"$a$b\"*) echo \"$f\";; esac\ndone\n: "
    );
    let ran = bench.run_with_secret(&text, &format!("{one}{other}")).await?;
    must(ran.out.is_empty(), || format!("it was found in {}", ran.text().trim()))
}
