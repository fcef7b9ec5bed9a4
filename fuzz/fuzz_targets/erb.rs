//! Templates: they render, or are refused with a place.

#![no_main]

mod world;

use kamal_core::config::{Source, render_template};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(errors) = render_template(&Source::new("template.erb", text), &world::World) {
        assert!(errors.0.iter().all(|error| error.line > 0 && error.column > 0), "{errors:?}");
        assert!(!errors.0.is_empty(), "refused without a word");
    }
});
