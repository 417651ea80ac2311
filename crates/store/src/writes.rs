//! The rows that turns write beside their states. Each turn's writes keep their order; those of different turns share statements.

use crate::inbox;
use crate::sql::{Conn, Into, Outcome, Value};
use domain::levy::NextStep;
use domain::record::{Decision, Evidence, OpenCase, Permit, Write};
use domain::{InstanceId, Time, ids};
use serde_json::json;

/// Whose writes they are.
#[derive(Clone, Copy)]
pub(crate) struct Owner<'t> {
    pub(crate) id: InstanceId,
    pub(crate) tenant: &'t str,
    pub(crate) workflow: &'t str,
    pub(crate) at: Time,
    /// SQLite's word for the real time of a permit; PostgreSQL reads its own clock.
    pub(crate) real: Time,
    pub(crate) revision: i64,
    /// The first free number of its outbox.
    pub(crate) first_seq: i64,
}

pub(crate) const OUTBOX: Into = Into {
    name: "outbox.emit",
    table: "outbox",
    columns: "instance uuid, seq bigint, tenant text, topic text, body text, at bigint",
    suffix: "",
};
const PERMIT: Into = Into {
    name: "permit.issue",
    table: "permit",
    columns: "id uuid, remit uuid, tenant text, attempt bigint, bank_order_no text, amount_fen bigint, pay_before bigint, pay_cutoff bigint, \
              issued_at bigint, observed_real bigint, issued_real bigint, state text",
    suffix: "",
};
const EVIDENCE: Into = Into {
    name: "evidence.keep",
    table: "evidence",
    columns: "id uuid, remit uuid, tenant text, permit uuid, amount_fen bigint, paid_at bigint, bank_serial text, source text, at bigint",
    suffix: "",
};
/// Closing a closed gate is no second fact.
const GATE: Into = Into {
    name: "gate.close",
    table: "gate",
    columns: "remit uuid, at bigint",
    suffix: "on conflict (remit) do nothing",
};
const DECISION: Into = Into {
    name: "decision.write",
    table: "decision",
    columns: "remit uuid, next_step text, evidence uuid, gate uuid, arising_time bigint, at bigint",
    suffix: "",
};
const REVISION: Into = Into {
    name: "decision_revision.write",
    table: "decision_revision",
    columns: "remit uuid, arising_time bigint, evidence uuid, at bigint",
    suffix: "",
};
pub(crate) const CASE: Into = Into {
    name: "case.open",
    table: "\"case\"",
    columns: "id uuid, instance uuid, workflow text, tenant text, kind text, severity text, owner_role text, opened_at bigint, sla_at bigint, \
              moves text, facts text, group_key text, state text",
    suffix: "on conflict (id) do nothing",
};
const TASK: Into = Into {
    name: "task.open",
    table: "task",
    columns: "id uuid, instance uuid, tenant text, kind text, sla_at bigint, opened_at bigint",
    suffix: "on conflict (id) do nothing",
};
const MOVE_PERMIT: (&str, &str) = (
    "-- permit.move\nupdate permit p set state = x.state from unnest($1::uuid[], $2::text[]) x(id, state) where p.id = x.id",
    "-- permit.move\nupdate permit set state = $2 where id = $1",
);
const REVOKE: (&str, &str) = (
    "-- evidence.revoke\nupdate evidence e set revoked_at = x.at from unnest($1::uuid[], $2::bigint[]) x(id, at) where e.id = x.id",
    "-- evidence.revoke\nupdate evidence set revoked_at = $2 where id = $1",
);
const CLOSE_CASES: (&str, &str) = (
    "-- case.close\nupdate \"case\" c set state = 'resolved', resolved_how = x.how, resolved_at = x.at \
     from unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[]) x(id, how, at, kinds) \
     where c.instance = x.id and c.state <> 'resolved' and (x.kinds = ',' or strpos(x.kinds, ',' || c.kind || ',') > 0)",
    "-- case.close\nupdate \"case\" set state = 'resolved', resolved_how = $2, resolved_at = $3 \
     where instance = $1 and state <> 'resolved' and ($4 = ',' or instr($4, ',' || kind || ',') > 0)",
);
const CLOSE_CASE: (&str, &str) = (
    "-- case.close_one\nupdate \"case\" c set state = 'resolved', resolved_how = x.how, resolved_at = x.at \
     from unnest($1::uuid[], $2::text[], $3::bigint[]) x(id, how, at) where c.id = x.id and c.state <> 'resolved'",
    "-- case.close_one\nupdate \"case\" set state = 'resolved', resolved_how = $2, resolved_at = $3 where id = $1 and state <> 'resolved'",
);
const REOPEN_CASE: (&str, &str) = (
    "-- case.reopen\nupdate \"case\" c set state = 'open', proposal = null, proposed_by = null, approved_by = null, \
     facts = (c.facts::jsonb || jsonb_build_object('reopened', x.why))::text \
     from unnest($1::uuid[], $2::text[]) x(id, why) where c.id = x.id and c.state <> 'resolved'",
    "-- case.reopen\nupdate \"case\" set state = 'open', proposal = null, proposed_by = null, approved_by = null, \
     facts = json_set(facts, '$.reopened', $2) where id = $1 and state <> 'resolved'",
);
const CLOSE_TASKS: (&str, &str) = (
    "-- task.close\nupdate task t set closed_at = x.at from unnest($1::uuid[], $2::bigint[]) x(id, at) where t.instance = x.id and t.closed_at is null",
    "-- task.close\nupdate task set closed_at = $2 where instance = $1 and closed_at is null",
);
const ANSWER: (&str, &str) = (
    "-- inbox.answer\nupdate inbox b set answer = x.body from unnest($1::uuid[], $2::text[]) x(id, body) where b.id = x.id",
    "-- inbox.answer\nupdate inbox set answer = $2 where id = $1",
);

