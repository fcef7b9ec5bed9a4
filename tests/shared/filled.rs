//! What stands for something else in the projects of tests/cases/reports.

/// The text of a reported project's file, in which names stand for hosts, the registry, and the image of a server.
pub(crate) fn filled(text: &str, hosts: &[String], registry: &str, image: &str) -> String {
    let (first, last) = (&hosts[0], &hosts[hosts.len() - 1]);
    text.replace("HOST2", last)
        .replace("HOST", first)
        .replace("REGISTRY,", &format!("{registry},"))
        .replace("IMAGE", image)
}
