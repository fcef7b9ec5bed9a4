//! What was reported and how it should be: projects to try it with, as folders of tests/cases/reports. HOST and HOST2 stand
//! for hosts there, REGISTRY and IMAGE for what the sandbox has.

use std::{fs, path::Path};

use filled::filled;

use crate::{app::App, rig::rig};

#[path = "../shared/filled.rs"]
mod filled;

/// An image of a server that answers, and another one.
pub const IMAGES: [&str; 2] = ["10.77.0.1:5000/postgres:16", "10.77.0.1:5000/redis:7"];

/// The server with a shell beside it.
const DOCKERFILE: &str = "\
FROM scratch
COPY busybox /bin/busybox
RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]
ENV PATH=/bin
ARG B=default
RUN echo \"<$B>\" > /b
COPY server /server
CMD [\"/server\"]
";

/// Where the shell is found; Debian's package is busybox-static.
const BUSYBOX: &str = "/bin/busybox";

/// Gives the project a Dockerfile with a shell, and the command's user a key for the hosts, as files of cases name none.
pub(crate) fn prepare(app: &App) {
    let folder = app.project.folder();
    fs::copy(BUSYBOX, folder.join("busybox")).expect("busybox can be copied; install the package busybox-static");
    let key = rig().sandbox.key();
    let config = format!("Host *\n  IdentityFile {}\n  IdentitiesOnly yes\n", key.display());
    fs::write(folder.with_file_name("home").join(".ssh/config"), config).expect("~/.ssh/config can be written");
}

/// Puts the files of a case in the place of the project's own.
pub(crate) fn put(app: &App, name: &str) {
    for folder in ["config", ".kamal"] {
        // Absent is as good.
        drop(fs::remove_dir_all(app.project.folder().join(folder)));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/reports").join(name);
    copy(app, &folder, Path::new(""));
    app.project.write("Dockerfile", DOCKERFILE).expect("the Dockerfile can be written");
}

fn copy(app: &App, folder: &Path, inside: &Path) {
    let entries = fs::read_dir(folder.join(inside)).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let entry = entry.expect("a case's folder can be read");
        let path = inside.join(entry.file_name());
        if entry.path().is_dir() {
            copy(app, folder, &path);
            continue;
        }
        let hosts: Vec<String> = app.hosts().iter().map(|host| host.address.to_string()).collect();
        let text = fs::read_to_string(entry.path()).expect("a case's files are text");
        let text = filled(&text, &hosts, rig().sandbox.registry(), IMAGES[0]);
        let mode = entry.metadata().expect("a file has a mode").permissions();
        app.project.write(&path.display().to_string(), &text).expect("a case's file can be written");
        fs::set_permissions(app.project.folder().join(path), mode).expect("a mode can be set");
    }
}
