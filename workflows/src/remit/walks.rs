//! Random walks: whatever comes in whatever order, the rows that leave never break a safety rule (safety.md §3).

use super::specimens::{input, sight};
use super::*;
use crate::answers::Cases;
use crate::draw::specimen_time;
use crate::policy::{CancelNeverPermitted, Guard, Switch};
use crate::{Freezes, Params, Policy, payout};
use domain::InstanceId;
use domain::levy::RemitStatus;
use domain::record::Write;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

static PARAMS: LazyLock<Params> = LazyLock::new(Params::default);

/// What the outside does next; ids are filled in from the machine as it then stands.
#[derive(Debug, Clone)]
enum Act {
    /// Does what the state wants, if it is a record or a call; the answer is taken from the second part.
    Go(Reply),
    Wait(u64),
    Ask,
    Paid {
        old: bool,
        fits: bool,
    },
    Word {
        old: bool,
        what: u8,
    },
    Cancel,
    Notice,
    Resolve(u8),
    Freeze(u8),
    Park,
    WorkerLost,
}

#[derive(Debug, Clone)]
enum Reply {
    Seen(u8),
    Failed,
    Done,
    Refused,
    Unsure,
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        6 => prop_oneof![6 => Just(0u8), 1 => 1..5u8].prop_map(Reply::Seen),
        1 => Just(Reply::Failed),
        2 => Just(Reply::Done),
        1 => Just(Reply::Refused),
        1 => Just(Reply::Unsure),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        14 => reply().prop_map(Act::Go),
        3 => (1..20_000u64).prop_map(Act::Wait),
        4 => Just(Act::Ask),
        2 => (any::<bool>(), prop::bool::weighted(0.8)).prop_map(|(old, fits)| Act::Paid { old, fits }),
        3 => (any::<bool>(), 0..5u8).prop_map(|(old, what)| Act::Word { old, what }),
        1 => Just(Act::Cancel),
        1 => Just(Act::Notice),
        4 => (0..12u8).prop_map(Act::Resolve),
        1 => (0..5u8).prop_map(Act::Freeze),
        1 => Just(Act::Park),
        1 => Just(Act::WorkerLost),
    ]
}

fn status(place: u8) -> RemitStatus {
    match place {
        0 => RemitStatus::Accepted,
        1 => RemitStatus::Closed,
        2 => RemitStatus::Processing,
        3 => RemitStatus::Remitted,
        _ => RemitStatus::Unknown("FROZEN".into()),
    }
}

/// The rows as the database would hold them, and the sends as the provider would see them.
#[derive(Default)]
struct Ledger {
    permits: BTreeMap<Uuid, String>,
    evidence: BTreeSet<Uuid>,
    gate: bool,
    decision: Option<NextStep>,
    revised: bool,
    cases: Cases,
    asks: BTreeSet<Uuid>,
    done: Vec<String>,
    /// The last send that may have been applied and was not answered.
    doubtful_send: Option<Time>,
    negatives: u32,
}

fn live(state: &str) -> bool {
    matches!(state, "permit_issued" | "instructed" | "in_doubt")
}

impl Ledger {
    fn live(&self) -> usize {
        self.permits.values().filter(|state| live(state)).count()
    }

