//! One seeded source of chance, so that a run can be told again.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

pub(crate) struct Dice(StdRng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// A throw of 0 to 999, to compare with a chance in thousandths.
    pub(crate) fn per_mille(&mut self) -> u16 {
        self.0.random_range(0..1000)
    }

    /// From `low` to `high`, both possible.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.random_range(low..=high.max(low))
    }

    /// One of several; `None` when there is none.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let last = u64::try_from(of.len()).ok()?.checked_sub(1)?;
        of.get(usize::try_from(self.between(0, last)).ok()?)
    }
}
