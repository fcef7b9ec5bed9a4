//! Bitwarden Secrets Manager, by `bws` (spec 3.4). A project's secrets come in one run; secrets named by their ids need
//! one each. Ours alone: keys may be named too, where `--from` names the project.

use serde::Deserialize;

use super::error::gather;
use super::program::{Output, Program, Programs, Tool};
use super::reading::{blank, chosen, json, read, said, value};
use super::{Ask, Found, Session, Vendor, VendorError};
use crate::secret::Secret;

const BWS: Tool = Tool {
    program: "bws",
    name: "Bitwarden Secrets Manager CLI",
    site: "https://bitwarden.com/help/secrets-manager-cli",
};

pub(super) const VENDOR: Vendor = Vendor {
    names: &["bitwarden-sm", "bitwarden_secrets_manager"],
    about: "Bitwarden Secrets Manager, by `bws`; names are ids or `all`, with --from PROJECT-ID keys or `all`",
    needs_account: false,
    login,
    fetch,
};

#[derive(Deserialize)]
struct Item {
    key: String,
    #[serde(default = "blank", deserialize_with = "value")]
    value: Secret,
}

fn login(programs: &dyn Programs, _ask: &Ask<'_>) -> Result<Session, VendorError> {
    let projects = BWS.run(programs, &BWS.with(["project", "list"]))?;
    if projects.succeeded() {
        return Ok(None);
    }
    Err(VendorError::NotLoggedIn {
        message: "Could not authenticate to Bitwarden Secrets Manager. Did you set a valid access token?".to_owned(),
        said: said(&projects),
        help: "set BWS_ACCESS_TOKEN to the access token of a machine account".to_owned(),
    })
}

fn fetch(programs: &dyn Programs, ask: &Ask<'_>, _session: &Session) -> Result<Found, VendorError> {
    let names = ask.prefixed();
    match (names.as_slice(), ask.from) {
        ([], _) => Err(VendorError::usage(
            "You must specify what to retrieve from Bitwarden Secrets Manager\nhelp: ids, or `all`",
        )),
        ([all], _) if all == "all" => list(programs, None),
        ([one], _) if one.ends_with("/all") => list(programs, one.strip_suffix("/all")),
        (_, Some(project)) => {
            let all = list(programs, Some(project))?;
            chosen(&all, ask.names, &format!("project {project} in Bitwarden Secrets Manager"))
        }
        (ids, None) => {
            let runs: Vec<Program> = ids.iter().map(|id| BWS.with(["secret", "get", id])).collect();
            let outputs = BWS.run_all(programs, &runs)?;
            let items = gather(ids.iter().zip(outputs).map(|(id, output)| one(id, output)))?;
            Ok(items.into_iter().map(|item| (item.key, item.value)).collect())
        }
    }
}

fn one(id: &str, output: Output) -> Result<Item, VendorError> {
    json(&BWS, &read(output, format!("Could not read {id} from Bitwarden Secrets Manager"))?)
}

fn list(programs: &dyn Programs, project: Option<&str>) -> Result<Found, VendorError> {
    let output = BWS.run(programs, &BWS.with(["secret", "list"].into_iter().chain(project)))?;
    let output = read(output, "Could not read secrets from Bitwarden Secrets Manager")?;
    Ok(json::<Vec<Item>>(&BWS, &output)?.into_iter().map(|item| (item.key, item.value)).collect())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ODD, Script, ask, fetch, quoted, refused, shown};

    fn open() -> Script {
        Script::default().says("bws project list", "[]")
    }

    fn item(key: &str, value: &str) -> String {
        format!(
            r#"{{"object":"secret","id":"1-2","organizationId":"o","projectId":"p","key":"{key}","value":{},"note":""}}"#,
            quoted(value)
        )
    }

    #[test]
    fn lists_come_in_one_run() {
        let list = format!("[{},{}]", item("A", ODD), item("B", "b"));
        let both = [("A", ODD), ("B", "b")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        let script = open().says("bws secret list", &list).says("bws secret list P", &list);
        for (names, from) in [(["all"], None), (["all"], Some("P")), (["P/all"], None)] {
            assert_eq!(shown(&fetch("bitwarden-sm", &ask(&names, None, from), &script).unwrap()), both);
        }
        let found = fetch("bitwarden-sm", &ask(&["B"], None, Some("P")), &script).unwrap();
        assert_eq!(shown(&found), both[1..]);
    }

    #[test]
    fn ids_come_with_a_run_each() {
        let script = open().says("bws secret get 1-2", &item("A", ODD)).says("bws secret get 3-4", &item("B", "b"));
        let found = fetch("bitwarden-sm", &ask(&["1-2", "3-4"], None, None), &script).unwrap();
        assert_eq!(shown(&found), [("A", ODD), ("B", "b")].map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn failures_say_what_to_do() {
        let one = ask(&["1-2"], None, None);
        let error = refused("bitwarden-sm", &one, &Script::default());
        assert!(error.starts_with("Bitwarden Secrets Manager CLI is not installed\nhelp: "), "{error}");
        assert_eq!(
            refused("bitwarden-sm", &one, &Script::default().fails("bws project list", "Error: Missing access token")),
            "Could not authenticate to Bitwarden Secrets Manager. Did you set a valid access token?: Error: Missing access \
             token\nhelp: set BWS_ACCESS_TOKEN to the access token of a machine account"
        );
        assert_eq!(
            refused("bitwarden-sm", &one, &open().fails("bws secret get 1-2", "404 Not Found")),
            "Could not read 1-2 from Bitwarden Secrets Manager: 404 Not Found"
        );
        let script = open().says("bws secret list P", &format!("[{}]", item("A", "a")));
        assert_eq!(
            refused("bitwarden-sm", &ask(&["A", "Z"], None, Some("P")), &script),
            "Could not find Z in project P in Bitwarden Secrets Manager"
        );
        let error = refused("bitwarden-sm", &ask(&[], None, None), &open());
        assert!(error.starts_with("You must specify what to retrieve from Bitwarden Secrets Manager\n"), "{error}");
    }
}
