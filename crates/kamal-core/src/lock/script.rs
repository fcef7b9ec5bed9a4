//! What is done about a lock on a host, in words any `sh` understands.
//!
//! A folder that holds neither details nor a lease was left by somebody who was cut off between two commands, and is nobody's
//! after two minutes. A lease that is taken over gets its new name first and says whose it is a moment later: until then it
//! has another one's id in it, and tells nobody that its holder is dead. Whoever finds another lease beside its own when it has written it steps back: the folder it made
//! was taken for such a one.

use base64::Engine as _;

use super::{HELD, LOST, Taking, held::NEVER};
use crate::{naming::RUN_DIRECTORY, shell::escape::word};

/// Sets `kamal_boot` and `kamal_up`: now, by a clock nobody sets where there is one.
const NOW: &str = "{ read -r kamal_up kamal_rest < /proc/uptime && read -r kamal_boot < /proc/sys/kernel/random/boot_id; } 2>/dev/null \
    || { kamal_up=$(date +%s); kamal_boot=clock; }\n\
    kamal_up=${kamal_up%%.*}";

/// Prints the lock of a folder, for [`super::Held::read`]; nothing where there is none. Nothing it prints can be taken for a
/// section's heading.
#[must_use]
pub fn look(directory: &str) -> String {
    let directory = word(directory);
    format!(
        "[ ! -d {directory} ] || (\n{NOW}\necho \"now $kamal_boot $kamal_up\"\n\
         sed 's/^/details /' {directory}/details 2>/dev/null\n\
         for kamal_lease in {directory}/lease.*; do [ -e \"$kamal_lease\" ] || continue\n\
         kamal_line=; {{ read -r kamal_line < \"$kamal_lease\"; }} 2>/dev/null\n\
         printf 'lease %s %s\\n' \"${{kamal_lease##*/}}\" \"$kamal_line\"; done)"
    )
}

/// Takes the lock, or takes it over. Its details are in the base64 Kamal stores them in: broken every 60 characters, an empty
/// line at the end. A lock that cannot be written whole is not there.
pub(crate) fn acquire(directory: &str, taking: &Taking) -> String {
    let details = wrapped(&base64::engine::general_purpose::STANDARD.encode(&taking.details), 60);
    let holder = serde_json::to_string(&taking.holder).unwrap_or_default();
    let holder = base64::engine::general_purpose::STANDARD.encode(holder);
    let stamp = if taking.by_hand { format!("{NEVER}.0") } else { "\"$kamal_boot.$kamal_up\"".to_owned() };
    let directory = word(directory);
    let enter = match &taking.instead_of {
        Some(dead) => format!("mv {directory}/{} \"$kamal_new\" 2>/dev/null || exit {HELD}", word(&dead.file)),
        None => format!(
            "[ ! -d {directory} ] || [ -z \"$(find {directory} -prune -mmin +1 2>/dev/null)\" ] || rmdir {directory} 2>/dev/null\n\
             mkdir {directory} 2>/dev/null || {{ [ ! -d {directory} ] || exit {HELD}; mkdir {directory} || exit 1; }}"
        ),
    };
    format!(
        "(mkdir -p {RUN_DIRECTORY} || exit 1\n{NOW}\nkamal_new={directory}/lease.{id}.{stamp}\n{enter}\n\
         printf '%s %s %s %s\\n' '{holder}' \"$kamal_boot\" \"$kamal_up\" {id} > \"$kamal_new\" && printf '%s\\n' '{details}' > {directory}/details \\\n\
         && [ -s \"$kamal_new\" ] && [ -s {directory}/details ]\n\
         kamal_failed=$?; set -- {directory}/lease.*\n\
         [ \"$kamal_failed\" -ne 0 ] || [ $# -ne 1 ] || exit 0\n\
         rm -f \"$kamal_new\"; set -- {directory}/lease.*\n\
         [ ! -e \"$1\" ] || exit {HELD}\n\
         rm -f {directory}/details; rmdir {directory}\n\
         [ \"$kamal_failed\" -ne 0 ] || exit {HELD}\n\
         echo 'the deploy lock cannot be written: is the disk full?' >&2; exit 1)",
        id = word(&taking.id),
    )
}

/// Lets the holder of a lease be heard of.
pub(crate) fn renew(directory: &str, id: &str) -> String {
    let lease = format!("{}/lease.{}", word(directory), word(id));
    format!(
        "({NOW}\nkamal_new={lease}.\"$kamal_boot.$kamal_up\"\n\
         for kamal_old in {lease}.*; do [ \"$kamal_old\" != \"$kamal_new\" ] || exit 0\n\
         ! mv \"$kamal_old\" \"$kamal_new\" 2>/dev/null || exit 0; done\n\
         [ ! -e \"$kamal_new\" ] || exit 0\nexit {LOST})"
    )
}

