//! Bitwarden, by `bw` (spec 3.4). One run per item; the session key travels in the environment.

use indexmap::IndexMap;
use serde::Deserialize;

use super::error::gather;
use super::program::{Output, Program, Programs, Tool};
use super::reading::{blank, json, read, said, value};
use super::{Ask, Found, Session, Vendor, VendorError};
use crate::secret::Secret;

const BW: Tool = Tool { program: "bw", name: "Bitwarden CLI", site: "https://bitwarden.com/help/cli" };

pub(super) const VENDOR: Vendor = Vendor {
    names: &["bitwarden"],
    about: "Bitwarden, by `bw`; --account EMAIL, --from ITEM, names ITEM[/FIELD]",
    needs_account: true,
    login,
    fetch,
};

#[derive(Deserialize)]
struct Status {
    status: String,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    login: Option<Login>,
    #[serde(default)]
    fields: Option<Vec<Field>>,
}

#[derive(Deserialize)]
struct Login {
    #[serde(default = "blank", deserialize_with = "value")]
    password: Secret,
}

#[derive(Clone, Deserialize)]
struct Field {
    name: String,
    #[serde(default = "blank", deserialize_with = "value")]
    value: Secret,
}

fn bw(args: &[&str], session: Option<&Secret>) -> Program {
    let env = session.map(|key| ("BW_SESSION", key.clone())).into_iter().collect();
    Program { env, ..BW.with(args.iter().copied()) }
}

fn status(programs: &dyn Programs, session: Option<&Secret>) -> Result<String, VendorError> {
    let output = BW.run(programs, &bw(&["status"], session))?;
    let output = read(output, "Failed to login to and unlock Bitwarden")?;
    Ok(json::<Status>(&BW, &output)?.status)
}

fn login(programs: &dyn Programs, ask: &Ask<'_>) -> Result<Session, VendorError> {
    let (mut session, mut said_last) = (None, String::new());
    let mut now = status(programs, None)?;
    if now == "unauthenticated" {
        said_last = said(&BW.run(programs, &BW.asking(["login", ask.account()]))?);
        now = status(programs, None)?;
    }
    if now == "locked" {
        let unlocked = BW.run(programs, &BW.asking(["unlock", "--raw"]))?;
        said_last = said(&unlocked);
        let key = String::from_utf8_lossy(&unlocked.stdout).trim().to_owned();
        session = (!key.is_empty()).then(|| Secret::new(key));
        now = status(programs, session.as_ref())?;
    }
    if now != "unlocked" {
        return Err(VendorError::NotLoggedIn {
            message: "Failed to login to and unlock Bitwarden".to_owned(),
            said: said_last,
            help: format!("run `bw login {}`, then `export BW_SESSION=\"$(bw unlock --raw)\"`", ask.account()),
        });
    }
    read(BW.run(programs, &bw(&["sync"], session.as_ref()))?, "Failed to sync Bitwarden")?;
    Ok(session)
}

fn fetch(programs: &dyn Programs, ask: &Ask<'_>, session: &Session) -> Result<Found, VendorError> {
    let paths = ask.prefixed();
    let mut items: IndexMap<&str, Vec<Option<&str>>> = IndexMap::new();
    for path in &paths {
        let mut parts = path.split('/');
        items.entry(parts.next().unwrap_or_default()).or_default().push(parts.next());
    }
    if items.is_empty() {
        return Err(VendorError::usage("No secrets given to fetch from Bitwarden"));
    }
    let runs: Vec<Program> = items.keys().map(|item| bw(&["get", "item", item], session.as_ref())).collect();
    let outputs = BW.run_all(programs, &runs)?;
    let found = gather(items.iter().zip(outputs).map(|((item, fields), output)| answer(item, fields, output)))?;
    Ok(found.into_iter().flatten().collect())
}