    fn take(&mut self, write: &Write, cx: &Cx<'_>) {
        match write {
            Write::IssuePermit(permit) => {
                assert!(!self.gate && self.decision.is_none(), "S-C: a permit after the gate or the decision");
                assert!(permit.issued_at < permit.pay_cutoff && permit.pay_before <= permit.pay_cutoff, "S-C: cut-off");
                assert_eq!(permit.amount, input().amount);
                assert_eq!(self.live(), 0, "S-D: one live attempt");
                assert!(!self.permits.values().any(|state| state == "success"), "S-D: one success");
                self.permits.insert(permit.id, permit.state.clone());
            }
            Write::MovePermit { permit, state } => {
                let row = self.permits.get_mut(permit).expect("a permit that was issued");
                assert!(live(row) || !live(state), "S-D: revived");
                row.clone_from(state);
            }
            Write::KeepEvidence(evidence) => {
                assert_eq!(evidence.amount, input().amount, "S-A");
                self.evidence.insert(evidence.id);
            }
            Write::RevokeEvidence { evidence, .. } => {
                assert_ne!(self.decision, Some(NextStep::Continue), "evidence of a decision");
                assert!(self.evidence.remove(evidence));
            }
            Write::CloseGate { .. } => self.gate = true,
            Write::Decide(decision) => {
                assert!(self.decision.is_none(), "S-E: decided twice");
                match decision.next_step {
                    NextStep::Continue => {
                        assert!(decision.evidence.is_some_and(|id| self.evidence.contains(&id)), "S-A");
                        assert!(decision.arising_time <= cx.now, "P30");
                    }
                    NextStep::Cancel => {
                        assert!(self.gate, "S-B: the gate is open");
                        assert_eq!(self.live(), 0, "S-B: an attempt is live");
                        assert!(self.evidence.is_empty(), "S-B: paid");
                    }
                }
                self.decision = Some(decision.next_step);
            }
            Write::ReviseDecision { evidence, .. } => {
                assert!(self.decision == Some(NextStep::Continue) && !self.revised, "S-E: one revision");
                assert!(self.evidence.contains(evidence), "S-A");
                self.revised = true;
            }
            Write::Answer { ask, .. } => assert!(self.asks.remove(ask), "answered once"),
            Write::OpenCase(_) | Write::CloseCases { .. } | Write::CloseCase { .. } | Write::ReopenCase { .. } => {
                self.cases.take(write);
            }
            Write::Tell { event, .. } => self.done.push(event["RemitDone"]["state"].as_str().unwrap().into()),
            Write::Spawn(_) | Write::OpenTask(_) | Write::CloseTasks { .. } | Write::Emit { .. } => {}
        }
    }

    fn sends(&mut self, next_step: NextStep, cx: &Cx<'_>) {
        assert_eq!(self.decision, Some(next_step), "S-E: sent as decided");
        if next_step == NextStep::Cancel {
            assert!(self.gate && self.live() == 0 && self.evidence.is_empty(), "S-B at the send");
        } else {
            assert!(!self.evidence.is_empty(), "S-A at the send");
        }
        if let Some(last) = self.doubtful_send {
            assert!(cx.now >= last + cx.params.quarantine && self.negatives >= 2, "S-G: sent again unproved");
        }
        self.negatives = 0;
    }
}

struct Walk {
    remit: Remit,
    ledger: Ledger,
    now: Time,
    policy: Policy,
    freezes: Freezes,
    asked: u128,
    returned: bool,
}

