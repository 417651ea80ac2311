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
            let submitted = single(submit(engine, vec![new], None).await.0);
            engine.bell.ring();
            return submitted;
        };
        let (done, answer) = oneshot::channel();
        arrivals.send(Arrival::Start(Box::new(new), done)).await.map_err(|_| Error::Unavailable)?;
        answer.await.unwrap_or(Err(Error::Unavailable))
    }

    pub(crate) async fn post(&self, engine: &Engine, post: Post) -> Result<Posted> {
        let Some(arrivals) = self.gathered() else {
            let posted = single(deliver(engine, vec![post], None).await.0);
            engine.bell.ring();
            return posted;
        };
        let (done, answer) = oneshot::channel();
        arrivals.send(Arrival::Post(Box::new(post), done)).await.map_err(|_| Error::Unavailable)?;
        answer.await.unwrap_or(Err(Error::Unavailable))
    }
}

/// Makes everything that came in durable, one transaction for the starts and one for the posts, answers each, and hands over what
/// the worker has room for.
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
    // What is under way goes before what is new.
    let for_posts = free.min(posts.len());
    let ((starts, fresh), (posts, rung)) = tokio::join!(
        submit(engine, starts, engine.door_ask(free - for_posts)),
        deliver(engine, posts, engine.door_ask(for_posts)),
    );
    // Who no longer waits asks again, and finds what is durable.
    started.into_iter().zip(starts).for_each(|(done, answer)| drop(done.send(answer)));
    posted.into_iter().zip(posts).for_each(|(done, answer)| drop(done.send(answer)));
    let taken = fresh.len() + rung.len();
    for (row, seat) in fresh.into_iter().chain(rung).zip(seats.iter_mut().flatten()) {
        seat.send(row);
    }
    if taken < came {
        engine.bell.ring();
    }
}

type Taken<T> = (Vec<Result<T>>, Vec<Claimed>);

async fn submit(engine: &Engine, starts: Vec<NewInstance>, take: Option<ClaimAsk>) -> Taken<Submitted> {
    each(starts, take, |group, take| async move {
        fail_point("submit");
        engine.store.submit_and_take(group, take).await
    })
    .await
}

async fn deliver(engine: &Engine, posts: Vec<Post>, take: Option<ClaimAsk>) -> Taken<Posted> {
    each(posts, take, |group, take| async move {
        fail_point("post");
        engine.store.post_and_take(group, take).await
    })
    .await
}

/// One answer each, in order. What a constraint forbids is found by halves, so that it fails alone.
async fn each<I: Clone, T, W: Future<Output = Result<(Vec<T>, Vec<Claimed>)>>>(
    all: Vec<I>,
    mut take: Option<ClaimAsk>,
    write: impl Fn(Vec<I>, Option<ClaimAsk>) -> W,
) -> Taken<T> {
    let (mut answers, mut taken, mut groups) = (Vec::with_capacity(all.len()), Vec::new(), vec![all]);
    while let Some(mut group) = groups.pop() {
        if group.is_empty() {
            continue;
        }
        match write(group.clone(), take.clone()).await {
            Ok((done, claimed)) => {
                answers.extend(done.into_iter().map(Ok));
                take = take.map(|ask| ClaimAsk { limit: ask.limit.saturating_sub(claimed.len()), ..ask });
                taken.extend(claimed);
            }
            Err(Error::Forbidden(_)) if group.len() > 1 => {
                let second = group.split_off(group.len() / 2);
                groups.extend([second, group]);
            }
            Err(error) => answers.extend(group.iter().map(|_| Err(error.clone()))),
        }
    }
    (answers, taken)
}

fn single<T>(answers: Vec<Result<T>>) -> Result<T> {
    answers.into_iter().next().unwrap_or(Err(Error::Unavailable))
}
