//! `kamal secrets fetch` and `extract` (spec 3.3). They need no configuration.

use std::io::Write;

use kamal::machine::{Extract, Fetch};
use serde_json::{Value, json};

use crate::{
    args::{ExtractArgs, FetchArgs, Global},
    context,
    failure::Failure,
};

const NO_ACCOUNT: &str = "No value provided for required options '--account'";

/// `secrets fetch`.
pub(super) fn fetch(global: &Global, args: FetchArgs) -> Result<(), Failure> {
    let FetchArgs { names, adapter, account, from, inline } = args;
    let fetch = Fetch { names, adapter, account, from, inline: inline && !global.json };
    let fetched = context::surroundings(global.destination.clone())?.fetch(&fetch)?;
    match fetched {
        Some(fetched) if global.json => {
            let fetched = serde_json::from_str(&fetched).map_err(|error| Failure::User(error.to_string()))?;
            document(&fetched);
        }
        Some(fetched) => print(&fetched),
        None if global.json => return Err(Failure::User(NO_ACCOUNT.to_owned())),
        None => print(NO_ACCOUNT),
    }
    Ok(())
}

/// `secrets extract`.
pub(super) fn extract(global: &Global, args: ExtractArgs) -> Result<(), Failure> {
    let ExtractArgs { name, fetched, inline: _ } = args;
    let found = Extract { name: name.clone(), fetched }.run()?;
    if global.json {
        document(&json!({ name: found.as_str() }));
    } else {
        print(&found);
    }
    Ok(())
}

/// Secrets by their names, for a program.
pub(super) fn document(secrets: &Value) {
    print(&json!({"schema": "kamal/secrets/1", "secrets": secrets}).to_string());
}

/// A line, byte for byte, unless it ends with one: control characters in a secret are the secret's.
pub(super) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let end: &[u8] = if text.ends_with('\n') { b"" } else { b"\n" };
    // A reader that went away is no error of ours.
    drop(out.write_all(text.as_bytes()).and_then(|()| out.write_all(end)));
}
