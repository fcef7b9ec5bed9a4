//! What stands in for musl's memory functions does what they do: compared with those of this machine's C library on
//! random lengths, places and overlaps. Elsewhere the tests run on that library, and would not notice.

use std::process::Command;

#[test]
#[cfg(target_arch = "x86_64")]
fn copies_and_compares_as_the_library_does() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("check");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/memory.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-fno-builtin", "-Wall", "-Werror", "-o"]).arg(&program).arg(source);
    assert!(compiler.status().unwrap().success(), "compiles");
    let output = Command::new(&program).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
