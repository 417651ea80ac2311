//! Calls that several machines share (design.md §4, Batched operations; P51).
//!
//! Whoever wants such a call takes along what is due in its lane and wants the same. One call asks for all of them, and each hears
//! what it would have heard alone. Where the provider refuses the whole because of one row, the call is made again for each half,
//! until that row stands alone; a provider that refuses everything is not asked once for every row. Only questions are shared: an
//! effect has one machine.

use crate::Engine;
use crate::call::{Kept, Outcome, tell_breaker};
use crate::drive::{Drive, End};
use crate::finish::load;
use crate::lanes::Permit;
use domain::{Person, Request, Verdict};
use futures::future::join_all;
use std::ops::ControlFlow::{self, Break, Continue};
use std::time::Duration;
use store::Claimed;
use uuid::Uuid;
use workflows::book::Want;

/// Calls in place of one that was refused, at most: enough to set two wrong rows of 500 apart. The rest hears the refusal.
const CALLS_MAX: usize = 40;

/// One machine of several, and what it asks.
struct Asker<'a> {
    drive: Drive<'a>,
    request: Request,
    people: Vec<Person>,
    /// How its claim has ended with the answer.
    ended: Option<End>,
}

impl<'a> Drive<'a> {
    /// Makes the call for this machine and for what it takes along, and brings the others to their end.
    pub(crate) async fn call_together(
        &mut self,
        request: Request,
        people: Vec<Person>,
        lane: &str,
        permit: Permit,
    ) -> ControlFlow<End> {
        let mut others = self.others(&request, lane).await;
        let mut permit = Some(permit);
        // Place 0 is this machine's own.
        let mut groups: Vec<Vec<usize>> = vec![(0..=others.len()).collect()];
        let mut own = Continue(());
        let mut calls = 0;
        while let Some(mut group) = groups.pop() {
            let entered = match permit.take() {
                Some(permit) => Ok(permit),
                None => enter(self.engine, lane).await,
            };
            let mut outcome = match entered {
                Ok(permit) => {
                    let (request, people) = joint(&group, (&request, &people), &others);
                    let outcome = self.send(&request, &people, &[], false, calls).await;
                    calls += 1;
                    drop(permit);
                    tell_breaker(self.engine, lane, &outcome).await;
                    outcome
                }
                Err(delay) => Outcome::held(delay, self.engine.moment()),
            };
            let refused = matches!(outcome.sent.verdict, Verdict::Refused(_));
            if refused && group.len() > 1 && calls + groups.len() < CALLS_MAX {
                let half = group.split_off(group.len() / 2);
                groups.extend([half, group]);
                continue;
            }
            // The first keeps the bytes, and the others name them.
            let mut kept = None;
            for (part, place) in group.into_iter().enumerate() {
                let outcome = outcome.part(part);
                match place.checked_sub(1).and_then(|place| others.get_mut(place)) {
                    Some(asker) => asker.take(outcome, &mut kept).await,
                    None => own = self.take_outcome(&request, false, outcome, &mut kept).await,
                }
            }
        }
        // Together, so that their commits are one.
        join_all(others.into_iter().map(|asker| Box::pin(asker.go_on()))).await;
        own
    }

    /// What is due in the lane and wants a call that can be shared. The rest goes back: it is claimed by itself.
    async fn others(&mut self, request: &Request, lane: &str) -> Vec<Asker<'a>> {
        let room = request.operation().batch() - 1;
        let rows = self.engine.claim_along(lane, room).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "asks alone");
            Vec::new()
        });
        let (mut askers, mut left) = (Vec::new(), Vec::new());
        for row in rows {
            match self.asker(&row, request, lane) {
                Some(asker) => askers.push(asker),
                None => left.push(row),
            }
        }
        let ids: Vec<Uuid> = askers.iter().flat_map(|asker| asker.request.people()).collect();
        let found = self.engine.store.persons(&self.row.tenant, &ids).await.unwrap_or_default();
        let (mut complete, mut rest) = (Vec::new(), Vec::new());
        for mut asker in askers {
            let people: Option<Vec<Person>> = asker.request.people().iter().map(|id| found.get(id).cloned()).collect();
            match people {
                Some(people) => {
                    asker.people = people;
                    complete.push(asker);
                }
                None => rest.push(asker.drive.row),
            }
        }
        left.extend(rest);
        if let Err(error) = self.engine.release(left).await {
            tracing::warn!(%error, "failed to give claims back: their leases lapse");
        }
        complete
    }

    /// A machine that wants just such a call, with nothing to be heard or done before it.
    fn asker(&self, row: &Claimed, request: &Request, lane: &str) -> Option<Asker<'a>> {
        if row.suspect() || !row.inbox.is_empty() || row.tenant != self.row.tenant {
            return None;
        }
        let machine = load(row).ok()?;
        let mut drive = Drive::new(self.engine, row.clone(), machine, self.committer);
        if row.claims >= 2 && drive.machine.found(&drive.seat.cx()).is_some() {
            return None;
        }
        let Want::Call(wanted) = drive.machine.want(&drive.seat.cx()) else { return None };
        let fits = wanted.operation() == request.operation() && drive.held_back(&wanted, false, lane).is_none();
        fits.then_some(Asker { drive, request: wanted, people: Vec::new(), ended: None })
    }
}

impl Asker<'_> {
    /// The outcome of a call that another machine made.
    async fn take(&mut self, outcome: Outcome, kept: &mut Option<Kept>) {
        if let Break(end) = self.drive.take_outcome(&self.request, false, outcome, kept).await {
            self.ended = Some(end);
        }
    }

    /// From the answer to the end of the claim.
    async fn go_on(mut self) {
        let end = match self.ended.take() {
            Some(end) => end,
            None => self.drive.steps().await,
        };
        let workflow = self.drive.row.workflow.clone();
        self.drive.end(end).await.count(&workflow);
    }
}

async fn enter(engine: &Engine, lane: &str) -> Result<Permit, Duration> {
    engine.lanes.enter(lane, &engine.rules, &engine.store, engine.clock.real()).await
}

/// One question for the machines of a group, and the people it is about.
fn joint(group: &[usize], own: (&Request, &[Person]), others: &[Asker<'_>]) -> (Request, Vec<Person>) {
    let of = |place: &usize| match place.checked_sub(1).and_then(|place| others.get(place)) {
        Some(asker) => (&asker.request, asker.people.as_slice()),
        None => own,
    };
    let (requests, people): (Vec<&Request>, Vec<&[Person]>) = group.iter().map(of).unzip();
    (Request::together(requests).unwrap_or_else(|| own.0.clone()), people.concat())
}
