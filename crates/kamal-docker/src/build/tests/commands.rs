//! What is run for each form of builder: the lines Kamal runs.

use kamal_core::{
    build::BuildTask,
    ports::{Access, BuildError, Command, ImageLayer, ImageVariant},
};

use super::bench::{Bench, Neighbour};

const BEGIN: &str = "docker buildx build --output=type=registry --platform linux/amd64";
const TAGS: &str = "-t dhh/app:123 -t dhh/app:latest";
const LOCAL: &str = "--builder kamal-local-docker-container";

/// The line of a build, and what its environment holds.
async fn built(bench: &Bench) -> (String, Vec<String>) {
    bench.push().await.unwrap();
    let command = bench.build();
    (command.to_string(), command.env.iter().map(|(name, value)| format!("{name}={}", value.expose())).collect())
}

#[tokio::test]
async fn settings_are_told_to_buildx_as_kamal_tells_them() {
    for (builder, end) in [
        ("", "--label service=app --file Dockerfile ."),
        ("cache: {type: gha}", "--cache-to type=gha --cache-from type=gha --label service=app --file Dockerfile ."),
        (
            "cache: {type: gha, options: \"mode=max,scope=test\"}",
            "--cache-to type=gha,mode=max,scope=test --cache-from type=gha,scope=test --label service=app --file Dockerfile .",
        ),
        (
            "cache: {type: registry, options: mode=max}",
            "--cache-to type=registry,ref=dhh/app-build-cache,mode=max --cache-from type=registry,ref=dhh/app-build-cache \
             --label service=app --file Dockerfile .",
        ),
        (
            "cache: {type: registry, image: kamal}",
            "--cache-to type=registry,ref=kamal --cache-from type=registry,ref=kamal --label service=app --file Dockerfile .",
        ),
        (
            "args: {a: 1, b: two words, C: \"\", D: , E: true}",
            "--label service=app --build-arg a=1 --build-arg 'b=two words' --build-arg C= --build-arg D --build-arg E=true \
             --file Dockerfile .",
        ),
        (
            "secrets: [token_a, token_b]",
            "--label service=app --secret id=token_a --secret id=token_b --file Dockerfile .",
        ),
        ("target: prod", "--label service=app --file Dockerfile --target prod ."),
        ("ssh: default", "--label service=app --file Dockerfile --ssh default ."),
        ("context: ./foo", "--label service=app --file Dockerfile ./foo"),
        ("provenance: mode=max", "--label service=app --file Dockerfile --provenance mode=max ."),
        ("provenance: false", "--label service=app --file Dockerfile --provenance false ."),
        ("sbom: true", "--label service=app --file Dockerfile --sbom true ."),
        ("sbom: false", "--label service=app --file Dockerfile --sbom false ."),
    ] {
        let (line, env) = built(&Bench::new(builder)).await;
        assert_eq!(line, format!("{BEGIN} {LOCAL} {TAGS} {end}"), "{builder}");
        let secrets = if builder.starts_with("secrets") { 2 } else { 0 };
        assert_eq!(env.len(), secrets + 1, "{env:?}");
        assert!(env[secrets].starts_with("DOCKER_CONFIG=") && env[secrets].ends_with("/scratch"), "{env:?}");
    }
    let bench = Bench::new("ssh: default=$SSH_AUTH_SOCK");
    let text =
        format!("exec {BEGIN} {LOCAL} {TAGS} --label service=app --file Dockerfile --ssh default=$SSH_AUTH_SOCK .");
    assert_eq!(built(&bench).await.0, format!("sh -c '{text}'"));
    let bench = Bench::new("dockerfile: Dockerfile.xyz");
    let error = bench.push().await.unwrap_err().to_string();
    assert!(error.starts_with("Missing Dockerfile.xyz"), "{error}");
    bench.write("project/Dockerfile.xyz", "");
    assert!(built(&bench).await.0.ends_with("--file Dockerfile.xyz ."));
    let bench = Bench::new("");
    bench.perform(&BuildTask::Push { no_cache: true, output: "docker".to_owned() }).await.unwrap();
    let line = bench.build().to_string();
    assert!(line.contains("--output=type=docker") && line.ends_with("--file Dockerfile --no-cache ."), "{line}");
}

