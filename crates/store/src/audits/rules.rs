//! The audits' predicates in SQL. Each selects the ids of the rows that break it.
//!
//! Times and amounts inside `input` are text of one fixed form, so that times compare as text and amounts are fen without their dot.

use crate::sql::Value;
use crate::{AuditPlan, Kind, Moment};
use std::time::Duration;

const S_A: &str = "-- audit.s_a\nselect d.remit as id from decision d left join evidence e on e.id = d.evidence
where d.next_step = 'CONTINUE' and (e.id is null or e.remit <> d.remit or e.at > d.at or e.revoked_at is not null)";

const S_B: &str = "-- audit.s_b\nselect d.remit as id from decision d where d.next_step = 'CANCEL' and (
    not exists (select 1 from gate g where g.remit = d.remit and g.at <= d.at)
    or exists (select 1 from permit p where p.remit = d.remit and p.state in ('permit_issued', 'instructed', 'in_doubt'))
    or exists (select 1 from evidence e where e.remit = d.remit and e.revoked_at is null and e.at <= d.at))";

const S_C: &str =
    "-- audit.s_c\nselect p.id from permit p where p.issued_at >= p.pay_cutoff or p.issued_real - p.observed_real > $1
    or exists (select 1 from decision d where d.remit = p.remit and d.at < p.issued_at)
    or exists (select 1 from gate g where g.remit = p.remit and g.at < p.issued_at)";

const S_D: &str = "-- audit.s_d\nselect p.remit as id from permit p group by p.remit
having count(*) filter (where p.state in ('permit_issued', 'instructed', 'in_doubt')) > 1 or count(*) filter (where p.state = 'success') > 1
    or count(distinct p.attempt) < count(*)";

const S_E: &str = "-- audit.s_e\nselect d.remit as id from decision d group by d.remit having count(*) > 1
union all select r.remit from decision_revision r left join decision d on d.remit = r.remit where d.remit is null or d.next_step <> 'CONTINUE'";

const I_13: &str = "-- audit.i13\nselect d.remit as id from decision d join evidence e on e.id = d.evidence
where d.next_step = 'CONTINUE' and (d.arising_time <> e.paid_at or d.arising_time > d.at)
    and not exists (select 1 from decision_revision r where r.remit = d.remit)";

/// A callback is a hint: it makes a machine look, it moves none.
/// The callback of an invitation, or of a paper, under an id of ours is proof, and only forwards (safety.md §10.1).
const I_15: &str = "-- audit.i15\nselect h.instance as id from history h left join instance i on i.id = h.instance
where h.cause = 'callback' and h.from_state <> h.to_state
and not (coalesce(i.workflow, '') = 'sign_up' and h.from_state <> 'signed' and h.to_state in ('signed', 'not_signed'))
and not (coalesce(i.workflow, '') = 'document' and h.from_state not in ('verified', 'rejected') and h.to_state in ('verified', 'rejected'))";

const I_24: &str = "-- audit.i24\nselect c.id from \"case\" c where c.approved_by is not null and (c.proposed_by is null or c.proposed_by = c.approved_by)";

const I_27: &str =
    "-- audit.i27\nselect q.id from permit p join permit q on q.remit = p.remit and q.attempt > p.attempt
where q.pay_cutoff > p.pay_cutoff";

/// A paid remit near D has its case this long before it (I2).
pub(crate) const BEFORE_DEADLINE: Duration = Duration::from_secs(12 * 3600);
const NO_CASE: &str = "not exists (select 1 from \"case\" c where c.instance = i.id and c.state <> 'resolved')";
const IN_STATE: &str = "i.workflow || ' ' || i.state_name";

