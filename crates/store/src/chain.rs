//! Hash chains: `hash_n = SHA-256(hash_{n-1} ‖ canonical(row_n))`, per machine for history and per tenant for audit (security.md §4).

use crate::{Act, Entry, Line, NewInstance};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The link of one history line.
pub(crate) fn line(before: &str, instance: Uuid, seq: i64, line: &Line) -> String {
    link(before, &(instance, seq, line))
}

/// The link of one audit row.
pub(crate) fn act(before: &str, tenant: &str, seq: i64, act: &Act) -> String {
    link(before, &(tenant, seq, act))
}

/// JSON of ours is canonical: fields in order of declaration, keys of a `Value` sorted.
fn link(before: &str, row: &impl Serialize) -> String {
    let row = serde_json::to_string(row).expect("cannot fail: rows have text keys");
    hex::encode(Sha256::new().chain_update(before).chain_update(row).finalize())
}

/// The first line of every history.
pub(crate) fn first_line(new: &NewInstance, state_name: &str) -> Line {
    Line {
        event: "submitted".to_owned(),
        detail: serde_json::Value::Object(serde_json::Map::new()),
        from: String::new(),
        to: state_name.to_owned(),
        at: new.at,
        cause: "submit".to_owned(),
        exchange: None,
    }
}

/// The first broken line: a gap, a wrong hash, or an end that is not the machine's head.
pub(crate) fn broken<'e>(
    instance: Uuid,
    head: &str,
    revision: i64,
    entries: impl IntoIterator<Item = &'e Entry>,
) -> Option<i64> {
    let (mut before, mut end) = ("", 0);
    for (entry, seq) in entries.into_iter().zip(1..) {
        if entry.seq != seq || entry.hash != line(before, instance, seq, &entry.line) {
            return Some(seq);
        }
        (before, end) = (&entry.hash, seq);
    }
    (before != head || end != revision).then_some(end + 1)
}
