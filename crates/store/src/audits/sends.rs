//! S-G: a call is sent again only after the quarantine and the required negative probes, apart. One rule for all three databases.

use crate::AuditPlan;
use domain::Time;
use std::collections::BTreeMap;

/// What a machine did on the wire, as its exchanges and its history tell it. A send that `NotNow` answered left no exchange: it
/// provably did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    /// A query that was answered, by the time its answer was taken. Had it shown the call applied, nothing would be sent again.
    /// What was looked at in the millisecond of a send came before it.
    Looked,
    /// A call that changes something, and whether its outcome was a definite refusal.
    Sent { operation: String, refused: bool },
    /// A worker was lost here: whatever its state wanted may have left until now (F2, F3).
    TakenOver,
}

/// A row of `exchange`, or a takeover's line, as a deed.
pub(crate) fn deed(operation: String, verdict: &str, plan: &AuditPlan) -> Option<Deed> {
    match verdict {
        "takeover" => Some(Deed::TakenOver),
        refused if plan.verified.contains(&operation) => Some(Deed::Sent { operation, refused: refused == "refused" }),
        "done" => Some(Deed::Looked),
        // A query that was not answered says nothing (P18).
        _ => None,
    }
}

/// Whether one of these deeds is a send that came too early.
pub(crate) fn resent_too_early(mut deeds: Vec<(Time, Deed)>, plan: &AuditPlan) -> bool {
    deeds.sort();
    let mut last: BTreeMap<&str, Time> = BTreeMap::new();
    let mut taken_over: Option<Time> = None;
    let mut looks: Vec<Time> = Vec::new();
    for (at, deed) in &deeds {
        match deed {
            Deed::Looked => looks.push(*at),
            Deed::TakenOver => taken_over = Some(*at),
            Deed::Sent { operation, refused } => {
                let before = last.get(operation.as_str()).copied().max(taken_over);
                if before.is_some_and(|before| !disproved(before, *at, &looks, plan)) {
                    return true;
                }
                taken_over = None;
                // A definite refusal moved nothing: what follows is another call.
                if *refused {
                    last.remove(operation.as_str())
                } else {
                    last.insert(operation, *at)
                };
            }
        }
    }
    false
}

/// Whether the looks between two sends prove that the first was not applied.
fn disproved(sent: Time, again: Time, looks: &[Time], plan: &AuditPlan) -> bool {
    let open = sent + plan.quarantine;
    let (mut negatives, mut last) = (0, None);
    for look in looks.iter().filter(|look| **look >= open && **look <= again) {
        if last.is_none_or(|last| look.since(last) >= plan.probe_spacing) {
            (negatives, last) = (negatives + 1, Some(*look));
        }
    }
    again >= open && negatives >= plan.negatives
}
