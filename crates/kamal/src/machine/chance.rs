//! Random digits from the system.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use kamal_core::ports::Entropy;

/// Random digits from the system.
#[derive(Debug, Default)]
pub struct SystemEntropy(SystemRandom);

impl Entropy for SystemEntropy {
    fn hex(&self, digits: usize) -> String {
        let mut bytes = vec![0; digits.div_ceil(2)];
        // The system's generator does not fail once it has started; names would merely be less random.
        if self.0.fill(&mut bytes).is_err() {
            bytes.fill(0);
        }
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().chars().take(digits).collect()
    }
}
