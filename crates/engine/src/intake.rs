//! How what comes in becomes durable: by itself, or in a group with whatever comes at the same time. A hundred starts or callbacks
//! then share one transaction and one flush; each is still answered only after the commit that holds it (S-F).

use crate::Engine;
use std::sync::{Arc, OnceLock};
use store::{Error, NewInstance, Post, Posted, Result, Submitted, fail_point};
use tokio::sync::{mpsc, oneshot};

/// Where starts and posts of this process go. Nowhere until somebody gathers them: then each is written here and now.
#[derive(Clone, Default)]
pub struct Intake(Arc<OnceLock<mpsc::WeakSender<Arrival>>>);

/// Something that came in, and who waits until it is durable.
pub enum Arrival {
    Start(Box<NewInstance>, oneshot::Sender<Result<Submitted>>),
    Post(Box<Post>, oneshot::Sender<Result<Posted>>),
}

impl Intake {
    /// From now on they are gathered there, as long as somebody holds the channel. Once in the life of a process.
    pub fn gather(&self, arrivals: mpsc::WeakSender<Arrival>) {
        // A second gatherer gets nothing, and ends at once.
        let _ = self.0.set(arrivals);
    }

    fn gathered(&self) -> Option<mpsc::Sender<Arrival>> {
        self.0.get()?.upgrade()
    }

    pub(crate) async fn start(&self, engine: &Engine, new: NewInstance) -> Result<Submitted> {
        let Some(arrivals) = self.gathered() else { return single(submit(engine, vec![new]).await) };
        let (done, answer) = oneshot::channel();
        arrivals.send(Arrival::Start(Box::new(new), done)).await.map_err(|_| Error::Unavailable)?;
        answer.await.unwrap_or(Err(Error::Unavailable))
    }

    pub(crate) async fn post(&self, engine: &Engine, post: Post) -> Result<Posted> {
        let Some(arrivals) = self.gathered() else { return single(deliver(engine, vec![post]).await) };
        let (done, answer) = oneshot::channel();
        arrivals.send(Arrival::Post(Box::new(post), done)).await.map_err(|_| Error::Unavailable)?;
        answer.await.unwrap_or(Err(Error::Unavailable))
    }
}

/// Makes everything that came in durable, one transaction for the starts and one for the posts, and answers each.
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
    let (starts, posts) = tokio::join!(submit(engine, starts), deliver(engine, posts));
    // Who no longer waits asks again, and finds what is durable.
    started.into_iter().zip(starts).for_each(|(done, answer)| drop(done.send(answer)));
    posted.into_iter().zip(posts).for_each(|(done, answer)| drop(done.send(answer)));
    engine.bell.ring();
}

async fn submit(engine: &Engine, starts: Vec<NewInstance>) -> Vec<Result<Submitted>> {
    each(starts, |group| async move {
        fail_point("submit");
        engine.store.submit(group).await
    })
    .await
}

async fn deliver(engine: &Engine, posts: Vec<Post>) -> Vec<Result<Posted>> {
    each(posts, |group| async move {
        fail_point("post");
        engine.store.post(group).await
    })
    .await
}

/// One answer each. What a constraint forbids is found by halves, so that it fails alone.
async fn each<I: Clone, T, W: Future<Output = Result<Vec<T>>>>(
    all: Vec<I>,
    write: impl Fn(Vec<I>) -> W,
) -> Vec<Result<T>> {
    let (mut answers, mut groups) = (Vec::with_capacity(all.len()), vec![all]);
    while let Some(mut group) = groups.pop() {
        if group.is_empty() {
            continue;
        }
        match write(group.clone()).await {
            Ok(done) => answers.extend(done.into_iter().map(Ok)),
            Err(Error::Forbidden(_)) if group.len() > 1 => {
                let second = group.split_off(group.len() / 2);
                groups.extend([second, group]);
            }
            Err(error) => answers.extend(group.iter().map(|_| Err(error.clone()))),
        }
    }
    answers
}

fn single<T>(answers: Vec<Result<T>>) -> Result<T> {
    answers.into_iter().next().unwrap_or(Err(Error::Unavailable))
}
