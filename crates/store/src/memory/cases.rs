//! What people do to a case, as one change.

use super::World;
use crate::cases::{CaseChange, CaseStep, Takes, takes};
use crate::{Error, Result};

impl World {
    pub(crate) fn case_step(&mut self, step: CaseStep) -> Result<bool> {
        let Some(case) = self.cases.get(&step.case) else { return Ok(false) };
        match takes(case, &step.change) {
            Takes::No => return Ok(false),
            Takes::Already => return Ok(true),
            Takes::Now => {}
        }
        let CaseStep { case, change, act, letter } = step;
        let tenant = self.cases.get(&case).map(|case| case.tenant.clone()).unwrap_or_default();
        self.atomically(|world| {
            match change {
                CaseChange::Move => {}
                CaseChange::Propose { proposal, .. } => {
                    world.cases.change(&case, |row| (row.state, row.proposal) = ("proposed".into(), Some(proposal)));
                }
                CaseChange::Approve { proposal, by } if proposal.by == by => {
                    return Err(Error::Forbidden("case_four_eyes".into()));
                }
                CaseChange::Approve { by, .. } => {
                    world.cases.change(&case, |row| row.approved_by = Some(by));
                }
            }
            if let Some(letter) = letter {
                world.deliver(letter);
            }
            Ok(())
        })?;
        self.act(&tenant, vec![act])?;
        Ok(true)
    }
}
