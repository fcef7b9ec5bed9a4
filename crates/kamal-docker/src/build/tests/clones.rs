//! Clones of real repositories.

use std::{fs, path::Path};

use kamal_core::ports::{BuildError, Command};

use super::bench::Bench;

/// Prepares a clone and returns the folder to build in.
async fn prepared(bench: &Bench) -> String {
    bench.prepare().await.unwrap_or_else(|error| panic!("{error}\n{}", bench.told())).folder.unwrap()
}

async fn refused(bench: &Bench) -> String {
    bench.prepare().await.map(|_| ()).unwrap_err().to_string()
}

fn read(folder: &str, file: &str) -> String {
    fs::read_to_string(Path::new(folder).join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// How often a clone was made anew.
fn clones(bench: &Bench) -> usize {
    bench.git_ran().iter().filter(|line| line.contains(" clone ")).count()
}

#[tokio::test]
async fn what_is_committed_is_built() {
    let bench = Bench::new("driver: docker");
    bench.write("project/a", "1");
    bench.write("project/ü \"b\"\t'c'", "1");
    let first = bench.commit("project");
    bench.write("project/a", "2");
    bench.write("project/new", "2");
    let folder = prepared(&bench).await;
    assert!(folder.ends_with("/project/"), "{folder}");
    assert_eq!((read(&folder, "a"), read(&folder, "ü \"b\"\t'c'")), ("1".to_owned(), "1".to_owned()));
    assert!(!Path::new(&folder).join("new").exists());
    let told = bench.told();
    assert!(told.contains("ignoring these uncommitted changes:\n M a\n?? new\n"), "{told}");
    // What a build leaves in the clone goes.
    bench.write("tmp/x", "");
    fs::write(Path::new(&folder).join("left"), "").unwrap();
    fs::write(Path::new(&folder).join("a"), "changed").unwrap();
    let second = bench.commit("project");
    assert_eq!(prepared(&bench).await, folder);
    assert_eq!(read(&folder, "a"), "2");
    assert!(!Path::new(&folder).join("left").exists());
    assert_eq!(bench.git(&folder, &["rev-parse", "HEAD", "main"]), format!("{second}\n{second}"));
    // It is not silent while it goes on, and tells nothing but how far it is.
    let shown = bench.shown();
    assert!(!shown.is_empty() && shown.lines().all(|line| line.contains("% (")), "{shown}");
    // On no branch, and on a commit that none leads to.
    bench.git("project", &["checkout", "--quiet", "--detach", &first]);
    bench.write("project/a", "3");
    let third = bench.commit("project");
    assert_eq!(prepared(&bench).await, folder);
    assert_eq!((read(&folder, "a"), bench.git(&folder, &["rev-parse", "HEAD"])), ("3".to_owned(), third));
    assert_eq!(clones(&bench), 1, "{}", bench.told());
    // One that is broken is made anew.
    fs::write(Path::new(&folder).join(".git/index.lock"), "").unwrap();
    assert_eq!(prepared(&bench).await, folder);
    assert_eq!((read(&folder, "a"), clones(&bench)), ("3".to_owned(), 2));
    assert!(bench.told().contains("deleting and retrying..."));
}

#[tokio::test]
async fn a_project_may_be_a_part_of_a_repository() {
    let bench = Bench::new("driver: docker");
    bench.write("project/apps/my app/Dockerfile", "FROM scratch");
    bench.commit("project");
    let mut bench = bench;
    bench.machine.project = bench.root().join("project/apps/my app");
    let folder = prepared(&bench).await;
    assert!(folder.ends_with("/project/apps/my app/"), "{folder}");
    assert_eq!(read(&folder, "Dockerfile"), "FROM scratch");
    // It is the commit that is built, so the Dockerfile has to be in it.
    bench.write("project/apps/new/Dockerfile", "FROM scratch");
    bench.machine.project = bench.root().join("project/apps/new");
    assert!(refused(&bench).await.starts_with("Dockerfile is not committed"));
}

#[tokio::test]
async fn folders_without_a_commit() {
    let mut bench = Bench::new("driver: docker");
    assert!(bench.prepare().await.unwrap().folder.is_none());
    assert_eq!(bench.told(), "");
    bench.git("project", &["init", "--quiet"]);
    let said = refused(&bench).await;
    assert!(said.contains("has no commits yet") && said.contains("context: ."), "{said}");
    let english = |command: &Command| command.env.iter().any(|(name, value)| name == "LC_ALL" && value.expose() == "C");
    assert!(bench.machine.ran.lock().unwrap().iter().all(english), "what it says is read");
    bench.machine.missing.push("git");
    assert!(bench.prepare().await.unwrap().folder.is_none());
    assert!(bench.told().contains("git is not installed"));
    // Who builds the folder as it is needs no commit.
    let bench = Bench::new("driver: docker, context: .");
    bench.git("project", &["init", "--quiet"]);
    assert!(bench.prepare().await.unwrap().folder.is_none());
    assert_eq!(bench.told(), "Building with uncommitted changes:\n?? Dockerfile");
}

#[tokio::test]
async fn work_trees_and_shallow_clones() {
    let bench = Bench::new("driver: docker");
    bench.write("project/a", "1");
    bench.commit("project");
    bench.git("project", &["worktree", "add", "--quiet", "-b", "other", "../beside"]);
    bench.write("beside/a", "2");
    let commit = bench.commit("beside");
    let mut bench = bench;
    bench.machine.project = bench.root().join("beside");
    let folder = prepared(&bench).await;
    assert_eq!((read(&folder, "a"), bench.git(&folder, &["rev-parse", "HEAD"])), ("2".to_owned(), commit));
    // A clone that lacks its history is built from, too, and again after its next commit.
    let url = format!("file://{}", bench.root().join("beside").display());
    bench.git("", &["clone", "--quiet", "--depth", "1", &url, "shallow"]);
    bench.machine.project = bench.root().join("shallow");
    let folder = prepared(&bench).await;
    assert_eq!(read(&folder, "a"), "2");
    bench.write("shallow/a", "3");
    bench.commit("shallow");
    assert_eq!(read(&prepared(&bench).await, "a"), "3");
    assert_eq!(clones(&bench), 2, "{}", bench.told());
}

#[tokio::test]
async fn builds_side_by_side_have_clones_of_their_own() {
    let bench = Bench::new("driver: docker");
    bench.write("project/a", "1");
    bench.commit("project");
    let first = bench.prepare().await.unwrap();
    let second = bench.prepare().await.unwrap();
    assert_ne!(first.folder, second.folder);
    let folder = first.folder.clone().unwrap();
    drop(first);
    // Free again, and used again.
    assert_eq!(prepared(&bench).await, folder);
    assert_eq!(clones(&bench), 2);
    drop(second);
}

#[tokio::test]
async fn what_a_hook_of_gits_sets_does_not_lead_astray() {
    let mut bench = Bench::new("driver: docker");
    bench.write("project/a", "1");
    bench.commit("project");
    prepared(&bench).await;
    bench.write("project/a", "2");
    bench.commit("project");
    bench.write("project/precious", "not committed");
    let git = bench.root().join("project/.git").to_string_lossy().into_owned();
    bench.machine.env = vec![("GIT_INDEX_FILE".to_owned(), format!("{git}/index")), ("GIT_DIR".to_owned(), git)];
    let folder = prepared(&bench).await;
    assert_eq!(read(&folder, "a"), "2");
    bench.machine.env.clear();
    assert_eq!(bench.git("project", &["status", "--porcelain"]), "?? precious");
    assert_eq!(clones(&bench), 1, "{}", bench.told());
}

#[tokio::test]
async fn a_repository_of_somebody_elses_is_read_where_git_is_told_to() {
    fn give_away(path: &Path) -> std::io::Result<()> {
        std::os::unix::fs::lchown(path, Some(65_534), Some(65_534))?;
        if path.is_dir() && !path.is_symlink() {
            for entry in fs::read_dir(path)? {
                give_away(&entry?.path())?;
            }
        }
        Ok(())
    }
    let bench = Bench::new("driver: docker");
    bench.write("project/a", "1");
    bench.commit("project");
    // Only root can give files away.
    if give_away(&bench.machine.project).is_err() {
        return;
    }
    let said = refused(&bench).await;
    assert!(said.contains("belongs to somebody else") && said.contains("safe.directory"), "{said}");
    bench.write("home/.gitconfig", &format!("[safe]\n\tdirectory = {}\n", bench.machine.project.display()));
    for _ in 0..2 {
        assert_eq!(read(&prepared(&bench).await, "a"), "1");
    }
    assert_eq!(clones(&bench), 1, "{}", bench.told());
}

#[tokio::test]
async fn pointers_of_git_lfs_are_told() {
    let bench = Bench::new("driver: docker");
    bench.write("project/.gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    bench.write("project/a.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
    bench.write("project/b.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n");
    bench.write("project/c.bin", "its content");
    bench.write("project/d.md", "version https://git-lfs.github.com/spec/v1 is what a pointer begins with\n");
    bench.commit("project");
    prepared(&bench).await;
    assert!(bench.told().contains("pointers of Git LFS in place of a.bin and 1 more"), "{}", bench.told());
}

/// A forge with repositories of their own, submodules of one another: app → lib → `deep er`, by relative addresses; and
/// a work tree of app that is cloned from there, its submodules checked out.
fn with_submodules(bench: &Bench) {
    bench.write("home/.gitconfig", "[protocol \"file\"]\n\tallow = always\n");
    for (name, submodule) in [("deep er", None), ("lib", Some("deep er")), ("app", Some("lib"))] {
        bench.write(&format!("made/{name}/{name}.txt"), "1");
        bench.write(&format!("made/{name}/Dockerfile"), "FROM scratch");
        bench.commit(&format!("made/{name}"));
        if let Some(submodule) = submodule {
            let bare = format!("../../forge/{submodule}.git");
            bench.git(&format!("made/{name}"), &["submodule", "add", "--quiet", &bare, &format!("vendor/{submodule}")]);
            bench.git(
                &format!("made/{name}"),
                &[
                    "config",
                    "-f",
                    ".gitmodules",
                    &format!("submodule.vendor/{submodule}.url"),
                    &format!("../{submodule}.git"),
                ],
            );
            bench.commit(&format!("made/{name}"));
        }
        let to = format!("../forge/{name}.git");
        fs::create_dir_all(bench.root().join("forge")).unwrap();
        bench.git("made", &["clone", "--quiet", "--bare", name, &to]);
    }
    fs::remove_dir_all(&bench.machine.project).unwrap();
    bench.git("", &["clone", "--quiet", "forge/app.git", "project"]);
    bench.git("project", &["remote", "set-url", "origin", &bench.root().join("forge/app.git").to_string_lossy()]);
}

#[tokio::test]
async fn submodules_are_taken_from_the_work_tree() {
    let bench = Bench::new("driver: docker");
    with_submodules(&bench);
    bench.git("project", &["submodule", "update", "--quiet", "--init", "--recursive"]);
    // Nothing can be fetched any more.
    fs::remove_dir_all(bench.root().join("forge")).unwrap();
    fs::remove_dir_all(bench.root().join("made")).unwrap();
    bench.write("home/.gitconfig", "");
    let folder = prepared(&bench).await;
    assert_eq!(read(&folder, "vendor/lib/lib.txt"), "1");
    assert_eq!(read(&folder, "vendor/lib/vendor/deep er/deep er.txt"), "1");
    // A commit no branch leads to, in the deepest.
    bench.git("project/vendor/lib/vendor/deep er", &["checkout", "--quiet", "--detach"]);
    bench.write("project/vendor/lib/vendor/deep er/deep er.txt", "2");
    bench.write("project/vendor/lib/lib.txt", "2");
    for part in ["vendor/lib/vendor/deep er", "vendor/lib", ""] {
        bench.commit(&format!("project/{part}"));
    }
    bench.write("project/vendor/lib/lib.txt", "not committed");
    fs::write(Path::new(&folder).join("vendor/lib/left"), "").unwrap();
    assert_eq!(prepared(&bench).await, folder);
    assert_eq!(read(&folder, "vendor/lib/lib.txt"), "2");
    assert_eq!(read(&folder, "vendor/lib/vendor/deep er/deep er.txt"), "2");
    assert!(!Path::new(&folder).join("vendor/lib/left").exists());
    // What git keeps of one that is not checked out.
    bench.git("project", &["submodule", "deinit", "--quiet", "--force", "--all"]);
    assert_eq!(prepared(&bench).await, folder);
    assert_eq!(read(&folder, "vendor/lib/vendor/deep er/deep er.txt"), "2");
    // One that is no longer there, and comes back.
    bench.git("project", &["rm", "--quiet", "--cached", "vendor/lib", ".gitmodules"]);
    fs::remove_file(bench.machine.project.join(".gitmodules")).unwrap();
    bench.git("project", &["commit", "--quiet", "--message", "without"]);
    assert_eq!(prepared(&bench).await, folder);
    assert!(!Path::new(&folder).join("vendor/lib/lib.txt").exists());
    bench.git("project", &["reset", "--quiet", "--hard", "HEAD~1"]);
    assert_eq!(prepared(&bench).await, folder);
    assert_eq!(read(&folder, "vendor/lib/lib.txt"), "2");
    assert_eq!(clones(&bench), 1, "{}", bench.told());
    assert!(!bench.told().contains("Fetching"), "{}", bench.told());
}

#[tokio::test]
async fn submodules_the_work_tree_lacks_are_fetched_from_where_it_would() {
    let bench = Bench::new("driver: docker");
    with_submodules(&bench);
    let folder = prepared(&bench).await;
    assert_eq!(read(&folder, "vendor/lib/lib.txt"), "1");
    assert_eq!(read(&folder, "vendor/lib/vendor/deep er/deep er.txt"), "1");
    assert!(bench.told().contains("Fetching the submodule vendor/lib"), "{}", bench.told());
    assert_eq!(clones(&bench), 1, "{}", bench.told());
    // What cannot be had is an error.
    let bench = Bench::new("driver: docker");
    with_submodules(&bench);
    fs::remove_dir_all(bench.root().join("forge/lib.git")).unwrap();
    let error = bench.prepare().await.map(|_| ()).unwrap_err();
    assert!(matches!(error, BuildError::Failed { .. }) && error.to_string().contains("lib.git"), "{error}");
}
