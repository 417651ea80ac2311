//! Messages for machines: durable and deduplicated before anybody is told so, and then a ring. Never a transition here.

use crate::{Engine, Error, Result};
use domain::{InstanceId, ids};
use serde_json::Value;
use std::time::Duration;
use store::{CaseStep, Post, Posted, Target, fail_point};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

/// How soon the answer is looked for when nobody rings: the turn may be another process's.
const LOOK_FIRST: Duration = Duration::from_millis(50);
const LOOK_SLOWEST: Duration = Duration::from_millis(500);

/// A question to a machine that is answered by one of its turns.
pub struct Ask<'a> {
    pub to: InstanceId,
    pub tenant: &'a str,
    /// The same key again asks nothing new: it collects the first answer.
    pub dedupe: Option<&'a str>,
    /// How long to wait for the answer.
    pub wait: Duration,
}

impl Engine {
    /// Makes a message durable and rings.
    pub async fn post(&self, post: Post) -> Result<Posted> {
        Ok(self.intake.post(self, post).await?)
    }

    /// Does one step of a case, and rings if it told the machine something. Whether it is done.
    pub async fn case_step(&self, step: CaseStep) -> Result<bool> {
        let done = self.store.case_step(step).await?;
        self.bell.ring();
        Ok(done)
    }

    /// Posts a question and waits for its answer. `None` when no turn has answered in time: the same `dedupe` collects it later.
    /// Dropping the future loses nothing, the question is durable.
    pub async fn ask(&self, ask: Ask<'_>, event: impl FnOnce(Uuid) -> Value) -> Result<Option<Value>> {
        let until = Instant::now() + ask.wait;
        let at = self.clock.now();
        // Derived where there is a key: a later call must know which answer is its own.
        let id = ask.dedupe.map_or_else(|| ids::draw(at), |key| Uuid::new_v5(&ask.to.0, key.as_bytes()));
        let mut listener = self.bell.listen(id);
        let posted = self.post(Post {
            id,
            tenant: ask.tenant.to_owned(),
            to: Target::Instance(ask.to),
            event: event(id),
            source: "api".to_owned(),
            dedupe: Some(format!("ask/{id}")),
            raw: None,
            at,
        });
        let mut pause = match posted.await? {
            Posted::Stored => LOOK_FIRST,
            // It may have been answered long ago.
            Posted::Duplicate => Duration::ZERO,
            Posted::Orphan => return Err(Error::UnknownInstance(ask.to)),
        };
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if let Ok(Some(answer)) = timeout(pause.min(left), listener.heard()).await {
                fail_point("answer");
                return Ok(Some(answer));
            }
            // A store that is away for a moment has not lost the question.
            if let Ok(Some(answer)) = self.store.answer(id).await {
                fail_point("answer");
                return Ok(Some(answer));
            }
            if left.is_zero() {
                return Ok(None);
            }
            pause = (pause * 2).clamp(LOOK_FIRST, LOOK_SLOWEST);
        }
    }
}
