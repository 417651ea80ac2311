use super::specimens::input as invited;
use super::*;
use crate::draw::with_cx;
use crate::{Params, Policy};
use domain::record::Write;
use domain::{InstanceId, RequestId};
use uuid::Uuid;

/// The contract without an id of ours.
fn input() -> Input {
    let contract = Contract::SignUp { credit_code: Some("91110000MA00000000".into()), customer_id: None };
    Input { contract, ..invited() }
}

fn go(at: At, input: &Input, event: Event, cx: &Cx<'_>) -> At {
    SignUp::from(at).apply(input, event, cx).unwrap().state.at
}

fn step(at: &At, input: &Input, cx: &Cx<'_>) -> Step<Event> {
    SignUp::from(at.clone()).step(input, cx)
}

/// The same moment, moved.
fn later<'a>(cx: &Cx<'a>, span: Duration) -> Cx<'a> {
    Cx { now: cx.now + span, ..*cx }
}

fn waiting(input: &Input, cx: &Cx<'_>) -> At {
    go(At::begin(cx.now), input, Event::Invited { sent_at: cx.now, signed: false }, cx)
}

fn lost(input: &Input, cx: &Cx<'_>) -> At {
    go(At::begin(cx.now), input, Event::Unsure { sent_at: cx.now, fault: Fault::Timeout }, cx)
}

fn told(input: &Input, signed: bool) -> Event {
    let Contract::SyncSign { request_id } = &input.contract else { panic!("it has no id of ours") };
    Event::Hinted(Hint::SignUpEnded { request_id: request_id.clone(), signed })
}

