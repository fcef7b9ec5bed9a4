//! Images from Docker Hub, whose server docker leaves out when it prints them, whoever wrote it, and podman puts in.

/// How Docker Hub is called in front of an image.
const SERVERS: [&str; 2] = ["docker.io/", "index.docker.io/"];

/// An image's name as docker prints it.
pub(crate) fn short(image: &str) -> &str {
    let Some(short) = SERVERS.iter().find_map(|server| image.strip_prefix(server)) else { return image };
    short.strip_prefix("library/").unwrap_or(short)
}

/// The ways in which docker and podman may print an image's name.
pub(crate) fn spellings(image: &str) -> [String; 2] {
    [short(image).to_owned(), format!("{}{}", SERVERS[0], short(image))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_hub_goes_without_saying() {
        for (image, printed) in [
            ("acme/app", "acme/app"),
            ("docker.io/acme/app:1", "acme/app:1"),
            ("index.docker.io/acme/app", "acme/app"),
            ("docker.io/library/redis:7", "redis:7"),
            ("ghcr.io/acme/app", "ghcr.io/acme/app"),
            ("docker.io.example/app", "docker.io.example/app"),
        ] {
            assert_eq!(short(image), printed);
        }
    }
}
