//! The running digest of a run: every event and its outcome. The same seed gives the same digest, on every store.

use domain::Time;
use sha2::{Digest, Sha256};
use std::fmt::{self, Write as _};

#[derive(Default)]
pub(super) struct Trace {
    digest: Sha256,
    /// Told as it happens, when a run is replayed for a person.
    pub(super) aloud: bool,
}

struct Into<'a>(&'a mut Sha256);

impl fmt::Write for Into<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

impl Trace {
    pub(super) fn note(&mut self, at: Time, words: fmt::Arguments<'_>) {
        if self.aloud {
            eprintln!("{at} {words}");
        }
        self.digest.update(at.millis().to_le_bytes());
        // Writing into a digest cannot fail.
        let _ = Into(&mut self.digest).write_fmt(words);
    }

    pub(super) fn sum(&self) -> String {
        let sum = self.digest.clone().finalize();
        sum.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}
