//! What this process knows of the fleet: the shared clock and the freeze switches.

use crate::{Engine, Result};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use store::Freeze;
use workflows::Freezes;
use workflows::policy::Switch;

/// A reading of the database's time that took longer than this says too little about now.
const SLOW: Duration = Duration::from_millis(500);

impl Engine {
    /// Takes the database's time and the fleet's pace for the truth.
    pub async fn refresh_clock(&self) -> Result<()> {
        let before = self.clock.real();
        let pace = self.store.pace().await?;
        let real = self.store.time().await?;
        if self.clock.real().since(before) <= SLOW {
            self.clock.sync(real, pace);
        }
        Ok(())
    }

    /// Reads the freeze switches in force.
    pub async fn refresh_freezes(&self) -> Result<()> {
        let switches = self.store.freezes().await?.into_iter().map(switch).collect();
        let mut frozen = self.freezes.write().unwrap_or_else(PoisonError::into_inner);
        frozen.switches = Arc::new(Freezes(switches));
        frozen.read_at = Some(self.clock.real());
        Ok(())
    }

    pub(crate) fn freezes_older_than(&self, age: Duration) -> bool {
        let frozen = self.freezes.read().unwrap_or_else(PoisonError::into_inner);
        frozen.read_at.is_none_or(|at| self.clock.real().since(at) >= age)
    }
}

fn switch(freeze: Freeze) -> Switch {
    let Freeze { scope, create, pay, confirm, cancel } = freeze;
    Switch { scope, create, pay, confirm, cancel }
}
