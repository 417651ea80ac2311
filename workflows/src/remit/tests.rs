//! The remit's promises, over every specimen state and event, and the race table of safety.md §8 line by line.

use super::specimens::{PERMIT, input, sight};
use super::*;
use crate::draw::{specimen_time, with_cx};
use crate::policy::{LeviedProof, LeviedTerminal};
use crate::{Params, answers, cases};
use domain::levy::RemitStatus;
use domain::record::Severity;
use domain::record::Write;

/// One event to one specimen, at a time and under a policy of its own.
fn at<T>(hours: u64, f: impl FnOnce(&Cx<'_>) -> T) -> T {
    with_cx(|cx| f(&Cx { now: specimen_time(hours), real: specimen_time(hours), ..*cx }))
}

fn specimen(name: &str) -> Remit {
    Remit::specimens().states.into_iter().find(|remit| remit.at.name() == name).unwrap()
}

fn go(remit: Remit, event: Event, cx: &Cx<'_>) -> Next<Remit> {
    remit.apply(&input(), event, cx).unwrap()
}

fn seen(status: RemitStatus, cx: &Cx<'_>) -> Event {
    Event::Seen { asked_at: cx.now, order: sight(status, None) }
}

fn decided(next: &Next<Remit>) -> Option<NextStep> {
    next.writes
        .iter()
        .find_map(|write| if let Write::Decide(decision) = write { Some(decision.next_step) } else { None })
}

fn opens(next: &Next<Remit>, kind: &str) -> bool {
    next.writes.iter().any(|write| matches!(write, Write::OpenCase(case) if case.kind == kind))
}

fn notice() -> Event {
    Event::NoticeSeen { close_time: Some(specimen_time(72)) }
}

#[test]
fn every_pair_of_state_and_event_is_total_for_what_comes_from_outside() {
    let specimens = Remit::specimens();
    with_cx(|cx| {
        for state in &specimens.states {
            for event in &specimens.events {
                let outside = matches!(
                    event,
                    Event::PermitAsked { .. }
                        | Event::PaidReported(_)
                        | Event::FailedReported { .. }
                        | Event::UnknownReported { .. }
                        | Event::ReturnedReported { .. }
                        | Event::PaymentReturned { .. }
                        | Event::Attested { .. }
                        | Event::CancelAsked { .. }
                        | Event::EvidenceBrought { .. }
                        | Event::QuoteAccepted { .. }
                        | Event::NoticeSeen { .. }
                        | Event::HintSeen
                        | Event::CaseResolved { .. }
                );
                let next = state.clone().apply(&specimens.input, event.clone(), cx);
                assert!(next.is_ok() || !outside, "{} must take {}", state.at.name(), event.name());
            }
        }
    });
}

#[test]
fn s_a_continue_is_decided_only_with_evidence_and_a_live_accept() {
    let specimens = Remit::specimens();
    with_cx(|cx| {
        for state in &specimens.states {
            for event in &specimens.events {
                let Ok(next) = state.clone().apply(&specimens.input, event.clone(), cx) else { continue };
                if decided(&next) == Some(NextStep::Continue) {
                    assert!(
                        matches!(event, Event::Seen { .. }) && state.at == At::Paid && next.state.facts.proof.is_some()
                    );
                }
            }
        }
    });
}

#[test]
fn s_a_continue_bytes_leave_only_from_confirming_with_unrevoked_evidence() {
    let specimens = Remit::specimens();
    with_cx(|cx| {
        for state in &specimens.states {
            let call = state.decision_call(&specimens.input, NextStep::Continue, cx);
            let may = state.may_send(&specimens.input, &call, cx);
            let proven = state.facts.proof.is_some() && !state.facts.returned;
            assert_eq!(may, matches!(state.at, At::Confirming { .. }) && proven, "{}", state.at.name());
        }
    });
}

#[test]
fn s_b_cancel_needs_a_closed_gate_and_no_live_attempt() {
    let specimens = Remit::specimens();
    with_cx(|cx| {
        for state in &specimens.states {
            for event in &specimens.events {
                let Ok(next) = state.clone().apply(&specimens.input, event.clone(), cx) else { continue };
                if decided(&next) == Some(NextStep::Cancel) {
                    assert!(matches!(state.at, At::GateClosed { .. }));
                    assert!(next.state.facts.proof.is_none());
                }
            }
            let call = state.decision_call(&specimens.input, NextStep::Cancel, cx);
            assert_eq!(
                state.may_send(&specimens.input, &call, cx),
                matches!(state.at, At::Cancelling { .. }),
                "{}",
                state.at.name()
            );
        }
    });
}

#[test]
fn s_c_a_permit_is_issued_only_to_a_live_accept_in_open() {
    let specimens = Remit::specimens();
    with_cx(|cx| {
        for state in &specimens.states {
            for event in &specimens.events {
                let Ok(next) = state.clone().apply(&specimens.input, event.clone(), cx) else { continue };
                let issued = next.writes.iter().any(|write| matches!(write, Write::IssuePermit(_)));
                let accept = sight(RemitStatus::Accepted, None);
                let shown = matches!(event, Event::Seen { order, .. } if *order == accept);
                let asked = shown && matches!(state.at, At::Open { ask: Some(_) });
                assert_eq!(issued, asked, "{} + {}", state.at.name(), event.name());
                if issued {
                    assert_eq!(Remit::not_after(event, cx), Some(cx.real + cx.params.observation_age));
                }
            }
        }
    });
}

#[test]
fn i15_a_callback_alone_moves_nothing() {
    with_cx(|cx| {
        for state in Remit::specimens().states {
            for event in [notice(), Event::HintSeen] {
                let next = go(state.clone(), event, cx);
                assert_eq!(next.state.name(), state.name());
                assert!(next.writes.is_empty());
            }
        }
    });
}

#[test]
fn p19_no_clock_confirms() {
    for hours in [44, 70, 72, 100] {
        at(hours, |cx| {
            for state in Remit::specimens().states {
                if let Step::Record(event) = state.step(&input(), cx) {
                    let next = go(state.clone(), event, cx);
                    assert_ne!(decided(&next), Some(NextStep::Continue), "{} at {hours} h", state.name());
                }
            }
        });
    }
}

#[test]
fn a_payday_from_permit_to_levied() {
    at(10, |cx| {
        let asked = go(specimen("open"), Event::PermitAsked { ask: Uuid::from_u128(1) }, cx);
        assert!(asked.writes.is_empty(), "the answer waits for the live query");
        let mut fresh = asked.state;
        fresh.facts.attempts = 0;
        let permitted = go(fresh, seen(RemitStatus::Accepted, cx), cx);
        let At::Permitted(payout) = &permitted.state.at else { panic!("{:?}", permitted.state.at) };
        let paid = Paid {
            permit: payout.permit,
            amount: input().amount,
            paid_at: specimen_time(9),
            bank_serial: "BK".into(),
            payee_ok: true,
            source: "api".into(),
            voucher: None,
        };
        let paid = go(permitted.state, Event::PaidReported(paid), cx);
        assert_eq!(paid.state.name(), "paid");
        assert!(
            matches!(paid.state.step(&input(), cx), Step::Call(Request::FindOrder { .. })),
            "a live query comes before CONTINUE"
        );
        let confirming = go(paid.state, seen(RemitStatus::Accepted, cx), cx);
        assert_eq!(decided(&confirming), Some(NextStep::Continue));
        let Step::Call(Request::DecideRemit { arising_time, next_step: NextStep::Continue, .. }) =
            confirming.state.step(&input(), cx)
        else {
            panic!()
        };
        assert_eq!(arising_time, specimen_time(9), "P30: the bank's success time");
        let levying = go(confirming.state, Event::Acknowledged { sent_at: cx.now }, cx);
        let levied = go(levying.state, seen(RemitStatus::Closed, cx), cx);
        assert_eq!(levied.state.name(), "levied");
    });
}

// The race table of safety.md §8, in its order.

#[test]
fn race_no_permit_and_closed_is_auto_closed_unpaid() {
    at(73, |cx| {
        assert_eq!(go(specimen("gate_closed"), seen(RemitStatus::Closed, cx), cx).state.name(), "auto_closed_unpaid")
    });
    at(20, |cx| {
        let next = go(specimen("open"), seen(RemitStatus::Closed, cx), cx);
        assert_eq!(next.state.name(), "closed_externally");
        assert!(opens(&next, "closed_externally"));
    });
}

#[test]
fn race_permit_out_and_closed_waits_for_the_bank() {
    at(73, |cx| {
        let next = go(specimen("permitted"), seen(RemitStatus::Closed, cx), cx);
        assert_eq!(next.state.name(), "payout_in_doubt");
        assert!(opens(&next, "may_be_paid_without_levy"));
        assert!(next.writes.iter().any(|write| matches!(write, Write::CloseGate { .. })));
        let paid = Paid {
            permit: PERMIT,
            amount: input().amount,
            paid_at: specimen_time(60),
            bank_serial: "BK".into(),
            payee_ok: true,
            source: "api".into(),
            voucher: None,
        };
        let late = go(next.state.clone(), Event::PaidReported(paid), cx);
        assert_eq!(late.state.name(), "auto_closed_paid");
        assert!(opens(&late, "auto_closed_paid"));
        assert_eq!(go(next.state, Event::FailedReported { permit: PERMIT }, cx).state.name(), "auto_closed_unpaid");
    });
}

#[test]
fn race_evidence_present_and_a_stale_notice_still_sends() {
    at(71, |cx| {
        let noticed = go(specimen("paid"), notice(), cx).state;
        let next = go(noticed, seen(RemitStatus::Accepted, cx), cx);
        assert_eq!(decided(&next), Some(NextStep::Continue));
        assert!(opens(&next, "confirmed_past_deadline") && opens(&next, "stale_notice"));
    });
}

#[test]
fn race_continue_in_doubt_and_a_notice() {
    at(72, |cx| {
        let noticed = |close: u64| {
            go(specimen("confirm_in_doubt"), Event::NoticeSeen { close_time: Some(specimen_time(close)) }, cx).state
        };
        assert_eq!(go(noticed(72), seen(RemitStatus::Processing, cx), cx).state.name(), "levying", "applied");
        assert_eq!(go(noticed(72), seen(RemitStatus::Closed, cx), cx).state.name(), "contradicted", "undecidable");
        assert_eq!(
            go(noticed(9), seen(RemitStatus::Closed, cx), cx).state.name(),
            "contradicted",
            "a live ACCEPT denies it"
        );
    });
}

#[test]
fn race_continue_acknowledged_and_a_notice_is_a_contradiction() {
    at(60, |cx| {
        let noticed = go(specimen("levying"), notice(), cx).state;
        let next = go(noticed.clone(), seen(RemitStatus::Closed, cx), cx);
        assert_eq!(next.state.name(), "contradicted");
        assert!(opens(&next, "contradiction"));
        assert_eq!(
            go(noticed, seen(RemitStatus::Processing, cx), cx).state.name(),
            "levying",
            "a forged notice changes nothing"
        );
    });
}

#[test]
fn race_cancel_and_a_notice_are_consistent() {
    at(72, |cx| {
        let noticed = go(specimen("cancel_in_doubt"), notice(), cx).state;
        assert_eq!(go(noticed, seen(RemitStatus::Closed, cx), cx).state.name(), "cancelled");
    });
}

#[test]
fn race_returned_before_a_decision_reopens_or_closes_the_gate() {
    let returned = Event::ReturnedReported { permit: PERMIT };
    at(20, |cx| {
        let next = go(specimen("paid"), returned.clone(), cx);
        assert_eq!(next.state.name(), "open");
        assert!(next.writes.iter().any(|write| matches!(write, Write::RevokeEvidence { .. })));
        assert!(next.state.facts.proof.is_none());
    });
    at(50, |cx| assert_eq!(go(specimen("paid"), returned.clone(), cx).state.name(), "gate_closed"));
}

#[test]
fn race_returned_after_the_decision_is_an_incident() {
    let returned = Event::ReturnedReported { permit: PERMIT };
    at(20, |cx| {
        assert_eq!(go(specimen("confirming"), returned.clone(), cx).state.name(), "contradicted");
        assert_eq!(go(specimen("confirm_in_doubt"), returned.clone(), cx).state.name(), "contradicted");
        let running = go(specimen("levying"), returned.clone(), cx);
        assert!(running.state.name() == "levying" && opens(&running, "returned_after_levy"));
        assert_eq!(go(running.state, seen(RemitStatus::Closed, cx), cx).state.name(), "returned_after_levy");
        let levied = go(specimen("levied"), returned.clone(), cx);
        assert!(levied.state.name() == "returned_after_levy" && opens(&levied, "returned_after_levy"));
    });
}

#[test]
fn p15_close_after_continue_needs_the_proof_the_account_demands() {
    let unproved = |proof, acknowledged: bool, hours: u64| {
        at(hours, |cx| {
            let policy = crate::Policy { levied_proof: proof, ..crate::Policy::default() };
            let cx = Cx { policy: &policy, ..*cx };
            let mut remit = specimen("levying");
            if let At::Levying { acknowledged: flag, .. } = &mut remit.at {
                *flag = acknowledged;
            }
            go(remit, seen(RemitStatus::Closed, &cx), &cx).state.name()
        })
    };
    assert_eq!(unproved(LeviedProof::BeforeDeadline, true, 71), "levied");
    assert_eq!(unproved(LeviedProof::BeforeDeadline, true, 72), "needs_operator");
    assert_eq!(unproved(LeviedProof::SeenRunning, true, 20), "needs_operator");
    assert_eq!(unproved(LeviedProof::Acknowledged, true, 80), "levied");
    at(80, |cx| {
        let same_time = Event::Seen { asked_at: cx.now, order: sight(RemitStatus::Closed, Some(specimen_time(9))) };
        assert_eq!(
            go(specimen("levying"), same_time, cx).state.name(),
            "levied",
            "our own arising_time proves an unsplit order"
        );
    });
}

#[test]
fn levied_terminal_status_is_the_accounts() {
    let ends = |terminal, status: RemitStatus| {
        at(20, |cx| {
            let policy = crate::Policy { levied_terminal_status: terminal, ..crate::Policy::default() };
            go(specimen("levying"), seen(status, cx), &Cx { policy: &policy, ..*cx }).state.name()
        })
    };
    assert_eq!(ends(LeviedTerminal::Either, RemitStatus::Remitted), "levied");
    assert_eq!(ends(LeviedTerminal::Close, RemitStatus::Remitted), "levying");
    assert_eq!(ends(LeviedTerminal::Remit, RemitStatus::Closed), "needs_operator");
}

#[test]
fn p25_an_unacknowledged_continue_is_sent_again_only_after_quarantine_and_two_negatives() {
    at(10, |cx| {
        let mut remit = specimen("confirm_in_doubt");
        let mut now = cx.now;
        let mut looks = 0;
        while !matches!(remit.at, At::Confirming { .. }) {
            let cx = Cx { now, ..*cx };
            match remit.step(&input(), &cx) {
                Step::Call(Request::FindOrder { .. }) => {
                    looks += 1;
                    remit = go(remit, seen(RemitStatus::Accepted, &cx), &cx).state;
                }
                Step::Record(event) => remit = go(remit, event, &cx).state,
                Step::Wait(until) => now = until,
                step @ (Step::Call(_) | Step::Ask(_) | Step::Release { .. } | Step::Require(_) | Step::Rest) => {
                    panic!("{step:?}")
                }
            }
        }
        assert!(now >= cx.now + cx.params.quarantine + cx.params.probe_spacing, "{now}");
        assert!(looks <= 8, "{looks} looks");
    });
}

#[test]
fn p22_p23_a_payout_in_doubt_holds_past_the_deadline() {
    at(71, |cx| {
        let mut remit = specimen("payout_in_doubt");
        for _ in 0..20 {
            match remit.step(&input(), cx) {
                Step::Record(event) => {
                    assert!(matches!(event, Event::Told(_)), "only people are told");
                    remit = go(remit, event, cx).state;
                }
                Step::Call(request) => {
                    assert!(matches!(request, Request::FindOrder { .. }));
                    remit = go(remit, seen(RemitStatus::Accepted, cx), cx).state;
                }
                Step::Wait(_) => break,
                step @ (Step::Ask(_) | Step::Release { .. } | Step::Require(_) | Step::Rest) => panic!("{step:?}"),
            }
        }
        assert_eq!(remit.name(), "payout_in_doubt");
        assert_eq!(
            go(remit, Event::FailedReported { permit: PERMIT }, cx).state.name(),
            "gate_closed",
            "failed ⇒ CANCEL"
        );
    });
}

#[test]
fn p27_no_cancel_while_a_permit_is_out() {
    at(45, |cx| {
        for name in ["permitted", "paying", "payout_in_doubt"] {
            let remit = specimen(name);
            assert_eq!(go(remit.clone(), Event::CancelAsked { by: "amei".into() }, cx).state.name(), name);
            assert!(!matches!(remit.step(&input(), cx), Step::Record(Event::PayCutoffReached | Event::CancelDecided)));
        }
    });
}

#[test]
fn an_expired_permit_is_in_doubt_with_a_case_never_failed() {
    at(35, |cx| {
        let remit = specimen("permitted");
        assert_eq!(remit.step(&input(), cx), Step::Record(Event::PermitExpired));
        let next = go(remit, Event::PermitExpired, cx);
        assert!(next.state.name() == "payout_in_doubt" && opens(&next, "payout_in_doubt"));
        let attested =
            go(next.state, Event::Attested { permit: PERMIT, by: "payer".into(), reason: "not used".into() }, cx);
        assert_eq!(attested.state.name(), "open");
    });
}

#[test]
fn repeats_change_nothing_and_contradictions_open_a_case() {
    at(20, |cx| {
        let paid = Paid {
            permit: PERMIT,
            amount: input().amount,
            paid_at: specimen_time(9),
            bank_serial: "BK1".into(),
            payee_ok: true,
            source: "api".into(),
            voucher: None,
        };
        let again = go(specimen("levying"), Event::PaidReported(paid.clone()), cx);
        assert!(again.writes.is_empty(), "the same report again");
        let other =
            go(specimen("levying"), Event::PaidReported(Paid { bank_serial: "BK9".into(), ..paid.clone() }), cx);
        assert!(opens(&other, "paid_twice") && other.state.name() == "levying");
        let failed = go(specimen("levied"), Event::FailedReported { permit: PERMIT }, cx);
        assert!(opens(&failed, "contradictory_report") && failed.state.name() == "levied");
        let ended = go(specimen("permitted"), Event::FailedReported { permit: PERMIT }, cx).state;
        let after = go(ended, Event::PaidReported(paid), cx);
        assert_eq!(after.state.name(), "needs_operator", "paid after bank-final failure stops the gate");
    });
}

#[test]
fn p84_evidence_of_another_amount_or_payee_is_refused() {
    at(20, |cx| {
        let good = Paid {
            permit: PERMIT,
            amount: input().amount,
            paid_at: specimen_time(9),
            bank_serial: "BK".into(),
            payee_ok: true,
            source: "api".into(),
            voucher: None,
        };
        for (paid, kind) in [
            (Paid { amount: domain::Money::ZERO, ..good.clone() }, "paid_amount_mismatch"),
            (Paid { payee_ok: false, ..good.clone() }, "paid_payee_mismatch"),
            (Paid { paid_at: specimen_time(0) - Duration::from_secs(3600), ..good }, "paid_at_out_of_range"),
        ] {
            let next = go(specimen("permitted"), Event::PaidReported(paid), cx);
            assert!(next.state.name() == "payout_in_doubt" && opens(&next, kind), "{kind}");
            assert!(next.state.facts.proof.is_none());
        }
    });
}

#[test]
fn i2_an_evidenced_remit_that_is_not_confirmed_is_told_of_within_the_hour() {
    at(11, |cx| {
        let mut remit = specimen("paid");
        remit.facts.look_at = specimen_time(100);
        remit.facts.looks = 1;
        assert_eq!(remit.step(&input(), cx), Step::Record(Event::Told(Tell::DeadlineNear)));
        let told = go(remit, Event::Told(Tell::DeadlineNear), cx);
        assert!(opens(&told, "deadline_near"));
        assert!(matches!(told.state.step(&input(), cx), Step::Wait(_)), "told once per rung");
    });
}

#[test]
fn a_freeze_of_confirm_stops_the_send_and_tells_a_person() {
    at(20, |cx| {
        let freezes = crate::Freezes(vec![crate::policy::Switch {
            scope: "all".into(),
            create: false,
            pay: false,
            confirm: true,
            cancel: false,
        }]);
        let cx = Cx { freezes: &freezes, ..*cx };
        let remit = specimen("confirming");
        let call = remit.decision_call(&input(), NextStep::Continue, &cx);
        assert!(!remit.may_send(&input(), &call, &cx));
        assert_eq!(remit.step(&input(), &cx), Step::Record(Event::Told(Tell::DeadlineNear)));
        let refused = go(specimen("open"), Event::PermitAsked { ask: Uuid::from_u128(1) }, &cx);
        assert!(matches!(&refused.writes[0], Write::Answer { body, .. } if body["refused"]["code"] == "frozen"));
    });
}

#[test]
fn no_limbo_every_state_wants_something_or_rests_or_has_an_owner() {
    for hours in [10, 44, 70, 73, 200] {
        at(hours, |cx| {
            for remit in Remit::specimens().states {
                let resting = STATES.iter().any(|(name, rest)| *rest && *name == remit.name());
                match remit.step(&input(), cx) {
                    Step::Rest => assert!(resting, "{}", remit.name()),
                    Step::Ask(_) => assert!(
                        matches!(remit.at, At::Contradicted { .. } | At::NeedsOperator { .. }),
                        "{} needs an open case",
                        remit.name()
                    ),
                    Step::Wait(until) => assert!(until > cx.now, "{} would spin", remit.name()),
                    Step::Record(event) => {
                        assert!(remit.clone().apply(&input(), event, cx).is_ok(), "{}", remit.name())
                    }
                    Step::Call(_) | Step::Release { .. } | Step::Require(_) => assert!(!resting),
                }
            }
        });
    }
}

#[test]
fn every_move_of_every_case_closes_its_case_or_says_why_it_stays() {
    let given = EvidenceGiven {
        amount: input().amount,
        paid_at: specimen_time(9),
        bank_serial: "BK7".into(),
        payee_ok: true,
        source: "person".into(),
    };
    answers::check::<Remit>(&serde_json::to_value(given).unwrap(), |remit, cx| {
        if let At::NeedsOperator { why, .. } = &remit.at {
            return Some(cases::open(why.kind(), Severity::High, why.moves(false), serde_json::json!({}), cx));
        }
        let moves = &["levied", "closed"];
        matches!(remit.at, At::Contradicted { .. })
            .then(|| cases::open("contradiction", Severity::Critical, moves, serde_json::json!({}), cx))
    });
}

/// Runs a remit on its own from `now` until `over`, against a provider that makes an event of each call; the cases that are opened.
fn run(
    name: &str,
    mut now: Time,
    mut provider: impl FnMut(&Request, &Cx<'_>) -> Event,
    mut over: impl FnMut(&Remit, Time) -> bool,
) -> Vec<String> {
    let mut remit = specimen(name);
    let mut cases = Vec::new();
    while !over(&remit, now) {
        with_cx(|cx| {
            let cx = &Cx { now, real: now, unsent: false, ..*cx };
            let event = match remit.step(&input(), cx) {
                Step::Call(request) => provider(&request, cx),
                Step::Record(event) => event,
                Step::Wait(until) | Step::Ask(Some(until)) => {
                    assert!(until > now, "{} does not move", remit.at.name());
                    now = until;
                    return;
                }
                Step::Ask(None) | Step::Release { .. } | Step::Require(_) | Step::Rest => panic!("{}", remit.at.name()),
            };
            let next = go(remit.clone(), event, cx);
            let opened = next.writes.iter();
            let opened = opened
                .filter_map(|write| if let Write::OpenCase(case) = write { Some(case.kind.clone()) } else { None });
            cases.extend(opened.filter(|kind| kind != "deadline_near"));
            remit = next.state;
        });
    }
    cases
}

/// A provider that acknowledges CONTINUE, or refuses it with a code of no table, and goes on showing ACCEPT: the minutes at which it
/// is sent, the calls in all, and the cases that are opened.
fn sent_in_vain(from: Time, until: Time, answer: impl Fn(&Cx<'_>) -> Event) -> (Vec<u64>, usize, Vec<String>) {
    let (mut sent, mut calls) = (Vec::new(), 0);
    let provider = |request: &Request, cx: &Cx<'_>| {
        calls += 1;
        if !matches!(request, Request::DecideRemit { .. }) {
            return seen(RemitStatus::Accepted, cx);
        }
        sent.push(cx.now.since(from).as_secs() / 60);
        answer(cx)
    };
    let cases = run("confirming", from, provider, |_, now| now >= until);
    (sent, calls, cases)
}

fn refused_unknown(cx: &Cx<'_>) -> Event {
    Event::DecisionUnsure { sent_at: cx.now, fault: Fault::UnknownCode("1410".into()) }
}

#[test]
fn i29_a_decision_that_is_sent_in_vain_goes_ever_more_slowly() {
    let acknowledged = |cx: &Cx<'_>| Event::Acknowledged { sent_at: cx.now };
    let past = (specimen_time(80), specimen_time(80 + 72));
    let before =
        (specimen_time(10), input().deadline - Params::default().confirm_budget() - Duration::from_secs(6 * 3600));
    for (from, until) in [past, before] {
        for (sent, calls, cases) in
            [sent_in_vain(from, until, acknowledged), sent_in_vain(from, until, refused_unknown)]
        {
            let gaps: Vec<u64> = sent.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert!(gaps.windows(2).all(|pair| pair[1] + 1 >= pair[0]) && gaps[6] >= 320, "{gaps:?}");
            assert!(calls < 120, "{calls}");
            let once = |kind: &str| cases.iter().filter(|case| *case == kind).count();
            assert!(once("decision_in_vain") == 1 && once("continue_not_applied") <= 1, "{cases:?}");
        }
    }
}

#[test]
fn l_1_in_the_last_stretch_before_the_deadline_continue_goes_often_enough_to_meet_the_providers_window() {
    let params = Params::default();
    let from = specimen_time(10);
    let (sent, ..) = sent_in_vain(from, input().deadline, refused_unknown);
    let begins = (input().deadline - params.confirm_budget()).since(from).as_secs() / 60;
    let window = params.provider_window.as_secs() / 60;
    let last = sent.iter().rposition(|minute| *minute <= begins).unwrap();
    assert!(sent[last + 1] <= begins + 2, "one goes as it begins: {sent:?}");
    assert!(sent[last + 1..].windows(2).all(|pair| pair[1] - pair[0] < window), "{sent:?}");
}

/// A1 as weak as it may be: the provider answers for W in every X and is silent otherwise, whatever the phase; before the last
/// stretch it may also refuse every CONTINUE with a code of no table, so that the quarantines are long when it begins.
#[test]
fn l_1_evidence_in_time_is_applied_before_the_deadline_whenever_the_provider_is_there() {
    let params = Params::default();
    let begins = input().deadline - params.confirm_budget();
    let mut late = Vec::new();
    for phase in 0..120 {
        for evidence in [1, 7, 90, 400, 2000] {
            for refuses in [false, true] {
                let there = |now: Time| {
                    let into =
                        (now.millis() / 1000 + phase * 60) % i64::try_from(params.provider_reach.as_secs()).unwrap();
                    into < i64::try_from(params.provider_window.as_secs()).unwrap()
                };
                let mut applied = None;
                let provider = |request: &Request, cx: &Cx<'_>| match request {
                    Request::DecideRemit { .. } if there(cx.now) && refuses && cx.now < begins => refused_unknown(cx),
                    Request::DecideRemit { .. } if there(cx.now) => {
                        applied = Some(cx.now);
                        Event::Acknowledged { sent_at: cx.now }
                    }
                    Request::DecideRemit { .. } => Event::DecisionUnsure { sent_at: cx.now, fault: Fault::Timeout },
                    Request::FindOrder { .. } if there(cx.now) => seen(RemitStatus::Accepted, cx),
                    Request::FindOrder { .. } => Event::LookFailed { fault: Fault::Timeout },
                    Request::CreateOrder { .. }
                    | Request::Invite { .. }
                    | Request::SignUp { .. }
                    | Request::FindSignUps { .. }
                    | Request::SubmitPaper { .. }
                    | Request::FindIdCard { .. }
                    | Request::Bare { .. } => panic!("{request:?} of a remit"),
                };
                let from = begins - Duration::from_secs(evidence * 60);
                run("confirming", from, provider, |remit, now| {
                    matches!(remit.at, At::Levying { .. }) || now >= input().deadline
                });
                if applied.is_none() {
                    late.push((phase, evidence, refuses));
                }
            }
        }
    }
    assert!(late.is_empty(), "{} of 1200: {late:?}", late.len());
}