impl Walk {
    fn cx<T>(&mut self, f: impl FnOnce(&mut Self, &Cx<'_>) -> T) -> T {
        let (policy, freezes) = (self.policy.clone(), self.freezes.clone());
        let now = self.now;
        let (me, parent) = (InstanceId(Uuid::from_u128(1)), Some(InstanceId(Uuid::from_u128(2))));
        let (params, policy, freezes) = (&*PARAMS, &policy, &freezes);
        let (tenant, account) = ("default", "main");
        f(self, &Cx { me, parent, tenant, account, now, real: now, unsent: true, params, policy, freezes })
    }

    fn take(&mut self, event: Event, must: bool) {
        self.cx(|walk, cx| {
            let before = walk.remit.clone();
            let next = match before.clone().apply(&input(), event.clone(), cx) {
                Ok(next) => next,
                Err(illegal) => return assert!(!must, "{illegal} in {before:?}"),
            };
            walk.settle(&before, next, &event, cx);
        });
    }

    fn settle(&mut self, before: &Remit, next: Next<Remit>, event: &Event, cx: &Cx<'_>) {
        let told = self.ledger.done.len();
        for write in &next.writes {
            self.ledger.take(write, cx);
        }
        self.remit = next.state;
        let (from, to) = (before.at.name(), self.remit.at.name());
        let entered = from != to && self.remit.at.resting();
        assert_eq!(self.ledger.done.len() - told, usize::from(entered), "RemitDone once per end: {from} -> {to}");
        if before.at.resting() && from != to {
            let drawn = matches!(
                (from, to),
                ("levied", "returned_after_levy")
                    | ("auto_closed_paid" | "closed_externally", "levied" | "returned_after_levy")
            );
            assert!(drawn, "S-H: rest left by no arrow: {from} -> {to} by {event:?}");
        }
        let waiting = matches!(self.remit.at, At::Open { ask: Some(_) });
        assert_eq!(self.ledger.asks.len(), usize::from(waiting), "a payer waits in {to} after {event:?}");
        if matches!(self.remit.at, At::Contradicted { .. } | At::NeedsOperator { .. }) {
            let owned = self.ledger.cases.open().iter().any(|case| !case.moves.is_empty());
            assert!(owned, "nobody can get it out of {to} after {event:?}");
        }
        let known_live = usize::from(live_in(&self.remit.at));
        assert_eq!(self.ledger.live(), known_live, "a live permit nobody waits for in {to} after {event:?}");
    }

    fn go(&mut self, reply: &Reply) {
        self.cx(|walk, cx| match walk.remit.step(&input(), cx) {
            Step::Record(event) => {
                let before = walk.remit.clone();
                let next = before.clone().apply(&input(), event.clone(), cx).expect("what it wants is legal");
                assert_ne!((&next.state.facts, &next.state.at), (&before.facts, &before.at), "it spins");
                walk.settle(&before, next, &event, cx);
            }
            Step::Call(request) if walk.remit.may_send(&input(), &request, cx) => walk.call(&request, reply, cx),
            Step::Call(_) => {}
            Step::Wait(until) => {
                assert!(until > cx.now, "{} waits in the past", walk.remit.at.name());
                walk.now = until;
            }
            Step::Ask(until) => assert!(until.is_none_or(|at| at > cx.now)),
            Step::Release { .. } | Step::Require(_) => unreachable!(),
            Step::Rest => assert!(walk.remit.at.resting()),
        });
    }

    fn call(&mut self, request: &Request, reply: &Reply, cx: &Cx<'_>) {
        let refusal = || Refusal { code: "0002".into(), message: "no".into() };
        let verdict = match (request, reply) {
            (Request::DecideRemit { next_step, .. }, reply) => {
                assert!(!self.returned || *next_step == NextStep::Cancel, "S-A: CONTINUE for what came back");
                self.ledger.sends(*next_step, cx);
                self.ledger.doubtful_send = Some(cx.now);
                match reply {
                    Reply::Done | Reply::Seen(0) => Verdict::Done(Answer::RemitDecided),
                    Reply::Refused => {
                        self.ledger.doubtful_send = None;
                        Verdict::Refused(refusal())
                    }
                    Reply::Seen(_) | Reply::Failed | Reply::Unsure => Verdict::Unsure(Fault::Timeout),
                }
            }
            (_, Reply::Seen(place)) => {
                let quiet = self.ledger.doubtful_send.is_some_and(|last| cx.now >= last + cx.params.quarantine);
                self.ledger.negatives += u32::from(*place == 0 && quiet);
                Verdict::Done(Answer::OrderSeen(sight(status(*place), None)))
            }
            (_, Reply::Done) => Verdict::Done(Answer::OrderSeen(sight(RemitStatus::Accepted, None))),
            (_, Reply::Failed | Reply::Unsure | Reply::Refused) => Verdict::Unsure(Fault::Timeout),
        };
        if matches!((request, reply), (Request::FindOrder { .. }, Reply::Done)) {
            let quiet = self.ledger.doubtful_send.is_some_and(|last| cx.now >= last + cx.params.quarantine);
            self.ledger.negatives += u32::from(quiet);
        }
        let before = self.remit.clone();
        let event = before.answered(request, cx.now, verdict);
        let next = before.clone().apply(&input(), event.clone(), cx).expect("a call's outcome is legal");
        self.settle(&before, next, &event, cx);
    }

    fn permit(&self, old: bool) -> Uuid {
        let mut permits = self.ledger.permits.iter();
        let wanted = permits.find(|(_, state)| live(state) != old).or(self.ledger.permits.iter().next());
        wanted.map_or(Uuid::from_u128(404), |(permit, _)| *permit)
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Go(reply) => self.go(reply),
            Act::Wait(seconds) => self.now = self.now + Duration::from_secs(*seconds),
            Act::Ask => {
                self.asked += 1;
                let ask = Uuid::from_u128(self.asked);
                self.ledger.asks.insert(ask);
                self.take(Event::PermitAsked { ask }, true);
            }
            Act::Paid { old, fits } => {
                let amount = if *fits { input().amount } else { domain::Money::ZERO };
                let (permit, source) = (self.permit(*old), "api".into());
                let bank_serial = format!("BK{permit}");
                let paid =
                    Paid { permit, amount, paid_at: self.now, bank_serial, payee_ok: true, source, voucher: None };
                self.take(Event::PaidReported(paid), true);
            }
            Act::Word { old, what } => self.word(self.permit(*old), *what),
            Act::Cancel => self.take(Event::CancelAsked { by: "amei".into() }, true),
            Act::Notice => self.take(Event::NoticeSeen { close_time: Some(self.now) }, true),
            Act::Resolve(place) => self.resolve(*place),
            Act::Freeze(place) => {
                let on = |at| *place == at;
                let (create, pay, confirm, cancel) = (on(0), on(1), on(2), on(3));
                self.freezes = Freezes(vec![Switch { scope: "all".into(), create, pay, confirm, cancel }]);
            }
            Act::Park => self.cx(|walk, cx| {
                let before = walk.remit.clone();
                // A sent call may be what went wrong.
                if matches!(before.at, At::Confirming { .. } | At::Cancelling { .. }) {
                    walk.ledger.doubtful_send = Some(cx.now);
                    walk.ledger.negatives = 0;
                }
                let next = before.clone().parked("a bug", cx);
                walk.settle(&before, next, &Event::HintSeen, cx);
            }),
            Act::WorkerLost => {
                if let Some(event) = self.cx(|walk, cx| walk.remit.found(cx)) {
                    self.ledger.doubtful_send = Some(self.now);
                    self.ledger.negatives = 0;
                    self.take(event, true);
                }
            }
        }
    }

