//! 1Password, by `op` (spec 3.4). One run per item, all fields of it at once.
//!
//! The session token of an `op` without the desktop app travels as an argument, as in Kamal: the variable that would
//! take it is named after an id only `op` knows. It is worth nothing without this machine's device key.

use indexmap::IndexMap;
use serde::Deserialize;

use super::error::gather;
use super::program::{Output, Program, Programs, Tool};
use super::reading::{blank, json, read, said, value};
use super::{Ask, Found, Session, Vendor, VendorError};
use crate::secret::Secret;

const OP: Tool =
    Tool { program: "op", name: "1Password CLI", site: "https://developer.1password.com/docs/cli/get-started" };

pub(super) const VENDOR: Vendor = Vendor {
    names: &["1password", "one_password"],
    about: "1Password, by `op`; --account ACCOUNT, --from VAULT[/ITEM], names [ITEM/][SECTION/]FIELD",
    needs_account: true,
    login,
    fetch,
};

/// An item's fields, by vault and item; no fields are all.
type Items = IndexMap<(String, String), Vec<String>>;

#[derive(Deserialize)]
struct Field {
    #[serde(default)]
    id: String,
    #[serde(default)]
    label: String,
    reference: String,
    #[serde(default = "blank", deserialize_with = "value")]
    value: Secret,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    fields: Vec<Field>,
}

fn login(programs: &dyn Programs, ask: &Ask<'_>) -> Result<Session, VendorError> {
    let account = ask.account();
    if OP.run(programs, &OP.with(["account", "get", "--account", account]))?.succeeded() {
        return Ok(None);
    }
    let signin = OP.run(programs, &OP.asking(["signin", "--account", account, "--force", "--raw"]))?;
    if !signin.succeeded() {
        return Err(VendorError::NotLoggedIn {
            message: "Failed to login to 1Password".to_owned(),
            said: said(&signin),
            help: format!("run `op signin --account {account}`, or `op account add` if op does not know the account"),
        });
    }
    let token = String::from_utf8_lossy(&signin.stdout).trim().to_owned();
    Ok((!token.is_empty()).then(|| Secret::new(token)))
}

fn fetch(programs: &dyn Programs, ask: &Ask<'_>, session: &Session) -> Result<Found, VendorError> {
    let items = wanted(ask)?;
    let runs: Vec<Program> = items.iter().map(|(place, fields)| get(ask, place, fields, session.as_ref())).collect();
    let outputs = OP.run_all(programs, &runs)?;
    let fields = gather(items.iter().zip(outputs).map(|((place, fields), output)| answer(place, fields, output)))?;
    Ok(fields
        .into_iter()
        .flatten()
        .map(|field| {
            let key = field.reference.strip_prefix("op://").unwrap_or(&field.reference);
            (key.strip_suffix("/password").unwrap_or(key).to_owned(), field.value)
        })
        .collect())
}

/// Vaults, items and fields of the names; without names, the item of `--from`.
fn wanted(ask: &Ask<'_>) -> Result<Items, VendorError> {
    let paths = match ask.from {
        Some(from) if ask.names.is_empty() => vec![from.to_owned()],
        _ => ask.prefixed(),
    };
    let mut items = Items::new();
    for path in &paths {
        let mut parts = path.strip_prefix("op://").unwrap_or(path).split('/');
        let (Some(vault), Some(item)) = (parts.next(), parts.next().filter(|item| !item.is_empty())) else {
            return Err(VendorError::usage(format!(
                "{path} names no 1Password item\nhelp: write VAULT/ITEM/FIELD, or give what is the same in all with --from"
            )));
        };
        let fields = items.entry((vault.to_owned(), item.to_owned())).or_default();
        if !ask.names.is_empty() {
            let field = parts.collect::<Vec<_>>().join(".");
            fields.push(if field.is_empty() { "password".to_owned() } else { field });
        }
    }
    if items.is_empty() {
        return Err(VendorError::usage(
            "No secrets given to fetch from 1Password\nhelp: name some, or an item with --from",
        ));
    }
    Ok(items)
}

fn get(ask: &Ask<'_>, (vault, item): &(String, String), fields: &[String], session: Option<&Secret>) -> Program {
    let mut run = OP.with(["item", "get", item, "--vault", vault, "--format", "json", "--account", ask.account()]);
    if let Some(token) = session {
        run.args.extend(["--session".to_owned(), token.expose().to_owned()]);
    }
    if !fields.is_empty() {
        let labels: Vec<String> = fields.iter().map(|field| format!("label={field}")).collect();
        run.args.extend(["--fields".to_owned(), labels.join(",")]);
    }
    run
}

