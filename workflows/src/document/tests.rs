use super::specimens::{file, input as id_card};
use super::*;
use crate::draw::with_cx;
use domain::papers::{Contract, Paper};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn agreement() -> Input {
    let contract = Contract::Empower { party: "1001".into() };
    Input { paper: Paper::Agreement { contract_id: "C-1".into(), contract, file: file("c") }, ..id_card() }
}

fn voucher() -> Input {
    let order_id = "R2026010500000001".to_owned().try_into().unwrap();
    Input { person: None, paper: Paper::Voucher { order_id, file_name: "v.pdf".into(), file: file("d") }, ..id_card() }
}

fn go(state: Document, input: &Input, event: Event, cx: &Cx<'_>) -> Document {
    state.apply(input, event, cx).unwrap().state
}

fn later<'a>(cx: &Cx<'a>, span: Duration) -> Cx<'a> {
    Cx { now: cx.now + span, ..*cx }
}

fn taken(seen: PaperSeen, input: &Input, cx: &Cx<'_>) -> Document {
    go(Document::begin(cx.now), input, Event::Taken { sent_at: cx.now, seen }, cx)
}

fn lost(input: &Input, cx: &Cx<'_>) -> Document {
    go(Document::begin(cx.now), input, Event::Unsure { sent_at: cx.now, fault: Fault::Timeout }, cx)
}

#[test]
fn p61_success_at_once_means_that_a_picture_was_there_and_is_no_renewal() {
    with_cx(|cx| {
        let there = taken(PaperSeen::Good, &id_card(), cx);
        assert!(
            matches!(there.step(&id_card(), cx), Step::Call(Request::FindIdCard { .. })),
            "a look says how it stands"
        );
        let good = Event::Seen { asked_at: cx.now, seen: PaperSeen::Good };
        assert_eq!(go(there.clone(), &id_card(), good.clone(), cx), Document::Verified { at: cx.now, existing: true });
        let bad = Event::Seen { asked_at: cx.now, seen: PaperSeen::Bad { reason: None } };
        assert!(matches!(go(there, &id_card(), bad, cx), Document::Rejected { .. }));
        let renewal = Input { renewal: true, ..id_card() };
        let parked = taken(PaperSeen::Good, &renewal, cx);
        assert!(matches!(parked, Document::NeedsOperator { why: Why::NotRenewed, .. }));
        // Nor is the picture that a look shows after a lost answer, which may be the old one.
        let parked = go(lost(&renewal, cx), &renewal, good, cx);
        assert!(matches!(parked, Document::NeedsOperator { why: Why::NotRenewed, .. }));
        assert_eq!(taken(PaperSeen::Good, &voucher(), cx), Document::Verified { at: cx.now, existing: false });
    });
}

#[test]
fn p62_a_person_whom_the_provider_does_not_know_must_sign_up_first() {
    with_cx(|cx| {
        let parked = taken(PaperSeen::NoPerson, &id_card(), cx);
        assert!(matches!(parked, Document::NeedsOperator { why: Why::NoPerson, .. }));
        // After a lost answer the same word only says that the pictures, which would have made the person known, did not arrive.
        let unknown = Event::Seen { asked_at: cx.now, seen: PaperSeen::NoPerson };
        assert!(matches!(go(lost(&id_card(), cx), &id_card(), unknown, cx), Document::Submitted { .. }));
    });
}

#[test]
fn p63_a_lost_agreement_goes_again_word_for_word_and_its_own_id_refused_is_not_a_failure() {
    with_cx(|cx| {
        let input = agreement();
        let state = lost(&input, cx);
        let Step::Wait(at) = state.step(&input, cx) else { panic!("not at once") };
        let then = Cx { now: at, ..*cx };
        assert_eq!(state.step(&input, &then), Step::Record(Event::Again));
        let again = go(state, &input, Event::Again, &then);
        assert_eq!(again.step(&input, &then), Step::Call(input.submission()), "no new contract_id");
        let event = Event::Taken { sent_at: then.now, seen: PaperSeen::Duplicate };
        let inferred = go(again, &input, event, &then);
        assert!(matches!(inferred, Document::Processing { inferred: true, .. }), "flagged until somebody confirms it");
        let judged = Hint::PaperJudged { request_id: input.request_id.clone(), seen: PaperSeen::Good };
        assert!(matches!(go(inferred, &input, Event::Hinted(judged), &then), Document::Verified { .. }));
    });
}

