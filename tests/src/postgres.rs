//! A real PostgreSQL as an image, made of the packages of this machine's Debian, since none can be pulled.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use xtask::{
    command::run,
    error::{Error, Result},
    sandbox::{Sandbox, require_packages},
};

use crate::images::build_and_push;

/// Its tag in the sandbox's registry.
pub const IMAGE: &str = "10.77.0.1:5000/postgres:debian";

/// What the image runs besides PostgreSQL's own programs.
const TOOLS: [&str; 7] =
    ["/bin/sh", "/usr/bin/setpriv", "/bin/chown", "/bin/mkdir", "/bin/cat", "/bin/sleep", "/usr/bin/env"];

/// Makes a cluster where there is none, as the image people know does, and serves it.
const ENTRYPOINT: &str = r#"#!/bin/sh
set -e
mkdir -p "$PGDATA" /var/run/postgresql
chown -R 999:999 "$PGDATA" /var/run/postgresql
as() { setpriv --reuid=999 --regid=999 --clear-groups "$@"; }
if [ ! -e "$PGDATA/PG_VERSION" ]; then
  printf %s "$POSTGRES_PASSWORD" >/var/run/postgresql/password
  chown 999:999 /var/run/postgresql/password
  as initdb --username "${POSTGRES_USER:-postgres}" --pwfile /var/run/postgresql/password --auth-local trust \
    --auth-host scram-sha-256 --locale C --encoding UTF8 --no-sync
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  : >/var/run/postgresql/password
fi
exec setpriv --reuid=999 --regid=999 --clear-groups postgres -c listen_addresses='*' -c fsync=off
"#;

/// Builds and pushes it.
///
/// # Errors
///
/// When PostgreSQL cannot be installed, or docker refuses.
pub fn push(sandbox: &Sandbox) -> Result<()> {
    require_packages(&[("pg_ctlcluster", "postgresql"), ("setpriv", "util-linux")])?;
    let folder = sandbox.folder().with_file_name("postgres");
    let root = folder.join("root");
    let io = |what: &str| {
        let what = format!("{what} for the image {IMAGE}");
        move |source| Error::Io { what, source }
    };
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(io("making room"))?;
    }
    for inside in ["usr/lib", "lib", "lib64", "bin", "sbin", "etc", "tmp"] {
        fs::create_dir_all(root.join(inside)).map_err(io("making folders"))?;
    }
    let home = newest(Path::new("/usr/lib/postgresql"))?;
    let version = home.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut files: BTreeSet<PathBuf> = TOOLS.iter().map(PathBuf::from).collect();
    files.extend(entries(&home.join("bin"))?);
    // Compiling queries needs a compiler's library, larger than all the rest, and does without.
    let is_plain = |path: &PathBuf| !path.is_dir() && !path.to_string_lossy().contains("llvmjit");
    files.extend(entries(&home.join("lib"))?.into_iter().filter(is_plain));
    let libraries = libraries(&files)?;
    let folders = [format!("/usr/share/postgresql/{version}"), "/usr/share/zoneinfo".to_owned()].map(PathBuf::from);
    let mut copy = Command::new("cp");
    copy.args(["--parents", "--recursive", "--dereference", "--target-directory"]).arg(&root);
    run(copy.args(&files).args(&libraries).args(&folders))?;
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\npostgres:x:999:999::/:/bin/sh\n")
        .map_err(io("users"))?;
    fs::write(folder.join("entrypoint"), ENTRYPOINT).map_err(io("writing the entry point"))?;
    let dockerfile = format!(
        "FROM scratch\nCOPY root /\nCOPY --chmod=755 entrypoint /entrypoint\n\
         ENV PATH={home}/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data\nEXPOSE 5432\n\
         STOPSIGNAL SIGINT\nENTRYPOINT [\"/entrypoint\"]\n",
        home = home.display()
    );
    fs::write(folder.join("Dockerfile"), dockerfile).map_err(io("writing the Dockerfile"))?;
    build_and_push(sandbox, &folder, IMAGE)
}

/// The shared libraries of programs and libraries, as the loader finds them.
fn libraries(of: &BTreeSet<PathBuf>) -> Result<BTreeSet<PathBuf>> {
    let text = run(Command::new("ldd").args(of))?;
    let path = |line: &str| {
        let found = line.split_whitespace().find(|word| word.starts_with('/') && !word.ends_with(':'))?;
        line.starts_with('\t').then(|| PathBuf::from(found))
    };
    Ok(text.lines().filter_map(path).collect())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = fs::read_dir(folder);
    let listed = listed.map_err(|source| Error::Io { what: format!("listing {}", folder.display()), source })?;
    Ok(listed.flatten().map(|entry| entry.path()).collect())
}

fn newest(folder: &Path) -> Result<PathBuf> {
    entries(folder)?.into_iter().max().ok_or_else(|| Error::Refused(format!("nothing is in {}", folder.display())))
}