#[tokio::test]
async fn the_builder_follows_from_the_architectures_of_both_machines() {
    let remote = "remote: \"ssh://app@127.0.0.1\"";
    for (arch, rest, platforms, name) in [
        ("amd64", "driver: docker".to_owned(), "amd64", None),
        (
            "amd64",
            "driver: \"cloud docker-org-name/builder-name\"".to_owned(),
            "amd64",
            Some("cloud-docker-org-name-builder-name"),
        ),
        ("amd64", "driver: kubernetes".to_owned(), "amd64", Some("kamal-local-kubernetes")),
        (
            "[amd64, arm64]",
            remote.to_owned(),
            "amd64,linux/arm64",
            Some("kamal-hybrid-docker-container-ssh---app-127-0-0-1"),
        ),
        (
            "[amd64, arm64]",
            format!("local: false, {remote}"),
            "amd64,linux/arm64",
            Some("kamal-remote-ssh---app-127-0-0-1"),
        ),
        ("arm64", remote.to_owned(), "arm64", Some("kamal-remote-ssh---app-127-0-0-1")),
        ("amd64", remote.to_owned(), "amd64", Some("kamal-local-docker-container")),
        ("amd64", format!("local: false, {remote}"), "amd64", Some("kamal-remote-ssh---app-127-0-0-1")),
        (
            "arm64",
            "remote: \"ssh://App@1.1.1.5:2122\"".to_owned(),
            "arm64",
            Some("kamal-remote-ssh----pp-1-1-1-5-2122"),
        ),
        ("arm64", "remote: \"tcp://b:2375\"".to_owned(), "arm64", Some("kamal-remote-tcp---b-2375")),
    ] {
        let mut bench =
            Bench::of(&format!("registry: {{username: dhh, password: [P]}}\nbuilder: {{arch: {arch}, {rest}}}"));
        let there = name.is_some_and(|name| name.contains("remote") || name.contains("hybrid"));
        let url = bench.config.builder.remote.clone().unwrap_or_default();
        let endpoint = format!("Endpoint: {}-context\n", name.unwrap_or_default());
        bench.machine.answers.push(("docker buildx inspect", 0, endpoint.leak()));
        bench.machine.answers.push(("docker context inspect", 0, url.leak()));
        let (line, env) = built(&bench).await;
        let name = name.map(|name| format!("--builder {name} ")).unwrap_or_default();
        let begin = format!("docker buildx build --output=type=registry --platform linux/{platforms} {name}-t ");
        assert!(line.starts_with(&begin), "{line}\n{begin}");
        // The other machine asks the registry by itself, and only there may that be in reach.
        assert_eq!(env.contains(&"BUILDKIT_NO_CLIENT_TOKEN=1".to_owned()), there, "{line}");
        assert!(env.last().unwrap().starts_with("DOCKER_CONFIG="), "{line}");
        let ran = bench.machine.ran.lock().unwrap();
        let script = ran.iter().find(|command| command.to_string() == "sh -s").unwrap().input.clone().unwrap();
        assert_eq!(script.expose().contains("docker login"), !there, "{line}");
        drop(ran);
        assert!(!bench.ran().iter().any(|line| line.contains(" create ")), "what is right is used: {:?}", bench.ran());
    }
}

/// What is run about builders and contexts, of what `docker` says there is.
async fn changes(bench: &Bench) -> Vec<String> {
    bench.push().await.unwrap();
    let about = |line: &String| line.contains(" create ") || line.contains(" rm ") || line.starts_with("ssh");
    bench.ran().into_iter().filter(about).collect()
}

