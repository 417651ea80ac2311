//! Payments beside the course of things: without a permit, twice, or given back. Each is on record, and two persons may close the
//! record whatever the remit does.

use super::specimens::{input, sight};
use super::*;
use crate::draw::{specimen_time, with_cx};
use domain::levy::RemitStatus;
use domain::record::{OpenCase, Write};

const SERIAL: &str = "BK-no-permit";

fn at<T>(hours: u64, f: impl FnOnce(&Cx<'_>) -> T) -> T {
    with_cx(|cx| f(&Cx { now: specimen_time(hours), real: specimen_time(hours), ..*cx }))
}

fn go(remit: Remit, event: Event, cx: &Cx<'_>) -> Next<Remit> {
    remit.apply(&input(), event, cx).unwrap()
}

fn given() -> EvidenceGiven {
    let (amount, paid_at) = (input().amount, specimen_time(9));
    EvidenceGiven { amount, paid_at, bank_serial: SERIAL.into(), payee_ok: true, source: "person".into() }
}

fn answer(kind: &str, name: &str) -> Event {
    let case = Answered { id: Uuid::from_u128(1), kind: kind.into() };
    Event::CaseResolved { case, r#move: name.into(), evidence: Some(given()), by: "li and wang".into() }
}

fn back(serial: &str) -> Event {
    Event::PaymentReturned { bank_serial: serial.into() }
}

fn opened(next: &Next<Remit>) -> Vec<&OpenCase> {
    next.writes.iter().filter_map(|write| if let Write::OpenCase(case) = write { Some(case) } else { None }).collect()
}

/// Paid without a permit, and two persons have said so.
fn bypassed(cx: &Cx<'_>) -> Remit {
    let open = Remit::specimens().states.into_iter().find(|remit| remit.at.name() == "open").unwrap();
    let paid = go(open, answer("payment_evidence", "paid"), cx);
    assert_eq!(opened(&paid)[0].kind, "payment_without_permit");
    assert_eq!(opened(&paid)[0].moves, [needs("closed")], "two persons with evidence close it");
    paid.state
}

#[test]
fn a_payment_without_a_permit_that_comes_back_before_the_decision_is_as_if_it_had_not_been() {
    at(12, |cx| {
        let undone = go(bypassed(cx), back(SERIAL), cx);
        assert!(undone.state.at.name() == "open" && undone.state.facts.proof.is_none());
        assert!(undone.writes.iter().any(|write| matches!(write, Write::RevokeEvidence { .. })));
        let again = go(undone.state.clone(), back(SERIAL), cx);
        assert!(again.state == undone.state && again.writes.is_empty(), "the same word again is a repeat");
        let brought = go(undone.state.clone(), answer("payment_evidence", "paid"), cx);
        assert_eq!(brought.state, undone.state, "what came back proves nothing any more");
        assert!(
            matches!(&brought.writes[..], [Write::ReopenCase { why, .. }] if why.contains("returned this payment"))
        );
    });
}

#[test]
fn a_payment_without_a_permit_that_comes_back_while_continue_is_on_its_way_is_a_contradiction() {
    at(12, |cx| {
        let sight = Event::Seen { asked_at: cx.now, order: sight(RemitStatus::Accepted, None) };
        let confirming = go(bypassed(cx), sight, cx).state;
        assert_eq!(confirming.at.name(), "confirming");
        let undone = go(confirming, back(SERIAL), cx);
        assert_eq!((undone.state.at.name(), opened(&undone)[0].kind.as_str()), ("contradicted", "contradiction"));
    });
}

#[test]
fn a_corrected_time_leaves_the_payment_known_by_its_first_serial() {
    at(20, |cx| {
        let mut refused = bypassed(cx);
        let refusal = Refusal { code: "0002".into(), message: "arising_time".into() };
        refused.at = At::NeedsOperator { why: Why::ConfirmRefused(refusal), back: Box::new(At::Paid) };
        let corrected = EvidenceGiven { bank_serial: "BK-corrected".into(), ..given() };
        let (case, r#move) = (Answered::default(), "resend_corrected".into());
        let event = Event::CaseResolved { case, r#move, evidence: Some(corrected), by: "li and wang".into() };
        let again = go(refused, event, cx).state;
        for serial in [SERIAL, "BK-corrected"] {
            assert_eq!(go(again.clone(), back(serial), cx).state.at.name(), "contradicted", "{serial}");
        }
    });
}

#[test]
fn a_return_of_a_payment_that_nobody_knows_is_on_record_once() {
    at(12, |cx| {
        for remit in Remit::specimens().states {
            let odd = go(remit.clone(), back("BK-unknown"), cx);
            assert_eq!((&odd.state.at, opened(&odd)[0].kind.as_str()), (&remit.at, "contradictory_report"));
            assert!(go(odd.state, back("BK-unknown"), cx).writes.is_empty());
        }
    });
}

#[test]
fn a_note_is_closed_at_any_time_and_nothing_else_with_it() {
    at(12, |cx| {
        for remit in Remit::specimens().states {
            for kind in ["paid_twice", "payment_without_permit", "returned_unlevied", "contradictory_report"] {
                let noted = go(remit.clone(), answer(kind, "closed"), cx);
                assert_eq!(noted.state, remit, "{kind} in {}", remit.at.name());
                assert!(matches!(noted.writes[..], [Write::CloseCase { .. }]), "{kind} in {}", remit.at.name());
            }
        }
    });
}

#[test]
fn evidence_that_waits_holds_permit_and_cancel_until_its_own_case_is_answered() {
    at(12, |cx| {
        let brought = |remit: Remit, case| {
            go(remit, Event::EvidenceBrought { by: "li".into(), case: Some(Uuid::from_u128(case)) }, cx).state
        };
        let open = Remit::specimens().states.into_iter().find(|remit| remit.at.name() == "open").unwrap();
        let asked = |remit: &Remit| {
            let next = go(remit.clone(), Event::PermitAsked { ask: Uuid::from_u128(9) }, cx);
            next.writes.iter().any(|write| format!("{write:?}").contains("in_doubt"))
        };
        assert!(!asked(&open));
        let waits = brought(brought(open, 1), 2);
        assert!(asked(&waits) && waits.evidence_pending(cx), "it may be paid already");
        let one_left = go(waits, answer("payment_evidence", "not_paid"), cx).state;
        assert!(asked(&one_left) && one_left.evidence_pending(cx), "the other paper waits still");
        let case = Answered { id: Uuid::from_u128(2), kind: "payment_evidence".into() };
        let last = Event::CaseResolved { case, r#move: "not_paid".into(), evidence: None, by: "li and wang".into() };
        let free = go(one_left, last, cx).state;
        assert!(!asked(&free) && !free.evidence_pending(cx));
    });
}

#[test]
fn evidence_that_proves_nothing_is_refused_without_a_word_about_the_live_permit() {
    at(12, |cx| {
        let live = Remit::specimens().states.into_iter().find(|remit| remit.at.name() == "permitted").unwrap();
        let refused = go(live.clone(), answer("payment_evidence", "not_paid"), cx);
        assert!(refused.state == live && matches!(refused.writes[..], [Write::CloseCase { .. }]));
    });
}
