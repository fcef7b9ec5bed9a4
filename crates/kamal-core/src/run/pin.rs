//! What was built is what runs, wherever its tag moves: pulls are pinned to the digest the build was told by the registry,
//! and what the tag stands for on each host is looked at once more before anything is changed. Of an image that was not
//! built in this run the hosts must at least agree.

use std::collections::BTreeSet;

use crate::{
    error::{Error, HostError},
    hint::Hint,
    name::{HostName, ImageRef},
    plan::HostWork,
    state::{HostState, Image},
    step::Step,
};

/// An image that hosts have pulled.
#[derive(Clone, Debug)]
pub(super) struct Delivered {
    image: ImageRef,
    digest: Option<String>,
    hosts: BTreeSet<HostName>,
}

/// Pins the pulls among steps to the image that was built.
pub(super) fn pulls(works: &mut [HostWork], built: Option<&str>) {
    for step in works.iter_mut().flat_map(|work| &mut work.steps) {
        if let Step::Pull { digest, .. } = step {
            *digest = digest.take().or_else(|| built.map(str::to_owned));
        }
    }
}

impl Delivered {
    /// What steps pull, if they do.
    pub(super) fn by(works: &[HostWork]) -> Option<Self> {
        let mut delivered: Option<Self> = None;
        for (host, step) in works.iter().flat_map(|work| work.steps.iter().map(move |step| (&work.host, step))) {
            if let Step::Pull { image, digest, .. } = step {
                let new = || Self { image: image.clone(), digest: digest.clone(), hosts: BTreeSet::new() };
                delivered.get_or_insert_with(new).hosts.insert(host.clone());
            }
        }
        delivered
    }

    /// Whether the hosts have to be compared with each other, for want of something to compare each with.
    pub(super) fn must_agree(&self) -> bool {
        self.digest.is_none() && self.hosts.len() > 1
    }

    /// Its hosts.
    pub(super) fn hosts(&self) -> Vec<HostName> {
        self.hosts.iter().cloned().collect()
    }

    /// Fails for hosts where the image is another by now. A host that does not tell its digest is taken to have it.
    pub(super) fn check(&self, states: &[HostState]) -> Result<(), Error> {
        let pulled = states.iter().filter(|state| self.hosts.contains(&state.host));
        let known: Vec<(&HostName, &Image)> = pulled.filter_map(|state| Some((&state.host, self.of(state)?))).collect();
        let alike = |image: &Image, digests: &[String]| image.digests.iter().any(|digest| digests.contains(digest));
        let shared = |image: &Image| known.iter().filter(|(_, other)| alike(other, &image.digests)).count();
        // The first of those that most have.
        let common = known.iter().rev().max_by_key(|(_, image)| shared(image));
        let (right, whose) = match (&self.digest, common) {
            (Some(digest), _) => (std::slice::from_ref(digest), "what was built".to_owned()),
            (None, Some((host, image))) => (&image.digests[..], format!("what {host} has")),
            (None, None) => return Ok(()),
        };
        let differs = |(_, image): &&(&HostName, &Image)| !alike(image, right);
        let moved = |(host, image): &(&HostName, &Image)| HostError::Unfit {
            host: (*host).clone(),
            message: format!(
                "the tag of {} has moved: it is {} there, and {whose} is {}",
                self.image,
                image.digests.join(" or "),
                right.join(" or ")
            ),
            hints: vec![Hint::new("deploy again, when nobody else pushes or pulls that tag")],
        };
        let errors: Vec<HostError> = known.iter().filter(differs).map(moved).collect();
        if errors.is_empty() { Ok(()) } else { Err(Error::Hosts(errors)) }
    }

    /// The image as a host has it, where that can be told.
    fn of<'s>(&self, state: &'s HostState) -> Option<&'s Image> {
        state.images.iter().find(|image| image.reference == self.image && !image.digests.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Machine;

    fn state(host: &str, digests: &[&str]) -> HostState {
        let digests = digests.iter().map(|digest| format!("sha256:{digest}")).collect();
        let image = Image { id: "sha256:1".to_owned(), reference: "r/app:v1".parse().unwrap(), digests };
        HostState {
            host: host.parse().unwrap(),
            machine: Machine::default(),
            docker: true,
            containers: Vec::new(),
            accessories: Vec::new(),
            images: vec![image],
            proxy: None,
            routes: Vec::new(),
            history: Vec::new(),
            apps: Vec::new(),
            boot_config: false,
            network: true,
            hides_overlay: false,
            lock: None,
            rollout: None,
            joined: None,
            logins: Vec::new(),
        }
    }

    fn delivered(digest: Option<&str>) -> Delivered {
        let works = ["h1", "h2", "h3"].map(|host| HostWork {
            host: host.parse().unwrap(),
            steps: vec![Step::Pull {
                image: "r/app:v1".parse().unwrap(),
                service: None,
                held: false,
                digest: digest.map(str::to_owned),
            }],
        });
        Delivered::by(&works).unwrap()
    }

    #[test]
    fn hosts_must_have_what_was_built_or_else_the_same() {
        for (built, h2, right) in [
            (Some("sha256:a"), &["a"][..], true),
            (Some("sha256:a"), &["b", "a"], true),
            (Some("sha256:a"), &[], true),
            (Some("sha256:a"), &["b"], false),
            (None, &["a"], true),
            (None, &["b"], false),
            (None, &[], true),
        ] {
            let states = [state("h1", &["a"]), state("h2", h2), state("other", &["z"])];
            let checked = delivered(built).check(&states);
            assert_eq!(checked.is_ok(), right, "{built:?} {h2:?}");
            if let Err(error) = checked {
                let said = error.to_string();
                assert!(said.starts_with("h2: the tag of r/app:v1 has moved: it is sha256:b there, and"), "{said}");
                assert_eq!(error.hints().len(), 1);
            }
        }
        assert!(delivered(None).must_agree() && !delivered(Some("sha256:a")).must_agree());
    }
}