#[tokio::test]
async fn a_builder_that_is_not_there_is_made() {
    const NONE: (&str, i32, &str) = ("docker buildx inspect", 1, "ERROR: no builder \"x\" found\n");
    const NO_CONTEXT: (&str, i32, &str) = ("docker context inspect", 1, "context \"x\": context not found: open …\n");
    let registry = |server: &str, rest: &str| {
        let mut bench = Bench::of(&format!("registry: {{{server}}}\nbuilder: {{{rest}}}"));
        bench.machine.answers.extend([NONE, NO_CONTEXT]);
        bench
    };
    let hub = "username: dhh, password: [P]";
    let local = "server: \"localhost:5000\"";
    let remote = "remote: \"ssh://app@1.1.1.5\"";
    let ssh = "ssh -o StrictHostKeyChecking=accept-new -o ConnectTimeout=30 -l app -- 1.1.1.5 true";
    for (registry_is, builder, expected) in [
        (
            hub,
            "arch: amd64".to_owned(),
            vec!["docker buildx create --name kamal-local-docker-container --driver=docker-container"],
        ),
        (hub, "arch: amd64, driver: docker".to_owned(), vec![]),
        (hub, "arch: amd64, driver: \"cloud o/b\"".to_owned(), vec!["docker buildx create --driver cloud o/b"]),
        (
            local,
            "arch: amd64".to_owned(),
            vec![
                "docker buildx create --name kamal-local-registry-docker-container --driver=docker-container \
                 --driver-opt network=host",
            ],
        ),
        (
            local,
            format!("arch: arm64, {remote}"),
            vec![
                ssh,
                "docker context create kamal-remote-ssh---app-1-1-1-5-local-registry-context --description \
                 'kamal-remote-ssh---app-1-1-1-5-local-registry host' --docker host=ssh://app@1.1.1.5",
                "docker buildx create --name kamal-remote-ssh---app-1-1-1-5-local-registry --driver-opt network=host \
                 kamal-remote-ssh---app-1-1-1-5-local-registry-context",
            ],
        ),
        (
            local,
            format!("arch: [amd64, arm64], {remote}"),
            vec![
                ssh,
                "docker buildx create --platform linux/amd64 --name \
                 kamal-hybrid-docker-container-ssh---app-1-1-1-5-local-registry --driver=docker-container \
                 --driver-opt network=host",
                "docker context create kamal-hybrid-docker-container-ssh---app-1-1-1-5-local-registry-context \
                 --description 'kamal-hybrid-docker-container-ssh---app-1-1-1-5-local-registry host' --docker \
                 host=ssh://app@1.1.1.5",
                "docker buildx create --platform linux/arm64 --append --name \
                 kamal-hybrid-docker-container-ssh---app-1-1-1-5-local-registry --driver-opt network=host \
                 kamal-hybrid-docker-container-ssh---app-1-1-1-5-local-registry-context",
            ],
        ),
    ] {
        let bench = registry(registry_is, &builder);
        assert_eq!(changes(&bench).await, expected, "{builder}");
        assert_eq!(bench.told().contains("Missing compatible builder"), !expected.is_empty(), "{builder}");
        let bench = registry(registry_is, &builder);
        let said = bench.perform(&BuildTask::CreateBuilder).await.unwrap();
        assert_eq!(said.is_empty(), !expected.is_empty(), "{said}");
    }
}

#[tokio::test]
async fn builder_and_context_are_put_right_apart() {
    const N: &str = "kamal-remote-ssh---app-h";
    const THERE: (&str, i32, &str) =
        ("docker buildx inspect", 0, "Name: n\nNodes:\nName: n0\nEndpoint:   kamal-remote-ssh---app-h-context\n");
    const OTHER: (&str, i32, &str) = ("docker buildx inspect", 0, "Endpoint: unix:///var/run/docker.sock\n");
    const NONE: (&str, i32, &str) = ("docker buildx inspect", 1, "ERROR: no builder \"n\" found\n");
    const BROKEN: (&str, i32, &str) =
        ("docker buildx inspect", 1, "ERROR: context \"kamal-remote-ssh---app-h-context\": context not found\n");
    const RIGHT: (&str, i32, &str) = ("docker context inspect", 0, "ssh://app@h\n");
    const ELSEWHERE: (&str, i32, &str) = ("docker context inspect", 0, "ssh://app@H\n");
    const ABSENT: (&str, i32, &str) = ("docker context inspect", 1, "context \"n\": context not found: open x\n");
    let [new_context, new_builder, old_context, old_builder] = [
        format!("docker context create {N}-context --description '{N} host' --docker host=ssh://app@h"),
        format!("docker buildx create --name {N} {N}-context"),
        format!("docker context rm {N}-context"),
        format!("docker buildx rm {N}"),
    ];
    for (builder, context, expected) in [
        (THERE, RIGHT, vec![]),
        (THERE, ABSENT, vec![&new_context]),
        (BROKEN, ABSENT, vec![&new_context]),
        (THERE, ELSEWHERE, vec![&old_builder, &old_context, &new_context, &new_builder]),
        (OTHER, RIGHT, vec![&old_builder, &new_builder]),
        (OTHER, ABSENT, vec![&old_builder, &new_context, &new_builder]),
        (NONE, RIGHT, vec![&new_builder]),
        (NONE, ELSEWHERE, vec![&old_context, &new_context, &new_builder]),
        (NONE, ABSENT, vec![&new_context, &new_builder]),
    ] {
        let mut bench = Bench::new("local: false, remote: \"ssh://app@h\"");
        bench.machine.answers.extend([builder, context]);
        let mut ran = changes(&bench).await;
        ran.retain(|line| !line.starts_with("ssh"));
        assert_eq!(ran.iter().collect::<Vec<_>>(), expected, "{builder:?} {context:?}");
    }
    // Whatever else is wrong is no reason to make another.
    let mut bench = Bench::new("");
    bench.machine.answers.push(("docker buildx inspect", 1, "permission denied"));
    let error = bench.push().await.unwrap_err().to_string();
    assert!(error.contains("permission denied") && !error.contains("buildx build"), "{error}");
}

