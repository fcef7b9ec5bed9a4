//! Hooks as files of the project: programs, run locally.

use async_trait::async_trait;

use super::NAMES;
use crate::{
    config::Config,
    ports::{Chunk, Command, Exit, HookOrder, HookProject, Hooks, LocalError},
};

/// The hooks in the folder `hooks_path` of a configuration, `.kamal/hooks` by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct HookFiles;

#[async_trait]
impl Hooks for HookFiles {
    async fn present(&self, project: &HookProject<'_>) -> Vec<String> {
        let files = project.local.list(&project.config.hooks_path).await;
        files.into_iter().filter(|file| NAMES.contains(&file.as_str())).collect()
    }

    async fn run(
        &self,
        order: &HookOrder<'_>,
        output: &mut (dyn for<'c> FnMut(Chunk<'c>) + Send),
    ) -> Result<Exit, LocalError> {
        let mut command = Command::new(path(order.project.config, order.name), [] as [&str; 0]);
        command.env = order.env.to_vec();
        order.project.local.run(&command, output).await
    }
}

/// A hook's path: never a name that would be looked up in `PATH`.
pub(super) fn path(config: &Config, name: &str) -> String {
    let path = format!("{}/{name}", config.hooks_path);
    if path.starts_with('/') { path } else { format!("./{path}") }
}
