//! The WAL index: memory that the connections of one file share, and that no disk ever sees.

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

/// Grows by regions, which never move while anybody holds it.
#[derive(Debug, Default)]
pub struct Shared(Mutex<Vec<Box<[AtomicU64]>>>);

impl Shared {
    /// The start of a region; `None` when it does not exist and may not be made.
    pub fn region(&self, number: usize, bytes: usize, make: bool) -> Option<*mut u8> {
        let mut regions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while make && regions.len() <= number {
            regions.push((0..bytes.div_ceil(8)).map(|_| AtomicU64::new(0)).collect());
        }
        // Atomics may be written through a shared reference: SQLite orders its accesses by the locks and `xShmBarrier`.
        regions.get(number).map(|region| region.as_ptr().cast_mut().cast())
    }
}
