//! deploy.yml and a destination's file over it (what stands behind a line of `%%%`): what loads can be printed, and
//! what is refused says where.

#![no_main]

mod world;

use kamal_core::config::{Source, effective::effective, load};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (base, over) = match text.split_once("\n%%%\n") {
        Some((base, over)) => (base, Some(over)),
        None => (text, None),
    };
    let base = Source::new("config/deploy.yml", base);
    let over = over.map(|over| ("x".parse().expect("a destination"), Source::new("config/deploy.x.yml", over)));
    match load(&base, over.as_ref().map(|(name, source)| (name, source)), &world::World) {
        Ok(loaded) => {
            let effective = effective(&loaded, &"v1".parse().expect("a version"));
            drop((effective.to_yaml(), effective.to_json()));
        }
        Err(errors) => {
            assert!(!errors.0.is_empty(), "refused without a word");
            for error in &errors.0 {
                assert!(error.line > 0 && error.column > 0 && error.width > 0 && !error.file.is_empty(), "{error:?}");
            }
            drop(errors.to_string());
        }
    }
});
