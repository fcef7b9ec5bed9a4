//! What the two AWS stores have in common: the `aws` program, its profile, and who is logged in.

use super::program::{Output, Program, Programs, Tool};
use super::reading::{said, unread};
use super::{Ask, VendorError};

pub(super) const AWS: Tool = Tool {
    program: "aws",
    name: "AWS CLI",
    site: "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
};

/// A run that answers in JSON, with the account as its profile.
pub(super) fn aws(args: impl IntoIterator<Item = String>, ask: &Ask<'_>) -> Program {
    let mut run = AWS.with(args);
    if let Some(profile) = ask.account {
        run.args.extend(["--profile".to_owned(), profile.to_owned()]);
    }
    run.args.extend(["--output".to_owned(), "json".to_owned()]);
    run
}

/// The error for a run that failed, which is asked about who is logged in.
pub(super) fn failed(programs: &dyn Programs, ask: &Ask<'_>, output: &Output, message: String) -> VendorError {
    let who = aws(["sts".to_owned(), "get-caller-identity".to_owned()], ask);
    match AWS.run(programs, &who) {
        Ok(who) if !who.succeeded() => {
            let profile = ask.account.map(|profile| format!(" --profile {profile}")).unwrap_or_default();
            VendorError::NotLoggedIn {
                message,
                said: said(output),
                help: format!("run `aws sso login{profile}`, or `aws configure{profile}` for access keys"),
            }
        }
        _ => unread(output, message),
    }
}
