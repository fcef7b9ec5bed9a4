//! Enpass, by `enpass-cli` (spec 3.4). One run for all titles; the vault is a folder of this machine.

use serde::Deserialize;

use super::ask::listed;
use super::program::{Programs, Tool};
use super::reading::{blank, json, read, value};
use super::{Ask, Found, Session, Vendor, VendorError, no_login};
use crate::secret::Secret;

const ENPASS: Tool = Tool { program: "enpass-cli", name: "Enpass CLI", site: "https://github.com/hazcod/enpass-cli" };

pub(super) const VENDOR: Vendor = Vendor {
    names: &["enpass"],
    about: "Enpass, by `enpass-cli`; --from the vault's folder, names TITLE[/LABEL]",
    needs_account: false,
    login: no_login,
    fetch,
};

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    title: String,
    #[serde(default)]
    label: String,
    #[serde(default = "blank", deserialize_with = "value")]
    password: Secret,
}

fn fetch(programs: &dyn Programs, ask: &Ask<'_>, _session: &Session) -> Result<Found, VendorError> {
    let Some(vault) = ask.from else {
        let message = "Missing required option '--from'\nhelp: it is the folder of the vault, …/Enpass/Vaults/primary";
        return Err(VendorError::usage(message));
    };
    let mut titles: Vec<&str> = Vec::new();
    for name in ask.names {
        let title = name.rsplit_once('/').map_or(name.as_str(), |(title, _)| title);
        if !titles.contains(&title) {
            titles.push(title);
        }
    }
    if titles.is_empty() {
        return Err(VendorError::usage("No secrets given to fetch from Enpass"));
    }
    // It asks for the vault's password unless MASTERPW holds it.
    let show = ENPASS.sharing(["-json", "-vault", vault, "show"].into_iter().chain(titles));
    let output = read(ENPASS.run(programs, &show)?, format!("Could not read {} from Enpass", listed(ask.names)))?;
    let mut found = Found::new();
    let mut answered: Vec<String> = Vec::new();
    for item in json::<Vec<Item>>(&ENPASS, &output)? {
        let key = if item.label.is_empty() { item.title.clone() } else { format!("{}/{}", item.title, item.label) };
        let asked_by = |name: &&String| **name == item.title || **name == key;
        let names: Vec<String> = ask.names.iter().filter(asked_by).cloned().collect();
        if names.is_empty() || item.title.is_empty() || item.password.expose().trim().is_empty() {
            continue;
        }
        if found.contains_key(&key) {
            return Err(VendorError::missing(format!("{key} is present more than once")));
        }
        answered.extend(names);
        found.insert(key, item.password);
    }
    let missing: Vec<&str> = ask.names.iter().filter(|name| !answered.contains(name)).map(String::as_str).collect();
    if missing.is_empty() {
        Ok(found)
    } else {
        Err(VendorError::missing(format!("Could not find {} in Enpass", missing.join(", "))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ODD, Script, ask, fetch, quoted, refused, shown};

    fn item(title: &str, label: &str, password: &str) -> String {
        let password = quoted(password);
        format!(
            r#"{{"category":"computer","label":"{label}","login":"","password":{password},"title":"{title}","type":"password"}}"#
        )
    }

    #[test]
    fn titles_give_all_their_labels_and_labels_themselves() {
        let items = [
            item("Db", "A", ODD),
            item("Db", "B", "b"),
            item("Db", "", "d"),
            item("Web", "C", "c"),
            item("Web", "N", ""),
        ];
        let script =
            Script::default().says("enpass-cli -json -vault '/v a' show Db Web", &format!("[{}]", items.join(",")));
        let found = fetch("enpass", &ask(&["Db", "Web/C"], None, Some("/v a")), &script).unwrap();
        let expected = [("Db/A", ODD), ("Db/B", "b"), ("Db", "d"), ("Web/C", "c")];
        assert_eq!(shown(&found), expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn failures_say_what_to_do() {
        let one = ask(&["Db/A", "Db/Z"], None, Some("v"));
        assert!(refused("enpass", &one, &Script::default()).starts_with("Enpass CLI is not installed\nhelp: "));
        let line = "enpass-cli -json -vault v show Db";
        assert_eq!(
            refused("enpass", &one, &Script::default().fails(line, "invalid password")),
            "Could not read [\"Db/A\", \"Db/Z\"] from Enpass: invalid password"
        );
        let script = Script::default().says(line, &format!("[{}]", item("Db", "A", "a")));
        assert_eq!(refused("enpass", &one, &script), "Could not find Db/Z in Enpass");
        let script = Script::default().says(line, &format!("[{},{}]", item("Db", "A", "a"), item("Db", "A", "b")));
        assert_eq!(refused("enpass", &one, &script), "Db/A is present more than once");
        assert!(refused("enpass", &ask(&["A"], None, None), &script).starts_with("Missing required option '--from'"));
    }
}