fn answer((vault, item): &(String, String), wanted: &[String], output: Output) -> Result<Vec<Field>, VendorError> {
    let what = if wanted.is_empty() { String::new() } else { format!("{} ", wanted.join(", ")) };
    let output = read(output, format!("Could not read {what}from {item} in the {vault} 1Password vault"))?;
    let fields: Vec<Field> = match wanted.len() {
        0 => json::<Item>(&OP, &output)?.fields,
        1 => vec![json(&OP, &output)?],
        _ => json(&OP, &output)?,
    };
    if fields.len() < wanted.len() {
        let named = |field: &Field, name: &str| field.label.eq_ignore_ascii_case(name) || field.id == name;
        let given = |path: &str| fields.iter().any(|field| named(field, path.rsplit('.').next().unwrap_or(path)));
        let missing: Vec<&str> = wanted.iter().map(String::as_str).filter(|path| !given(path)).collect();
        let message = format!("Could not find {} in {item} in the {vault} 1Password vault", missing.join(", "));
        return Err(VendorError::missing(message));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::super::program::Terminal;
    use super::super::testing::{ODD, Script, ask, fetch, quoted, refused, shown};

    const ACCOUNT: &str = "op account get --account me";

    fn field(reference: &str, value: &str) -> String {
        let label = reference.rsplit('/').next().unwrap();
        let value = quoted(value);
        format!(r#"{{"id":"x","type":"CONCEALED","label":"{label}","value":{value},"reference":"op://{reference}"}}"#)
    }

    #[test]
    fn fields_of_an_item_come_in_one_run_and_items_side_by_side() {
        let script = Script::default()
            .says(ACCOUNT, "{}")
            .says(
                "op item get i --vault v --format json --account me --fields label=s.A,label=B",
                &format!("[{},{}]", field("v/i/s/A", ODD), field("v/i/B", "b")),
            )
            .says(
                "op item get j --vault v --format json --account me --fields label=password",
                &field("v/j/password", "c"),
            );
        let found = fetch("1password", &ask(&["i/s/A", "i/B", "j"], Some("me"), Some("op://v")), &script).unwrap();
        let expected = [("v/i/s/A", ODD), ("v/i/B", "b"), ("v/j", "c")];
        assert_eq!(shown(&found), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn an_item_alone_gives_all_its_fields() {
        let item = format!(
            r#"{{"id":"i","fields":[{},{{"id":"n","label":"n","reference":"op://v/i/n"}}]}}"#,
            field("v/i/A", "a")
        );
        let script =
            Script::default().says(ACCOUNT, "{}").says("op item get i --vault v --format json --account me", &item);
        let found = fetch("1password", &ask(&[], Some("me"), Some("v/i")), &script).unwrap();
        assert_eq!(shown(&found), [("v/i/A", "a"), ("v/i/n", "")].map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn a_login_hands_its_token_on() {
        let script = Script::default()
            .fails(ACCOUNT, "not signed in")
            .says("op signin --account me --force --raw", "1234567890\n")
            .says(
                "op item get i --vault v --format json --account me --session 1234567890 --fields label=A",
                &field("v/i/A", "a"),
            );
        fetch("1password", &ask(&["v/i/A"], Some("me"), None), &script).unwrap();
        assert_eq!(script.runs()[1].terminal, Terminal::Alone);
        assert_eq!(script.runs()[2].terminal, Terminal::Unused);
    }

    #[test]
    fn failures_say_what_to_do() {
        let me = || ask(&["A", "B"], Some("me"), Some("v/i"));
        assert_eq!(
            refused("1password", &me(), &Script::default()),
            "1Password CLI is not installed\nhelp: there is no program `op` on the PATH; get it from \
             https://developer.1password.com/docs/cli/get-started"
        );
        let script = Script::default().fails(ACCOUNT, "").fails("op signin --account me --force --raw", "[ERROR] no");
        assert_eq!(
            refused("1password", &me(), &script),
            "Failed to login to 1Password: [ERROR] no\nhelp: run `op signin --account me`, or `op account add` if op does \
             not know the account"
        );
        let line = "op item get i --vault v --format json --account me --fields label=A,label=B";
        let script = Script::default().says(ACCOUNT, "").fails(line, "\"B\" isn't a field in the \"i\" item.\n");
        assert_eq!(
            refused("1password", &me(), &script),
            "Could not read A, B from i in the v 1Password vault: \"B\" isn't a field in the \"i\" item."
        );
        let script = Script::default().says(ACCOUNT, "").says(line, &format!("[{}]", field("v/i/A", "a")));
        assert_eq!(refused("1password", &me(), &script), "Could not find B in i in the v 1Password vault");
        assert!(refused("1password", &ask(&["A"], Some("me"), None), &script).starts_with("A names no 1Password item"));
    }

    #[test]
    fn what_is_garbled_is_not_repeated() {
        let script = Script::default()
            .says(ACCOUNT, "")
            .says("op item get i --vault v --format json --account me --fields label=A", r#""hunter2""#);
        let error = refused("1password", &ask(&["v/i/A"], Some("me"), None), &script);
        assert_eq!(error, "`op` printed something else than the JSON expected of it (line 1, column 9)");
    }
}
