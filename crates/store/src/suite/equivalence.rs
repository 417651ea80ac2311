//! One store on three databases: whatever is asked of them in whatever order, legal or not, the three answer the same.
//!
//! Random sequences of submits, posts, claims, turns with every kind of write, and releases. After each step the answers are
//! compared, and everything that can be read about the machines concerned. `PROPTEST_CASES=500` asks for more of them.

use super::*;
use crate::testing;
use domain::levy::NextStep;
use domain::record::{Decision, Evidence, OpenCase, OpenTask, Permit, Severity, Write};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::time::Duration;

/// Machines of one sequence.
const MACHINES: usize = 4;
const STEPS: usize = 40;
/// Sequences, unless the environment asks for more.
const CASES: u32 = 12;
const LONG: Duration = Duration::from_secs(3600);
/// A lease that has lapsed before the next step.
const BLINK: Duration = Duration::from_millis(1);

#[derive(Debug, Clone)]
enum Op {
    Submit { who: usize, other_content: bool },
    Post { who: usize, by_address: bool, dedupe: Option<u8> },
    Claim { lease_over: bool },
    Turn { who: usize, stale: bool, keep: bool, read: bool, lines: u8, write: Option<Row> },
    LetGo { who: usize, wake: bool },
    SingleOut { who: usize },
}

