//! Passbolt, by `passbolt` (spec 3.4). Folders first, level by level, then all secrets in one run.
//!
//! Names become text of the filter language (CEL), quoted as it wants them; Kamal quotes them for a shell that does not
//! see them, so that a name with a blank is never found.

use serde::Deserialize;

use super::ask::{last, listed};
use super::program::{Programs, Tool};
use super::reading::{blank, json, read, said, value};
use super::{Ask, Found, Session, Vendor, VendorError};
use crate::secret::Secret;

const PASSBOLT: Tool =
    Tool { program: "passbolt", name: "Passbolt CLI", site: "https://github.com/passbolt/go-passbolt-cli" };

pub(super) const VENDOR: Vendor = Vendor {
    names: &["passbolt"],
    about: "Passbolt, by `passbolt`; --from FOLDER[/FOLDER]",
    needs_account: false,
    login,
    fetch,
};

#[derive(Clone, Deserialize)]
struct Folder {
    id: String,
    #[serde(default)]
    folder_parent_id: String,
    name: String,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
    #[serde(default = "blank", deserialize_with = "value")]
    password: Secret,
}

fn login(programs: &dyn Programs, _ask: &Ask<'_>) -> Result<Session, VendorError> {
    let verify = PASSBOLT.run(programs, &PASSBOLT.with(["verify"]))?;
    if verify.succeeded() {
        return Ok(None);
    }
    Err(VendorError::NotLoggedIn {
        message: "Failed to login to Passbolt".to_owned(),
        said: said(&verify),
        help: "run `passbolt configure` with --serverAddress, --userPrivateKeyFile and --userPassword, then `passbolt verify`"
            .to_owned(),
    })
}

fn fetch(programs: &dyn Programs, ask: &Ask<'_>, _session: &Session) -> Result<Found, VendorError> {
    let paths = ask.prefixed();
    if paths.is_empty() {
        return Err(VendorError::usage("No secrets given to fetch"));
    }
    let folders = folders(programs, &paths)?;
    let conditions: Vec<String> = paths
        .iter()
        .map(|path| match path.rsplit_once('/') {
            Some((folder, name)) => {
                let id = folders.iter().find(|found| found.path == folder).map_or("", |found| &found.folder.id);
                format!("(Name == {} && FolderParentID == {})", cel(name), cel(id))
            }
            None => format!("Name == {}", cel(path)),
        })
        .collect();
    let mut list = PASSBOLT.sharing(["list", "resources", "--filter"]);
    list.args.push(conditions.join(" || "));
    list.args.extend(folders.iter().flat_map(|found| ["--folder".to_owned(), found.folder.id.clone()]));
    list.args.extend(["--column", "name", "--column", "password", "--json"].map(str::to_owned));
    let output = PASSBOLT.run(programs, &list)?;
    let output = read(output, format!("Could not read {} from Passbolt", listed(&paths)))?;
    let resources: Vec<Resource> = json(&PASSBOLT, &output)?;
    let found: Found = resources.into_iter().map(|resource| (resource.name, resource.password)).collect();
    let missing: Vec<&str> = paths.iter().map(|path| last(path)).filter(|name| !found.contains_key(*name)).collect();
    if missing.is_empty() {
        Ok(found)
    } else {
        let message = format!("Could not find the following secrets in Passbolt: {}", missing.join(", "));
        Err(VendorError::missing(message))
    }
}

/// A folder and the path it was found at.
struct Located {
    path: String,
    folder: Folder,
}

/// The folders of the paths, each with those it lies in.
fn folders(programs: &dyn Programs, paths: &[String]) -> Result<Vec<Located>, VendorError> {
    let mut wanted: Vec<&str> = Vec::new();
    for (folder, _) in paths.iter().filter_map(|path| path.rsplit_once('/')) {
        if !wanted.contains(&folder) {
            wanted.push(folder);
        }
    }
    let mut found: Vec<Located> = Vec::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let mut tops: Vec<&str> = Vec::new();
    for top in wanted.iter().filter_map(|path| path.split('/').next()) {
        if !tops.contains(&top) {
            tops.push(top);
        }
    }
    let filter: Vec<String> = tops.iter().map(|name| format!("Name == {}", cel(name))).collect();
    let named = list_folders(programs, &filter.join(" || "))?;
    for top in tops {
        // A folder of that name deeper down is another one, unless there is none at the top (it may be shared with us).
        let candidates = || named.iter().filter(|folder| folder.name == top);
        let folder = candidates().find(|folder| folder.folder_parent_id.is_empty()).or_else(|| candidates().next());
        found.extend(folder.map(|folder| Located { path: top.to_owned(), folder: folder.clone() }));
    }
    for path in &wanted {
        for (slash, _) in path.match_indices('/') {
            let end = path[slash + 1..].find('/').map_or(path.len(), |next| slash + 1 + next);
            let (parent, own, name) = (&path[..slash], &path[..end], &path[slash + 1..end]);
            if found.iter().any(|located| located.path == own) {
                continue;
            }
            let Some(parent) = found.iter().find(|located| located.path == parent) else { break };
            let filter = format!("Name == {} && FolderParentID == {}", cel(name), cel(&parent.folder.id));
            let nested = list_folders(programs, &filter)?.into_iter().next();
            found.extend(nested.map(|folder| Located { path: own.to_owned(), folder }));
        }
    }
    let missing: Vec<&str> =
        wanted.into_iter().filter(|path| !found.iter().any(|located| located.path == *path)).collect();
    if missing.is_empty() {
        Ok(found)
    } else {
        let message = format!("Could not find the following folders in Passbolt: {}", missing.join(", "));
        Err(VendorError::missing(message))
    }
}