#[test]
fn a_picture_goes_again_only_after_two_looks_past_the_quarantine_that_do_not_find_it() {
    with_cx(|cx| {
        let input = id_card();
        let missing = |cx: &Cx<'_>| Event::Seen { asked_at: cx.now, seen: PaperSeen::Missing };
        let state = go(lost(&input, cx), &input, missing(cx), cx);
        assert!(state.clone().apply(&input, Event::Again, cx).is_err());
        let first = later(cx, cx.params.quarantine);
        let state = go(state, &input, missing(&first), &first);
        let second = later(&first, cx.params.probe_spacing);
        let state = go(state, &input, missing(&second), &second);
        assert_eq!(state.step(&input, &second), Step::Record(Event::Again));
        assert!(matches!(go(state, &input, Event::Again, &second), Document::Rendered { sends: 2, .. }));
    });
}

#[test]
fn p62_an_upload_that_never_arrived_has_made_nobody_known_and_goes_again() {
    with_cx(|cx| {
        let input = id_card();
        let nobody = |cx: &Cx<'_>| Event::Seen { asked_at: cx.now, seen: PaperSeen::NoPerson };
        let first = later(cx, cx.params.quarantine);
        let second = later(&first, cx.params.probe_spacing);
        let state = go(lost(&input, cx), &input, nobody(&first), &first);
        let state = go(state, &input, nobody(&second), &second);
        assert_eq!(state.step(&input, &second), Step::Record(Event::Again));
        let sent = go(state, &input, Event::Again, &second);
        let refused = go(sent, &input, Event::Taken { sent_at: second.now, seen: PaperSeen::NoPerson }, &second);
        assert!(matches!(refused, Document::NeedsOperator { why: Why::NoPerson, .. }), "its own answer says so");
    });
}

#[test]
fn after_five_sends_a_person_is_asked() {
    with_cx(|cx| {
        let input = voucher();
        let (mut state, mut cx, mut sends) = (Document::begin(cx.now), *cx, 0);
        while !matches!(state, Document::NeedsOperator { .. }) {
            let event = match state.step(&input, &cx) {
                Step::Call(_) => {
                    sends += 1;
                    Event::Unsure { sent_at: cx.now, fault: Fault::Timeout }
                }
                Step::Record(event) => event,
                Step::Wait(at) => {
                    cx.now = at;
                    continue;
                }
                step @ (Step::Ask(_) | Step::Release { .. } | Step::Require(_) | Step::Rest) => panic!("{step:?}"),
            };
            state = go(state, &input, event, &cx);
        }
        assert_eq!(sends, 5);
        assert!(matches!(state, Document::NeedsOperator { why: Why::SendsExhausted, .. }));
    });
}

#[test]
fn p66_false_is_a_rejection_with_its_reason() {
    with_cx(|cx| {
        let bad = |reason: Option<&str>| PaperSeen::Bad { reason: reason.map(Into::into) };
        let state = taken(bad(None), &voucher(), cx);
        assert!(matches!(state, Document::Rejected { reason, .. } if reason == "the provider gives no reason"));
        let state = taken(bad(Some("照片不清晰")), &id_card(), cx);
        assert!(matches!(state, Document::Rejected { reason, .. } if reason == "照片不清晰"));
    });
}

#[test]
fn an_agreement_that_nobody_speaks_of_goes_to_a_person_after_three_days() {
    with_cx(|cx| {
        let input = agreement();
        let state = taken(PaperSeen::Accepted, &input, cx);
        assert_eq!(state.step(&input, cx), Step::Wait(cx.now + HOUR * 72), "no query tells of it");
        let then = later(cx, HOUR * 72);
        assert_eq!(state.step(&input, &then), Step::Record(Event::Silent));
        let parked = go(state, &input, Event::Silent, &then);
        let event = Event::CaseResolved {
            case: Answered::default(),
            r#move: "verified".into(),
            evidence: None,
            by: "amei".into(),
        };
        assert!(matches!(go(parked, &input, event, &then), Document::Verified { .. }));
    });
}

#[test]
fn a_callback_is_a_hint_where_a_query_says_more_and_the_end_where_none_does() {
    with_cx(|cx| {
        let judged = |input: &Input| {
            Event::Hinted(Hint::PaperJudged { request_id: input.request_id.clone(), seen: PaperSeen::Good })
        };
        let looked = go(taken(PaperSeen::Accepted, &id_card(), cx), &id_card(), judged(&id_card()), cx);
        assert!(matches!(looked.step(&id_card(), cx), Step::Call(Request::FindIdCard { .. })));
        let ended = go(taken(PaperSeen::Accepted, &agreement(), cx), &agreement(), judged(&agreement()), cx);
        assert!(matches!(ended, Document::Verified { .. }));
    });
}

#[test]
fn a_lost_worker_puts_the_upload_in_doubt() {
    with_cx(|cx| {
        let found = Document::begin(cx.now).found(cx).unwrap();
        assert!(matches!(go(Document::begin(cx.now), &id_card(), found, cx), Document::Submitted { .. }));
    });
}
