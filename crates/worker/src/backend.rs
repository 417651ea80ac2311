//! apalis's `Backend` over claimed rows. It never answers an error: apalis takes one as fatal and drops every handler in flight,
//! and whatever can fail here passes (a database restart) and is the fetcher's to wait out.

use crate::fetch::give_back;
use apalis::prelude::{Backend, Task, TaskBuilder, TaskId, WorkerContext};
use apalis_core::backend::{BackendConfig, finalize::Ephemeral};
use engine::{Claimed, Engine};
use futures::future::BoxFuture;
use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;
use tower::layer::util::Identity;

/// Rows to be driven. A worker that the monitor restarts reads on from the same channel.
#[derive(Clone)]
pub(crate) struct Rows(pub(crate) Arc<Mutex<mpsc::Receiver<Claimed>>>);

pub(crate) struct Due {
    engine: Engine,
    rows: Rows,
    closing: Option<BoxFuture<'static, ()>>,
}

impl Rows {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Claimed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).poll_recv(cx)
    }

    /// Takes no more, and waits for what is already promised a seat: until the channel is empty and nobody holds a seat in it.
    async fn close(self) -> Vec<Claimed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).close();
        let mut left = Vec::new();
        while let Some(row) = poll_fn(|cx| self.poll(cx)).await {
            left.push(row);
        }
        left
    }
}

impl Due {
    pub(crate) fn new(engine: Engine, rows: Rows) -> Self {
        Self { engine, rows, closing: None }
    }
}

impl Backend for Due {
    type Task = Task<Claimed>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Option<Result<Self::Task, Infallible>>> {
        let Some(row) = ready!(self.rows.poll(cx)) else { return Poll::Ready(None) };
        let id = TaskId::from_string(row.id.to_string());
        Poll::Ready(Some(Ok(TaskBuilder::new(row).task_id(id).build())))
    }

    /// Every handler has ended, and each has waited for its own commit: nothing is left to flush, only claims to give back.
    fn poll_close(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        let (engine, rows) = (&self.engine, &self.rows);
        let closing = self.closing.get_or_insert_with(|| {
            let (engine, rows) = (engine.clone(), rows.clone());
            Box::pin(async move { give_back(&engine, rows.close().await).await })
        });
        closing.as_mut().poll(cx).map(Ok)
    }
}

impl BackendConfig for Due {
    type Args = Claimed;
    type Id = String;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}
