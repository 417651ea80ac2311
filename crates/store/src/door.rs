//! The door: machines and posts that come in together are one transaction, which also claims what it makes due.

use crate::claim::Taking;
use crate::inbox::{Sealed, deliver, deliver_anywhere, name_of, resolve};
use crate::instance::insert;
use crate::sql::{Conn, Outcome};
use crate::vault::Place;
use crate::{ClaimAsk, Claimed, Error, NewInstance, Post, Posted, Result, Sql, Submitted, rank};
use domain::Time;
use std::sync::Arc;

/// What became of what came in together.
#[derive(Debug, Default)]
pub struct TakenIn {
    /// One per machine, in order.
    pub submitted: Vec<Submitted>,
    /// One per post, in order: those that found nobody are written by themselves, and may fail so.
    pub posted: Vec<Result<Posted>>,
    pub claimed: Vec<Claimed>,
}

/// How much a transaction that takes in may claim.
#[derive(Debug, Clone)]
pub(crate) struct Seats {
    pub(crate) starts: ClaimAsk,
    pub(crate) posts: ClaimAsk,
}

/// As it is written, perhaps more than once.
struct Group {
    starts: Vec<NewInstance>,
    posts: Vec<Sealed>,
    seats: Option<Seats>,
}

impl Sql {
    pub(crate) async fn take_in(
        &self,
        starts: Vec<NewInstance>,
        posts: Vec<Post>,
        seats: Option<Seats>,
    ) -> Result<TakenIn> {
        let mut sealed = Vec::with_capacity(posts.len());
        for post in posts {
            let place = Place { tenant: &post.tenant, table: "inbox", column: "raw", row: post.id };
            let raw = match &post.raw {
                Some(raw) => Some(self.keys_of(&post.tenant).await?.seal(&place, raw)),
                None => None,
            };
            sealed.push((post, raw));
        }
        let group = Arc::new(Group { starts, posts: sealed, seats });
        let (work, clock) = (group.clone(), self.clock.clone());
        let (mut taken, lost) = self
            .pool
            .write(move |c| {
                let (group, real) = (work.clone(), clock.real());
                Box::pin(async move { take_in(c, &group, real).await })
            })
            .await?;
        let mut groups = if lost.is_empty() { Vec::new() } else { vec![lost] };
        while let Some(mut places) = groups.pop() {
            let (work, of) = (group.clone(), places.clone());
            let delivered = self.pool.write(move |c| {
                let (group, places) = (work.clone(), of.clone());
                Box::pin(async move {
                    let posts: Vec<&Sealed> = places.iter().map(|place| &group.posts[*place]).collect();
                    Ok(deliver_anywhere(c, &posts, None).await?.0)
                })
            });
            match delivered.await {
                Ok(posted) => places.iter().zip(posted).for_each(|(place, posted)| taken.posted[*place] = Ok(posted)),
                Err(Error::Forbidden(_)) if places.len() > 1 => groups.extend([places.split_off(1), places]),
                Err(error) => places.iter().for_each(|place| taken.posted[*place] = Err(error.clone())),
            }
        }
        Ok(taken)
    }
}

/// Also answers the places of the posts that found nobody while there were new machines, too. They are left out and go by themselves
/// after it: to be sure that nobody is there they hold their addresses, and two groups that did so while they hold those of their new
/// machines would wait for each other.
///
/// Nothing is claimed twice: what a lost COMMIT has claimed is known when this is repeated, and its lease lapses.
async fn take_in(c: &mut Conn, group: &Group, real: Time) -> Outcome<(TakenIn, Vec<usize>)> {
    let posts: Vec<&Sealed> = group.posts.iter().collect();
    let take = group.seats.as_ref().map(|seats| (&seats.posts, real));
    if group.starts.is_empty() {
        let (posted, claimed) = deliver_anywhere(c, &posts, take).await?;
        return Ok((
            TakenIn { submitted: Vec::new(), posted: posted.into_iter().map(Ok).collect(), claimed },
            Vec::new(),
        ));
    }
    let taking = match &group.seats {
        Some(seats) => {
            Taking::choose(c, group.starts.iter().filter_map(rank::new).collect(), &seats.starts, real).await?
        }
        None => Taking::nothing(),
    };
    let (submitted, mut claimed) = insert(c, &group.starts, &taking).await?;
    if posts.is_empty() {
        return Ok((TakenIn { submitted, posted: Vec::new(), claimed }, Vec::new()));
    }
    let homes = resolve(c, &posts).await?;
    let at_home = |(post, _): &Sealed| homes.contains_key(&name_of(&post.to));
    let found: Vec<&Sealed> = posts.iter().copied().filter(|post| at_home(post)).collect();
    let (delivered, rung) = deliver(c, &found, &homes, take).await?;
    claimed.extend(rung);
    let mut posted: Vec<Result<Posted>> = posts.iter().map(|_| Ok(Posted::Orphan)).collect();
    let (here, lost): (Vec<usize>, Vec<usize>) = (0..posts.len()).partition(|place| at_home(posts[*place]));
    here.iter().zip(delivered).for_each(|(place, answer)| posted[*place] = Ok(answer));
    Ok((TakenIn { submitted, posted, claimed }, lost))
}
