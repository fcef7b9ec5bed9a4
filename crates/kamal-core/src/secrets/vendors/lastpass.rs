//! LastPass, by `lpass` (spec 3.4). One run for all names.

use serde::Deserialize;

use super::ask::listed;
use super::program::{Programs, Tool};
use super::reading::{blank, json, read, said, value};
use super::{Ask, Found, Session, Vendor, VendorError};
use crate::secret::Secret;

const LPASS: Tool = Tool {
    program: "lpass",
    name: "LastPass CLI",
    site: "https://github.com/lastpass/lastpass-cli (apt: lastpass-cli)",
};

pub(super) const VENDOR: Vendor = Vendor {
    names: &["lastpass", "last_pass"],
    about: "LastPass, by `lpass`; --account EMAIL, --from FOLDER",
    needs_account: true,
    login,
    fetch,
};

#[derive(Deserialize)]
struct Item {
    fullname: String,
    #[serde(default = "blank", deserialize_with = "value")]
    password: Secret,
}

fn login(programs: &dyn Programs, ask: &Ask<'_>) -> Result<Session, VendorError> {
    let account = ask.account();
    let status = LPASS.run(programs, &LPASS.with(["status", "--color", "never"]))?;
    // lastpass-cli, cmd-status.c.
    if String::from_utf8_lossy(&status.stdout).trim() == format!("Logged in as {account}.") {
        return Ok(None);
    }
    let login = LPASS.run(programs, &LPASS.asking(["login", account]))?;
    if login.succeeded() {
        return Ok(None);
    }
    Err(VendorError::NotLoggedIn {
        message: "Failed to login to LastPass".to_owned(),
        said: said(&login),
        help: format!("run `lpass login {account}`"),
    })
}

fn fetch(programs: &dyn Programs, ask: &Ask<'_>, _session: &Session) -> Result<Found, VendorError> {
    let names = ask.prefixed();
    if names.is_empty() {
        return Err(VendorError::usage("No secrets given to fetch from LastPass"));
    }
    let mut show = LPASS.sharing(["show"]);
    show.args.extend(names.iter().cloned());
    show.args.push("--json".to_owned());
    let output = LPASS.run(programs, &show)?;
    let output = read(output, format!("Could not read {} from LastPass", listed(&names)))?;
    let items: Vec<Item> = json(&LPASS, &output)?;
    let found: Found = items.into_iter().map(|item| (item.fullname, item.password)).collect();
    let missing: Vec<&str> = names.iter().map(String::as_str).filter(|name| !found.contains_key(*name)).collect();
    if missing.is_empty() {
        Ok(found)
    } else {
        Err(VendorError::missing(format!("Could not find {} in LastPass", missing.join(", "))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::program::Terminal;
    use super::super::testing::{ODD, Script, ask, fetch, quoted, refused, shown};

    const STATUS: &str = "lpass status --color never";

    #[test]
    fn all_names_come_in_one_run() {
        let script = Script::default().says(STATUS, "Logged in as me.\n").says(
            "lpass show 'F/A b' F/C --json",
            &format!(
                r#"[{{"id":"1","name":"A b","fullname":"F/A b","username":"","password":{},"note":""}},{{"fullname":"F/C","password":"c"}}]"#,
                quoted(ODD)
            ),
        );
        let found = fetch("lastpass", &ask(&["A b", "C"], Some("me"), Some("F")), &script).unwrap();
        assert_eq!(shown(&found), [("F/A b", ODD), ("F/C", "c")].map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn another_account_is_logged_in_first() {
        let script = Script::default()
            .says(STATUS, "Logged in as somebody.\n")
            .says("lpass login me", "")
            .says("lpass show A --json", r#"[{"fullname":"A","password":"a"}]"#);
        fetch("lastpass", &ask(&["A"], Some("me"), None), &script).unwrap();
        assert_eq!(script.runs()[1].terminal, Terminal::Alone);
    }

    #[test]
    fn failures_say_what_to_do() {
        let me = ask(&["A", "B"], Some("me"), None);
        assert!(refused("lastpass", &me, &Script::default()).starts_with("LastPass CLI is not installed\nhelp: "));
        let script = Script::default().fails(STATUS, "").fails("lpass login me", "");
        assert_eq!(refused("lastpass", &me, &script), "Failed to login to LastPass\nhelp: run `lpass login me`");
        let logged_in = || Script::default().says(STATUS, "Logged in as me.");
        let script = logged_in().fails("lpass show A B --json", "Error: Could not find specified account(s).\n");
        assert_eq!(
            refused("lastpass", &me, &script),
            "Could not read [\"A\", \"B\"] from LastPass: Error: Could not find specified account(s)."
        );
        let script = logged_in().says("lpass show A B --json", r#"[{"fullname":"A","password":"a"}]"#);
        assert_eq!(refused("lastpass", &me, &script), "Could not find B in LastPass");
    }
}
