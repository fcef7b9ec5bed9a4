//! `layers`: hands layers of images on to other hosts while a deploy goes on.

#![expect(clippy::disallowed_methods, reason = "the program's side reads the environment")]

use std::env;
use std::net::SocketAddr;

use tokio::runtime::Builder;

use super::Failed;
use super::flags::Parsed;
use crate::deploy_flags::{Flag, Kind};
use crate::server::layers::{Options, serve};

/// Where what others have to know is, which is no argument: those anybody on the host can read.
const TOKEN: &str = "KAMAL_LAYERS_TOKEN";

pub(super) const FLAGS: &[Flag] = &[
    Flag { name: "folder", kind: Kind::Str(""), help: "An empty folder to keep layers in" },
    Flag { name: "listen", kind: Kind::Str(""), help: "Where other hosts ask" },
    Flag { name: "registry", kind: Kind::Str(""), help: "The registry the layers come from" },
];

/// Runs until the registry is gone.
pub(super) fn run(flags: &Parsed) -> Result<(), Failed> {
    let address = |name: &str| -> Result<SocketAddr, Failed> {
        let text = flags.str(name);
        text.parse().map_err(|_| Failed(format!("{name} must be an address and a port, not {text:?}")))
    };
    let token = env::var(TOKEN).ok().filter(|token| !token.is_empty());
    let options = Options {
        listen: address("listen")?,
        registry: address("registry")?,
        folder: flags.str("folder").into(),
        token: token.ok_or_else(|| Failed(format!("{TOKEN} is not set")))?,
    };
    Ok(Builder::new_current_thread().enable_all().build()?.block_on(serve(options))?)
}