fn list_folders(programs: &dyn Programs, filter: &str) -> Result<Vec<Folder>, VendorError> {
    let output = PASSBOLT.run(programs, &PASSBOLT.sharing(["list", "folders", "--filter", filter, "--json"]))?;
    json(&PASSBOLT, &read(output, "Could not read folders from Passbolt")?)
}

/// A text in the filter language.
fn cel(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', "\\r");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ODD, Script, ask, fetch, quoted, refused, shown};

    fn open() -> Script {
        Script::default().says("passbolt verify", "")
    }

    fn resource(name: &str, password: &str) -> String {
        format!(
            r#"{{"id":"4c","folder_parent_id":"","name":{},"username":"","uri":"","password":{}}}"#,
            quoted(name),
            quoted(password)
        )
    }

    fn folder(id: &str, parent: &str, name: &str) -> String {
        format!(r#"[{{"id":"{id}","folder_parent_id":"{parent}","name":"{name}"}}]"#)
    }

    #[test]
    fn names_are_filters_text_and_come_in_one_run() {
        let script = open().says(
            "passbolt list resources --filter 'Name == \"A b\" || Name == \"q\\\"\\\\\"' --column name --column password --json",
            &format!("[{},{}]", resource("A b", ODD), resource("q\"\\", "b")),
        );
        let found = fetch("passbolt", &ask(&["A b", "q\"\\"], None, None), &script).unwrap();
        assert_eq!(shown(&found), [("A b", ODD), ("q\"\\", "b")].map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn folders_are_found_level_by_level() {
        let script = open()
            .says("passbolt list folders --filter 'Name == \"app\"' --json", &folder("1", "", "app"))
            .says("passbolt list folders --filter 'Name == \"db\" && FolderParentID == \"1\"' --json", &folder("2", "1", "db"))
            .says(
                "passbolt list resources --filter '(Name == \"A\" && FolderParentID == \"1\") || (Name == \"B\" && FolderParentID == \"2\")' \
                 --folder 1 --folder 2 --column name --column password --json",
                &format!("[{},{}]", resource("A", "a"), resource("B", "b")),
            );
        let found = fetch("passbolt", &ask(&["A", "db/B"], None, Some("app")), &script).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(script.ran().len(), 4);
    }

    #[test]
    fn failures_say_what_to_do() {
        let one = ask(&["A", "B"], None, None);
        assert!(refused("passbolt", &one, &Script::default()).starts_with("Passbolt CLI is not installed\nhelp: "));
        let error = refused(
            "passbolt",
            &one,
            &Script::default().fails("passbolt verify", "Error: serverAddress is not defined"),
        );
        assert!(error.starts_with(
            "Failed to login to Passbolt: Error: serverAddress is not defined\nhelp: run `passbolt configure`"
        ));
        let line =
            "passbolt list resources --filter 'Name == \"A\" || Name == \"B\"' --column name --column password --json";
        assert_eq!(refused("passbolt", &one, &open().fails(line, "")), "Could not read [\"A\", \"B\"] from Passbolt");
        assert_eq!(
            refused("passbolt", &one, &open().says(line, &format!("[{}]", resource("A", "a")))),
            "Could not find the following secrets in Passbolt: B"
        );
        let script = open()
            .says("passbolt list folders --filter 'Name == \"app\" || Name == \"c\"' --json", &folder("1", "", "app"))
            .says("passbolt list folders --filter 'Name == \"no\" && FolderParentID == \"1\"' --json", "[]");
        assert_eq!(
            refused("passbolt", &ask(&["app/no/A", "c/B"], None, None), &script),
            "Could not find the following folders in Passbolt: app/no, c"
        );
        assert_eq!(refused("passbolt", &ask(&[], None, None), &open()), "No secrets given to fetch");
    }
}