fn answer(name: &str, wanted: &[Option<&str>], output: Output) -> Result<Found, VendorError> {
    let output = read(output, format!("Could not read {name} from Bitwarden"))?;
    let item: Item = json(&BW, &output)?;
    let fields = item.fields.unwrap_or_default();
    let password = item.login.map(|login| login.password).filter(|password| !password.expose().is_empty());
    let named: Vec<&str> = wanted.iter().flatten().copied().collect();
    let mut found = Found::new();
    // Kamal cannot give an item's password and its fields in one request; there is no harm in it.
    let whole = wanted.iter().any(Option::is_none);
    match password {
        Some(password) if whole => drop(found.insert(name.to_owned(), password)),
        _ if whole && fields.is_empty() => {
            let message = format!("Item {name} is not a login type item and no fields were specified");
            return Err(VendorError::missing(message));
        }
        _ if whole => found.extend(fields.iter().map(|field| (format!("{name}/{}", field.name), field.value.clone()))),
        _ => {}
    }
    let results = named.into_iter().map(|wanted| {
        let field = fields.iter().find(|field| field.name == wanted).ok_or_else(|| {
            VendorError::missing(format!("Could not find field {wanted} in item {name} in Bitwarden"))
        })?;
        Ok((format!("{name}/{wanted}"), field.value.clone()))
    });
    found.extend(gather(results)?);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::program::Terminal;
    use super::super::testing::{ODD, Script, ask, fetch, quoted, refused, shown};

    const UNLOCKED: &str = r#"{"serverUrl":null,"lastSync":"2024-09-04T10:11:12.433Z","status":"unlocked"}"#;
    const LOCKED: &str = r#"{"serverUrl":null,"lastSync":"2024-09-04T10:11:12.433Z","status":"locked"}"#;

    fn open() -> Script {
        Script::default().says("bw status", UNLOCKED).says("bw sync", "Syncing complete.")
    }

    fn login_item(password: &str) -> String {
        format!(
            r#"{{"object":"item","type":1,"name":"i","login":{{"username":null,"password":{password}}},"collectionIds":[]}}"#
        )
    }

    #[test]
    fn passwords_and_fields_come_with_one_run_per_item() {
        let fields = format!(
            r#"{{"fields":[{{"name":"A","value":{},"type":0}},{{"name":"B","value":null}},{{"name":"C","value":"c"}}],"login":{{"password":null}}}}"#,
            quoted(ODD)
        );
        let script = open()
            .says("bw get item pw", &login_item("\"p\""))
            .says("bw get item 'my item'", &fields)
            .says("bw get item note", &fields);
        let found =
            fetch("bitwarden", &ask(&["pw", "my item/A", "my item/C", "note"], Some("me"), None), &script).unwrap();
        let expected =
            [("pw", "p"), ("my item/A", ODD), ("my item/C", "c"), ("note/A", ODD), ("note/B", ""), ("note/C", "c")];
        assert_eq!(shown(&found), expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
        assert_eq!(script.ran().len(), 5);
    }

    #[test]
    fn a_locked_vault_is_unlocked_and_its_key_stays_out_of_arguments() {
        let script = Script::default()
            .says("bw status", r#"{"status":"unauthenticated"}"#)
            .says("bw login me", "")
            .says("bw status", LOCKED)
            .says("bw unlock --raw", "k3y==\n")
            .says("bw status", UNLOCKED)
            .says("bw sync", "")
            .says("bw get item i", &login_item("\"p\""));
        fetch("bitwarden", &ask(&["i"], Some("me"), None), &script).unwrap();
        let runs = script.runs();
        let lines = script.ran();
        assert_eq!(
            lines,
            ["bw status", "bw login me", "bw status", "bw unlock --raw", "bw status", "bw sync", "bw get item i"]
        );
        for run in &runs[4..] {
            assert_eq!(
                run.env.iter().map(|(name, key)| (*name, key.expose())).collect::<Vec<_>>(),
                [("BW_SESSION", "k3y==")]
            );
        }
        let terminals = [1, 3, 6].map(|at: usize| runs[at].terminal);
        assert_eq!(terminals, [Terminal::Alone, Terminal::Alone, Terminal::Unused]);
    }

    #[test]
    fn failures_say_what_to_do() {
        let me = ask(&["i/A", "i/B"], Some("me"), None);
        assert!(refused("bitwarden", &me, &Script::default()).starts_with("Bitwarden CLI is not installed\nhelp: "));
        let script = Script::default().says("bw status", LOCKED).fails("bw unlock --raw", "Invalid master password.");
        assert_eq!(
            refused("bitwarden", &me, &script),
            "Failed to login to and unlock Bitwarden: Invalid master password.\nhelp: run `bw login me`, then `export \
             BW_SESSION=\"$(bw unlock --raw)\"`"
        );
        let script = Script::default().says("bw status", UNLOCKED).fails("bw sync", "offline");
        assert_eq!(refused("bitwarden", &me, &script), "Failed to sync Bitwarden: offline");
        assert_eq!(
            refused("bitwarden", &me, &open().fails("bw get item i", "Not found.")),
            "Could not read i from Bitwarden: Not found."
        );
        let script = open().says("bw get item i", r#"{"fields":[{"name":"C","value":"c"}]}"#);
        assert_eq!(
            refused("bitwarden", &me, &script),
            "Could not find field A in item i in Bitwarden\nCould not find field B in item i in Bitwarden"
        );
        let script = open().says("bw get item i", &login_item("null"));
        assert_eq!(
            refused("bitwarden", &ask(&["i"], Some("me"), None), &script),
            "Item i is not a login type item and no fields were specified"
        );
    }
}
