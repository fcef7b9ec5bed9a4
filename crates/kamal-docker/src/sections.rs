//! What a script printed, in sections that begin with a line `== NAME`.

/// The sections in order: name and lines.
pub(crate) fn of(printed: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut section = "";
    printed.lines().filter_map(move |line| match line.strip_prefix("== ") {
        Some(name) => {
            section = name;
            None
        }
        None => Some((section, line)),
    })
}
