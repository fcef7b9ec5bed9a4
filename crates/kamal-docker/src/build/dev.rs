//! `build dev`: an image of the work tree as it is, and which of its files nobody has committed (spec 9.4).

use kamal_core::{
    event::{EventKind, Tone},
    ports::{BuildOrder, Command},
};

use super::{ignore::Ignored, program::ask};

/// Tells which files get into the image that are not in the repository as they are.
pub(super) async fn warn(order: &BuildOrder<'_>) {
    let context = order.config.builder.context.as_deref().unwrap_or(".");
    // What a shell fills in, or docker fetches, is no folder to look into.
    if context.contains(['$', '`', ':']) || context.starts_with('~') {
        return;
    }
    let ignored = ignored(order, context).await;
    for (kind, option) in [("Files with uncommitted changes", "--modified"), ("Untracked files", "--others")] {
        let command = Command::new("git", ["ls-files", "-z", option]).in_folder(context);
        let Some(listed) = ask(order, &command).await else { return };
        let mut files: Vec<&str> = Vec::new();
        for file in listed.split('\0').filter(|file| !file.is_empty() && !ignored.leaves_out(file)) {
            // One that was deleted is modified, too.
            if order.local.exists(&format!("{context}/{file}")).await {
                files.push(file);
            }
        }
        files.sort_unstable();
        files.dedup();
        if !files.is_empty() {
            let list = files.iter().map(|file| format!("\n  {file}")).collect::<String>();
            let text = format!("WARNING: {kind} will be present in the dev container:{list}\n");
            order.events.emit(EventKind::tell(Tone::Warning, text));
        }
    }
}

/// What docker leaves out: as the file beside the Dockerfile says, or the context's.
async fn ignored(order: &BuildOrder<'_>, context: &str) -> Ignored {
    let of_dockerfile = format!("{}.dockerignore", order.config.builder.dockerfile);
    for path in [of_dockerfile, format!("{context}/.dockerignore")] {
        if let Ok(text) = order.local.read(&path).await {
            return Ignored::parse(&String::from_utf8_lossy(&text));
        }
    }
    Ignored::default()
}
