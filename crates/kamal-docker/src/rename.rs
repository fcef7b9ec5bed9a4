//! Another name for a container that may be running.

use kamal_core::shell::escape::word;

/// Docker cannot tell a swarm that a running container has another name now: it forgets the old one and fails, "already
/// exists" (moby's networkdb keeps what was deleted for half an hour). So a container is taken off its overlay networks
/// meanwhile, and put back whatever came of it.
const SCRIPT: &str = include_str!("rename.sh");

/// Gives a container another name.
pub(crate) fn text(from: &str, to: &str) -> String {
    let (from, to) = (word(from), word(to));
    format!("(from={from} to={to}\n{SCRIPT})")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::text;

    /// What a docker is asked for, that has these overlay networks and says this of the container, and how it ends.
    fn renamed(overlays: &str, container: &str, failing: &str) -> (Vec<String>, Option<i32>) {
        let docker = format!(
            "docker() {{ case \"$1 $2\" in 'network ls') printf '{overlays}';; inspect*) printf '{container}';; \
             *) echo \"$*\"; [ \"$1 $2\" != '{failing}' ];; esac; }}"
        );
        let script = format!("{docker}\n{}", text("app-web-1", "app-web-1_replaced_0"));
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let asked = String::from_utf8(output.stdout).unwrap();
        (asked.lines().map(str::to_owned).collect(), output.status.code())
    }

    #[test]
    fn a_running_container_is_off_its_overlays_meanwhile() {
        let container = "b1 id --alias a\\no1 id --alias web --alias 0123\\no2 id\\n";
        let (asked, status) = renamed("o1\\no2\\no3\\n", container, "");
        let wanted = [
            "network disconnect o1 id",
            "network disconnect o2 id",
            "rename app-web-1 app-web-1_replaced_0",
            "network connect --alias web --alias 0123 o1 id",
            "network connect o2 id",
        ];
        assert_eq!((asked, status), (wanted.map(str::to_owned).to_vec(), Some(0)));
    }

    #[test]
    fn elsewhere_it_is_renamed_and_that_is_all() {
        let only = vec!["rename app-web-1 app-web-1_replaced_0".to_owned()];
        assert_eq!(renamed("", "b1 id\\n", ""), (only.clone(), Some(0)));
        assert_eq!(renamed("o1\\n", "b1 id\\n", ""), (only.clone(), Some(0)));
        // It does not run.
        assert_eq!(renamed("o1\\n", "", ""), (only, Some(0)));
    }

    #[test]
    fn whatever_fails_is_told_and_it_goes_back_to_its_networks() {
        let container = "o1 id --alias web\\n";
        let (asked, status) = renamed("o1\\n", container, "rename app-web-1");
        assert_eq!((asked.last().unwrap().as_str(), status), ("network connect --alias web o1 id", Some(1)));
        assert_eq!(renamed("o1\\n", container, "network connect").1, Some(1));
    }
}
