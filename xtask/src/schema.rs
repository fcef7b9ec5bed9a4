//! The JSON schema of deploy.yml, as a file in the repository, where editors fetch it from.

use std::{fs, path::PathBuf};

use kamal_core::config::schema;

use crate::{
    command::note,
    error::{Context, Result},
    workspace,
};

const PATH: &str = "schema/deploy.schema.json";

/// Writes the schema.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write() -> Result<()> {
    let file = path();
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).context(|| format!("creating {}", folder.display()))?;
    }
    fs::write(&file, schema::text()).context(|| format!("writing {}", file.display()))?;
    note(format_args!("wrote {PATH}"));
    Ok(())
}

/// A complaint when the file is not what [`write()`] would write.
///
/// # Errors
///
/// When it is there and cannot be read.
pub(crate) fn check() -> Result<Option<String>> {
    let file = path();
    let text = if file.exists() {
        fs::read_to_string(&file).context(|| format!("reading {}", file.display()))?
    } else {
        String::new()
    };
    Ok((text != schema::text()).then(|| format!("{PATH}: is not fresh; run `cargo xtask schema`")))
}

fn path() -> PathBuf {
    workspace().join(PATH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_fresh() {
        assert_eq!(check().unwrap(), None);
    }
}
