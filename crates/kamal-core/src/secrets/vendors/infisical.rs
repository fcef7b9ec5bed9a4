//! Infisical, by `infisical`; Kamal has none. One run per folder, which gives all its secrets.

use indexmap::IndexMap;
use serde::Deserialize;

use super::error::gather;
use super::program::{Output, Program, Programs, Tool};
use super::reading::{blank, json, read, said, value};
use super::{Ask, Found, Session, Vendor, VendorError, no_login};
use crate::secret::Secret;

const INFISICAL: Tool =
    Tool { program: "infisical", name: "Infisical CLI", site: "https://infisical.com/docs/cli/overview" };

/// In every message about a missing or expired login (infisical/cli, `packages/util/auth.go` and `credentials.go`).
const LOGIN_NEEDED: &str = "[infisical login]";

pub(super) const VENDOR: Vendor = Vendor {
    names: &["infisical"],
    about: "Infisical, by `infisical`; --from PROJECT-ID/ENV[/FOLDER] or as .infisical.json says; names [FOLDER/]NAME",
    needs_account: false,
    login: no_login,
    fetch,
};

#[derive(Deserialize)]
struct Item {
    key: String,
    #[serde(default = "blank", deserialize_with = "value")]
    value: Secret,
}

fn fetch(programs: &dyn Programs, ask: &Ask<'_>, _session: &Session) -> Result<Found, VendorError> {
    // Names by folder below `--from`; a folder without names gives all.
    let mut folders: IndexMap<&str, Vec<&str>> = IndexMap::new();
    for name in ask.names {
        let (folder, name) = name.rsplit_once('/').unwrap_or(("", name));
        folders.entry(folder).or_default().push(name);
    }
    if folders.is_empty() {
        folders.insert("", Vec::new());
    }
    let runs: Vec<Program> = folders.keys().map(|folder| export(ask.from, folder)).collect();
    let outputs = INFISICAL.run_all(programs, &runs)?;
    let found = gather(folders.iter().zip(outputs).map(|((folder, names), output)| answer(folder, names, output)))?;
    Ok(found.into_iter().flatten().collect())
}

fn export(from: Option<&str>, folder: &str) -> Program {
    let mut parts = from.into_iter().flat_map(|from| from.split('/')).filter(|part| !part.is_empty());
    let mut run = INFISICAL.with(["export", "--format=json"]);
    let given = |part: Option<&str>| part.filter(|part| *part != "default").map(str::to_owned);
    run.args.extend(given(parts.next()).map(|project| format!("--projectId={project}")));
    run.args.extend(given(parts.next()).map(|environment| format!("--env={environment}")));
    let path: Vec<&str> = parts.chain(folder.split('/')).filter(|part| !part.is_empty()).collect();
    if !path.is_empty() {
        run.args.push(format!("--path=/{}", path.join("/")));
    }
    run.env.push(("INFISICAL_DISABLE_UPDATE_CHECK", Secret::new("true")));
    run
}

fn answer(folder: &str, names: &[&str], output: Output) -> Result<Found, VendorError> {
    let place = if folder.is_empty() { "Infisical".to_owned() } else { format!("{folder} in Infisical") };
    let what = if names.is_empty() { "secrets".to_owned() } else { names.join(", ") };
    let message = format!("Could not read {what} from {place}");
    let told = said(&output);
    if !output.succeeded() && told.contains(LOGIN_NEEDED) {
        let help = "run `infisical login`, or set INFISICAL_TOKEN".to_owned();
        return Err(VendorError::NotLoggedIn { message, said: told, help });
    }
    let items: Vec<Item> = json(&INFISICAL, &read(output, message)?)?;
    let missing: Vec<&str> = names.iter().copied().filter(|name| !items.iter().any(|item| item.key == *name)).collect();
    if !missing.is_empty() {
        return Err(VendorError::missing(format!("Could not find {} in {place}", missing.join(", "))));
    }
    let wanted = |item: &Item| names.is_empty() || names.contains(&item.key.as_str());
    let key = |name: String| if folder.is_empty() { name } else { format!("{folder}/{name}") };
    Ok(items.into_iter().filter(wanted).map(|item| (key(item.key), item.value)).collect())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ODD, Script, ask, fetch, quoted, refused, shown};

    fn item(key: &str, value: &str) -> String {
        format!(
            r#"{{"key":"{key}","workspace":"w","value":{},"type":"shared","_id":"1","secretPath":"/","tags":[],"comment":"","Etag":"","skipMultilineEncoding":false}}"#,
            quoted(value)
        )
    }

    #[test]
    fn a_folder_comes_in_one_run() {
        let script = Script::default()
            .says(
                "infisical export --format=json --projectId=p --env=prod --path=/web",
                &format!("[{},{},{}]", item("A", ODD), item("B", "b"), item("X", "x")),
            )
            .says(
                "infisical export --format=json --projectId=p --env=prod --path=/web/db",
                &format!("[{}]", item("C", "c")),
            );
        let found = fetch("infisical", &ask(&["A", "B", "db/C"], None, Some("p/prod/web")), &script).unwrap();
        assert_eq!(shown(&found), [("A", ODD), ("B", "b"), ("db/C", "c")].map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn the_linked_project_needs_no_options() {
        let script = Script::default()
            .says("infisical export --format=json", &format!("[{}]", item("A", "a")))
            .says("infisical export --format=json --env=dev", &format!("[{}]", item("B", "b")));
        assert_eq!(fetch("infisical", &ask(&[], None, None), &script).unwrap().len(), 1);
        assert_eq!(fetch("infisical", &ask(&["B"], None, Some("default/dev")), &script).unwrap().len(), 1);
    }

    #[test]
    fn failures_say_what_to_do() {
        let two = ask(&["A", "Z"], None, Some("p/prod"));
        assert!(refused("infisical", &two, &Script::default()).starts_with("Infisical CLI is not installed\nhelp: "));
        let line = "infisical export --format=json --projectId=p --env=prod";
        let script = Script::default().fails(
            line,
            "error: we couldn't find your logged in details, try running [infisical login] then try again",
        );
        let error = refused("infisical", &two, &script);
        assert!(error.starts_with("Could not read A, Z from Infisical: error: we couldn't find"), "{error}");
        assert!(error.ends_with("\nhelp: run `infisical login`, or set INFISICAL_TOKEN"), "{error}");
        assert_eq!(
            refused("infisical", &two, &Script::default().fails(line, "error: CallGetRawSecretsV3: 404")),
            "Could not read A, Z from Infisical: error: CallGetRawSecretsV3: 404"
        );
        let script = Script::default().says(line, &format!("[{}]", item("A", "a")));
        assert_eq!(refused("infisical", &two, &script), "Could not find Z in Infisical");
    }
}
