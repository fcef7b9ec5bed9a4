//! How much memory a process takes, for what bounds it. Under nextest every test is a process of its own.

/// The most memory a process has had so far, in bytes; `self` is this one. None of one that has ended.
pub(crate) fn peak(process: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