#[tokio::test]
async fn builders_are_removed_with_their_contexts() {
    let bench = Bench::new("local: false, remote: \"ssh://h\"");
    bench.perform(&BuildTask::RemoveBuilder).await.unwrap();
    assert_eq!(
        bench.ran()[1..],
        ["docker buildx rm kamal-remote-ssh---h", "docker context rm kamal-remote-ssh---h-context"]
    );
    let mut bench = Bench::new("");
    bench.machine.answers.push(("docker buildx rm", 1, "no builder \"kamal-local-docker-container\" found\n"));
    let said = bench.perform(&BuildTask::RemoveBuilder).await.unwrap();
    assert_eq!(said, "There is no builder kamal-local-docker-container");
    bench.machine.answers.push(("docker buildx rm", 1, "cannot connect\n"));
    assert!(bench.perform(&BuildTask::RemoveBuilder).await.unwrap_err().to_string().contains("cannot connect"));
    for none in ["driver: docker", "pack: {builder: b}"] {
        let bench = Bench::new(none);
        bench.perform(&BuildTask::RemoveBuilder).await.unwrap();
        assert_eq!(bench.ran().len(), 1, "{none}");
    }
}

#[tokio::test]
async fn buildpacks_are_told_what_kamal_tells_them() {
    let pack = "pack: {builder: \"heroku/builder:24\", buildpacks: [heroku/ruby, heroku/procfile]}";
    let bench = Bench::new(&format!("{pack}, args: {{a: 1, b: 2}}, secrets: [TOKEN]"));
    let (line, env) = built(&bench).await;
    let begin = "pack build dhh/app --platform linux/amd64 --creation-time now --builder heroku/builder:24 --buildpack \
                 heroku/ruby --buildpack heroku/procfile --buildpack paketo-buildpacks/image-labels";
    let tail = "--env BP_IMAGE_LABELS=service=app --env a=1 --env b=2 --env TOKEN --path .";
    assert_eq!(line, format!("{begin} {TAGS} {tail}"));
    assert_eq!(env[0], "TOKEN=secret of TOKEN");
    assert_eq!(bench.ran()[bench.ran().len() - 2..], ["docker push dhh/app:123", "docker push dhh/app:latest"]);
    let ran = bench.machine.ran.lock().unwrap().clone();
    let logs_in = |command: &&Command| command.env.iter().any(|(name, _)| name == "DOCKER_CONFIG");
    assert_eq!(ran.iter().filter(logs_in).count(), 3, "pack, and docker twice");
    assert!(!bench.ran().iter().any(|line| line.contains("buildx inspect")));
    let bench = Bench::new("pack: {builder: b}");
    bench.perform(&BuildTask::Push { no_cache: true, output: "docker".to_owned() }).await.unwrap();
    let line = bench.build().to_string();
    assert!(
        line.contains("--buildpack paketo-buildpacks/image-labels -t") && line.contains(" --clear-cache --env "),
        "{line}"
    );
    assert!(!bench.ran().iter().any(|line| line.starts_with("docker push")));
    let mut bench = Bench::new("pack: {builder: b}");
    bench.machine.missing.push("pack");
    assert!(bench.push().await.unwrap_err().to_string().starts_with("pack is not installed locally"));
}