/// One audit's query; several may share a name.
pub(super) struct Query {
    pub(super) audit: &'static str,
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

/// Every audit that is one query.
pub(super) fn all(kind: Kind, now: Moment, plan: &AuditPlan) -> Vec<Query> {
    let fixed = |audit, sql: &str| Query { audit, sql: sql.to_owned(), values: vec![] };
    let mut all = vec![
        fixed("S-A", S_A),
        fixed("S-B", S_B),
        Query { audit: "S-C", sql: S_C.to_owned(), values: vec![millis(plan.freshness)] },
        fixed("S-D", S_D),
        fixed("S-E", S_E),
        fixed("I13", I_13),
        fixed("I15", I_15),
        fixed("I24", I_24),
        fixed("I27", I_27),
    ];
    all.extend([acknowledged(), named(), unconfirmed(kind, now, plan), amounts(kind), fees(kind), sums(kind, plan)]);
    all.extend([payees(kind), arrows(kind, plan), leaked(kind, now, plan), told(kind, plan)]);
    all
}

/// S-F, as far as the tables know: what began is still there, every post has its machine and was rung, and one that waits to be read
/// will be. A request whose answer never left is not in them (the outside test of I17 holds the clients' side).
fn acknowledged() -> Query {
    let sql = format!(
        "-- audit.s_f\nselect h.instance as id from history h where h.seq = 1 and not exists (select 1 from instance i where i.id = h.instance)
union all select b.instance from inbox b where b.consumed_at is not null and not exists (select 1 from instance i where i.id = b.instance)
union all select r.instance from batch_row r where r.instance is not null and not exists (select 1 from instance i where i.id = r.instance)
union all select i.id from instance i left join (select b.instance, count(*) as n, count(*) filter (where b.consumed_at is null) as unread
    from inbox b where b.instance is not null group by b.instance) b on b.instance = i.id
where i.signals <> coalesce(b.n, 0) or i.seen > i.signals or (b.unread > 0 and i.wake_at is null and i.token is null and {NO_CASE})"
    );
    Query { audit: "S-F", sql, values: vec![] }
}

/// S-F: a machine that is not found by its own names hears nothing, and may come to be twice.
fn named() -> Query {
    let differ = ["address", "parent", "person"].map(|name| format!(" or n.{name} is distinct from i.{name}")).concat();
    let sql = format!(
        "-- audit.s_f_names\nselect i.id from instance i left join identity n on n.instance = i.id
where n.instance is null or n.tenant <> i.tenant or n.workflow <> i.workflow or n.business_key <> i.business_key{differ}"
    );
    Query { audit: "S-F", sql, values: vec![] }
}

/// I2: LEAST(evidence + 1 h, D - 12 h), and what a confirmation's own calls and commits may take. A remit that is over without its levy
/// is asked about until two persons, who knew of the evidence, have closed that very question: an incident explained is an allowed end.
fn unconfirmed(kind: Kind, now: Moment, plan: &AuditPlan) -> Query {
    let sql = format!(
        "-- audit.i2\nselect e.remit as id from evidence e join instance i on i.id = e.remit where e.revoked_at is null and e.at < $1 \
         and (e.at < $2 or {} < $3) and not {} and {NO_CASE}
and not ({} and exists (select 1 from \"case\" c where c.instance = i.id and {} and c.approved_by is not null and c.resolved_at >= e.at))",
        text(kind, "i.input", &["deadline"]),
        listed(kind, "i.state_name", 4),
        listed(kind, IN_STATE, 5),
        listed(kind, "i.state_name || ' ' || c.kind", 6)
    );
    let (settled, late) = (now.business - plan.settle, now.business - plan.confirm_within);
    let near = (now.business + BEFORE_DEADLINE).to_string();
    let (resting, explained) = (pairs(&plan.resting), pairs(&plan.explained));
    let values =
        vec![settled.into(), late.into(), near.into(), plan.confirmed.clone().into(), resting.into(), explained.into()];
    Query { audit: "I2", sql, values }
}

fn amounts(kind: Kind) -> Query {
    let sql = format!(
        "-- audit.i10\nselect e.id from evidence e left join permit p on p.id = e.permit join instance i on i.id = e.remit \
         where e.revoked_at is null and (e.amount_fen <> coalesce(p.amount_fen, e.amount_fen) or e.amount_fen <> coalesce({}, e.amount_fen))",
        remit_fen(kind, "i")
    );
    Query { audit: "I10", sql, values: vec![] }
}

/// The fee formula of what may be paid; a broken quote that two persons accepted is theirs.
fn fees(kind: Kind) -> Query {
    let sql = format!(
        "-- audit.i10_fees\nselect i.id from instance i where {} + {} <> {} and exists (select 1 from permit p where p.remit = i.id) \
         and not exists (select 1 from \"case\" c where c.instance = i.parent and c.approved_by is not null)",
        fen(kind, "i.input", &["fee"]),
        fen(kind, "i.input", &["compensate_fee"]),
        fen(kind, "i.input", &["sum_fee"])
    );
    Query { audit: "I10", sql, values: vec![] }
}

/// The split of what may be paid adds up to what was asked.
fn sums(kind: Kind, plan: &AuditPlan) -> Query {
    let (net, gross) =
        (fen(kind, "i.input", &["terms", "asked", "net"]), fen(kind, "i.input", &["terms", "asked", "gross"]));
    let (amount, actual) = (fen(kind, "r.input", &["amount"]), fen(kind, "r.input", &["actual_amount"]));
    let sql = format!(
        "-- audit.i10_sums\nselect s.id from (select i.id, max({net}) as net, max(case when {} then {gross} end) as gross, \
         sum({amount}) as amount, sum({actual}) as actual from instance i join identity n on n.parent = i.id join instance r on r.id = n.instance \
         where not exists (select 1 from \"case\" c where c.instance = i.id and c.approved_by is not null) group by i.id) s \
         where (s.net <> s.amount or s.gross <> s.actual) \
         and exists (select 1 from identity n join permit p on p.remit = n.instance where n.parent = s.id)",
        listed(kind, "i.account", 1)
    );
    Query { audit: "I10", sql, values: vec![plan.gross_exact.clone().into()] }
}

/// I11. The card of a report is compared where it comes in and kept nowhere; what is kept is whose card it was compared with, and the
/// comparison's outcome beside the evidence's serial. So: the remit's person is the order's, exists, and no kept evidence was
/// reported with another payee.
fn payees(kind: Kind) -> Query {
    let (remits, orders) = (text(kind, "i.input", &["person"]), text(kind, "o.input", &["person"]));
    let serial = match kind {
        Kind::Postgres => "strpos(h.detail, e.bank_serial) > 0",
        Kind::Sqlite | Kind::Memory => "instr(h.detail, e.bank_serial) > 0",
    };
    let sql = format!(
        "-- audit.i11\nselect e.id from evidence e join instance i on i.id = e.remit left join instance o on o.id = i.parent
where e.revoked_at is null and (not exists (select 1 from person p where p.id = i.person and p.tenant = i.tenant)
    or (o.id is not null and ({orders} is null or {remits} is null or {orders} <> {remits} or o.person <> i.person))
    or exists (select 1 from history h where h.instance = e.remit and h.at = e.at and {serial} and h.detail like '%\"payee_ok\":false%'))"
    );
    Query { audit: "I11", sql, values: vec![] }
}

/// I14: each line begins where the one before ended, the last one where the machine stands, and rest is left only by an arrow of the
/// process book.
fn arrows(kind: Kind, plan: &AuditPlan) -> Query {
    let sql = format!(
        "-- audit.i14\nselect b.instance as id from history b left join history a on a.instance = b.instance and a.seq = b.seq - 1
where b.from_state <> coalesce(a.to_state, '')
union select i.id from instance i join history h on h.instance = i.id and h.seq = i.revision where h.to_state <> i.state_name
union select i.id from history h join instance i on i.id = h.instance where h.from_state <> h.to_state
    and {} and not {}",
        listed(kind, "i.workflow || ' ' || h.from_state", 1),
        listed(kind, "i.workflow || ' ' || h.from_state || ' ' || h.to_state", 2)
    );
    let leaves: Vec<String> = plan.leaves_rest.iter().map(|(of, from, to)| format!("{of} {from} {to}")).collect();
    Query { audit: "I14", sql, values: vec![pairs(&plan.resting).into(), leaves.into()] }
}

/// I19 without the provider's side: a remit that nobody paid, whose gate or `pay_cutoff` is behind it, and no CANCEL decided. What is
/// decided and not taken yet is a call in doubt, with a ladder of its own.
fn leaked(kind: Kind, now: Moment, plan: &AuditPlan) -> Query {
    let sql = format!(
        "-- audit.i19\nselect i.id from instance i where not {} and not {}
and ({} < $3 or exists (select 1 from gate g where g.remit = i.id and g.at < $4))
and not exists (select 1 from evidence e where e.remit = i.id and e.revoked_at is null)
and not exists (select 1 from permit p where p.remit = i.id and p.state in ('permit_issued', 'instructed', 'in_doubt', 'success'))
and not exists (select 1 from decision d where d.remit = i.id) and {NO_CASE}",
        listed(kind, IN_STATE, 1),
        listed(kind, "i.account", 2),
        text(kind, "i.input", &["pay_cutoff"])
    );
    let before = now.business - plan.unpaid_within.max(plan.settle);
    let values =
        vec![pairs(&plan.resting).into(), plan.keeps_quota.clone().into(), before.to_string().into(), before.into()];
    Query { audit: "I19", sql, values }
}

/// I20: no gap in a machine's outbox, and who is at rest has said so.
fn told(kind: Kind, plan: &AuditPlan) -> Query {
    let sql = format!(
        "-- audit.i20\nselect i.id from instance i left join
    (select o.instance, count(*) as n, max(o.seq) as last, count(*) filter (where o.topic = 'rested') as rested from outbox o group by o.instance) o
    on o.instance = i.id
where i.emitted <> coalesce(o.n, 0) or i.emitted <> coalesce(o.last, 0) or (coalesce(o.rested, 0) = 0 and {})",
        listed(kind, IN_STATE, 1)
    );
    Query { audit: "I20", sql, values: vec![pairs(&plan.resting).into()] }
}

/// Workflow and state in one word; neither contains a space.
pub(crate) fn pairs(states: &[(String, String)]) -> Vec<String> {
    states.iter().map(|(workflow, state)| format!("{workflow} {state}")).collect()
}

fn millis(duration: Duration) -> Value {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).into()
}

/// `expression` is one of the words bound as `$n`.
pub(crate) fn listed(kind: Kind, expression: &str, n: usize) -> String {
    match kind {
        Kind::Postgres => format!("({expression}) = any(${n})"),
        Kind::Sqlite | Kind::Memory => format!("({expression}) in (select value from json_each(${n}))"),
    }
}

/// A text inside a JSON column; null where there is none.
fn text(kind: Kind, column: &str, path: &[&str]) -> String {
    match kind {
        Kind::Postgres => format!("({column}::json #>> '{{{}}}')", path.join(",")),
        Kind::Sqlite | Kind::Memory => format!("json_extract({column}, '$.{}')", path.join(".")),
    }
}

/// An amount inside a JSON column, in fen.
fn fen(kind: Kind, column: &str, path: &[&str]) -> String {
    format!("cast(replace({}, '.', '') as bigint)", text(kind, column, path))
}

/// A remit's amount in its input, in fen, where its workflow keeps one there: the word of the constraint `decision_evidence`.
fn remit_fen(kind: Kind, instance: &str) -> String {
    let input = format!("{instance}.input");
    format!("coalesce({}, {})", fen(kind, &input, &["amount"]), fen(kind, &input, &["seen", "amount"]))
}
