//! Cases, each tried to its end whatever becomes of the others. Each leaves a line that `cargo xtask cases` reads.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The cases of a test.
#[derive(Debug, Default)]
pub(crate) struct Cases {
    failed: Vec<String>,
}

impl Cases {
    /// Tries a case: the name of its folder below `tests/cases`, and what must hold.
    pub(crate) fn case(&mut self, name: &str, check: impl FnOnce()) {
        let tried = catch_unwind(AssertUnwindSafe(check));
        let verdict = match &tried {
            Ok(()) => "ok".to_owned(),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
                format!("differs: {}", text.trim_end().replace('\n', "\n    "))
            }
        };
        #[expect(clippy::print_stdout, reason = "a line per case is what `cargo xtask cases` reads")]
        {
            println!("case {name}: {verdict}");
        }
        self.failed.extend(tried.is_err().then(|| name.to_owned()));
    }

    /// Fails if a case did.
    pub(crate) fn end(self) {
        assert!(self.failed.is_empty(), "these differ, see above: {}", self.failed.join(", "));
    }
}