#[tokio::test]
async fn details_tell_of_every_kind() {
    let remote = "remote: \"ssh://h\"";
    for (arch, rest, kind) in [
        ("amd64", "driver: docker".to_owned(), "local"),
        ("amd64", "sbom: true".to_owned(), "local"),
        ("amd64", "driver: \"cloud o/b\"".to_owned(), "cloud"),
        ("arm64", remote.to_owned(), "remote"),
        ("[arm64, amd64]", remote.to_owned(), "hybrid"),
        ("amd64", "pack: {builder: b}".to_owned(), "pack"),
    ] {
        let mut bench =
            Bench::of(&format!("registry: {{username: dhh, password: [P]}}\nbuilder: {{arch: {arch}, {rest}}}"));
        bench.machine.answers.extend([
            ("docker context ls", 0, "contexts\n"),
            ("docker buildx ls", 0, "builders\n"),
            ("pack builder inspect b", 0, "buildpacks\n"),
        ]);
        let told = bench.perform(&BuildTask::Details).await.unwrap();
        let listed = if kind == "pack" { "buildpacks\n" } else { "contexts\nbuilders\n" };
        assert_eq!(told, format!("Builder: {kind}\n{listed}"));
    }
}

#[tokio::test]
async fn what_is_not_installed_is_named() {
    let mut bench = Bench::new("");
    bench.machine.missing.push("docker");
    for task in [BuildTask::CreateBuilder, BuildTask::RemoveBuilder] {
        assert_eq!(
            bench.perform(&task).await.unwrap_err().to_string(),
            "docker is not installed locally, or not in PATH"
        );
    }
    assert_eq!(bench.push().await.unwrap_err().to_string(), "docker is not installed locally, or not in PATH");
    let mut bench = Bench::new("");
    bench.machine.answers.push(("docker buildx", 1, "docker: 'buildx' is not a docker command.\n"));
    assert_eq!(bench.push().await.unwrap_err().to_string(), "Docker buildx plugin is not installed locally");
    assert!(!bench.ran().iter().any(|line| line == "sh -s"), "nothing is done before");
}

#[tokio::test]
async fn what_was_shown_is_not_repeated() {
    for quiet in [false, true] {
        let mut bench = Bench::new("driver: docker");
        bench.heard.quiet.store(quiet, std::sync::atomic::Ordering::Relaxed);
        bench.machine.answers.push(("docker buildx build", 137, "#1 [1/1] RUN x\n#1 0.1 it went wrong\n"));
        let error = bench.push().await.unwrap_err();
        let BuildError::Failed { output, shown, .. } = &error else { panic!("{error}") };
        assert!(output.contains("it went wrong"));
        assert_eq!(*shown, !quiet);
        assert_eq!(error.to_string().contains("it went wrong"), quiet, "{error}");
        assert!(error.to_string().contains("exit status 137 (killed"), "{error}");
    }
    // A login is not shown.
    let mut bench = Bench::new("");
    bench.machine.answers.push(("sh -s", 1, "unauthorized\n"));
    let error = bench.push().await.unwrap_err().to_string();
    assert_eq!(error, "`docker login` failed with exit status 1:\nunauthorized");
}

#[tokio::test]
async fn the_work_tree_is_built_as_it_is_and_what_is_not_committed_is_told() {
    let bench = Bench::new("driver: docker");
    bench.write("project/.gitignore", "log\n");
    bench.write("project/.dockerignore", "docs\n*.md\n");
    for file in ["a b.rb", "gone.rb", "docs/a", "same.rb"] {
        bench.write(&format!("project/{file}"), "1");
    }
    bench.commit("project");
    for file in ["a b.rb", "docs/a", "new/ü.rb", "NOTES.md", "log/x"] {
        bench.write(&format!("project/{file}"), "2");
    }
    std::fs::remove_file(bench.machine.project.join("gone.rb")).unwrap();
    bench.perform(&BuildTask::Dev { no_cache: false, output: "docker".to_owned() }).await.unwrap();
    assert_eq!(
        bench.told(),
        "WARNING: Files with uncommitted changes will be present in the dev container:\n  a b.rb\n\n\
         WARNING: Untracked files will be present in the dev container:\n  log/x\n  new/ü.rb\n"
    );
    let line = bench.build().to_string();
    let expected = "docker buildx build --output=type=docker --platform linux/amd64 -t dhh/app:123-dirty -t \
                    dhh/app:latest-dirty --label service=app --file Dockerfile .";
    assert_eq!(line, expected);
    assert_eq!(bench.ran().len(), 2, "no login, no builder: {:?}", bench.ran());
}

