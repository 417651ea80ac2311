//! Cases: what a process asks of people. Opened with the moves that are legal, closed by whatever answers the question.

use crate::machine::Cx;
use domain::record::{Move, OpenCase, Severity, Write};
use serde_json::Value;

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
