//! setup, deploy, redeploy, rollback, prune.

use kamal_core::{
    name::Version,
    ops::{self, DeployOptions, small},
    plan::Verb,
};

use crate::{
    args::{DeployArgs, PruneCommand as Prune, RollbackArgs},
    context::Context,
    failure::Failure,
};

/// `setup`, `deploy`, `redeploy`.
pub(super) async fn run(context: &Context, verb: Verb, args: &DeployArgs) -> Result<(), Failure> {
    let version = context.version()?;
    let options = DeployOptions {
        verb,
        skip_push: args.skip_push,
        no_cache: args.no_cache,
        expected_digest: args.preview.plan.clone(),
    };
    perform(context, &version, &options, args.preview.dry_run).await
}

/// `rollback [VERSION]`.
pub(super) async fn rollback(context: &Context, args: &RollbackArgs) -> Result<(), Failure> {
    let version = match args.version_to.clone().map(Version::new).or_else(|| context.asked_version()) {
        Some(version) => version,
        None => {
            let unknown = context.version_or_unknown();
            let version = ops::deploy::previous_version(&context.cx(&unknown)).await?;
            context.reporter.warn(&format!("Going back to {version}, the version before"));
            version
        }
    };
    let expected_digest = args.preview.plan.clone();
    let options = DeployOptions { verb: Verb::Rollback, skip_push: true, no_cache: false, expected_digest };
    perform(context, &version, &options, args.preview.dry_run).await
}

/// Runs it, or prints its plan.
pub(super) async fn perform(
    context: &Context,
    version: &Version,
    options: &DeployOptions,
    dry_run: bool,
) -> Result<(), Failure> {
    let cx = context.cx(version);
    if dry_run {
        let plan = ops::dry_run(&cx, options).await?;
        context.reporter.data(&plan.to_string());
        return Ok(());
    }
    ops::deploy(&cx, options).await?;
    Ok(())
}

/// `prune`.
pub(super) async fn prune(context: &Context, what: Prune) -> Result<(), Failure> {
    let version = context.version_or_unknown();
    let kept = context.config().retain_containers;
    let (what, retain) = match what {
        Prune::All(_) => (small::Prune::All, kept),
        Prune::Images(_) => (small::Prune::Images, kept),
        Prune::Containers(args) if args.retain == Some(0) => {
            return Err(Failure::User("retain must be at least 1".to_owned()));
        }
        Prune::Containers(args) => (small::Prune::Containers, args.retain.unwrap_or(kept)),
    };
    Ok(small::prune(&context.cx(&version), what, retain).await?)
}
