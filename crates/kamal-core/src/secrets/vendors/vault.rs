//! HashiCorp Vault and OpenBao, by `vault`; Kamal has none. One run per path of the key-value store, whichever version
//! it has; who is logged in is asked only when that fails.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::gather;
use super::program::{Output, Program, Programs, Tool};
use super::reading::{json, plain, said, unread};
use super::{Ask, Found, Session, Vendor, VendorError, no_login};

const VAULT: Tool = Tool { program: "vault", name: "Vault CLI", site: "https://developer.hashicorp.com/vault/install" };

pub(super) const VENDOR: Vendor = Vendor {
    names: &["vault", "hashicorp_vault"],
    about: "HashiCorp Vault, by `vault`; --from MOUNT/PATH, names [PATH/]KEY, --account NAMESPACE; without names all keys",
    needs_account: false,
    login: no_login,
    fetch,
};

#[derive(Deserialize)]
struct Answer {
    data: Map<String, Value>,
}

fn fetch(programs: &dyn Programs, ask: &Ask<'_>, _session: &Session) -> Result<Found, VendorError> {
    let paths = wanted(ask)?;
    let runs: Vec<Program> = paths.keys().map(|path| vault(["kv", "get", "-format=json"], ask, Some(path))).collect();
    let outputs = VAULT.run_all(programs, &runs)?;
    let answers =
        gather(paths.iter().zip(outputs).map(|((path, keys), output)| answer(programs, ask, path, keys, &output)))?;
    Ok(answers.into_iter().flatten().collect())
}

/// Keys by path; no keys are all.
fn wanted(ask: &Ask<'_>) -> Result<IndexMap<String, Vec<String>>, VendorError> {
    let mut paths: IndexMap<String, Vec<String>> = IndexMap::new();
    match ask.from {
        Some(from) if ask.names.is_empty() => drop(paths.insert(from.trim_end_matches('/').to_owned(), Vec::new())),
        _ => {}
    }
    for name in ask.prefixed() {
        let (path, key) = name.rsplit_once('/').filter(|(path, _)| path.contains('/')).ok_or_else(|| {
            VendorError::usage(format!(
                "{name} names no path in Vault\nhelp: write MOUNT/PATH/KEY, or --from MOUNT/PATH"
            ))
        })?;
        paths.entry(path.to_owned()).or_default().push(key.to_owned());
    }
    if paths.is_empty() {
        return Err(VendorError::usage("No secrets given to fetch from Vault\nhelp: name some, or a path with --from"));
    }
    Ok(paths)
}

fn vault<const N: usize>(verb: [&str; N], ask: &Ask<'_>, path: Option<&String>) -> Program {
    let mut run = VAULT.with(verb);
    run.args.extend(ask.account.map(|namespace| format!("-namespace={namespace}")));
    run.args.extend(path.cloned());
    run
}

fn answer(
    programs: &dyn Programs,
    ask: &Ask<'_>,
    path: &str,
    keys: &[String],
    output: &Output,
) -> Result<Found, VendorError> {
    if !output.succeeded() {
        return Err(failed(programs, ask, path, output));
    }
    let mut data = json::<Answer>(&VAULT, output)?.data;
    // Version 2 of the store wraps the data once more, beside what it knows about it.
    if data.contains_key("metadata")
        && let Some(Value::Object(inner)) = data.remove("data")
    {
        data = inner;
    }
    let missing: Vec<&str> = keys.iter().map(String::as_str).filter(|key| !data.contains_key(*key)).collect();
    if !missing.is_empty() {
        return Err(VendorError::missing(format!("Could not find {} in {path} in Vault", missing.join(", "))));
    }
    let wanted = |(key, _): &(String, Value)| keys.is_empty() || keys.contains(key);
    Ok(data.into_iter().filter(wanted).map(|(key, value)| (format!("{path}/{key}"), plain(value))).collect())
}

fn failed(programs: &dyn Programs, ask: &Ask<'_>, path: &str, output: &Output) -> VendorError {
    let message = format!("Could not read {path} from Vault");
    match VAULT.run(programs, &vault(["token", "lookup", "-format=json"], ask, None)) {
        Ok(token) if !token.succeeded() => VendorError::NotLoggedIn {
            message,
            said: said(output),
            help: "run `vault login`, or set VAULT_TOKEN; VAULT_ADDR says where Vault is".to_owned(),
        },
        _ => unread(output, message),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ODD, Script, ask, fetch, quoted, refused, shown};

    fn version_2(data: &str) -> String {
        format!(
            r#"{{"request_id":"r","lease_id":"","lease_duration":0,"renewable":false,"data":{{"data":{data},"metadata":{{"created_time":"2024-01-01T00:00:00Z","version":3}}}},"warnings":null}}"#
        )
    }

    #[test]
    fn keys_of_a_path_come_in_one_run_and_paths_side_by_side() {
        let app = format!(r#"{{"A":{},"B":"b","PORT":5432}}"#, quoted(ODD));
        let script = Script::default()
            .says("vault kv get -format=json -namespace=team secret/app", &version_2(&app))
            .says("vault kv get -format=json -namespace=team secret/app/db", r#"{"data":{"C":"c","data":"d"}}"#);
        let names = ["PORT", "A", "db/C", "db/data"];
        let found = fetch("vault", &ask(&names, Some("team"), Some("secret/app")), &script).unwrap();
        let expected =
            [("secret/app/A", ODD), ("secret/app/PORT", "5432"), ("secret/app/db/C", "c"), ("secret/app/db/data", "d")];
        assert_eq!(shown(&found), expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
        assert_eq!(script.ran().len(), 2);
    }

    #[test]
    fn a_path_alone_gives_all_its_keys() {
        let script = Script::default().says("vault kv get -format=json secret/app", &version_2(r#"{"A":"a","B":"b"}"#));
        assert_eq!(fetch("vault", &ask(&[], None, Some("secret/app")), &script).unwrap().len(), 2);
    }

    #[test]
    fn failures_say_what_to_do() {
        let two = ask(&["A", "Z"], None, Some("secret/app"));
        assert!(refused("vault", &two, &Script::default()).starts_with("Vault CLI is not installed\nhelp: "));
        let line = "vault kv get -format=json secret/app";
        let denied = "Error making API request.\n\nCode: 403. Errors:\n\n* permission denied";
        let script = Script::default().fails(line, denied).fails("vault token lookup -format=json", denied);
        assert_eq!(
            refused("vault", &two, &script),
            "Could not read secret/app from Vault: Error making API request.\nCode: 403. Errors:\n* permission denied\n\
             help: run `vault login`, or set VAULT_TOKEN; VAULT_ADDR says where Vault is"
        );
        let script = Script::default()
            .ends(line, 2, "", "No value found at secret/data/app")
            .says("vault token lookup -format=json", "{}");
        assert_eq!(
            refused("vault", &two, &script),
            "Could not read secret/app from Vault: No value found at secret/data/app"
        );
        let script = Script::default().says(line, &version_2(r#"{"A":"a"}"#));
        assert_eq!(refused("vault", &two, &script), "Could not find Z in secret/app in Vault");
        assert!(refused("vault", &ask(&["A"], None, None), &script).starts_with("A names no path in Vault"));
    }
}