const DIGEST: &str = "sha256:d374416e48f62a73414edeb3d52c2accded7b4bcda9ad0790733bbe66d8d20ea";

#[tokio::test]
async fn the_digest_of_what_was_pushed_is_told() {
    let push = |output: &str| BuildTask::Push { no_cache: false, output: output.to_owned() };
    for (buildx, output, told) in [
        ("github.com/docker/buildx 0.13.1+ds1 0.13.1+ds1-3\n", "registry", true),
        ("github.com/docker/buildx 0.13.1+ds1 0.13.1+ds1-3\n", "docker", false),
        // It knows no such option.
        ("github.com/docker/buildx v0.5.1-docker 11057da\n", "registry", false),
    ] {
        let mut bench = Bench::new("");
        bench.machine.answers.push(("docker buildx version", 0, buildx));
        bench.write("scratch/metadata.json", &format!("{{\"containerimage.digest\": \"{DIGEST}\"}}"));
        let built = bench.built(&push(output)).await.unwrap();
        assert_eq!(built.digest.as_deref(), told.then_some(DIGEST), "{buildx} {output}");
        let line = bench.build().to_string();
        let option =
            format!("--output=type=registry --metadata-file {}/scratch/metadata.json ", bench.root().display());
        assert_eq!(line.contains(&option), told, "{line}");
        assert_eq!(line.contains("--metadata-file"), told, "{line}");
    }
    // One that was not written, as by a build that pushes nothing.
    let mut bench = Bench::new("");
    bench.machine.answers.push(("docker buildx version", 0, "github.com/docker/buildx v0.13.1 x\n"));
    assert_eq!(bench.built(&push("registry")).await.unwrap().digest, None);
    let mut bench = Bench::new("pack: {builder: b}");
    let said = format!("123: digest: {DIGEST} size: 527\n");
    bench.machine.answers.push(("docker push", 0, said.leak()));
    assert_eq!(bench.built(&push("registry")).await.unwrap().digest.as_deref(), Some(DIGEST));
}

#[tokio::test]
async fn nobody_is_logged_in_for_longer_than_a_build() {
    let bench = Bench::new("");
    let held = "{\"auths\": {\"https://index.docker.io/v1/\": {\"auth\": \"ZGhoOnNlY3JldCBvZiBQ\"}}}";
    for (config, own) in [("", true), (held, false), ("{\"credsStore\": \"desktop\"}", true)] {
        let mut bench = Bench::new("");
        bench.machine.answers.push(("sh -c", 0, config));
        let (_, env) = built(&bench).await;
        assert_eq!(env.iter().any(|variable| variable.starts_with("DOCKER_CONFIG=")), own, "{config}");
        assert_eq!(bench.ran().contains(&"sh -s".to_owned()), own, "{config}");
        let ran = bench.machine.ran.lock().unwrap();
        let scripts = ran.iter().filter_map(|command| command.input.as_ref());
        assert!(
            scripts.into_iter().all(|script| !script.expose().contains("mv -f")),
            "what the user has stays as it is"
        );
    }
    // Who builds elsewhere may have logged in by himself.
    for (config, lent) in
        [("{\"auths\": {\"https://index.docker.io/v1/\": {\"auth\": \"b3RoZXI=\"}}}", false), ("{}", true)]
    {
        let mut bench = Bench::new("local: false, remote: \"ssh://h\"");
        bench.machine.answers.push(("sh -c", 0, config));
        let (_, env) = built(&bench).await;
        assert_eq!(env.iter().any(|variable| variable.starts_with("DOCKER_CONFIG=")), lent, "{config}");
    }
    // What the user asks for is for good.
    bench.perform(&BuildTask::Login).await.unwrap();
    let lasts = bench.machine.ran.lock().unwrap().last().unwrap().input.as_ref().unwrap().expose().contains("mv -f");
    assert!(lasts);
    for broken in ["{", "[]"] {
        let mut bench = Bench::new("");
        bench.machine.answers.push(("sh -c", 0, broken));
        let error = bench.push().await.unwrap_err().to_string();
        assert!(error.contains("put it right, or move it away"), "{error}");
        assert!(!bench.ran().iter().any(|line| line.contains("buildx build")));
    }
}

