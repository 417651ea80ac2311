//! How a turn becomes durable: by itself, or in a group with others that end at the same time. A commit costs a disk flush; a
//! group shares it.

use crate::Engine;
use metrics::histogram;
use store::{Committed, Error, LetGo, Result, Turn, fail_point};
use tokio::sync::{mpsc, oneshot};

/// Where turns are committed.
#[derive(Clone)]
pub enum Committer {
    /// Here and now: tests, simulation, tools.
    Direct,
    /// By whoever gathers them.
    Grouped(mpsc::Sender<Waiting>),
}

/// Something to be written, and who waits for it.
pub enum Waiting {
    Turn(Box<Turn>, oneshot::Sender<Result<Committed>>),
    LetGo(LetGo, oneshot::Sender<Result<()>>),
}

impl Committer {
    pub(crate) async fn commit(&self, engine: &Engine, turn: Turn) -> Result<Committed> {
        match self {
            Committer::Direct => single(commit_turns(engine, vec![turn]).await),
            Committer::Grouped(gather) => {
                let (done, answer) = oneshot::channel();
                gather.send(Waiting::Turn(Box::new(turn), done)).await.map_err(|_| Error::Unavailable)?;
                answer.await.unwrap_or(Err(Error::Unavailable))
            }
        }
    }

    pub(crate) async fn let_go(&self, engine: &Engine, claim: LetGo) -> Result<()> {
        match self {
            Committer::Direct => engine.give_back(vec![claim]).await,
            Committer::Grouped(gather) => {
                let (done, answer) = oneshot::channel();
                gather.send(Waiting::LetGo(claim, done)).await.map_err(|_| Error::Unavailable)?;
                answer.await.unwrap_or(Err(Error::Unavailable))
            }
        }
    }
}

/// Commits everything that waits in one transaction for the turns and one for the releases, and answers each.
pub async fn commit_group(engine: &Engine, group: Vec<Waiting>) {
    let (mut turns, mut committed, mut claims, mut released) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for waiting in group {
        match waiting {
            Waiting::Turn(turn, done) => {
                turns.push(*turn);
                committed.push(done);
            }
            Waiting::LetGo(claim, done) => {
                claims.push(claim);
                released.push(done);
            }
        }
    }
    if !turns.is_empty() {
        let answers = commit_turns(engine, turns).await;
        for (done, answer) in committed.into_iter().zip(answers) {
            // Who no longer waits finds the row as it is.
            let _ = done.send(answer);
        }
    }
    if !claims.is_empty() {
        let answer = engine.give_back(claims).await;
        for done in released {
            let _ = done.send(answer.clone());
        }
    }
}

async fn commit_turns(engine: &Engine, turns: Vec<Turn>) -> Vec<Result<Committed>> {
    let size = turns.len();
    histogram!("levee_commit_batch_size").record(u32::try_from(size).unwrap_or(u32::MAX));
    fail_point("commit");
    match engine.store.commit(turns).await {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error); size],
    }
}

fn single(answers: Vec<Result<Committed>>) -> Result<Committed> {
    answers.into_iter().next().unwrap_or(Err(Error::Unavailable))
}
