//! The live audits (safety.md §16): what has moved since the last round, or should have, is audited in every round; and beside it, a
//! slice at a time, everything there is, so that what was broken by no move of ours is found too.

use crate::watch::whole;
use crate::{Engine, Result};
use domain::Time;
use metrics::gauge;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use store::Finding;
use uuid::Uuid;

/// Before the first audit there was another process, which audited what happened under it, but for the end.
const UNAUDITED: Duration = Duration::from_secs(3600);
/// A row is written a little after the time it bears.
const OVERLAP: Duration = Duration::from_secs(60);

/// How many rows break each audit.
type Counts = BTreeMap<String, i64>;

/// Audits round by round, and remembers where it is.
pub struct Auditor {
    engine: Engine,
    since: Time,
    after: Uuid,
    ways: Ways,
}

/// What was found on the way through everything so far, and on the whole of the last one: what was broken stays broken until everything
/// has been looked at again.
#[derive(Default)]
struct Ways {
    this: Counts,
    last: Counts,
}

impl Auditor {
    pub fn new(engine: Engine) -> Self {
        let since = engine.clock.now() - UNAUDITED;
        Self { engine, since, after: Uuid::nil(), ways: Ways::default() }
    }

    /// One round, which sets the gauges and says what waits for nobody; `leisure` is for the slices of everything.
    pub async fn round(&mut self, leisure: Duration) -> Result<()> {
        let now = self.engine.clock.now();
        let recent = counts(self.engine.recent_audits(self.since - OVERLAP).await?);
        self.since = now;
        let begun = Instant::now();
        while !self.slice().await? && begun.elapsed() < leisure {}
        for (audit, count) in self.ways.with(recent) {
            if count > 0 {
                tracing::error!(audit, count, "safety audit broken");
            }
            gauge!("levee_safety_violations", "audit" => audit).set(whole(count));
        }
        let orphans = self.engine.orphans().await?;
        if !orphans.is_empty() {
            tracing::warn!(count = orphans.len(), "posts whose addressee is still unknown");
        }
        Ok(())
    }

    /// The next slice; whether it was the last.
    async fn slice(&mut self) -> Result<bool> {
        let (engine, plan) = (&self.engine, self.engine.audit_plan());
        let (found, next) = engine.store.next_audits(engine.moment(), plan, self.after).await?;
        self.after = next.unwrap_or_default();
        self.ways.found(counts(found), next.is_none());
        Ok(next.is_none())
    }
}

impl Ways {
    fn found(&mut self, found: Counts, end: bool) {
        for (audit, count) in found {
            *self.this.entry(audit).or_default() += count;
        }
        if end {
            self.last = std::mem::take(&mut self.this);
        }
    }

    /// The worst that is known of each audit.
    fn with(&self, mut recent: Counts) -> Counts {
        for (audit, count) in self.this.iter().chain(&self.last) {
            let known = recent.entry(audit.clone()).or_default();
            *known = (*known).max(*count);
        }
        recent
    }
}

fn counts(findings: Vec<Finding>) -> Counts {
    findings.into_iter().map(|finding| (finding.audit, finding.count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(count: i64) -> Counts {
        [("S-H".to_owned(), count)].into()
    }

    #[test]
    fn what_was_found_on_one_way_is_said_until_the_next_has_passed_it() {
        let mut ways = Ways::default();
        ways.found(said(1), false);
        ways.found(said(1), false);
        assert_eq!(ways.with(said(0)), said(2), "though nothing of it moves any more");
        ways.found(said(0), true);
        assert_eq!(ways.with(said(0)), said(2));
        ways.found(said(0), false);
        assert_eq!(ways.with(said(0)), said(2), "the next way has not come so far");
        ways.found(said(0), true);
        assert_eq!(ways.with(said(0)), said(0));
        assert_eq!(ways.with(said(5)), said(5), "what has moved lately is said at once");
    }
}
