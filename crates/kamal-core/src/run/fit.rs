//! Whether hosts can do anything with the image, found out before anything on them is changed: it is built for their
//! processors, and there is room for it.

use crate::{
    config::Config,
    error::{Error, HostError},
    hint::Hint,
    state::{HostState, Machine},
    targets::Targets,
};

/// Fails for hosts whose processors run nothing the image is built for. A builder that is told no architecture builds for
/// its own, which is not known here.
pub(super) fn processors(config: &Config, targets: &Targets, states: &[HostState]) -> Result<(), Error> {
    let built = &config.builder.arches;
    let unfit = |state: &&HostState| targets.app_hosts.contains(&state.host) && !runs(&state.machine, built);
    let errors: Vec<HostError> = states.iter().filter(unfit).map(|state| misfit(state, built)).collect();
    if errors.is_empty() { Ok(()) } else { Err(Error::Hosts(errors)) }
}

/// Whether a machine runs something that is built for one of some architectures. What is not known is taken to fit.
pub(crate) fn runs(machine: &Machine, built: &[String]) -> bool {
    let also = match machine.arch.as_str() {
        "amd64" => &["386"][..],
        "arm64" => &["arm"],
        _ => &[],
    };
    let fits = |built: &String| {
        let processor = match built.split('/').next().unwrap_or(built) {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        processor == machine.arch || also.contains(&processor) || machine.emulated.iter().any(|arch| arch == processor)
    };
    machine.arch.is_empty() || built.is_empty() || built.iter().any(fits)
}

/// A host that runs nothing an image is built for.
pub(super) fn misfit(state: &HostState, built: &[String]) -> HostError {
    let (arch, built) = (&state.machine.arch, built.join(" and "));
    HostError::Unfit {
        host: state.host.clone(),
        message: format!("it is {arch}, but the image is built for {built} only"),
        hints: vec![Hint::new(format!("add {arch} to builder/arch"))],
    }
}