    fn word(&mut self, permit: Uuid, what: u8) {
        let event = match what {
            0 => Event::FailedReported { permit },
            1 => Event::UnknownReported { permit },
            2 => Event::ReturnedReported { permit },
            3 => Event::Instructed { permit },
            _ => Event::Attested { permit, by: "payer".into(), reason: "not used".into() },
        };
        let proof = self.remit.facts.proof.clone();
        let returned = what == 2 && proof.is_some_and(|proof| proof.permit == Some(permit));
        self.take(event, true);
        self.returned |= returned && self.remit.facts.proof.is_some();
    }

    fn resolve(&mut self, place: u8) {
        let moves = ["paid", "not_paid", "levied", "closed", "resend_corrected", "retry"];
        let evidence = Some(EvidenceGiven {
            amount: input().amount,
            paid_at: self.now,
            bank_serial: "BK-person".into(),
            payee_ok: true,
            source: "person".into(),
        });
        let place = usize::from(place);
        let legal = self
            .ledger
            .cases
            .moves()
            .nth(place)
            .map(|(case, name)| (Answered { id: case.id, kind: case.kind.clone() }, name.to_owned()));
        // Or an answer to a case that is settled by now.
        let (case, r#move) = legal.unwrap_or_else(|| (Answered::default(), moves[place % moves.len()].to_owned()));
        self.take(Event::CaseResolved { case, r#move, evidence, by: "li and wang".into() }, true);
    }
}

fn live_in(at: &At) -> bool {
    match at {
        At::Permitted(payout) | At::Paying(payout) | At::PayoutInDoubt { payout, .. } => payout.state.live(),
        At::Contradicted { payout, .. } => payout.as_ref().is_some_and(|payout: &payout::Payout| payout.state.live()),
        At::NeedsOperator { back, .. } => live_in(back),
        At::Open { .. } | At::Paid | At::Confirming { .. } | At::ConfirmInDoubt { .. } | At::Levying { .. } => false,
        At::Levied { .. } | At::GateClosed { .. } | At::Cancelling { .. } | At::CancelInDoubt { .. } => false,
        At::Cancelled | At::AutoClosedUnpaid | At::AutoClosedPaid | At::ClosedExternally | At::ReturnedAfterLevy => {
            false
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s_a_to_s_h_hold_on_every_walk(
        acts in prop::collection::vec(act(), 10..90),
        quote_ok in prop::bool::weighted(0.95),
        never in prop::bool::weighted(0.2),
        hold in prop::bool::weighted(0.1),
        start in 1..43u64,
    ) {
        let now = specimen_time(start);
        let mut policy = Policy::default();
        if never {
            policy.cancel_never_permitted = CancelNeverPermitted::Never;
        }
        if hold {
            policy.month_edge = Guard::Hold;
        }
        let remit = Remit::new(quote_ok, now, Duration::from_secs(12 * 3600));
        let (ledger, freezes) = (Ledger::default(), Freezes::default());
        let mut walk = Walk { remit, ledger, now, policy, freezes, asked: 0, returned: false };
        for act in &acts {
            walk.act(act);
        }
        let json = serde_json::to_value(&walk.remit).unwrap();
        prop_assert_eq!(serde_json::from_value::<Remit>(json).unwrap(), walk.remit);
    }
}
