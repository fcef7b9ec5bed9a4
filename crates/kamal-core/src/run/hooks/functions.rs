//! Hooks as functions of the program that embeds the engine.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use futures_util::{FutureExt, future::BoxFuture};

use super::{super::panics::refusing, NAMES};
use crate::{
    ports::{Chunk, Exit, HookOrder, HookProject, Hooks, LocalError, Refusal},
    secret::Secret,
};

/// Functions that run as hooks, by name, after those of others if there are any.
///
/// ```
/// use kamal_core::run::hooks::{HookFiles, HookFunctions};
///
/// let hooks = HookFunctions::after(HookFiles).on("pre-deploy", |told| async move {
///     match told.env("KAMAL_VERSION") {
///         Some(version) if version.starts_with("rc") => Err("no release candidates on Fridays".into()),
///         _ => Ok(()),
///     }
/// });
/// # drop(hooks);
/// ```
#[derive(Clone, Default)]
pub struct HookFunctions {
    functions: BTreeMap<&'static str, Vec<Function>>,
    first: Option<Arc<dyn Hooks>>,
}

type Function = Arc<dyn Fn(HookCall) -> BoxFuture<'static, Result<(), Refusal>> + Send + Sync>;

/// What a hook is told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HookCall {
    /// Its name.
    pub name: String,
    /// Its variables.
    pub variables: Vec<(String, Secret)>,
}

impl HookCall {
    /// A variable.
    #[must_use]
    pub fn env(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.expose())
    }
}

impl HookFunctions {
    /// None yet, and no others.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// None yet; those that are added run after others of their name.
    #[must_use]
    pub fn after(others: impl Hooks + 'static) -> Self {
        Self { first: Some(Arc::new(others)), ..Self::default() }
    }

    /// Runs a function as a hook. Its error is what the hook prints, and ends the operation.
    ///
    /// # Panics
    ///
    /// When there is no such hook: see [`NAMES`].
    #[must_use]
    pub fn on<F, W>(mut self, name: &str, function: F) -> Self
    where
        F: Fn(HookCall) -> W + Send + Sync + 'static,
        W: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        let known = NAMES.into_iter().find(|known| *known == name);
        let Some(name) = known else { panic!("there is no hook {name:?}; there are {}", NAMES.join(", ")) };
        self.functions.entry(name).or_default().push(Arc::new(move |told| function(told).boxed()));
        self
    }
}

#[async_trait]
impl Hooks for HookFunctions {
    async fn present(&self, project: &HookProject<'_>) -> Vec<String> {
        let mut names = match &self.first {
            Some(first) => first.present(project).await,
            None => Vec::new(),
        };
        names.extend(self.functions.keys().map(|name| (*name).to_owned()));
        names
    }

    async fn run(
        &self,
        order: &HookOrder<'_>,
        output: &mut (dyn for<'c> FnMut(Chunk<'c>) + Send),
    ) -> Result<Exit, LocalError> {
        if let Some(first) = &self.first
            && first.present(&order.project).await.iter().any(|name| name == order.name)
        {
            let exit = first.run(order, output).await?;
            if !exit.success() {
                return Ok(exit);
            }
        }
        let told = HookCall { name: order.name.to_owned(), variables: order.env.to_vec() };
        for function in self.functions.get(order.name).into_iter().flatten() {
            if let Err(error) = refusing(async { function(told.clone()).await }).await {
                output(Chunk::Stderr(format!("{error}\n").as_bytes()));
                return Ok(Exit(1));
            }
        }
        Ok(Exit(0))
    }
}

impl std::fmt::Debug for HookFunctions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HookFunctions").field("first", &self.first).field("on", &self.functions.keys()).finish()
    }
}
