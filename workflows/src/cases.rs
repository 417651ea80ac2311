//! Cases: what a process asks of people. Opened with the moves that are legal, closed by whatever answers the question.

use crate::machine::Cx;
use domain::Time;
use domain::record::{Move, OpenCase, Severity, Write};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;

/// A proposal waits this long for its second person (security.md §3); then it may be proposed anew.
const LAPSES: Duration = Duration::from_secs(24 * 3600);

/// A proposal made before this has lapsed.
pub fn lapse_before(now: Time) -> Time {
    now - LAPSES
}

/// Whether a proposal made then is too old to be approved now.
pub fn lapsed(proposed_at: Time, now: Time) -> bool {
    proposed_at < lapse_before(now)
}

/// The case that a person's move answers: a move speaks for its own question only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    pub id: Uuid,
    pub kind: String,
}

impl Answered {
    /// The move was taken: exactly this case is closed, whether or not the state changed.
    pub(crate) fn closed(&self, name: &str, by: &str, cx: &Cx<'_>) -> Write {
        Write::CloseCase { case: self.id, how: format!("{name}, by {by}"), at: cx.now }
    }

    /// The move is not legal any more: the question is put again.
    pub(crate) fn reopened(&self, name: &str, why: &str) -> Write {
        Write::ReopenCase { case: self.id, why: format!("{name} was not done: {why}") }
    }
}

/// A case about this instance.
pub(crate) fn open(kind: &str, severity: Severity, moves: &[&str], facts: Value, cx: &Cx<'_>) -> Write {
    open_in(None, kind, severity, moves, facts, cx)
}

/// A case that shares its cause with others of a group.
pub(crate) fn open_in(
    group: Option<String>,
    kind: &str,
    severity: Severity,
    moves: &[&str],
    facts: Value,
    cx: &Cx<'_>,
) -> Write {
    Write::OpenCase(OpenCase {
        id: domain::ids::derive(cx.now, cx.me.0, &format!("case/{kind}")),
        kind: kind.into(),
        severity,
        owner_role: if severity == Severity::Critical { "finance".into() } else { "operations".into() },
        opened_at: cx.now,
        sla_at: cx.now + cx.params.case_sla,
        moves: moves.iter().map(|name| needs(name)).collect(),
        facts,
        group,
    })
}

/// The open cases of these kinds are answered; of all kinds, when none is named.
pub(crate) fn close(kinds: &[&str], how: &str, cx: &Cx<'_>) -> Write {
    Write::CloseCases { kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(), how: how.into(), at: cx.now }
}

/// What a move takes (safety.md §11): money and tax need evidence and a second person; looking again needs neither.
pub fn needs(name: &str) -> Move {
    let needs: &[&str] = match name {
        "levied" | "closed" | "paid" | "resend_corrected" => &["evidence", "second_person"],
        "not_paid" | "accept_remits" | "cancel_each" | "abandon" => &["second_person"],
        _ => &[],
    };
    Move { name: name.into(), needs: needs.iter().map(|n| (*n).to_owned()).collect() }
}
