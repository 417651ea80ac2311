//! What a machine needs of another: the other is started where it may be, and told who waits (`workflows::needs`).

use crate::drive::{Drive, End};
use crate::{Engine, Error, New, Result};
use domain::ids;
use std::ops::ControlFlow::{self, Break, Continue};
use store::{Claimed, Post, Target};
use workflows::needs::{self, Require, Waiter};

impl Drive<'_> {
    /// Done again after a crash it changes nothing: the business key has started the machine, and the letter is the same. Both are
    /// durable before this one says that it has asked.
    pub(crate) async fn require(&mut self, require: &Require) -> ControlFlow<End> {
        match self.engine.require(&self.row, require).await {
            Ok(()) => {
                let heard = self.machine.hear(&needs::required(require.need), &self.seat.cx());
                self.take(heard, "timer", None);
                Continue(())
            }
            Err(Error::Store(error)) if !matches!(error, store::Error::Forbidden(_)) => {
                Break(self.refused(&error).await.into())
            }
            Err(error) => {
                self.park(&error.to_string());
                Break(self.finish().await)
            }
        }
    }
}

impl Engine {
    async fn require(&self, row: &Claimed, require: &Require) -> Result<()> {
        if let Some(start) = require.start.clone() {
            let new = New {
                workflow: start.workflow.into(),
                tenant: row.tenant.clone(),
                account: row.account.clone(),
                business_key: start.business_key,
                address: Some(require.address.clone()),
                person: start.person,
                content_hash: start.content_hash,
                input: start.input,
                state: start.state,
                ..New::default()
            };
            // One that is there, with whatever content, is the one that is needed.
            self.submit(new).await?;
        }
        let at = self.clock.now();
        self.post(Post {
            id: ids::draw(at),
            tenant: row.tenant.clone(),
            to: Target::Address(require.address.clone()),
            event: needs::wanted(Waiter { by: row.id, need: require.need }),
            source: "machine".to_owned(),
            dedupe: Some(format!("wanted/{}/{}/{}", row.id, require.need, row.revision)),
            raw: None,
            at,
        })
        .await?;
        Ok(())
    }
}
