//! Doppler, by `doppler` (spec 3.4). One run for all names of a project and config.

use indexmap::IndexMap;
use serde::Deserialize;

use super::ask::{last, listed};
use super::error::gather;
use super::program::{Output, Program, Programs, Tool};
use super::reading::{json, read, said};
use super::{Ask, Found, Session, Vendor, VendorError};
use crate::secret::Secret;

const DOPPLER: Tool =
    Tool { program: "doppler", name: "Doppler CLI", site: "https://docs.doppler.com/docs/install-cli" };

/// What a token begins with that is good for one project and config.
const SERVICE_TOKEN: &str = "dp.st";

pub(super) const VENDOR: Vendor = Vendor {
    names: &["doppler"],
    about: "Doppler, by `doppler`; --from PROJECT/CONFIG, unless DOPPLER_TOKEN is a service token",
    needs_account: false,
    login,
    fetch,
};

#[derive(Deserialize)]
struct Item {
    computed: Option<String>,
}

fn login(programs: &dyn Programs, _ask: &Ask<'_>) -> Result<Session, VendorError> {
    if DOPPLER.run(programs, &DOPPLER.with(["me", "--json"]))?.succeeded() {
        return Ok(None);
    }
    let login = DOPPLER.run(programs, &DOPPLER.asking(["login", "-y"]))?;
    if login.succeeded() {
        return Ok(None);
    }
    Err(VendorError::NotLoggedIn {
        message: "Failed to login to Doppler".to_owned(),
        said: said(&login),
        help: "run `doppler login`, or set DOPPLER_TOKEN".to_owned(),
    })
}

fn fetch(programs: &dyn Programs, ask: &Ask<'_>, _session: &Session) -> Result<Found, VendorError> {
    let paths = ask.prefixed();
    let service = programs.env("DOPPLER_TOKEN").is_some_and(|token| token.starts_with(SERVICE_TOKEN));
    let groups = grouped(&paths, service)?;
    let runs: Vec<Program> = groups.iter().map(|(place, names)| get(*place, names)).collect();
    let outputs = DOPPLER.run_all(programs, &runs)?;
    let found = gather(groups.values().zip(outputs).map(|(names, output)| answer(names, output)))?;
    Ok(found.into_iter().flatten().collect())
}

/// A project and config, where a token does not say them.
type Place<'p> = Option<(&'p str, &'p str)>;

/// Names by project and config. One that says neither goes with the first.
fn grouped(paths: &[String], service: bool) -> Result<IndexMap<Place<'_>, Vec<String>>, VendorError> {
    let mut groups: IndexMap<Place<'_>, Vec<String>> = IndexMap::new();
    for path in paths {
        let parts: Vec<&str> = path.split('/').collect();
        let place = match parts.as_slice() {
            _ if service => None,
            [project, config, _, ..] => Some((*project, *config)),
            [project, config] if groups.is_empty() => Some((*project, *config)),
            _ => groups.keys().next().copied().flatten(),
        };
        if place.is_none() && !service {
            return Err(VendorError::usage("Missing project or config from '--from=project/config' option"));
        }
        groups.entry(place).or_default().push(last(path).to_owned());
    }
    if groups.is_empty() {
        return Err(VendorError::usage("No secrets given to fetch from Doppler"));
    }
    Ok(groups)
}

fn get(place: Place<'_>, names: &[String]) -> Program {
    let mut run = DOPPLER.with(["secrets", "get"]);
    run.args.extend(names.iter().cloned());
    run.args.push("--json".to_owned());
    if let Some((project, config)) = place {
        run.args.extend(["-p", project, "-c", config].map(str::to_owned));
    }
    run
}

fn answer(names: &[String], output: Output) -> Result<Found, VendorError> {
    let output = read(output, format!("Could not read {} from Doppler", listed(names)))?;
    let items: IndexMap<String, Item> = json(&DOPPLER, &output)?;
    let unseen = |name: &&str| items.get(*name).is_none_or(|item| item.computed.is_none());
    let missing: Vec<&str> = names.iter().map(String::as_str).filter(unseen).collect();
    if !missing.is_empty() {
        let message = format!("Could not find {} in Doppler, or its value may not be read", missing.join(", "));
        return Err(VendorError::missing(message));
    }
    Ok(items.into_iter().map(|(name, item)| (name, Secret::new(item.computed.unwrap_or_default()))).collect())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ODD, Script, ask, fetch, quoted, refused, shown};

    fn open() -> Script {
        Script::default().says("doppler me --json", "{}")
    }

    fn answer(items: &[(&str, &str)]) -> String {
        let items: Vec<String> = items
            .iter()
            .map(|(name, value)| {
                format!(r#""{name}":{{"computed":{},"computedVisibility":"unmasked","note":""}}"#, quoted(value))
            })
            .collect();
        format!("{{{}}}", items.join(","))
    }

    #[test]
    fn all_names_of_a_config_come_in_one_run() {
        let script = open()
            .says("doppler secrets get A B --json -p app -c prd", &answer(&[("A", ODD), ("B", "b")]))
            .says("doppler secrets get C --json -p other -c prd", &answer(&[("C", "c")]));
        let found = fetch("doppler", &ask(&["A", "B"], None, Some("app/prd")), &script).unwrap();
        assert_eq!(shown(&found), [("A", ODD), ("B", "b")].map(|(n, v)| (n.to_owned(), v.to_owned())));
        let found = fetch("doppler", &ask(&["app/prd/A", "B", "other/prd/C"], None, None), &script).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["A", "B", "C"]);
    }

    #[test]
    fn a_service_token_knows_its_config() {
        let mut script = open().says("doppler secrets get A --json", &answer(&[("A", "a")]));
        script.env.insert("DOPPLER_TOKEN", "dp.st.prd.xyz");
        fetch("doppler", &ask(&["A"], None, None), &script).unwrap();
    }

    #[test]
    fn failures_say_what_to_do() {
        let two = ask(&["A", "B"], None, Some("app/prd"));
        assert!(refused("doppler", &two, &Script::default()).starts_with("Doppler CLI is not installed\nhelp: "));
        let script = Script::default().fails("doppler me --json", "").fails("doppler login -y", "");
        assert_eq!(
            refused("doppler", &two, &script),
            "Failed to login to Doppler\nhelp: run `doppler login`, or set DOPPLER_TOKEN"
        );
        assert_eq!(
            refused("doppler", &ask(&["A"], None, None), &open()),
            "Missing project or config from '--from=project/config' option"
        );
        let line = "doppler secrets get A B --json -p app -c prd";
        assert_eq!(
            refused("doppler", &two, &open().fails(line, "Doppler Error: Could not find requested secret: B")),
            "Could not read [\"A\", \"B\"] from Doppler: Doppler Error: Could not find requested secret: B"
        );
        let restricted = r#"{"A":{"computed":"a"},"B":{"computed":null,"computedVisibility":"restricted"}}"#;
        assert_eq!(
            refused("doppler", &two, &open().says(line, restricted)),
            "Could not find B in Doppler, or its value may not be read"
        );
    }
}
