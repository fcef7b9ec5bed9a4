//! Lines by which programs tell what kind of trouble they are in, whatever language they are written in.

use kamal_core::diagnosis::{Clue, ClueKind};

/// What programs say, in lower case, and of what it tells. What a container runtime says of a program comes first.
const SAYINGS: [(&str, ClueKind); 44] = [
    ("exec format error", ClueKind::Format),
    ("executable file not found", ClueKind::MissingProgram),
    // Of a script whose interpreter is missing, and of a path.
    ("exec: \"/", ClueKind::MissingProgram),
    ("no space left on device", ClueKind::Disk),
    ("enospc", ClueKind::Disk),
    ("disk quota exceeded", ClueKind::Disk),
    ("database or disk is full", ClueKind::Disk),
    ("there is not enough space on the disk", ClueKind::Disk),
    ("cannot allocate memory", ClueKind::Memory),
    ("out of memory", ClueKind::Memory),
    ("outofmemoryerror", ClueKind::Memory),
    ("failed to allocate memory", ClueKind::Memory),
    ("enomem", ClueKind::Memory),
    ("memory allocation of", ClueKind::Memory),
    ("allowed memory size of", ClueKind::Memory),
    ("blocked host", ClueKind::Host),
    ("disallowedhost", ClueKind::Host),
    ("invalid http_host header", ClueKind::Host),
    ("invalid host header", ClueKind::Host),
    ("blocked request. this host", ClueKind::Host),
    ("host not allowed", ClueKind::Host),
    ("host is not allowed", ClueKind::Host),
    ("untrusted host", ClueKind::Host),
    ("name or service not known", ClueKind::Name),
    ("temporary failure in name resolution", ClueKind::Name),
    ("could not translate host name", ClueKind::Name),
    ("failed to lookup address", ClueKind::Name),
    ("name does not resolve", ClueKind::Name),
    ("nodename nor servname", ClueKind::Name),
    ("getaddrinfo", ClueKind::Name),
    ("enotfound", ClueKind::Name),
    ("eai_again", ClueKind::Name),
    ("no such host", ClueKind::Name),
    ("nxdomain", ClueKind::Name),
    ("unknownhostexception", ClueKind::Name),
    ("unknown mysql server host", ClueKind::Name),
    ("connection refused", ClueKind::Network),
    ("econnrefused", ClueKind::Network),
    ("no route to host", ClueKind::Network),
    ("network is unreachable", ClueKind::Network),
    ("etimedout", ClueKind::Network),
    ("connection timed out", ClueKind::Network),
    ("can't connect to", ClueKind::Network),
    ("could not connect to", ClueKind::Network),
];

/// The lines that tell of some kind of trouble, the last of each kind.
pub(crate) fn of<'l>(lines: impl DoubleEndedIterator<Item = &'l str>) -> Vec<Clue> {
    let mut clues: Vec<Clue> = Vec::new();
    for line in lines.rev() {
        let Some(kind) = kind(line) else { continue };
        if clues.iter().all(|clue| clue.kind != kind) {
            clues.push(Clue { kind, line: line.chars().take(300).collect() });
        }
    }
    clues
}

fn kind(line: &str) -> Option<ClueKind> {
    let said = line.to_lowercase();
    // The runtime's words for what it could not execute, with the reason at the end.
    if said.contains("exec: \"") && said.contains("permission denied") {
        return Some(ClueKind::NotExecutable);
    }
    let missing = |kind: &ClueKind| {
        *kind != ClueKind::MissingProgram || said.contains("not found") || said.contains("no such file")
    };
    SAYINGS.iter().find(|(saying, kind)| said.contains(saying) && missing(kind)).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_say_is_understood() {
        for (line, found) in [
            ("exec /server: exec format error", Some(ClueKind::Format)),
            (
                "failed to create task: OCI runtime create failed: exec: \"bin/rails\": executable file not found in $PATH",
                Some(ClueKind::MissingProgram),
            ),
            (
                "runc create failed: unable to start container process: exec: \"/app/start\": stat /app/start: no such file or directory",
                Some(ClueKind::MissingProgram),
            ),
            ("exec: \"/app/start\": permission denied", Some(ClueKind::NotExecutable)),
            ("exec: \"bin/rails\": permission denied", Some(ClueKind::NotExecutable)),
            ("open('/config/x'): permission denied", None),
            ("Errno::ENOSPC: No space left on device @ rb_sysopen", Some(ClueKind::Disk)),
            ("FATAL ERROR: JavaScript heap out of memory", Some(ClueKind::Memory)),
            ("[ActionDispatch::HostAuthorization::DefaultResponseApp] Blocked hosts: 1a2b:80", Some(ClueKind::Host)),
            (
                "PG::ConnectionBad: could not translate host name \"db\" to address: Name or service not known",
                Some(ClueKind::Name),
            ),
            ("Error: getaddrinfo ENOTFOUND app-db", Some(ClueKind::Name)),
            ("connect ECONNREFUSED 127.0.0.1:5432", Some(ClueKind::Network)),
            ("Listening on http://0.0.0.0:3000", None),
        ] {
            assert_eq!(kind(line), found, "{line}");
        }
        let clues = of(["connection refused at a", "enospc", "connection refused at b"].into_iter());
        let told: Vec<&str> = clues.iter().map(|clue| clue.line.as_str()).collect();
        assert_eq!(told, ["connection refused at b", "enospc"]);
    }
}
