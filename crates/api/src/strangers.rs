//! Who tries keys (F99): an address that gave many wrong ones waits. A key has 256 random bits, so this spares the database and the
//! log; it does not have to guess who is an attacker. Keys believed lately pass: one wrong client behind a proxy stops no other for long.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Wrong keys of one address within [`WINDOW`] before it waits.
const TRIES: u32 = 60;
pub(crate) const WINDOW: Duration = Duration::from_secs(60);
/// Addresses remembered at once; beyond it all are forgotten.
const REMEMBERED: usize = 10_000;

/// The far end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client(pub(crate) IpAddr);

/// Wrong keys by address, since when.
#[derive(Default)]
pub(crate) struct Strangers(Mutex<HashMap<IpAddr, (Instant, u32)>>);

impl Strangers {
    /// Whether this address has to wait.
    pub(crate) fn waits(&self, client: Client) -> bool {
        let seen = self.seen();
        seen.get(&client.0).is_some_and(|(since, tries)| *tries >= TRIES && since.elapsed() < WINDOW)
    }

    /// It gave a wrong key.
    pub(crate) fn failed(&self, client: Client) {
        let mut seen = self.seen();
        if seen.len() >= REMEMBERED && !seen.contains_key(&client.0) {
            seen.clear();
        }
        let entry = seen.entry(client.0).or_insert((Instant::now(), 0));
        if entry.0.elapsed() >= WINDOW {
            *entry = (Instant::now(), 0);
        }
        entry.1 += 1;
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<IpAddr, (Instant, u32)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
