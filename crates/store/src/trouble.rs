//! A door for trouble: the simulation stands between the callers and the database, and decides at every touch whether it waits,
//! fails before anything happened, or loses the answer of what did (testing.md §3). Nobody stands there in the product: then a touch
//! costs one comparison.

use crate::{Error, Result, Store};
use std::pin::Pin;
use std::sync::Arc;

/// Who stands at the door.
pub trait Trouble: Send + Sync {
    /// Before the database is touched. `false`: it is away, and nothing is applied.
    fn before(&self, touch: Touch) -> Passing<'_>;

    /// After it answered, `done` if it did what was asked. `false`: the answer is lost, and what was applied stays applied.
    fn after(&self, touch: Touch, done: bool) -> Passing<'_>;
}

/// Somebody's way past [`Trouble`], which may take virtual time.
pub type Passing<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// What of the database is touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touch {
    Submit,
    Post,
    Answer,
    Claim,
    Commit,
    Release,
    Person,
    Freezes,
    Tokens,
    Lanes,
    Breaker,
    Case,
}

impl Touch {
    pub const ALL: [Touch; 12] = [
        Touch::Submit,
        Touch::Post,
        Touch::Answer,
        Touch::Claim,
        Touch::Commit,
        Touch::Release,
        Touch::Person,
        Touch::Freezes,
        Touch::Tokens,
        Touch::Lanes,
        Touch::Breaker,
        Touch::Case,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Touch::Submit => "submit",
            Touch::Post => "post",
            Touch::Answer => "answer",
            Touch::Claim => "claim",
            Touch::Commit => "commit",
            Touch::Release => "release",
            Touch::Person => "person",
            Touch::Freezes => "freezes",
            Touch::Tokens => "tokens",
            Touch::Lanes => "lanes",
            Touch::Breaker => "breaker",
            Touch::Case => "case",
        }
    }
}

impl Store {
    /// The same store, with somebody at its door.
    pub fn troubled(mut self, trouble: Arc<dyn Trouble>) -> Self {
        self.trouble = Some(trouble);
        self
    }

    pub(crate) async fn touch<T>(&self, touch: Touch, work: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(trouble) = &self.trouble else { return work.await };
        if !trouble.before(touch).await {
            return Err(Error::Unavailable);
        }
        let answer = work.await;
        if trouble.after(touch, answer.is_ok()).await { answer } else { Err(Error::Unavailable) }
    }
}
