//! Steps as shell text. Files and the audit log are spelled here, the lock in `lock`; the rest belongs to Docker's or the
//! proxy's dialect.

use base64::Engine as _;
use zeroize::Zeroizing;

use crate::{
    lock, naming,
    ports::{Render, RenderError, World},
    secret::Secret,
    shell::{
        Text,
        escape::{self, env_file_value, word},
    },
    step::Step,
};

/// Shell text for any step.
///
/// # Errors
///
/// When a secret it needs cannot be had, and when no adapter knows the step.
pub fn step(world: &World, step: &Step, cx: &Render<'_>) -> Result<Text, RenderError> {
    if let Some(text) = own(step, cx)? {
        return Ok(text);
    }
    if let Some(text) = world.docker.render(step, cx)? {
        return Ok(text);
    }
    if let Some(text) = world.proxy.render(step, cx)? {
        return Ok(text);
    }
    Err(RenderError::Unknown(step.to_string()))
}

fn own(step: &Step, cx: &Render<'_>) -> Result<Option<Text>, RenderError> {
    Ok(Some(match step {
        Step::WriteEnv { path, secrets } => {
            let mut content = Zeroizing::new(String::new());
            for name in secrets {
                let missing = |source| RenderError::Secret { source, needed_by: path.clone() };
                let secret = cx.secrets.get(&name.key).map_err(missing)?;
                let value = Zeroizing::new(env_file_value(secret.expose()));
                content.extend([&name.name, "=", value.as_str(), "\n"]);
            }
            // Kamal never writes an empty file (spec 5.7), so neither do we.
            let content = if content.is_empty() { "\n" } else { &content };
            write_file(path, content.as_bytes(), 0o600)
        }
        Step::WriteSecret { path, key, mode, reader } => {
            let missing = |source| RenderError::Secret { source, needed_by: path.clone() };
            let secret = cx.secrets.get(key).map_err(missing)?;
            match reader {
                Some(reader) => write_file_for(path, secret.expose().as_bytes(), *reader, *mode),
                None => write_file(path, secret.expose().as_bytes(), *mode),
            }
        }
        Step::WriteFile { path, content, mode } => {
            let content = content.content().ok_or_else(|| RenderError::Content(path.clone()))?;
            write_file(path, content, *mode)
        }
        Step::NoteRollout { path, rollout } => write_file(path, rollout.note().as_bytes(), 0o644),
        Step::MakeDirectory { path, mode, owner } => {
            let path = escape::path(path);
            let mut text = format!("mkdir -p {path}");
            if let Some(mode) = mode {
                text.push_str(&format!(" && chmod {} {path}", word(mode)));
            }
            if let Some(owner) = owner {
                text.push_str(&format!(" && chown {} {path}", word(owner)));
            }
            text.into()
        }
        Step::AcquireLock { directory, taking } => lock::acquire(directory, taking).into(),
        Step::RenewLock { directory, id } => lock::renew(directory, id).into(),
        Step::ReleaseLock { directory, id } => lock::release(directory, id.as_deref()).into(),
        Step::Audit { text, role } => audit(text, role.as_deref(), cx).into(),
        Step::KeepOnly { directory, pattern, keep } => {
            let only = pattern.as_ref().map(|pattern| format!(" -name {}", word(pattern))).unwrap_or_default();
            format!(
                "[ ! -d {0} ] || find {0} -mindepth 1 -maxdepth 1{only} ! -name {1} -exec rm -rf {{}} +",
                word(directory),
                word(keep)
            )
            .into()
        }
        Step::ChangeMode { path, mode } => format!("chmod -R {} {}", word(mode), word(path)).into(),
        Step::ChangeOwner { path, owner } => format!("chown -R {} {}", word(owner), word(path)).into(),
        Step::Remove { path } => format!("rm -rf {}", word(path)).into(),
        Step::AwaitGate { .. } => Text::from(":"),
        _ => return Ok(None),
    }))
}

/// Writes a file beside its place and renames it, so that it is never seen in part nor at a wider mode. The text ends with
/// a here document: what follows begins on a new line.
#[must_use]
pub(crate) fn write_file(path: &str, content: &[u8], mode: u32) -> Text {
    let folder = path.rsplit_once('/').map_or(".", |(folder, _)| folder);
    // Base64 keeps every byte, and a here document keeps it out of every argument vector.
    let encoded = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(content));
    let mut text = Text::from(format!(
        "mkdir -p {} && (umask 077; base64 -d > {}) <<'KAMAL_FILE' && chmod {mode:04o} {} && mv -f {} {}\n",
        word(folder),
        temporary(path),
        temporary(path),
        temporary(path),
        word(path)
    ));
    text.push_secret(Secret::new(wrapped(&encoded, 76))).push("KAMAL_FILE");
    text
}

/// Writes a file as `write_file` does, for the eyes of one user; where files cannot be given away, at a mode instead.
#[must_use]
pub fn write_file_for(path: &str, content: &[u8], reader: u32, mode: u32) -> Text {
    let mut text = write_file(path, content, 0o600);
    let path = word(path);
    text.push(&format!("\n[ $? -eq 0 ] && {{ chown {reader} {path} 2>/dev/null || chmod {mode:04o} {path}; }}"));
    text
}

fn temporary(path: &str) -> String {
    word(&format!("{path}.kamal-new"))
}

fn wrapped(text: &str, width: usize) -> String {
    text.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line) + "\n").collect()
}

fn audit(text: &str, role: Option<&str>, cx: &Render<'_>) -> String {
    let time = cx.now.strftime("%Y-%m-%dT%H:%M:%SZ");
    let tags = [Some(cx.performer), cx.config.destination.as_deref(), role].into_iter().flatten();
    let tags: String = tags.map(|tag| format!(" [{tag}]")).collect();
    let line = format!("[{time}]{}", cx.secrets.redactor().text(&format!("{tags} {text}")));
    format!(
        "mkdir -p {} && printf '%s\\n' {} >> {}",
        naming::RUN_DIRECTORY,
        word(&line),
        word(&naming::audit_log(cx.config))
    )
}