/// How many outbox rows a list of writes makes.
pub(crate) fn emits(writes: &[Write]) -> i64 {
    i64::try_from(writes.iter().filter(|write| matches!(write, Write::Emit { .. })).count()).unwrap_or(i64::MAX)
}

pub(crate) fn rest_row(owner: &Owner<'_>, seq: i64, state_name: &str) -> Vec<Value> {
    let body = json!({ "workflow": owner.workflow, "state": state_name });
    vec![owner.id.into(), seq.into(), owner.tenant.into(), "rested".into(), (&body).into(), owner.at.into()]
}

/// Writes every turn's first write, then every turn's second, and so on.
pub(crate) async fn apply(c: &mut Conn, owned: &[(Owner<'_>, &[Write])]) -> Outcome<()> {
    let rounds = owned.iter().map(|(_, writes)| writes.len()).max().unwrap_or(0);
    for place in 0..rounds {
        let mut round = Round::default();
        for (owner, writes) in owned {
            if let Some(write) = writes.get(place) {
                round.take(owner, place, &writes[..place], write);
            }
        }
        round.flush(c).await?;
    }
    Ok(())
}

type Rows = Vec<Vec<Value>>;

#[derive(Default)]
struct Round {
    permits: Rows,
    moved: Rows,
    evidence: Rows,
    revoked: Rows,
    gates: Rows,
    decisions: Rows,
    revisions: Rows,
    cases: Rows,
    closed_cases: Rows,
    closed_case: Rows,
    reopened: Rows,
    tasks: Rows,
    closed_tasks: Rows,
    answers: Rows,
    outbox: Rows,
    told: Rows,
    rings: Vec<(InstanceId, Time)>,
}

impl Round {
    fn take(&mut self, owner: &Owner<'_>, place: usize, before: &[Write], write: &Write) {
        match write {
            // The engine turns these into a turn's children; `commit` refuses a turn that still has one.
            Write::Spawn(_) => {}
            Write::Tell { to, event } => {
                let id = tell_id(owner, place);
                self.rings.push((*to, owner.at));
                let none: Option<String> = None;
                let row = vec![
                    id.into(),
                    owner.tenant.into(),
                    (*to).into(),
                    none.clone().into(),
                    event.into(),
                    "machine".into(),
                    none.into(),
                ];
                self.told.push(row.into_iter().chain([None::<Vec<u8>>.into(), owner.at.into()]).collect());
            }
            Write::Answer { ask, body } => self.answers.push(vec![(*ask).into(), body.into()]),
            Write::IssuePermit(permit) => self.permits.push(permit_row(owner, permit)),
            Write::MovePermit { permit, state } => self.moved.push(vec![(*permit).into(), state.into()]),
            Write::KeepEvidence(evidence) => self.evidence.push(evidence_row(owner, evidence)),
            Write::RevokeEvidence { evidence, at } => self.revoked.push(vec![(*evidence).into(), (*at).into()]),
            Write::CloseGate { remit, at } => self.gates.push(vec![(*remit).into(), (*at).into()]),
            Write::Decide(decision) => self.decisions.push(decision_row(decision)),
            Write::ReviseDecision { remit, arising_time, evidence, at } => {
                self.revisions.push(vec![(*remit).into(), (*arising_time).into(), (*evidence).into(), (*at).into()]);
            }
            Write::OpenCase(case) => self.cases.push(case_row(owner.id, owner.workflow, owner.tenant, case)),
            Write::CloseCases { kinds, how, at } => {
                let kinds: String = kinds.iter().map(|kind| format!(",{kind}")).chain([",".into()]).collect();
                self.closed_cases.push(vec![owner.id.into(), how.into(), (*at).into(), kinds.into()]);
            }
            Write::CloseCase { case, how, at } => {
                self.closed_case.push(vec![(*case).into(), how.into(), (*at).into()]);
            }
            Write::ReopenCase { case, why } => self.reopened.push(vec![(*case).into(), why.into()]),
            Write::OpenTask(task) => {
                let (id, at): (Value, Value) = (task.id.into(), task.at.into());
                self.tasks.push(vec![
                    id,
                    owner.id.into(),
                    owner.tenant.into(),
                    (&task.kind).into(),
                    task.sla_at.into(),
                    at,
                ]);
            }
            Write::CloseTasks { at } => self.closed_tasks.push(vec![owner.id.into(), (*at).into()]),
            Write::Emit { topic, body } => {
                let seq = owner.first_seq + emits(before);
                self.outbox.push(vec![
                    owner.id.into(),
                    seq.into(),
                    owner.tenant.into(),
                    topic.into(),
                    body.into(),
                    owner.at.into(),
                ]);
            }
        }
    }

    async fn flush(self, c: &mut Conn) -> Outcome<()> {
        c.each(MOVE_PERMIT.0, MOVE_PERMIT.1, self.moved).await?;
        c.insert(&PERMIT, self.permits).await?;
        c.insert(&EVIDENCE, self.evidence).await?;
        c.each(REVOKE.0, REVOKE.1, self.revoked).await?;
        c.insert(&GATE, self.gates).await?;
        c.insert(&DECISION, self.decisions).await?;
        c.insert(&REVISION, self.revisions).await?;
        c.each(CLOSE_CASES.0, CLOSE_CASES.1, self.closed_cases).await?;
        c.each(CLOSE_CASE.0, CLOSE_CASE.1, self.closed_case).await?;
        c.each(REOPEN_CASE.0, REOPEN_CASE.1, self.reopened).await?;
        c.insert(&CASE, self.cases).await?;
        c.each(CLOSE_TASKS.0, CLOSE_TASKS.1, self.closed_tasks).await?;
        c.insert(&TASK, self.tasks).await?;
        c.each(ANSWER.0, ANSWER.1, self.answers).await?;
        c.insert(&OUTBOX, self.outbox).await?;
        c.insert(&inbox::INSERT, self.told).await?;
        inbox::ring(c, self.rings.into_iter()).await
    }
}

/// The same turn, committed again, tells the same thing once.
pub(crate) fn tell_id(owner: &Owner<'_>, place: usize) -> uuid::Uuid {
    ids::derive(owner.at, owner.id.0, &format!("tell/{}/{place}", owner.revision))
}

fn permit_row(owner: &Owner<'_>, permit: &Permit) -> Vec<Value> {
    vec![
        permit.id.into(),
        permit.remit.into(),
        owner.tenant.into(),
        i64::from(permit.attempt).into(),
        (&permit.bank_order_no).into(),
        permit.amount.fen().into(),
        permit.pay_before.into(),
        permit.pay_cutoff.into(),
        permit.issued_at.into(),
        permit.observed_real.into(),
        owner.real.into(),
        (&permit.state).into(),
    ]
}

fn evidence_row(owner: &Owner<'_>, evidence: &Evidence) -> Vec<Value> {
    vec![
        evidence.id.into(),
        evidence.remit.into(),
        owner.tenant.into(),
        evidence.permit.into(),
        evidence.amount.fen().into(),
        evidence.paid_at.into(),
        (&evidence.bank_serial).into(),
        (&evidence.source).into(),
        evidence.at.into(),
    ]
}

fn decision_row(decision: &Decision) -> Vec<Value> {
    let gate = (decision.next_step == NextStep::Cancel).then_some(decision.remit);
    let step = decision.next_step.word();
    vec![
        decision.remit.into(),
        step.into(),
        decision.evidence.into(),
        gate.into(),
        decision.arising_time.into(),
        decision.at.into(),
    ]
}

pub(crate) fn case_row(instance: InstanceId, workflow: &str, tenant: &str, case: &OpenCase) -> Vec<Value> {
    vec![
        case.id.into(),
        instance.into(),
        workflow.into(),
        tenant.into(),
        (&case.kind).into(),
        word(&case.severity).into(),
        (&case.owner_role).into(),
        case.opened_at.into(),
        case.sla_at.into(),
        json!(case.moves).to_string().into(),
        (&case.facts).into(),
        case.group.clone().into(),
        "open".into(),
    ]
}

/// A unit variant's serde name, as a column holds it.
pub(crate) fn word(value: &impl serde::Serialize) -> String {
    json!(value).as_str().unwrap_or_default().to_owned()
}