fn not_signed(cx: &Cx<'_>) -> Event {
    Event::Seen { asked_at: cx.now, seen: SignSeen::NotSigned }
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn p47_nobody_signs_and_nobody_calls_back_it_ends_by_the_clock_after_24_hours_and_the_grace() {
    with_cx(|cx| {
        let input = invited();
        let state = waiting(&input, cx);
        let Step::Wait(until) = step(&state, &input, cx) else { panic!("no query tells of it") };
        assert_eq!(until, cx.now + DAY + cx.params.sign_up_grace);
        let then = Cx { now: until, ..*cx };
        assert_eq!(step(&state, &input, &then), Step::Record(Event::Lapsed));
        assert!(matches!(go(state, &input, Event::Lapsed, &then), At::NotSigned { .. }));
    });
}

#[test]
fn p48_un_sign_means_not_yet_before_24_hours_and_the_grace_and_no_after_them() {
    with_cx(|cx| {
        let input = input();
        let mut state = waiting(&input, cx);
        for hours in [1, 12, 24] {
            let then = later(cx, HOUR * hours);
            state = go(state, &input, not_signed(&then), &then);
            assert!(matches!(state, At::Waiting { .. }), "after {hours} hours");
        }
        let then = later(cx, DAY + cx.params.sign_up_grace);
        assert!(matches!(go(state, &input, not_signed(&then), &then), At::NotSigned { .. }));
    });
}

#[test]
fn p48_what_was_asked_before_the_time_and_answered_after_it_says_not_yet() {
    with_cx(|cx| {
        let input = input();
        let then = later(cx, DAY * 2);
        let state = go(waiting(&input, cx), &input, not_signed(cx), &then);
        assert!(matches!(state, At::Waiting { .. }));
    });
}

#[test]
fn p49_already_signed_is_the_end_at_once() {
    with_cx(|cx| {
        let event = Event::Invited { sent_at: cx.now, signed: true };
        assert!(matches!(go(At::begin(cx.now), &input(), event, cx), At::Signed { .. }));
    });
}

#[test]
fn p50_a_lost_invitation_goes_again_only_after_two_negatives_past_the_quarantine() {
    with_cx(|cx| {
        let input = input();
        let state = go(lost(&input, cx), &input, not_signed(cx), cx);
        assert!(matches!(&state, At::InDoubt { doubt, .. } if doubt.negatives == 0));
        let first = later(cx, cx.params.quarantine);
        let state = go(state, &input, not_signed(&first), &first);
        let second = later(&first, cx.params.probe_spacing);
        let state = go(state, &input, not_signed(&second), &second);
        assert_eq!(step(&state, &input, &second), Step::Record(Event::Disproved));
        let state = go(state, &input, Event::Disproved, &second);
        assert!(matches!(state, At::Inviting { sends: 2, .. }));
        assert_eq!(step(&state, &input, &second), Step::Call(input.invitation()), "identical");
    });
}

#[test]
fn a_lost_invitation_with_an_id_of_ours_is_never_sent_again_by_itself() {
    with_cx(|cx| {
        let policy = Policy { sign_up_query_covers_sync_sign: true, ..Policy::default() };
        let (input, covered) = (invited(), Cx { policy: &policy, ..*cx });
        let mut state = lost(&input, &covered);
        for hours in 0..25 {
            let then = later(&covered, HOUR * hours);
            state = go(state, &input, not_signed(&then), &then);
            assert!(matches!(state, At::InDoubt { .. }), "after {hours} hours");
            assert_ne!(step(&state, &input, &then), Step::Record(Event::Disproved));
        }
        let then = later(&covered, HOUR * 25);
        assert!(matches!(go(state, &input, not_signed(&then), &then), At::NotSigned { .. }));
    });
}

#[test]
fn i15_the_callback_of_this_invitation_is_proof_and_no_other_is() {
    with_cx(|cx| {
        let input = invited();
        let other: RequestId = "ffffffffffffffffffffffffffffffff".to_owned().try_into().unwrap();
        for state in [waiting(&input, cx), lost(&input, cx)] {
            let foreign = Event::Hinted(Hint::SignUpEnded { request_id: other.clone(), signed: true });
            assert!(!matches!(go(state.clone(), &input, foreign, cx), At::Signed { .. }));
            assert!(matches!(go(state.clone(), &input, told(&input, true), cx), At::Signed { .. }));
            assert!(matches!(go(state, &input, told(&input, false), cx), At::NotSigned { .. }));
        }
        let signed = At::Signed { at: cx.now };
        assert_eq!(go(signed.clone(), &input, told(&input, false), cx), signed, "only forwards");
    });
}

#[test]
fn a_late_signature_is_taken() {
    with_cx(|cx| {
        let input = invited();
        let failed = At::NotSigned { at: cx.now, reason: "silence".into() };
        assert!(matches!(go(failed, &input, told(&input, true), cx), At::Signed { .. }));
    });
}

#[test]
fn a_callback_before_the_answer_is_not_lost() {
    with_cx(|cx| {
        let input = invited();
        let state = go(At::begin(cx.now), &input, told(&input, true), cx);
        assert!(matches!(state, At::Signed { .. }));
    });
}

#[test]
fn a_refusal_is_confirmed_by_a_look_where_one_can_see_it() {
    with_cx(|cx| {
        let refusal = Refusal { code: "0002".into(), message: "no".into() };
        let refused = |input: &Input| {
            go(At::begin(cx.now), input, Event::Refused { sent_at: cx.now, refusal: refusal.clone() }, cx)
        };
        assert!(matches!(refused(&invited()), At::NotSigned { .. }), "no query tells of it");
        let looked = refused(&input());
        assert!(matches!(step(&looked, &input(), cx), Step::Call(Request::FindSignUps { .. })));
        let signed = Event::Seen { asked_at: cx.now, seen: SignSeen::Signed };
        assert!(matches!(go(looked.clone(), &input(), signed, cx), At::Signed { .. }));
        assert!(matches!(go(looked, &input(), not_signed(cx), cx), At::NotSigned { .. }));
    });
}

#[test]
fn a_lost_worker_puts_the_invitation_in_doubt() {
    with_cx(|cx| {
        let found = SignUp::begin(cx.now).found(cx).unwrap();
        assert!(matches!(go(At::begin(cx.now), &input(), found, cx), At::InDoubt { .. }));
    });
}

#[test]
fn a_word_of_no_table_goes_to_a_person_and_comes_back() {
    with_cx(|cx| {
        let input = input();
        let word = Event::Seen { asked_at: cx.now, seen: SignSeen::Unknown("HALF".into()) };
        let parked = go(waiting(&input, cx), &input, word, cx);
        assert!(matches!(&parked, At::NeedsOperator { why: Why::UnknownStatus(word), .. } if word == "HALF"));
        let retry = Event::CaseResolved {
            case: Answered::default(),
            r#move: "retry".into(),
            evidence: None,
            by: "amei".into(),
        };
        let back = go(parked, &input, retry, cx);
        assert!(matches!(step(&back, &input, cx), Step::Call(Request::FindSignUps { .. })), "it looks again at once");
    });
}

#[test]
fn looks_come_due_together_and_cost_less_than_forty_calls_in_all() {
    with_cx(|cx| {
        let (one, other) = (input(), input());
        let a = waiting(&one, cx);
        let b = waiting(&other, &later(cx, Duration::from_secs(40)));
        let (At::Waiting { look_at: first, .. }, At::Waiting { look_at: second, .. }) = (&a, &b) else {
            panic!("both wait")
        };
        assert!(first == second || second.since(*first) == Duration::from_secs(300), "on one tick, or the next");
        let (mut state, mut looks) = (a, 0);
        while let At::Waiting { look_at, .. } = &state {
            let then = Cx { now: *look_at, ..*cx };
            state = go(state, &one, not_signed(&then), &then);
            looks += 1;
        }
        assert!(matches!(state, At::NotSigned { .. }));
        assert!(looks < 20, "{looks} looks");
    });
}

#[test]
fn the_grace_is_a_parameter() {
    with_cx(|cx| {
        let params = Params { sign_up_grace: HOUR * 3, ..Params::default() };
        let cx = Cx { params: &params, ..*cx };
        let Step::Wait(until) = step(&waiting(&invited(), &cx), &invited(), &cx) else { panic!("it waits") };
        assert_eq!(until, cx.now + HOUR * 27);
    });
}

const ORDER: Waiter = Waiter { by: InstanceId(Uuid::from_u128(40)), need: 1 };

/// What is told to whom.
fn tells(next: &Next<SignUp>) -> Vec<(InstanceId, String)> {
    let told =
        |write: &Write| if let Write::Tell { to, event } = write { Some((*to, event.to_string())) } else { None };
    next.writes.iter().filter_map(told).collect()
}

fn hear(state: SignUp, input: &Input, event: Event, cx: &Cx<'_>) -> Next<SignUp> {
    state.apply(input, event, cx).unwrap()
}

#[test]
fn whoever_waits_hears_of_a_failure_and_of_the_signature_once() {
    with_cx(|cx| {
        let input = invited();
        let wanted = || Event::Wanted { waiter: ORDER };
        let mut next = hear(SignUp::from(waiting(&input, cx)), &input, wanted(), cx);
        next = hear(next.state, &input, wanted(), cx);
        assert_eq!((next.state.waiters.len(), tells(&next)), (1, vec![]), "however often he asks");
        next = hear(next.state, &input, told(&input, false), cx);
        assert_eq!(
            tells(&next),
            [(ORDER.by, r#"{"Unmet":{"need":1,"reason":"the provider says: not signed"}}"#.into())]
        );
        next = hear(next.state, &input, told(&input, true), cx);
        assert_eq!(tells(&next), [(ORDER.by, r#"{"Met":{"need":1}}"#.into())], "a late signature");
        assert!(next.state.waiters.is_empty());
        next = hear(next.state, &input, wanted(), cx);
        assert_eq!(tells(&next), [(ORDER.by, r#"{"Met":{"need":1}}"#.into())], "whoever comes later hears it at once");
    });
}

#[test]
fn the_signature_of_a_later_invitation_counts_for_the_first_one_and_for_those_who_wait_there() {
    with_cx(|cx| {
        let first = InstanceId(Uuid::from_u128(41));
        let again = Again { of: first, number: 1, by: "amei".into() };
        let later = Input { again: Some(again), ..invited() };
        let next = hear(SignUp::from(waiting(&later, cx)), &later, told(&later, true), cx);
        assert_eq!(tells(&next), [(first, r#""SignedAgain""#.into())]);
        let failed = At::NotSigned { at: cx.now, reason: "silence".into() };
        let failed = SignUp { at: failed, waiters: vec![ORDER] };
        let next = hear(failed, &invited(), Event::SignedAgain, cx);
        assert!(matches!(next.state.at, At::Signed { .. }));
        assert_eq!(tells(&next), [(ORDER.by, r#"{"Met":{"need":1}}"#.into())]);
    });
}
