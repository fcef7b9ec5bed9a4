//! Builds `src/memory.c` into the static binary, ahead of what musl has under the same names.

fn main() {
    println!("cargo::rerun-if-changed=src/memory.c");
    #[cfg(feature = "program")]
    replace_slow_functions();
}

#[cfg(feature = "program")]
#[expect(clippy::disallowed_methods, reason = "that is how cargo tells")]
fn replace_slow_functions() {
    let target = |part: &str| std::env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    // For other processors musl has good ones.
    if target("ENV") == "musl" && target("ARCH") == "x86_64" {
        let mut build = cc::Build::new();
        // Or the compiler would take a loop that copies for a call of the function it stands in.
        build.flag("-ffreestanding").flag("-fno-builtin").flag("-fno-tree-loop-distribute-patterns");
        build.opt_level(2).file("src/memory.c").compile("memory");
    }
}
