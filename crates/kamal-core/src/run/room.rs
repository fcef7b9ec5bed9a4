//! Whether hosts have room for an image that comes from somebody's registry. What it is made of is asked only where a disk
//! is not far from full, and which layers a host has only where there is none for all of them.

use futures_util::{FutureExt, future::join_all};

use super::{Cx, fit, script};
use crate::{
    error::{Error, HostError},
    fleet::gather,
    ports::{ImageLayer, ImageVariant},
    query::Query,
    state::HostState,
};

/// More bytes than images have.
const PLENTY: u64 = 32 << 30;

/// True for a host whose disk may be too small.
pub(super) fn is_tight(state: &&HostState) -> bool {
    state.machine.free.is_some_and(|free| free < PLENTY)
}

/// Fails for hosts that cannot run the image or have no room for it.
pub(super) async fn check(cx: &Cx<'_>, hosts: &[&HostState], image: &[ImageVariant]) -> Result<(), Error> {
    gather(join_all(hosts.iter().map(|state| of_host(cx, state, image).boxed())).await).map(drop)
}

async fn of_host(cx: &Cx<'_>, state: &HostState, image: &[ImageVariant]) -> Result<(), HostError> {
    let arches: Vec<String> = image.iter().map(|variant| variant.arch.clone()).collect();
    if !fit::runs(&state.machine, &arches) {
        return Err(fit::misfit(state, &arches));
    }
    // One that is emulated there has no variant for it.
    let of_arch = image.iter().find(|variant| variant.arch == state.machine.arch);
    let (Some(variant), Some(free)) = (of_arch, state.machine.free) else { return Ok(()) };
    if needed(&variant.layers) <= free {
        return Ok(());
    }
    let held = cx.fleet.capture(&state.host, &script(&cx.fleet, &Query::HeldLayers)).await?.stdout;
    let needed = needed(lacking(&variant.layers, &held));
    if needed > free { Err(HostError::Full { host: state.host.clone(), free, needed }) } else { Ok(()) }
}

/// At least how many bytes layers take while they are pulled: each lies there packed until it is unpacked.
fn needed(layers: &[ImageLayer]) -> u64 {
    layers.iter().map(|layer| layer.packed.saturating_mul(2)).sum()
}

/// The layers above those a host has, by the answer to [`Query::HeldLayers`].
fn lacking<'l>(layers: &'l [ImageLayer], held: &str) -> &'l [ImageLayer] {
    let images = held.lines().filter_map(|line| serde_json::from_str::<Vec<String>>(line).ok());
    let common = |image: Vec<String>| layers.iter().zip(image).take_while(|(one, other)| one.diff_id == *other).count();
    &layers[images.map(common).max().unwrap_or_default()..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_shared_from_the_lowest_on() {
        let layers = ["a", "b", "c"].map(|name| ImageLayer { diff_id: name.to_owned(), packed: 10 });
        for (held, expected) in [
            ("", 60),
            ("[\"a\"]\nnull\n[\"a\",\"b\",\"x\"]\n", 20),
            ("[\"b\",\"c\"]\n", 60),
            ("[\"a\",\"b\",\"c\",\"d\"]", 0),
            ("not what was asked", 60),
        ] {
            assert_eq!(needed(lacking(&layers, held)), expected, "{held}");
        }
    }
}
