//! A failing run made small: fewer orders, then one trouble after the other switched off, while it still fails.

use super::plan::{Plan, Trouble};
use super::runs::{Failure, one};
use anyhow::Result;
use clap::ValueEnum as _;

pub(super) fn shrink(failure: &Failure, database: &str) -> Result<Failure> {
    let mut least = Failure { plan: failure.plan.clone(), violations: failure.violations.clone() };
    while least.plan.orders > 1 {
        let halved = Plan { orders: least.plan.orders / 2, ..least.plan.clone() };
        let Some(smaller) = fails(halved, database)? else { break };
        least = smaller;
    }
    for trouble in Trouble::value_variants() {
        let mut without = least.plan.without.clone();
        if !without.insert(*trouble) {
            continue;
        }
        let calmer = Plan::draw(least.plan.seed, least.plan.orders, least.plan.intensity, &without);
        if let Some(smaller) = fails(calmer, database)? {
            least = smaller;
        }
    }
    Ok(least)
}

fn fails(plan: Plan, database: &str) -> Result<Option<Failure>> {
    let violations = one(&plan, database, false)?.violations;
    Ok((!violations.is_empty()).then_some(Failure { plan, violations }))
}