/// A write of a turn, most of them forbidden at most times.
#[derive(Debug, Clone, Copy)]
enum Row {
    Permit { attempt: u32 },
    Move { attempt: u32, to: &'static str },
    Evidence { attempt: u32, fen: i64 },
    Revoke { attempt: u32 },
    Gate,
    Continue { attempt: u32 },
    Cancel,
    Revise { attempt: u32 },
    Case,
    CloseCases,
    Task,
    CloseTasks,
    Emit,
    Tell { whom: usize },
}

fn row() -> impl Strategy<Value = Row> {
    let attempt = 1..4_u32;
    let states = prop::sample::select(vec![
        "instructed",
        "in_doubt",
        "success",
        "final_failed",
        "expired_attested",
        "returned",
        "odd",
    ]);
    prop_oneof![
        3 => attempt.clone().prop_map(|attempt| Row::Permit { attempt }),
        3 => (attempt.clone(), states).prop_map(|(attempt, to)| Row::Move { attempt, to }),
        3 => (attempt.clone(), prop_oneof![4 => Just(10_000), 1 => Just(9_999)])
            .prop_map(|(attempt, fen)| Row::Evidence { attempt, fen }),
        1 => attempt.clone().prop_map(|attempt| Row::Revoke { attempt }),
        2 => Just(Row::Gate),
        2 => attempt.clone().prop_map(|attempt| Row::Continue { attempt }),
        2 => Just(Row::Cancel),
        1 => attempt.prop_map(|attempt| Row::Revise { attempt }),
        1 => Just(Row::Case),
        1 => Just(Row::CloseCases),
        1 => Just(Row::Task),
        1 => Just(Row::CloseTasks),
        1 => Just(Row::Emit),
        1 => (0..MACHINES).prop_map(|whom| Row::Tell { whom }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let who = 0..MACHINES;
    let rarely = || prop::bool::weighted(0.1);
    prop_oneof![
        2 => (who.clone(), rarely()).prop_map(|(who, other_content)| Op::Submit { who, other_content }),
        2 => (who.clone(), any::<bool>(), prop::option::of(0..3_u8))
            .prop_map(|(who, by_address, dedupe)| Op::Post { who, by_address, dedupe }),
        3 => rarely().prop_map(|lease_over| Op::Claim { lease_over }),
        6 => (who.clone(), rarely(), any::<bool>(), any::<bool>(), 0..3_u8, prop::option::weighted(0.8, row()))
            .prop_map(|(who, stale, keep, read, lines, write)| Op::Turn { who, stale, keep, read, lines, write }),
        1 => (who.clone(), any::<bool>()).prop_map(|(who, wake)| Op::LetGo { who, wake }),
        1 => who.prop_map(|who| Op::SingleOut { who }),
    ]
}

/// One database, and the claims held there: tokens differ, what they allow does not.
struct Side {
    fresh: Fresh,
    claims: HashMap<InstanceId, Claimed>,
}

/// One sequence: its names, and its business time. Real time is each database's own.
struct Case {
    number: u32,
    step: usize,
}

impl Case {
    fn id(&self, what: &str) -> Uuid {
        ids::derive(t(0), Uuid::nil(), &format!("{}/{what}", self.number))
    }

    fn machine(&self, who: usize) -> InstanceId {
        InstanceId(self.id(&format!("machine/{who}")))
    }

    fn of(&self, who: usize, what: &str, attempt: u32) -> Uuid {
        self.id(&format!("{who}/{what}/{attempt}"))
    }

    fn address(&self, who: usize) -> String {
        format!("main/{}/{who}", self.number)
    }

    fn at(&self) -> Time {
        t(i64::try_from(self.step).unwrap() * 10)
    }

    fn order(&self, who: usize, other_content: bool) -> NewInstance {
        NewInstance {
            id: self.machine(who),
            address: Some(self.address(who)),
            content_hash: if other_content { "other" } else { "same" }.into(),
            due: due("-", 3, Some(self.at())),
            at: self.at(),
            ..machine(&format!("{}/{who}", self.number))
        }
    }

    fn post(&self, who: usize, by_address: bool, dedupe: Option<u8>) -> Post {
        let to = if by_address { Target::Address(self.address(who)) } else { Target::Instance(self.machine(who)) };
        let dedupe = dedupe.map(|key| format!("{}/{who}/{key}", self.number));
        // The same again within a few steps is a repeat after an answer that was lost.
        let id = self.id(&format!("post/{who}/{}", self.step / 4));
        Post { id, dedupe, at: self.at(), ..post(to, None) }
    }

    fn write(&self, who: usize, row: Row, real: Time) -> Write {
        let (remit, at) = (self.machine(who), self.at());
        let permit = |attempt| self.of(who, "permit", attempt);
        let evidence = |attempt| self.of(who, "evidence", attempt);
        let decide = |next_step, evidence| Decision { remit, next_step, evidence, arising_time: t(4), at };
        match row {
            Row::Permit { attempt } => Write::IssuePermit(Permit {
                id: permit(attempt),
                remit,
                attempt,
                bank_order_no: format!("{}/{who}/{attempt}", self.number),
                amount: yuan("100.00"),
                pay_before: at + Duration::from_secs(3600),
                pay_cutoff: t(7200),
                issued_at: at,
                observed_real: real,
                state: "permit_issued".into(),
            }),
            Row::Move { attempt, to } => Write::MovePermit { permit: permit(attempt), state: to.into() },
            Row::Evidence { attempt, fen } => Write::KeepEvidence(Evidence {
                id: evidence(attempt),
                remit,
                permit: Some(permit(attempt)),
                amount: Money::from_fen(fen).unwrap(),
                paid_at: t(4),
                bank_serial: format!("{}/{who}/{attempt}", self.number),
                source: "api".into(),
                at,
            }),
            Row::Revoke { attempt } => Write::RevokeEvidence { evidence: evidence(attempt), at },
            Row::Gate => Write::CloseGate { remit, at },
            Row::Continue { attempt } => Write::Decide(decide(NextStep::Continue, Some(evidence(attempt)))),
            Row::Cancel => Write::Decide(decide(NextStep::Cancel, None)),
            Row::Revise { attempt } => {
                Write::ReviseDecision { remit, arising_time: t(6), evidence: evidence(attempt), at }
            }
            Row::Case => Write::OpenCase(OpenCase {
                id: self.of(who, "case", 0),
                kind: "odd".into(),
                severity: Severity::High,
                owner_role: "operations".into(),
                opened_at: at,
                sla_at: at + Duration::from_secs(60),
                moves: vec![],
                facts: json!({}),
                group: None,
            }),
            Row::CloseCases => Write::CloseCases { kinds: vec![], how: "settled".into(), at },
            Row::Task => Write::OpenTask(OpenTask { id: self.of(who, "task", 0), kind: "look".into(), sla_at: at, at }),
            Row::CloseTasks => Write::CloseTasks { at },
            Row::Emit => Write::Emit { topic: "moved".into(), body: json!({ "step": self.step }) },
            Row::Tell { whom } => Write::Tell { to: self.machine(whom), event: json!("Told") },
        }
    }

    /// The turn that this step commits, from the claim held on this side.
    fn turn(&self, claimed: &Claimed, op: &Op, real: Time) -> Option<Turn> {
        let Op::Turn { who, stale, keep, read, lines, write } = op else { return None };
        let state = format!("state{}", self.step);
        let line = Line { at: self.at(), ..line(&state) };
        Some(Turn {
            revision: claimed.revision + i64::from(*stale),
            due: due("-", 3, Some(self.at())),
            lines: vec![line; usize::from(*lines)],
            consumed: if *read { claimed.inbox.iter().map(|letter| letter.id).collect() } else { vec![] },
            writes: write.iter().map(|row| self.write(*who, *row, real)).collect(),
            keep_until: keep.then(|| real + LONG),
            at: self.at(),
            ..turn(claimed, &state)
        })
    }
}

impl Side {
    /// Carries one step out, and answers in words.
    async fn run(&mut self, case: &Case, op: &Op) -> String {
        let store = self.fresh.store.clone();
        match op {
            Op::Submit { who, other_content } => said(&store.submit(vec![case.order(*who, *other_content)]).await),
            Op::Post { who, by_address, dedupe } => {
                said(&store.post(vec![case.post(*who, *by_address, *dedupe)]).await)
            }
            Op::Claim { lease_over } => {
                let mut rows = self.claim(case.at(), if *lease_over { BLINK } else { LONG }).await;
                tokio::time::sleep(if *lease_over { 5 * BLINK } else { Duration::ZERO }).await;
                rows.sort_by_key(|row| row.id);
                let named = rows
                    .iter()
                    .map(|row| said(&Claimed { token: Uuid::nil(), claimed_until: t(0), ..row.clone() }))
                    .collect::<Vec<_>>();
                self.claims.extend(rows.into_iter().map(|row| (row.id, row)));
                named.join("\n")
            }
            Op::Turn { who, keep, .. } => {
                let Some(claimed) = self.claims.get(&case.machine(*who)).cloned() else { return "no claim".into() };
                let real = store.time().await.unwrap();
                let Some(turn) = case.turn(&claimed, op, real) else { return "no turn".into() };
                let (state, state_name) = (turn.state.clone(), turn.state_name.clone());
                let answer = store.commit(vec![turn]).await.map(|mut answers| answers.remove(0));
                match &answer {
                    Ok(Committed::Done { revision, head, signals }) if *keep => {
                        let kept = self.claims.get_mut(&claimed.id).unwrap();
                        (kept.revision, kept.head, kept.signals) = (*revision, head.clone(), *signals);
                        (kept.state, kept.state_name) = (state, state_name);
                    }
                    Ok(Committed::Done { .. }) => {
                        self.claims.remove(&claimed.id);
                    }
                    Ok(Committed::Conflict | Committed::Forbidden(_)) | Err(_) => {}
                }
                // Which rule is named is the database's affair: SQLite names no foreign key, and two rules may be broken at once.
                said(&answer.map(|answer| match answer {
                    Committed::Forbidden(_) => Committed::Forbidden(String::new()),
                    Committed::Done { .. } | Committed::Conflict => answer,
                }))
            }
            Op::LetGo { who, wake } => {
                let Some(claimed) = self.claims.remove(&case.machine(*who)) else { return "no claim".into() };
                let wake_at = wake.then(|| case.at());
                said(&store.release(vec![LetGo { id: claimed.id, token: claimed.token, wake_at }]).await)
            }
            Op::SingleOut { who } => {
                let Some(claimed) = self.claims.get(&case.machine(*who)).cloned() else { return "no claim".into() };
                let until = store.time().await.unwrap() + LONG;
                said(&store.single_out(claimed.id, claimed.token, until).await)
            }
        }
    }

    /// Everything that can be read of one machine.
    async fn look(&self, case: &Case, who: usize) -> String {
        let (store, id) = (&self.fresh.store, case.machine(who));
        let mut instance = store.instance(id).await.unwrap();
        if let Some(until) = instance.as_mut().and_then(|row| row.claimed_until.as_mut()) {
            *until = t(0);
        }
        let mut permits = store.permits(id).await.unwrap();
        for row in &mut permits {
            // Read from each database's own clock.
            row.permit.observed_real = t(0);
        }
        [
            said(&instance),
            said(&store.letters(id).await),
            said(&store.history(id).await),
            said(&store.letters(id).await),
            said(&permits),
            said(&store.evidence(id).await),
            said(&store.decision(id).await),
            said(&store.case(case.of(who, "case", 0)).await),
            said(&store.verify_history(id).await),
        ]
        .join("\n")
    }

    /// What is counted and audited over all machines.
    async fn count(&self, case: &Case) -> String {
        let store = &self.fresh.store;
        let now = Moment { business: case.at(), real: store.time().await.unwrap() };
        [
            said(&store.counts().await),
            said(&store.orphans(t(1_000_000)).await),
            said(&store.next_wake().await),
            said(&store.due_oldest(case.at()).await),
            said(&store.live_claims(now.real).await),
            said(&store.money_at_risk().await),
            said(&store.limbo(now, &[]).await),
            said(&store.audits(now, AuditPlan::default()).await),
        ]
        .join("\n")
    }

    async fn claim(&self, business: Time, lease: Duration) -> Vec<Claimed> {
        let ask = ClaimAsk {
            limit: 1000,
            closed_lanes: vec![],
            per_lane: 1000,
            rooms: BTreeMap::new(),
            only_lane: None,
            lease,
            now: business,
        };
        self.fresh.store.claim(ask).await.unwrap()
    }

    /// Nothing is due and nothing is claimed any more: the next sequence begins alone.
    async fn rest(&mut self) {
        let held = self.claims.drain().map(|(id, row)| LetGo { id, token: row.token, wake_at: None }).collect();
        self.fresh.store.release(held).await.unwrap();
        for row in self.claim(t(1_000_000), LONG).await {
            let consumed = row.inbox.iter().map(|letter| letter.id).collect();
            let last = Turn { due: due("-", 3, None), consumed, ..turn(&row, "at_rest") };
            assert!(is_done(&commit(&self.fresh, last).await));
        }
    }
}

fn said<T: Debug>(answer: &T) -> String {
    format!("{answer:?}")
}

/// How a step ended, without what it said.
fn word(answer: &str) -> &str {
    let first = answer.lines().next().unwrap_or_default();
    first.split(|c: char| !c.is_ascii_alphabetic()).find(|word| !["", "Ok"].contains(word)).unwrap_or("nothing")
}

async fn sequence(
    sides: &mut [Side],
    case: &mut Case,
    ops: &[Op],
    words: &mut BTreeMap<String, u32>,
) -> std::result::Result<(), String> {
    for (step, op) in ops.iter().enumerate() {
        case.step = step;
        let mut answers = Vec::new();
        for side in sides.iter_mut() {
            let mut answer = vec![side.run(case, op).await];
            if let Op::Turn { who, .. } | Op::Post { who, .. } | Op::LetGo { who, .. } | Op::SingleOut { who } = op {
                answer.push(side.look(case, *who).await);
            }
            answers.push(answer.join("\n"));
        }
        same(sides, &answers, &format!("step {step}, {op:?}"))?;
        *words.entry(word(&answers[0]).to_owned()).or_default() += 1;
    }
    let mut ends = Vec::new();
    for side in sides.iter() {
        let mut end = vec![side.count(case).await];
        for who in 0..MACHINES {
            end.push(side.look(case, who).await);
        }
        ends.push(end.join("\n"));
    }
    same(sides, &ends, "the end")
}

fn same(sides: &[Side], answers: &[String], when: &str) -> std::result::Result<(), String> {
    for (side, answer) in sides.iter().zip(answers).skip(1) {
        if answer != &answers[0] {
            let (first, second) = (sides[0].fresh.store.kind(), side.fresh.store.kind());
            let odd = answers[0].lines().zip(answer.lines()).find(|(a, b)| a != b).unwrap_or(("shorter", "longer"));
            return Err(format!("{when}:\n{first:?}: {}\n{second:?}: {}", odd.0, odd.1));
        }
    }
    Ok(())
}

#[test]
fn whatever_is_asked_in_whatever_order_the_three_answer_the_same() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sides = runtime.block_on(testing::stores()).into_iter();
    let mut sides: Vec<Side> = sides.map(|fresh| Side { fresh, claims: HashMap::new() }).collect();
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    // Nothing is shrunk: the stores remember. The message names the first step that differs.
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let mut words = BTreeMap::new();
    let state = std::cell::RefCell::new((0, &mut sides, &mut words));
    let run = TestRunner::new(config).run(&prop::collection::vec(op(), STEPS), |ops| {
        let (number, sides, words) = &mut *state.borrow_mut();
        *number += 1;
        let mut case = Case { number: *number, step: 0 };
        let ran = runtime.block_on(sequence(sides, &mut case, &ops, words));
        for side in sides.iter_mut() {
            runtime.block_on(side.rest());
        }
        ran.map_err(TestCaseError::fail)
    });
    match run {
        Ok(()) => {}
        Err(TestError::Fail(why, _) | TestError::Abort(why)) => panic!("{why}"),
    }
    println!("{words:?}");
    for ending in ["Created", "Known", "Stored", "Orphan", "Claimed", "Done", "Forbidden"] {
        assert!(words.contains_key(ending), "no step ended in {ending}: {words:?}");
    }
}