#[tokio::test]
async fn an_image_in_a_registry_is_measured() {
    const RAW: &str = "docker buildx imagetools inspect --raw r/app";
    let manifest = "{\"layers\": [{\"size\": 30}, {\"size\": 4}]}";
    let config = |arch: &str| -> &'static str {
        format!("{{\"architecture\": \"{arch}\", \"rootfs\": {{\"diff_ids\": [\"sha256:a\", \"sha256:b\"]}}}}").leak()
    };
    let variant = |arch: &str| ImageVariant {
        arch: arch.to_owned(),
        layers: [("sha256:a", 30), ("sha256:b", 4)]
            .map(|(diff_id, packed)| ImageLayer { diff_id: diff_id.to_owned(), packed })
            .to_vec(),
    };
    let measure = BuildTask::Measure { image: "r/app:1".to_owned() };
    let mut bench = Bench::new("");
    bench
        .machine
        .answers
        .extend([(RAW, 0, manifest), ("docker buildx imagetools inspect --format", 0, config("amd64"))]);
    assert_eq!(bench.built(&measure).await.unwrap().variants, [variant("amd64")]);
    let index = "{\"manifests\": [{\"digest\": \"sha256:1\", \"platform\": {\"architecture\": \"amd64\"}}, \
                 {\"digest\": \"sha256:2\", \"platform\": {\"architecture\": \"arm64\"}}, \
                 {\"digest\": \"sha256:3\", \"platform\": {\"architecture\": \"unknown\"}}]}";
    let mut bench = Bench::new("");
    bench.machine.answers.extend([
        (RAW, 0, manifest),
        ("docker buildx imagetools inspect --raw r/app:1", 0, index),
        ("docker buildx imagetools inspect --format '{{json .Image}}' r/app@sha256:1", 0, config("amd64")),
        ("docker buildx imagetools inspect --format '{{json .Image}}' r/app@sha256:2", 0, config("arm64")),
    ]);
    assert_eq!(bench.built(&measure).await.unwrap().variants, [variant("amd64"), variant("arm64")]);
    let mut bench = Bench::new("");
    bench.machine.answers.push(("docker buildx imagetools", 1, "unauthorized\n"));
    assert!(bench.built(&measure).await.is_err());
}

#[tokio::test]
async fn a_builder_elsewhere_reaches_the_registry_on_this_machine() {
    let of = |builder: &str| {
        let mut bench = Bench::of(&format!(
            "registry: {{server: \"localhost:5000\"}}\nbuilder: {{arch: [amd64, arm64], {builder}}}"
        ));
        bench.registry = Some(Neighbour::default());
        bench.machine.answers.push(("docker buildx inspect", 1, "ERROR: no builder \"x\" found\n"));
        bench.machine.answers.push(("docker context inspect", 1, "context \"x\": context not found: open …\n"));
        bench
    };
    let reached = |bench: &Bench| bench.registry.as_ref().unwrap().reached.lock().unwrap().clone();
    for (builder, host) in [
        ("local: false, remote: \"ssh://app@1.1.1.5:2122\"", "app@1.1.1.5:2122"),
        ("remote: \"ssh://app@1.1.1.5/run/docker.sock\"", "app@1.1.1.5"),
        ("remote: \"ssh://builder.example\"", "builder.example"),
    ] {
        let bench = of(builder);
        bench.push().await.unwrap();
        assert_eq!(reached(&bench), [(host.to_owned(), Access::Push)]);
        assert!(bench.told().contains(&format!("Setting up local registry port forwarding to {host}...")));
        assert!(!bench.ran().contains(&"sh -s".to_owned()), "nobody logs in");
        // What is built from the work tree may go there too.
        bench.perform(&BuildTask::Dev { no_cache: false, output: "registry".to_owned() }).await.unwrap();
        assert_eq!(reached(&bench).len(), 2);
    }
    let bench = of("local: true");
    bench.push().await.unwrap();
    assert_eq!(reached(&bench), []);
    let mut bench = of("local: false, remote: \"ssh://h\"");
    bench.registry.as_mut().unwrap().refuses = true;
    let error = bench.push().await.unwrap_err().to_string();
    assert!(error.contains("does not reach the registry on this machine: h forbids it"), "{error}");
    assert!(!bench.ran().iter().any(|line| line.contains("buildx build")));
}
