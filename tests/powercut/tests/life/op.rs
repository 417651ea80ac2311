//! What the driver asks of the store, as data: so that it can be performed, acknowledged, or doubted.

use domain::InstanceId;
use domain::record::OpenCase;
use store::{Act, ClaimAsk, Claimed, Committed, LetGo, NewInstance, Post, Posted, Result, Store, Submitted, Turn};

/// The one tenant.
pub(crate) const TENANT: &str = "acme";

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Nothing,
    /// One transaction, however many.
    Submit(Vec<NewInstance>),
    Post(Vec<Post>),
    Claim(ClaimAsk),
    Release(Vec<LetGo>),
    /// One group, one transaction.
    Commit(Vec<Turn>),
    OpenCase(InstanceId, OpenCase),
    Act(Act),
}

#[derive(Debug)]
pub(crate) enum Answer {
    Done,
    Submitted(Vec<Submitted>),
    Posted(Vec<Posted>),
    Claimed(Vec<Claimed>),
    Committed(Vec<Committed>),
}

impl Op {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Op::Nothing => "nothing",
            Op::Submit(_) => "submit",
            Op::Post(_) => "post",
            Op::Claim(_) => "claim",
            Op::Release(_) => "release",
            Op::Commit(_) => "commit",
            Op::OpenCase(..) => "open case",
            Op::Act(_) => "act",
        }
    }
}

pub(crate) async fn perform(store: &Store, op: &Op) -> Result<Answer> {
    match op.clone() {
        Op::Nothing => Ok(Answer::Done),
        Op::Submit(news) => store.submit(news).await.map(Answer::Submitted),
        Op::Post(posts) => store.post(posts).await.map(Answer::Posted),
        Op::Claim(ask) => store.claim(ask).await.map(Answer::Claimed),
        Op::Release(claims) => store.release(claims).await.map(|()| Answer::Done),
        Op::Commit(turns) => store.commit(turns).await.map(Answer::Committed),
        Op::OpenCase(id, case) => store.open_case(id, TENANT, case).await.map(|()| Answer::Done),
        Op::Act(act) => store.act(TENANT, vec![act]).await.map(|()| Answer::Done),
    }
}

/// A reader beside the writers: the revision it sees of one machine.
pub(crate) async fn look(store: &Store, watched: Option<(InstanceId, i64)>) -> Result<Option<i64>> {
    let Some((id, _)) = watched else { return Ok(None) };
    Ok(store.instance(id).await?.map(|machine| machine.revision))
}
