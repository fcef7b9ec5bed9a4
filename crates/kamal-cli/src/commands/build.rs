//! `kamal build …` and `kamal registry login`.

use futures_util::FutureExt as _;
use kamal_core::{
    error::Error,
    ops::{Needs, hooks, small},
    ports::BuildOrder,
};

use super::stoppable;
use crate::{args::build::PushArgs, context::Context, failure::Failure};

/// `build push`.
pub(super) async fn push(context: &Context, args: &PushArgs) -> Result<(), Failure> {
    let version = context.version()?;
    let cx = context.cx(&version);
    let mut needs = Needs::new();
    needs.registry(context.config());
    needs.build(context.config());
    needs.look_up(&*context.world.secrets)?;
    let found = hooks::present(&cx).await;
    hooks::run(&cx, &found, "pre-connect", hooks::Told::default()).await?;
    hooks::run(&cx, &found, "pre-build", hooks::Told::default()).await?;
    let order = BuildOrder { no_cache: args.no_cache, output: &args.output, ..context.order(&version) };
    stoppable(context, context.world.docker.build(&order).map(|built| built.map_err(|error| Error::from(error).into())))
        .await
}

/// `build pull`.
pub(super) async fn pull(context: &Context) -> Result<(), Failure> {
    let version = context.version()?;
    Ok(small::pull(&context.cx(&version), &version).await?)
}

/// `registry login`.
pub(super) async fn login(context: &Context, locally: bool, on_hosts: bool) -> Result<(), Failure> {
    let version = context.version_or_unknown();
    let mut needs = Needs::new();
    needs.registry(context.config());
    needs.look_up(&*context.world.secrets)?;
    if locally {
        let order = context.order(&version);
        stoppable(
            context,
            context.world.docker.login(&order).map(|done| done.map_err(|error| Error::from(error).into())),
        )
        .await?;
    }
    if on_hosts {
        small::login(&context.cx(&version)).await?;
    }
    Ok(())
}
