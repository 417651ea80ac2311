//! Driving in the current task until nothing is due: tests, the demo, tools. The fleet's workers do the same with many rows at once.

use crate::{Committer, Driven, Engine, Result};

/// Few at a time: they are driven one after another, each under its own lease.
const ROOM: usize = 16;

impl Engine {
    /// Drives due rows one by one until none is due, or none comes any further; answers how many were driven.
    pub async fn until_idle(&self) -> Result<usize> {
        let mut driven = 0;
        loop {
            self.refresh_freezes().await?;
            let rows = self.claim(ROOM).await?;
            let mut moved = false;
            for row in rows {
                driven += 1;
                moved |= match self.drive(row, &Committer::Direct).await {
                    Driven::Committed | Driven::Forbidden | Driven::Quarantined => true,
                    Driven::LetGo | Driven::Conflict | Driven::Unavailable => false,
                };
            }
            if !moved {
                return Ok(driven);
            }
        }
    }
}
