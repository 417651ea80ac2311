//! Rules that a review found broken, each as it was found.

use super::specimens::{PERMIT, input, sight};
use super::*;
use crate::draw::{specimen_time, with_cx};
use domain::levy::RemitStatus;
use domain::record::Write;

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

fn opens(next: &Next<Remit>, kind: &str) -> bool {
    next.writes.iter().any(|write| matches!(write, Write::OpenCase(case) if case.kind == kind))
}

fn closes(next: &Next<Remit>, kind: &str) -> bool {
    let named = |kinds: &[String]| kinds.is_empty() || kinds.iter().any(|named| named == kind);
    next.writes.iter().any(|write| matches!(write, Write::CloseCases { kinds, .. } if named(kinds)))
}

fn reopens(next: &Next<Remit>) -> bool {
    next.writes.iter().any(|write| matches!(write, Write::ReopenCase { .. }))
}

fn given(hours: u64) -> EvidenceGiven {
    EvidenceGiven {
        amount: input().amount,
        paid_at: specimen_time(hours),
        bank_serial: "BK7".into(),
        payee_ok: true,
        source: "person".into(),
    }
}

fn resolved(name: &str, evidence: Option<EvidenceGiven>) -> Event {
    Event::CaseResolved { case: Answered::default(), r#move: name.into(), evidence, by: "amei".into() }
}

fn paid(permit: Uuid, serial: &str) -> Event {
    Event::PaidReported(Paid {
        permit,
        amount: input().amount,
        paid_at: specimen_time(9),
        bank_serial: serial.into(),
        payee_ok: true,
        source: "api".into(),
        voucher: None,
    })
}

#[test]
fn s_g_a_remit_parked_in_mid_send_probes_before_it_sends_again() {
    at(20, |cx| {
        for (name, back) in [("confirming", "confirm_in_doubt"), ("cancelling", "cancel_in_doubt")] {
            let parked = specimen(name).parked("a bug", cx).state;
            assert_eq!(go(parked, resolved("retry", None), cx).state.name(), back);
        }
    });
}

#[test]
fn s_g_a_refused_cancel_is_sent_again_only_after_probes() {
    at(20, |cx| {
        let refusal = Refusal { code: "0001".into(), message: "no".into() };
        let refused = go(specimen("cancelling"), Event::DecisionRefused { sent_at: cx.now, refusal }, cx).state;
        let parked = go(refused, seen(RemitStatus::Accepted, cx), cx).state;
        let again = go(parked, resolved("retry", None), cx);
        assert_eq!(again.state.name(), "cancel_in_doubt");
        assert!(closes(&again, "cancel_refused"));
    });
}

#[test]
fn a_parked_remit_still_hears_the_report_of_its_live_payout() {
    at(20, |cx| {
        let parked = specimen("permitted").parked("a bug", cx).state;
        let heard = go(parked.clone(), paid(PERMIT, "BK"), cx);
        assert!(heard.writes.iter().any(|write| matches!(write, Write::KeepEvidence(_))));
        assert_eq!(go(heard.state, resolved("retry", None), cx).state.name(), "paid");
        let failed = go(parked, Event::FailedReported { permit: PERMIT }, cx).state;
        assert_eq!(go(failed, resolved("retry", None), cx).state.name(), "open");
    });
}

#[test]
fn a_contradicted_remit_still_hears_the_report_of_its_live_payout() {
    at(20, |cx| {
        let parked = go(specimen("permitted"), seen(RemitStatus::Processing, cx), cx).state;
        assert_eq!(parked.name(), "contradicted");
        assert_eq!(go(parked.clone(), resolved("closed", Some(given(9))), cx).state.name(), "contradicted", "live");
        let heard = go(parked, paid(PERMIT, "BK"), cx);
        assert!(heard.state.facts.proof.is_some() && heard.state.name() == "contradicted");
        let closed = go(heard.state, resolved("closed", Some(given(9))), cx);
        assert!(
            closed.state.name() == "auto_closed_paid" && opens(&closed, "auto_closed_paid"),
            "an incident has a case"
        );
    });
}

#[test]
fn s_a_money_that_came_back_while_parked_is_not_levied() {
    at(20, |cx| {
        let parked = go(specimen("paid"), seen(RemitStatus::Unknown("FROZEN".into()), cx), cx).state;
        let returned = go(parked, Event::ReturnedReported { permit: PERMIT }, cx).state;
        assert!(returned.facts.proof.is_none());
        assert_eq!(go(returned, resolved("retry", None), cx).state.name(), "open");
        let refused = specimen_with(|at| matches!(at, At::NeedsOperator { why: Why::ConfirmRefused(_), .. }));
        let back = go(refused, Event::ReturnedReported { permit: PERMIT }, cx).state;
        let again = go(back, resolved("resend_corrected", Some(given(9))), cx).state;
        assert_ne!(again.name(), "confirming");
    });
}

fn specimen_with(fits: impl Fn(&At) -> bool) -> Remit {
    Remit::specimens().states.into_iter().find(|remit| fits(&remit.at)).unwrap()
}

#[test]
fn s_a_a_corrected_resend_needs_fitting_evidence_and_is_allowed_once() {
    at(20, |cx| {
        let refused = specimen_with(|at| matches!(at, At::NeedsOperator { why: Why::ConfirmRefused(_), .. }));
        let wrong = EvidenceGiven { amount: domain::Money::ZERO, ..given(9) };
        let kept = go(refused.clone(), resolved("resend_corrected", Some(wrong)), cx);
        assert!(kept.state.name() == "needs_operator" && reopens(&kept));
        let ahead = go(refused.clone(), resolved("resend_corrected", Some(given(30))), cx).state;
        assert_eq!(ahead.name(), "needs_operator", "an arising_time in the future");
        // P37: the payment that was corrected owes the voucher that it owed.
        let owed = Some(domain::InstanceId(Uuid::from_u128(40)));
        let mut owing = refused.clone();
        owing.facts.proof.as_mut().unwrap().voucher = owed;
        let corrected = go(owing, resolved("resend_corrected", Some(given(9))), cx).state;
        assert_eq!(corrected.facts.proof.unwrap().voucher, owed);
        let mut again = go(refused.clone(), resolved("resend_corrected", Some(given(9))), cx).state;
        assert_eq!(again.name(), "confirming");
        again.at = refused.at;
        let second = go(again, resolved("resend_corrected", Some(given(9))), cx);
        assert!(!second.writes.iter().any(|write| matches!(write, Write::ReviseDecision { .. })), "one revision");
    });
}

#[test]
fn s_d_a_word_about_an_old_attempt_does_not_end_the_live_one() {
    at(20, |cx| {
        let mut remit = go(specimen("permitted"), Event::FailedReported { permit: PERMIT }, cx).state;
        remit = go(remit, Event::PermitAsked { ask: Uuid::from_u128(1) }, cx).state;
        remit = go(remit, seen(RemitStatus::Accepted, cx), cx).state;
        let At::Permitted(second) = remit.at.clone() else { panic!() };
        let odd = go(remit, paid(PERMIT, "BK-late"), cx);
        let offered = odd
            .writes
            .iter()
            .find_map(|write| if let Write::OpenCase(case) = write { Some(case.moves.clone()) } else { None });
        assert_eq!(offered, Some(vec![needs("closed")]), "no move of this case may speak for the live permit");
        let over = go(odd.state, Event::FailedReported { permit: second.permit }, cx).state;
        assert_eq!(over.name(), "needs_operator", "no third permit before people have settled the first");
        assert_eq!(go(over, resolved("not_paid", None), cx).state.name(), "open");
    });
}

#[test]
fn s_b_a_closed_gate_stays_closed_when_nothing_was_paid_after_all() {
    at(20, |cx| {
        let closed = go(specimen("open"), Event::CancelAsked { by: "amei".into() }, cx).state;
        let parked = go(closed, paid(Uuid::from_u128(404), "BK"), cx).state;
        assert_eq!(parked.name(), "needs_operator");
        assert_eq!(go(parked, resolved("not_paid", None), cx).state.name(), "gate_closed");
    });
}

#[test]
fn s_b_cancel_does_not_leave_for_what_is_reported_paid() {
    at(50, |cx| {
        for name in ["cancelling", "cancel_in_doubt"] {
            assert_eq!(go(specimen(name), paid(PERMIT, "BK"), cx).state.name(), "contradicted", "{name}");
            assert_eq!(go(specimen(name), resolved("paid", Some(given(9))), cx).state.name(), "contradicted", "{name}");
        }
    });
}

#[test]
fn race_closed_before_continue_was_sent_is_auto_closed_paid() {
    at(73, |cx| {
        let closed = go(specimen("confirming"), seen(RemitStatus::Closed, cx), cx);
        assert!(closed.state.name() == "auto_closed_paid" && opens(&closed, "auto_closed_paid"));
        assert_eq!(go(specimen("confirming"), seen(RemitStatus::Processing, cx), cx).state.name(), "contradicted");
    });
}

#[test]
fn a_repeated_or_late_instruction_parks_nothing() {
    at(36, |cx| {
        let event = || Event::Instructed { permit: PERMIT };
        assert_eq!(go(specimen("paying"), event(), cx).state.name(), "paying");
        assert_eq!(go(specimen("permitted"), event(), cx).state.name(), "paying", "late, and it left");
        assert!(opens(&go(specimen("levied"), event(), cx), "contradictory_report"));
    });
}

#[test]
fn p07_a_wish_to_cancel_outlives_the_permit() {
    at(20, |cx| {
        let wished = go(specimen("permitted"), Event::CancelAsked { by: "amei".into() }, cx).state;
        assert_eq!(wished.name(), "permitted");
        assert_eq!(go(wished, Event::FailedReported { permit: PERMIT }, cx).state.name(), "gate_closed");
    });
}

#[test]
fn a_repeated_odd_word_is_one_case() {
    at(20, |cx| {
        let unknown = || seen(RemitStatus::Unknown("FROZEN".into()), cx);
        let once = go(specimen("permitted"), unknown(), cx);
        assert!(opens(&once, "unknown_status") && !opens(&go(once.state, unknown(), cx), "unknown_status"));
        let twice = go(specimen("levying"), paid(PERMIT, "BK9"), cx);
        assert!(opens(&twice, "paid_twice") && go(twice.state, paid(PERMIT, "BK9"), cx).writes.is_empty());
    });
}

#[test]
fn a_late_repeat_of_a_payment_that_came_back_changes_nothing() {
    at(20, |cx| {
        let open = go(specimen("paid"), Event::ReturnedReported { permit: PERMIT }, cx).state;
        let again = go(open, paid(PERMIT, "BK1"), cx);
        assert!(again.state.name() == "open" && again.writes.is_empty());
    });
}

#[test]
fn a_return_moves_its_permit_in_every_state() {
    at(20, |cx| {
        for name in ["paid", "confirming", "confirm_in_doubt", "levying", "levied", "auto_closed_paid"] {
            let next = go(specimen(name), Event::ReturnedReported { permit: PERMIT }, cx);
            let moved = |write: &Write| matches!(write, Write::MovePermit { state, .. } if state == "returned");
            assert!(next.writes.iter().any(moved), "{name}");
        }
        let levying = go(specimen("levying"), Event::ReturnedReported { permit: PERMIT }, cx).state;
        let levied = go(levying, resolved("levied", Some(given(9))), cx).state;
        assert_eq!(levied.name(), "returned_after_levy", "also by two persons' word");
    });
}

#[test]
fn i14_a_bug_at_rest_moves_nothing() {
    at(20, |cx| {
        for remit in Remit::specimens().states.into_iter().filter(|remit| remit.at.resting()) {
            let next = remit.clone().parked("a bug", cx);
            assert!(next.state == remit && opens(&next, "internal_fault"));
            let closed = go(remit.clone(), resolved("closed", Some(given(9))), cx);
            assert!(closed.state == remit && closed.writes.len() == 1, "and its case can be closed, alone");
        }
    });
}

#[test]
fn a_question_of_money_survives_a_bug() {
    at(20, |cx| {
        let asked = specimen_with(|at| matches!(at, At::NeedsOperator { why: Why::PaidAfterFinal, .. }));
        let parked = asked.parked("a bug", cx).state;
        assert_eq!(go(parked, resolved("retry", None), cx).state.name(), "needs_operator");
    });
}

#[test]
fn i2_a_payment_ahead_of_our_clock_is_still_told_of_within_the_hour() {
    at(10, |cx| {
        let mut remit = specimen("paid");
        remit.facts.proof.as_mut().unwrap().paid_at = specimen_time(20);
        assert_eq!(remit.step(&input(), cx), Step::Wait(specimen_time(10) + Duration::from_secs(50 * 60)));
    });
}

#[test]
fn nobody_decides_under_a_freeze_and_looking_goes_on() {
    at(20, |cx| {
        let all = crate::policy::Switch { scope: "all".into(), create: false, pay: false, confirm: true, cancel: true };
        let freezes = crate::Freezes(vec![all]);
        let frozen = Cx { freezes: &freezes, ..*cx };
        let still = go(specimen("paid"), seen(RemitStatus::Accepted, cx), &frozen).state;
        assert_eq!(still.name(), "paid");
        assert_eq!(
            go(still, seen(RemitStatus::Closed, cx), &frozen).state.name(),
            "closed_externally",
            "found while frozen"
        );
    });
}

#[test]
fn nobody_gets_a_permit_where_the_merchant_does_not_pay() {
    at(20, |cx| {
        let policy = crate::Policy { payer: Some("provider".into()), ..crate::Policy::default() };
        let asked =
            go(specimen("open"), Event::PermitAsked { ask: Uuid::from_u128(1) }, &Cx { policy: &policy, ..*cx });
        assert!(matches!(&asked.writes[0], Write::Answer { body, .. } if body["refused"]["code"] == "not_payable"));
    });
}

#[test]
fn p31_what_is_paid_goes_first_before_a_month_end() {
    with_cx(|cx| {
        let edge = Time::parse("2026-01-31T19:00:00+08:00").unwrap();
        let later = Input { deadline: edge + HURRY + HURRY, ..input() };
        assert_eq!(specimen("paid").class(&later, &Cx { now: edge, ..*cx }), 0);
        let early = edge - HURRY;
        assert_eq!(specimen("paid").class(&later, &Cx { now: early, ..*cx }), 1);
    });
}

#[test]
fn p18_looks_that_fail_for_long_are_told_of_once() {
    at(20, |cx| {
        let mut remit = specimen("gate_closed");
        let mut told = 0;
        for _ in 0..50 {
            let next = go(remit, Event::LookFailed { fault: Fault::Timeout }, cx);
            told += usize::from(opens(&next, "our_order_missing_at_provider"));
            remit = next.state;
        }
        assert_eq!(told, 1);
    });
}

#[test]
fn s_h_one_stale_read_of_a_running_levy_lowers_no_belief() {
    at(11, |cx| {
        let mut remit = specimen("levying");
        remit.facts.running = true;
        let stale = go(remit.clone(), seen(RemitStatus::Accepted, cx), cx).state;
        assert_eq!(stale.name(), "levying", "F57: a lagging copy");
        let running = go(stale.clone(), seen(RemitStatus::Processing, cx), cx).state;
        assert_eq!(go(running, seen(RemitStatus::Closed, cx), cx).state.name(), "levied");
        let later = Cx { now: cx.now + cx.params.probe_spacing, ..*cx };
        assert_eq!(
            go(stale, seen(RemitStatus::Accepted, &later), &later).state.name(),
            "contradicted",
            "it keeps to it"
        );
    });
}

#[test]
fn evidence_that_waits_for_its_second_person_holds_the_cancel() {
    at(43, |cx| {
        let brought = go(specimen("open"), Event::EvidenceBrought { by: "amei".into(), case: None }, cx).state;
        assert_eq!(brought.name(), "open", "one person moves nothing");
        let later = Cx { now: specimen_time(45), ..*cx };
        let mut shut = go(brought, Event::PayCutoffReached, &later).state;
        shut.facts.look_at = specimen_time(50);
        assert!(matches!(shut.step(&input(), &later), Step::Wait(_)), "{:?}", shut.step(&input(), &later));
        assert!(shut.clone().apply(&input(), Event::CancelDecided, &later).is_err());
        let lapsed = Cx { now: specimen_time(68), ..*cx };
        shut.facts.look_at = specimen_time(80);
        assert_eq!(shut.step(&input(), &lapsed), Step::Record(Event::CancelDecided), "a proposal lapses after a day");
    });
}

/// Found by the model checker: the notice was false, the levy had run, and the remit was to be levied again.
#[test]
fn a_notice_from_before_the_decision_does_not_prove_that_a_levied_remit_was_closed() {
    at(72, |cx| {
        let noticed = Event::NoticeSeen { close_time: Some(specimen_time(9)) };
        let in_doubt =
            go(go(specimen("confirm_in_doubt"), noticed, cx).state, seen(RemitStatus::Accepted, cx), cx).state;
        let next = go(in_doubt, seen(RemitStatus::Closed, cx), cx);
        assert!(next.state.name() == "contradicted" && opens(&next, "contradiction"), "two persons look");
        assert_eq!(go(next.state, resolved("levied", Some(given(9))), cx).state.name(), "levied");
    });
}
