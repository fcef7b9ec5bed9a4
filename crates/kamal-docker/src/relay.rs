//! The container that hands layers on to other hosts for as long as they pull.

use std::net::SocketAddr;

use kamal_core::{
    name::ImageRef,
    naming,
    secret::Secret,
    shell::{Text, escape::word},
};

/// Where it keeps layers: a volume that goes with the container.
const FOLDER: &str = "/layers";

/// Starts it, in the place of one that was left. It ends by itself when the registry is reached no more. What others have
/// to know goes through standard input.
pub(crate) fn start(at: &SocketAddr, image: &ImageRef, token: Option<&Secret>) -> Text {
    let (port, image, at) = (at.port(), word(image), word(&at.to_string()));
    let name = format!("{}_layers-{port}", naming::PROXY_CONTAINER);
    let mut text = Text::from(format!(
        "docker rm --force {name} >/dev/null 2>&1\n\
         docker run --detach --rm --name {name} --network host --userns host --user 0:0 --cap-drop ALL \
         --security-opt no-new-privileges --read-only --volume {FOLDER} --env-file /dev/stdin {image} \
         kamal-proxy layers --listen {at} --registry 127.0.0.1:{port} --folder {FOLDER} <<'KAMAL_LAYERS'\n"
    ));
    text.push("KAMAL_LAYERS_TOKEN=");
    if let Some(token) = token {
        text.push_secret(token.clone());
    }
    text.push("\nKAMAL_LAYERS\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_have_to_know_is_no_argument() {
        let folder = std::env::temp_dir().join(format!("kamal-relay-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let programs = "docker() { echo \"$@\" >>arguments; case $1 in run) cat >given;; *) false;; esac; }";
        let (at, image) = ("[fd00::3]:5555".parse().unwrap(), "kamal-rs/kamal-proxy:v1".parse().unwrap());
        let text = start(&at, &image, Some(&Secret::new("t0ken")));
        assert!(!text.to_string().contains("t0ken"), "{text}");
        let script = format!("{programs}\n{}\necho ended $?", *text.expose());
        let output = std::process::Command::new("sh").args(["-c", &script]).current_dir(&folder).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "ended 0\n", "{output:?}");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(read("given"), "KAMAL_LAYERS_TOKEN=t0ken\n");
        let arguments = read("arguments");
        assert!(arguments.starts_with("rm --force kamal-proxy_layers-5555\nrun --detach --rm "), "{arguments}");
        assert!(arguments.contains("--listen [fd00::3]:5555 --registry 127.0.0.1:5555 "), "{arguments}");
        assert!(!arguments.contains("t0ken"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
