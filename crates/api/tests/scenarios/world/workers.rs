//! Further workers of the fleet, and what may befall one.

use super::World;
use engine::{Claimed, Committer, Driven, Engine};
use simulator::{CallFault, Operation};
use std::time::Duration;

/// Another process that drives: it has an engine of its own on the same database.
pub(crate) struct Worker {
    pub(crate) engine: Engine,
}

impl Worker {
    /// Takes the only row that is due, and is then paused: by a virtual machine's freeze, a debugger, a full disk.
    pub(crate) async fn claims_one(&self) -> Claimed {
        let mut rows = self.engine.claim(16).await.expect("the store answers");
        assert_eq!(rows.len(), 1, "one row is due");
        rows.remove(0)
    }

    /// Goes on where it was paused.
    pub(crate) async fn wakes_with(&self, row: Claimed) -> Driven {
        self.engine.drive(row, &Committer::Direct).await
    }

    pub(crate) async fn settle(&self) {
        self.engine.until_idle().await.expect("the store answers");
    }
}

impl World {
    pub(crate) fn another_worker(&self) -> Worker {
        Worker { engine: self.another_engine() }
    }

    /// The worker dies in the call: the provider has carried it out, and nobody hears the answer.
    pub(crate) async fn die_during(&self, operation: Operation) {
        let before = self.arrivals(operation).len();
        self.slow(Duration::from_secs(20));
        self.provider_will(operation, CallFault::Delay);
        let dying = self.another_worker();
        let task = tokio::spawn(async move { dying.settle().await });
        while self.arrivals(operation).len() == before {
            assert!(!task.is_finished(), "the worker ended without the call");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        task.abort();
        assert!(task.await.is_err_and(|end| end.is_cancelled()), "it died");
        self.slow(Duration::from_millis(10));
    }

    /// The same, with something to happen while the answer is on its way; then the answer arrives.
    pub(crate) async fn during<T>(&self, operation: Operation, meanwhile: impl Future<Output = T>) -> T {
        let before = self.arrivals(operation).len();
        self.slow(Duration::from_millis(500));
        self.provider_will(operation, CallFault::Delay);
        let engine = self.engine.clone();
        let task = tokio::spawn(async move { engine.until_idle().await });
        while self.arrivals(operation).len() == before {
            assert!(!task.is_finished(), "the worker ended without the call");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let done = meanwhile.await;
        task.await.expect("the worker lives").expect("the store answers");
        self.slow(Duration::from_millis(10));
        done
    }

    /// The provider goes away in the middle of a decision: `fault` befalls it, and then these interfaces fail until the outage ends.
    pub(crate) async fn falls_silent_in(&self, next_step: &str, fault: CallFault, operations: &[Operation]) {
        if next_step == "CONTINUE" {
            // The live look that it rests on.
            self.provider_answers(Operation::QueryOrderV2);
        }
        self.provider_will(Operation::ConfirmOrderV2, fault);
        // The first look of the doubt follows at once.
        self.provider_will(Operation::QueryOrderV2, CallFault::ServerErrorBefore);
        self.settle().await;
        self.outage(operations);
    }

    /// The lease of whoever holds a row runs out.
    pub(crate) async fn lease_ends(&self) {
        self.sleep(self.engine.rules.lease + Duration::from_secs(1)).await;
    }
}
