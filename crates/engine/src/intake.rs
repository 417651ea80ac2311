//! How what comes in becomes durable: by itself, or in a group with whatever comes at the same time. A hundred starts or callbacks
//! then share one transaction and one flush; each is still answered only after the commit that holds it (S-F).
//!
//! Where a worker of this process has room, that transaction also claims what it makes due: counted durably before any byte leaves,
//! as every claim, and driven at once. What finds no room is due, and is claimed in its turn: the most hazardous first.

use crate::Engine;
use std::sync::{Arc, OnceLock};
use store::{ClaimAsk, Claimed, Error, NewInstance, Post, Posted, Result, Submitted, fail_point};
use tokio::sync::{mpsc, oneshot};

/// Where starts and posts of this process go. Nowhere until somebody gathers them: then each is written here and now.
#[derive(Clone, Default)]
pub struct Intake(Arc<Ends>);

#[derive(Default)]
struct Ends {
    gatherer: OnceLock<mpsc::WeakSender<Arrival>>,
    worker: OnceLock<mpsc::WeakSender<Claimed>>,
}

/// Something that came in, and who waits until it is durable.
pub enum Arrival {
    Start(Box<NewInstance>, oneshot::Sender<Result<Submitted>>),
    Post(Box<Post>, oneshot::Sender<Result<Posted>>),
}

impl Intake {
    /// From now on they are gathered there, as long as somebody holds the channel. Once in the life of a process.
    pub fn gather(&self, arrivals: mpsc::WeakSender<Arrival>) {
        // A second gatherer gets nothing, and ends at once.
        let _ = self.0.gatherer.set(arrivals);
    }

    /// From now on what a group makes due goes to this worker as far as it has room. Once in the life of a process.
    pub fn hand_to(&self, rows: mpsc::WeakSender<Claimed>) {
        let _ = self.0.worker.set(rows);
    }

    fn gathered(&self) -> Option<mpsc::Sender<Arrival>> {
        self.0.gatherer.get()?.upgrade()
    }

    fn worker(&self) -> Option<mpsc::Sender<Claimed>> {
        self.0.worker.get()?.upgrade()
    }

    pub(crate) async fn start(&self, engine: &Engine, new: NewInstance) -> Result<Submitted> {
        let Some(arrivals) = self.gathered() else {
            let submitted = single(take_in(engine, vec![new], Vec::new(), None).await.submitted);
            engine.bell.ring();
            return submitted;
        };
        let (done, answer) = oneshot::channel();
        arrivals.send(Arrival::Start(Box::new(new), done)).await.map_err(|_| Error::Unavailable)?;
        answer.await.unwrap_or(Err(Error::Unavailable))
    }

    pub(crate) async fn post(&self, engine: &Engine, post: Post) -> Result<Posted> {
        let Some(arrivals) = self.gathered() else {
            let posted = single(take_in(engine, Vec::new(), vec![post], None).await.posted);
            engine.bell.ring();
            return posted;
        };
        let (done, answer) = oneshot::channel();
        arrivals.send(Arrival::Post(Box::new(post), done)).await.map_err(|_| Error::Unavailable)?;
        answer.await.unwrap_or(Err(Error::Unavailable))
    }
}

/// Makes everything that came in durable in one transaction, answers each, and hands over what the worker has room for.
pub async fn take_group(engine: &Engine, group: Vec<Arrival>) {
    let (mut starts, mut started, mut posts, mut posted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for arrival in group {
        match arrival {
            Arrival::Start(new, done) => {
                starts.push(*new);
                started.push(done);
            }
            Arrival::Post(post, done) => {
                posts.push(*post);
                posted.push(done);
            }
        }
    }
    let came = starts.len() + posts.len();
    let worker = engine.intake.worker();
    // Seats are taken before the rows are: what is claimed is never without one.
    let mut seats = worker.as_ref().and_then(|rows| rows.try_reserve_many(came.min(rows.capacity())).ok());
    let free = seats.as_ref().map_or(0, ExactSizeIterator::len);
    let answers = take_in(engine, starts, posts, engine.door_ask(free)).await;
    // Who no longer waits asks again, and finds what is durable.
    started.into_iter().zip(answers.submitted).for_each(|(done, answer)| drop(done.send(answer)));
    posted.into_iter().zip(answers.posted).for_each(|(done, answer)| drop(done.send(answer)));
    let taken = answers.claimed.len();
    for (row, seat) in answers.claimed.into_iter().zip(seats.iter_mut().flatten()) {
        seat.send(row);
    }
    if taken < came {
        engine.bell.ring();
    }
}

/// One answer each, in order.
#[derive(Default)]
struct Answers {
    submitted: Vec<Result<Submitted>>,
    posted: Vec<Result<Posted>>,
    claimed: Vec<Claimed>,
}

/// What a constraint forbids is found by halves, so that it fails alone.
async fn take_in(engine: &Engine, starts: Vec<NewInstance>, posts: Vec<Post>, mut take: Option<ClaimAsk>) -> Answers {
    let (mut answers, mut groups) = (Answers::default(), vec![(starts, posts)]);
    while let Some((mut starts, mut posts)) = groups.pop() {
        if !starts.is_empty() {
            fail_point("submit");
        }
        if !posts.is_empty() {
            fail_point("post");
        }
        match engine.store.take_in(starts.clone(), posts.clone(), take.clone()).await {
            Ok(done) => {
                answers.submitted.extend(done.submitted.into_iter().map(Ok));
                answers.posted.extend(done.posted);
                take = take.map(|ask| ClaimAsk { limit: ask.limit.saturating_sub(done.claimed.len()), ..ask });
                answers.claimed.extend(done.claimed);
            }
            Err(Error::Forbidden(_)) if starts.len() + posts.len() > 1 => {
                let second = (starts.split_off(starts.len() / 2), posts.split_off(posts.len().div_ceil(2)));
                groups.extend([second, (starts, posts)]);
            }
            Err(error) => {
                answers.submitted.extend(starts.iter().map(|_| Err(error.clone())));
                answers.posted.extend(posts.iter().map(|_| Err(error.clone())));
            }
        }
    }
    answers
}

fn single<T>(answers: Vec<Result<T>>) -> Result<T> {
    answers.into_iter().next().unwrap_or(Err(Error::Unavailable))
}
