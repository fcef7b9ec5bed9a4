//! Docker's swarm on hosts of the sandbox, which other tests are to find without one.

use crate::rig::rig;

/// Takes these hosts out of whatever swarm they are in, the first of them last, as it manages it.
pub fn leave(hosts: &[u8]) {
    for number in hosts.iter().rev() {
        let script =
            "docker swarm leave --force >/dev/null 2>&1; docker network rm docker_gwbridge >/dev/null 2>&1; true";
        rig().docker_shell(*number, script);
    }
}
