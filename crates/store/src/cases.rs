//! What people do to cases: move, propose, approve. The change of the case, the row in the audit chain and the letter to the machine
//! are one transaction: no crash leaves an approval that nobody acts on, or a deed that nobody signed.

use crate::connect::work;
use crate::sql::{Conn, Outcome, Value};
use crate::{Act, Case, Inner, Post, Proposal, Result, Sql, Store, Touch, inbox, keys, record};
use domain::Time;
use sqlx::AssertSqlSafe;
use std::sync::Arc;
use uuid::Uuid;

/// One deed of one person.
#[derive(Debug, Clone)]
pub struct CaseStep {
    pub case: Uuid,
    pub change: CaseChange,
    pub act: Act,
    /// To the case's machine.
    pub letter: Option<Post>,
}

/// What becomes of the case.
#[derive(Debug, Clone, PartialEq)]
pub enum CaseChange {
    /// Nothing yet: one person's move is enough, and the machine settles it. The case must be open.
    Move,
    /// A move waits for its second person. One that was proposed before `lapsed` and never approved gives way.
    Propose { proposal: Proposal, lapsed: Time },
    /// The second person's yes to exactly this proposal (四眼原则); the database refuses the proposer's own.
    Approve { proposal: Proposal, by: String },
}

/// Whether a case takes a change.
pub(crate) enum Takes {
    Now,
    /// The same was done before.
    Already,
    No,
}

/// One rule for all three databases; four eyes are a constraint of each.
pub(crate) fn takes(case: &Case, change: &CaseChange) -> Takes {
    let proposed = case.proposal.as_ref().filter(|_| case.state == "proposed");
    match change {
        CaseChange::Move | CaseChange::Propose { .. } if case.state == "open" => Takes::Now,
        CaseChange::Move => Takes::No,
        CaseChange::Propose { .. } if case.approved_by.is_some() => Takes::No,
        CaseChange::Propose { proposal, .. } if proposed == Some(proposal) => Takes::Already,
        CaseChange::Propose { lapsed, .. } if proposed.is_some_and(|earlier| earlier.at < *lapsed) => Takes::Now,
        CaseChange::Propose { .. } => Takes::No,
        CaseChange::Approve { proposal, by } => match &case.approved_by {
            Some(before) if before == by && case.proposal.as_ref() == Some(proposal) => Takes::Already,
            None if proposed == Some(proposal) => Takes::Now,
            Some(_) | None => Takes::No,
        },
    }
}

impl Store {
    /// Does one step of a case, with its audit row and its letter; whether it is done, now or before. `false` leaves everything as
    /// it was: the case has gone on.
    pub async fn case_step(&self, step: CaseStep) -> Result<bool> {
        let work = async {
            match &self.inner {
                Inner::Sql(sql) => sql.case_step(step).await,
                Inner::Memory(memory) => memory.lock().case_step(step),
            }
        };
        self.touch(Touch::Case, work).await
    }
}

impl Sql {
    async fn case_step(&self, step: CaseStep) -> Result<bool> {
        let of = Arc::new((Uuid::new_v4(), step));
        let work = work(move |c| {
            let of = of.clone();
            Box::pin(async move { step_in(c, of.0, &of.1).await })
        });
        self.pool.write(work).await
    }
}

async fn step_in(c: &mut Conn, act: Uuid, step: &CaseStep) -> Outcome<bool> {
    let id: Value = step.case.into();
    if let Conn::Pg(_) = c {
        // The machine first, as its turns do: two that wait for each other would be a deadlock.
        let sql =
            "-- case.hold\nselect 1 from instance where id = (select instance from \"case\" where id = $1) for update";
        c.exec(sql, vec![id.clone()]).await?;
    }
    let sql = format!("-- case.get\nselect {} from \"case\" where id = $1", record::CASE);
    let Some(row) = c.one(AssertSqlSafe(sql), vec![id.clone()]).await? else { return Ok(false) };
    let case = record::case(&row)?;
    match takes(&case, &step.change) {
        Takes::No => return Ok(false),
        Takes::Already => return Ok(true),
        Takes::Now => {}
    }
    match &step.change {
        CaseChange::Move => {}
        CaseChange::Propose { proposal, .. } => {
            let text = serde_json::to_string(proposal).unwrap_or_default();
            let sql = "-- case.propose\nupdate \"case\" set state = 'proposed', proposal = $2, proposed_by = $3 where id = $1";
            c.exec(sql, vec![id, text.into(), (&proposal.by).into()]).await?;
        }
        CaseChange::Approve { by, .. } => {
            let sql = "-- case.approve\nupdate \"case\" set approved_by = $2 where id = $1";
            c.exec(sql, vec![id, by.into()]).await?;
        }
    }
    if let Some(letter) = &step.letter {
        inbox::deliver_anywhere(c, &[&(letter.clone(), None)], None).await?;
    }
    keys::append(c, &case.tenant, &[(act, step.act.clone())]).await?;
    Ok(true)
}