/// Gives the lock back if it is that lease's. Cut off at any point it leaves what can be taken over.
pub(crate) fn release(directory: &str, id: Option<&str>) -> String {
    let directory = word(directory);
    let Some(id) = id else {
        // A heartbeat may put a file into it meanwhile.
        return format!("rm -rf {directory} 2>/dev/null || rm -rf {directory}");
    };
    format!(
        "(for kamal_try in 1 2 3; do set -- {directory}/lease.{id}.*\n[ -e \"$1\" ] || exit {LOST}\n\
         rm -f {directory}/details\n! rm \"$1\" || {{ rmdir {directory}; exit; }}; done; exit 1)",
        id = word(id)
    )
}

fn wrapped(text: &str, width: usize) -> String {
    text.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use std::{path::Path, process::Command};

    use super::{super::*, *};

    const LOCK: &str = ".kamal/lock-app";

    struct Host {
        folder: tempfile::TempDir,
        shell: &'static [&'static str],
    }

    /// Tries something with the shells and programs hosts have.
    fn everywhere(test: impl Fn(&Host)) {
        for shell in [&["sh"][..], &["bash"], &["busybox", "sh"]] {
            let host = Host { folder: tempfile::tempdir().unwrap(), shell };
            if host.command().args(["-c", ":"]).status().is_ok() {
                test(&host);
            }
        }
    }

    impl Host {
        #[expect(clippy::disallowed_methods, reason = "the shell itself is what is tested")]
        fn command(&self) -> Command {
            let mut command = Command::new(self.shell[0]);
            command.args(&self.shell[1..]).current_dir(&self.folder);
            command
        }

        fn run(&self, script: &str) -> (i32, String) {
            let output = self.command().args(["-c", script]).output().unwrap();
            (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
        }

        fn held(&self) -> Option<Held> {
            let (status, printed) = self.run(&look(LOCK));
            assert_eq!(status, 0);
            Held::read(printed.lines())
        }

        fn acquire(&self, taking: &Taking) -> i32 {
            self.run(&acquire(LOCK, taking)).0
        }

        fn names(&self) -> Vec<String> {
            let entries = std::fs::read_dir(Path::new(self.folder.path()).join(LOCK)).into_iter().flatten().flatten();
            let mut names: Vec<String> =
                entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            names
        }
    }

    fn taking(id: &str) -> Taking {
        let holder =
            Holder { origin: Origin { user: "ann".into(), process: 7, ..Origin::default() }, doing: "deploy".into() };
        Taking { details: format!("Locked by: {id}"), id: id.into(), holder, by_hand: false, instead_of: None }
    }

    /// A lease of which nothing was heard since the host was started before.
    fn silent(host: &Host, id: &str) -> Lease {
        assert_eq!(host.run(&format!("cd {LOCK} && mv lease.{id}.* lease.{id}.before.5")).0, 0);
        host.held().unwrap().lease.unwrap()
    }

    #[test]
    fn one_holds_it_and_only_the_holder_gives_it_back() {
        everywhere(|host| {
            assert_eq!(host.held(), None);
            assert_eq!(host.acquire(&taking("a")), 0);
            assert_eq!(host.acquire(&taking("b")), HELD);
            let held = host.held().unwrap();
            let lease = held.lease.unwrap();
            assert_eq!(
                (held.details.as_str(), &lease.holder, lease.expired()),
                ("Locked by: a", &Some(taking("a").holder), false)
            );
            assert_eq!(host.run(&renew(LOCK, "a")).0, 0);
            assert_eq!(host.run(&renew(LOCK, "b")).0, LOST);
            assert_eq!(host.run(&release(LOCK, Some("b"))).0, LOST);
            assert_eq!(host.names().len(), 2);
            assert_eq!(host.run(&release(LOCK, Some("a"))).0, 0);
            assert_eq!(
                (host.held(), host.run(&release(LOCK, Some("a"))).0, host.run(&renew(LOCK, "a")).0),
                (None, LOST, LOST)
            );
        });
    }

    #[test]
    fn kamal_s_commands_see_it_and_remove_all_of_it() {
        everywhere(|host| {
            host.acquire(&taking("a"));
            let (status, printed) = host.run(&format!("stat {LOCK} > /dev/null && cat {LOCK}/details | base64 -d"));
            assert_eq!((status, printed.as_str()), (0, "Locked by: a"));
            assert_eq!(host.run(&format!("rm {LOCK}/details && rm -r {LOCK}")).0, 0);
            assert_eq!((host.held(), host.acquire(&taking("b"))), (None, 0));
            assert_eq!(host.run(&release(LOCK, Some("a"))).0, LOST);
            assert_eq!(host.held().unwrap().details, "Locked by: b");
        });
    }

    #[test]
    fn kamal_s_lock_is_respected_and_can_be_released_in_whatever_state() {
        everywhere(|host| {
            for made in [
                "echo SGk= > details",
                ": > details",
                "true",
                "echo ??? > details",
                "mkdir details",
                "echo x > lease.x",
            ] {
                assert_eq!(host.run(&format!("mkdir -p {LOCK} && cd {LOCK} && {made}")).0, 0);
                assert!(host.held().is_some(), "{made}");
                assert_eq!(host.acquire(&taking("a")), HELD, "{made}");
                assert_eq!((host.run(&release(LOCK, None)).0, host.held()), (0, None), "{made}");
            }
        });
    }

    #[test]
    fn a_silent_one_is_taken_over_by_one() {
        everywhere(|host| {
            host.acquire(&taking("a"));
            let dead = silent(host, "a");
            assert!(dead.file.contains("before"), "{dead:?}");
            let over = |id| Taking { instead_of: Some(dead.clone()), ..taking(id) };
            assert_eq!((host.acquire(&over("b")), host.acquire(&over("c"))), (0, HELD));
            assert_eq!(host.held().unwrap().details, "Locked by: b");
            assert_eq!((host.run(&renew(LOCK, "a")).0, host.run(&release(LOCK, Some("a"))).0), (LOST, LOST));
            assert_eq!((host.run(&release(LOCK, Some("b"))).0, host.names().len()), (0, 0));
        });
    }

    /// Between its new name and its new text it is a living one's, and its text is that of the dead.
    #[test]
    fn one_that_is_just_taken_over_does_not_speak_for_the_dead() {
        everywhere(|host| {
            host.acquire(&taking("a"));
            assert!(host.held().unwrap().lease.unwrap().holder.is_some());
            let dead = silent(host, "a");
            let over = Taking { instead_of: Some(dead), ..taking("b") };
            let cut_off = acquire(LOCK, &over).replace("printf '%s %s", "exit 0; printf '%s %s");
            assert_eq!(host.run(&cut_off).0, 0);
            let lease = host.held().unwrap().lease.unwrap();
            assert!(lease.file.starts_with("lease.b.") && lease.holder.is_none() && !lease.expired(), "{lease:?}");
        });
    }

    #[test]
    fn one_that_is_heard_of_again_is_not_taken_over() {
        everywhere(|host| {
            host.acquire(&taking("a"));
            let dead = silent(host, "a");
            assert_eq!(host.run(&renew(LOCK, "a")).0, 0);
            assert_eq!(host.acquire(&Taking { instead_of: Some(dead), ..taking("b") }), HELD);
            assert_eq!(host.held().unwrap().details, "Locked by: a");
        });
    }

    #[test]
    fn by_hand_it_never_expires() {
        everywhere(|host| {
            host.acquire(&Taking { by_hand: true, ..taking("a") });
            let held = host.held().unwrap();
            assert!(held.by_hand() && !held.lease.unwrap().expired());
        });
    }

    /// What a release or an acquisition that was cut off leaves.
    #[test]
    fn a_folder_with_nothing_in_it_is_nobody_s_after_two_minutes() {
        everywhere(|host| {
            host.run(&format!("mkdir -p {LOCK}"));
            assert_eq!(host.acquire(&taking("a")), HELD);
            host.run(&format!("touch -t 202001010000 {LOCK}"));
            assert_eq!(host.acquire(&taking("a")), 0);
            host.run(&format!("touch -t 202001010000 {LOCK}"));
            assert_eq!(host.acquire(&taking("b")), HELD);
            host.run(&format!("rm {LOCK}/details"));
            let dead = silent(host, "a");
            assert_eq!(host.acquire(&Taking { instead_of: Some(dead), ..taking("b") }), 0);
            assert_eq!(host.held().unwrap().details, "Locked by: b");
        });
    }

    #[test]
    fn who_finds_another_lease_beside_its_own_steps_back() {
        everywhere(|host| {
            let script =
                acquire(LOCK, &taking("a")).replace("printf '%s %s", &format!(": > {LOCK}/lease.b.x.1\nprintf '%s %s"));
            assert_eq!(host.run(&script).0, HELD);
            assert!(
                host.names().contains(&"lease.b.x.1".to_owned())
                    && !host.names().iter().any(|name| name.contains(".a."))
            );
        });
    }

    /// A disk that takes no more: the shell is allowed no byte of a file.
    #[test]
    fn what_cannot_be_written_is_not_left() {
        everywhere(|host| {
            for (limit, what) in [(0, "nothing"), (1, "half")] {
                // SIGXFSZ would end the shell, as no full disk does.
                let script = format!(
                    "trap '' XFSZ; ulimit -f {limit}; {}",
                    acquire(LOCK, &Taking { details: "x".repeat(4000), ..taking("a") })
                );
                assert_eq!((host.run(&script).0, host.held()), (1, None), "{what}");
            }
        });
    }
}
