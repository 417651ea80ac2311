//! Machines, posts and claims.

use super::{Machine, Mail, World};
use crate::memory::writes::owner_of;
use crate::rank::{self, Candidate};
use crate::rows::SUSPECT;
use crate::{
    ClaimAsk, Claimed, Entry, Error, Exchange, Filter, Guard, Instance, LetGo, Letter, NewInstance, Orphan, Post,
    Posted, Result, Seats, Submitted, TakenIn, Target, chain, writes as sql_writes,
};
use domain::{InstanceId, Time};
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

impl World {
    pub(crate) fn take_in(
        &mut self,
        instances: Vec<NewInstance>,
        posts: Vec<Post>,
        seats: Option<Seats>,
    ) -> Result<TakenIn> {
        let letters: Vec<Uuid> = posts.iter().map(|post| post.id).filter(|id| !self.inbox.has(id)).collect();
        let (submitted, posted) = self.atomically(|world| {
            let submitted = world.insert(&instances)?;
            Ok((submitted, posts.into_iter().map(|post| Ok(world.deliver(post))).collect()))
        })?;
        let Some(seats) = seats else { return Ok(TakenIn { submitted, posted, claimed: Vec::new() }) };
        let created = instances.iter().zip(&submitted);
        let created = created.filter(|(new, answer)| **answer == Submitted::Created(new.id));
        let mut claimed = self.take(created.filter_map(|(new, _)| rank::new(new)).collect(), &seats.starts);
        let rung: BTreeSet<InstanceId> = letters.iter().filter_map(|id| self.inbox.get(id)?.instance).collect();
        let due = rung.iter().filter_map(|id| self.machines.get(id)).filter(|machine| machine.is_free());
        claimed.extend(self.take(due.filter_map(candidate).collect(), &seats.posts));
        Ok(TakenIn { submitted, posted, claimed })
    }

    pub(super) fn insert(&mut self, news: &[NewInstance]) -> Result<Vec<Submitted>> {
        news.iter().map(|new| self.insert_one(new)).collect()
    }

    fn insert_one(&mut self, new: &NewInstance) -> Result<Submitted> {
        let key = (new.tenant.clone(), new.workflow.clone(), new.business_key.clone());
        if let Some(known) = self.by_key.get(&key).and_then(|id| self.machines.get(id)) {
            let same = known.row.content_hash == new.content_hash;
            return Ok(if same { Submitted::Known(known.row.id) } else { Submitted::Differs(known.row.id) });
        }
        if self.machines.has(&new.id) || new.address.as_ref().is_some_and(|address| self.by_address.has(address)) {
            return Err(Error::Forbidden("identity_address".into()));
        }
        let held = self.guarded(new.id, new.guard.as_ref());
        let (state, state_name, due) = match &held {
            Some(guard) => (&guard.held.state, &guard.held.state_name, &guard.held.due),
            None => (&new.state, &new.state_name, &new.due),
        };
        let line = chain::first_line(new, state_name);
        let head = chain::line("", new.id.0, 1, &line);
        let row = Instance {
            id: new.id,
            workflow: new.workflow.clone(),
            tenant: new.tenant.clone(),
            account: new.account.clone(),
            business_key: new.business_key.clone(),
            address: new.address.clone(),
            parent: new.parent,
            person: new.person,
            content_hash: new.content_hash.clone(),
            input: new.input.clone(),
            state: state.clone(),
            state_name: state_name.clone(),
            revision: 1,
            head: head.clone(),
            wake_at: due.wake_at,
            lane: due.lane.clone(),
            claims: 0,
            claimed_until: None,
            created_at: new.at,
            updated_at: new.at,
        };
        let emitted = held.as_ref().map_or(0, |guard| sql_writes::emits(&guard.held.writes));
        self.machines.put(new.id, Machine { row, class: due.class, signals: 0, seen: 0, emitted, token: None });
        self.by_key.put(key, new.id);
        if let Some(address) = &new.address {
            self.by_address.put(address.clone(), new.id);
        }
        self.history.put((new.id, 1), Entry { seq: 1, line, hash: head });
        self.adopt(new);
        if let Some(guard) = held {
            let owner = owner_of(new, self.clock.real());
            self.apply(&owner, &guard.held.writes)?;
        }
        Ok(Submitted::Created(new.id))
    }

    /// The guard, when its key is another machine's.
    fn guarded(&mut self, id: InstanceId, guard: Option<&Guard>) -> Option<Guard> {
        let guard = guard?;
        if self.duplicates.has(&guard.key) {
            return Some(guard.clone());
        }
        self.duplicates.put(guard.key.clone(), id);
        None
    }

    fn adopt(&mut self, new: &NewInstance) {
        let sent_to = [Some(new.id.to_string()), new.address.clone()];
        let found: Vec<(Uuid, Time)> = sent_to.iter().flatten().flat_map(|to| self.strays_of(to)).collect();
        for (id, at) in found {
            self.inbox.change(&id, |mail| mail.instance = Some(new.id));
            self.mail.put((new.id, at, id), ());
            self.ring(new.id, new.at);
        }
    }

    fn strays_of(&self, to: &str) -> impl Iterator<Item = (Uuid, Time)> {
        let first = (to.to_owned(), Time::from_millis(i64::MIN), Uuid::nil());
        let last = (to.to_owned(), Time::from_millis(i64::MAX), Uuid::max());
        self.strays.range(first..=last).map(|((_, at, id), ())| (*id, *at))
    }

    /// Counts a post on its machine and pulls it due.
    pub(super) fn ring(&mut self, id: InstanceId, at: Time) {
        self.machines.change(&id, |machine| {
            machine.signals += 1;
            machine.row.wake_at = Some(machine.row.wake_at.map_or(at, |wake_at| wake_at.min(at)));
        });
    }

    /// Claims those of these that are due and that nobody has claimed since their last transition.
    fn take(&mut self, mut due: Vec<Candidate>, ask: &ClaimAsk) -> Vec<Claimed> {
        due.retain(|row| row.wake_at <= ask.now && ask.takes(&row.lane));
        let mut chosen = rank::choose(due, ask);
        let stands = |machine: &Machine| machine.is_free() && machine.row.wake_at.is_some_and(|at| at <= ask.now);
        chosen.retain(|id| self.machines.get(&InstanceId(*id)).is_some_and(stands));
        if chosen.is_empty() { Vec::new() } else { self.hold(&chosen, ask) }
    }

    pub(super) fn deliver(&mut self, post: Post) -> Posted {
        let name = post.dedupe.map(|dedupe| (post.tenant.clone(), dedupe));
        let (instance, address) = match post.to {
            Target::Instance(id) => (Some(id), None),
            Target::Address(address) => (self.by_address.get(&address).copied(), Some(address)),
        };
        let home = instance.filter(|id| self.machines.has(id));
        if self.inbox.has(&post.id) {
            // A repeat after a commit of unknown outcome finds its own row.
            return if home.is_some() { Posted::Stored } else { Posted::Orphan };
        }
        if name.as_ref().is_some_and(|name| self.dedupe.has(name)) {
            return Posted::Duplicate;
        }
        if let Some(name) = name {
            self.dedupe.put(name, post.id);
        }
        let letter = Letter { id: post.id, event: post.event, source: post.source, at: post.at };
        let sent_to = address.clone().or(instance.map(|id| id.to_string()));
        self.inbox.put(post.id, Mail { letter, tenant: post.tenant, instance, address, consumed: false, answer: None });
        if let Some(id) = instance {
            // Also where nobody is yet: it is that machine's, should it come.
            self.mail.put((id, post.at, post.id), ());
        }
        let Some(home) = home else {
            self.strays.put((sent_to.unwrap_or_default(), post.at, post.id), ());
            return Posted::Orphan;
        };
        self.ring(home, post.at);
        Posted::Stored
    }

    pub(crate) fn answer(&self, ask: Uuid) -> Result<Option<Value>> {
        Ok(self.inbox.get(&ask).and_then(|mail| mail.answer.clone()))
    }

    pub(crate) fn claim(&mut self, ask: ClaimAsk) -> Result<Vec<Claimed>> {
        let chosen = rank::choose(self.due(&ask), &ask);
        Ok(self.hold(&chosen, &ask))
    }

    fn hold(&mut self, chosen: &[Uuid], ask: &ClaimAsk) -> Vec<Claimed> {
        self.claims += 1;
        let token = Uuid::from_u128(self.claims);
        let until = self.clock.real() + ask.lease;
        for id in chosen {
            self.machines.change_for_good(&InstanceId(*id), |machine| {
                if machine.row.claims < SUSPECT {
                    machine.row.claims += 1;
                }
                machine.row.claimed_until = Some(until);
                machine.token = Some(token);
                machine.seen = machine.signals;
            });
        }
        let machines = chosen.iter().filter_map(|id| self.machines.get(&InstanceId(*id)));
        let mut claimed: Vec<(i16, Option<Time>, Claimed)> =
            machines.map(|m| (m.class, m.row.wake_at, self.claimed(m, token))).collect();
        claimed.sort_by_key(|(class, wake_at, claimed)| (*class, *wake_at, claimed.id));
        claimed.into_iter().map(|(.., claimed)| claimed).collect()
    }

    fn due(&self, ask: &ClaimAsk) -> Vec<Candidate> {
        let open = |lane: &String| ask.takes(lane);
        let is_due = |at: &Time| *at <= ask.now;
        let groups: Vec<_> = self
            .machines
            .free()
            .filter(|((lane, ..), rows)| open(lane) && rows.first().is_some_and(|(at, _)| is_due(at)))
            .collect();
        let depth = rank::depth(ask.limit, groups.len());
        let mut due: Vec<Candidate> = Vec::new();
        for (_, rows) in groups {
            let rows = rows.iter().take(depth).take_while(|(at, _)| is_due(at));
            due.extend(rows.filter_map(|(_, id)| self.machines.get(id)).filter_map(candidate));
        }
        let expired = self.machines.expired(self.clock.real()).filter_map(candidate);
        due.extend(expired.filter(|row| open(&row.lane) && is_due(&row.wake_at)).take(ask.limit));
        due
    }

    fn claimed(&self, machine: &Machine, token: Uuid) -> Claimed {
        let row = machine.row.clone();
        Claimed {
            id: row.id,
            workflow: row.workflow,
            tenant: row.tenant,
            account: row.account,
            business_key: row.business_key,
            address: row.address,
            parent: row.parent,
            person: row.person,
            input: row.input,
            state: row.state,
            state_name: row.state_name,
            revision: row.revision,
            head: row.head,
            token,
            claimed_until: row.claimed_until.unwrap_or_default(),
            claims: row.claims,
            signals: machine.signals,
            lane: row.lane,
            inbox: self.mail_of(row.id).filter(|mail| !mail.consumed).map(|mail| mail.letter.clone()).collect(),
            created_at: row.created_at,
        }
    }

    pub(super) fn mail_of(&self, id: InstanceId) -> impl Iterator<Item = &Mail> {
        let from = (id, Time::from_millis(i64::MIN), Uuid::nil());
        self.mail
            .range(from..)
            .take_while(move |((of, ..), ())| *of == id)
            .filter_map(|((_, _, mail), ())| self.inbox.get(mail))
    }

    pub(crate) fn single_out(&mut self, id: InstanceId, token: Uuid, until: Time) -> Result<Option<i32>> {
        if self.machines.get(&id).is_none_or(|machine| machine.token != Some(token)) {
            return Ok(None);
        }
        self.machines.change_for_good(&id, |machine| {
            machine.row.claims += 1;
            machine.row.claimed_until = Some(until);
        });
        Ok(self.machines.get(&id).map(|machine| machine.row.claims))
    }

    pub(crate) fn release(&mut self, claims: Vec<LetGo>) -> Result<()> {
        for claim in claims {
            if self.machines.get(&claim.id).is_some_and(|machine| machine.token == Some(claim.token)) {
                self.machines.change_for_good(&claim.id, |machine| {
                    machine.row.claims = i32::from(machine.row.claims > 1);
                    (machine.row.claimed_until, machine.token) = (None, None);
                    if claim.wake_at.is_some() && machine.signals <= machine.seen {
                        machine.row.wake_at = claim.wake_at;
                    }
                });
            }
        }
        Ok(())
    }

    pub(crate) fn instance(&self, id: InstanceId) -> Result<Option<Instance>> {
        Ok(self.machines.get(&id).map(|machine| machine.row.clone()))
    }

    pub(crate) fn instances_by_keys(&self, tenant: &str, workflow: &str, keys: &[String]) -> Result<Vec<Instance>> {
        let id = |key: &String| self.by_key.get(&(tenant.to_owned(), workflow.to_owned(), key.clone()));
        let rows = keys.iter().filter_map(id).filter_map(|id| self.machines.get(id));
        Ok(rows.map(|machine| machine.row.clone()).collect())
    }

    pub(crate) fn children_of(&self, parents: &[InstanceId]) -> Result<Vec<Instance>> {
        Ok(self
            .machines
            .values()
            .filter(|machine| machine.row.parent.is_some_and(|parent| parents.contains(&parent)))
            .map(|machine| machine.row.clone())
            .collect())
    }

    pub(crate) fn list(&self, filter: Filter) -> Result<Vec<Instance>> {
        let wanted = |row: &Instance| {
            filter.workflow.as_ref().is_none_or(|want| row.workflow == *want)
                && filter.tenant.as_ref().is_none_or(|want| row.tenant == *want)
                && filter.state.as_ref().is_none_or(|want| row.state_name == *want)
                && filter.business_key.as_ref().is_none_or(|want| row.business_key == *want)
                && filter.parent.is_none_or(|want| row.parent == Some(want))
                && filter.persons.as_ref().is_none_or(|want| row.person.is_some_and(|person| want.contains(&person)))
                && filter.since.is_none_or(|since| row.created_at >= since)
                && filter.until.is_none_or(|until| row.created_at < until)
                && filter.cursor.is_none_or(|cursor| row.id < cursor)
        };
        let rows = self.machines.iter().rev().map(|(_, machine)| &machine.row).filter(|row| wanted(row));
        Ok(rows.take(filter.limit).cloned().collect())
    }

    pub(crate) fn history(&self, id: InstanceId) -> Result<Vec<Entry>> {
        Ok(self.history.range((id, 0)..=(id, i64::MAX)).map(|(_, entry)| entry.clone()).collect())
    }

    pub(crate) fn verify_history(&self, id: InstanceId) -> Result<Option<i64>> {
        let Some(machine) = self.machines.get(&id) else { return Ok(None) };
        let story = self.history.range((id, 0)..=(id, i64::MAX)).map(|(_, entry)| entry);
        Ok(chain::broken(id.0, &machine.row.head, machine.row.revision, story))
    }

    pub(crate) fn exchanges(&self, id: InstanceId) -> Result<Vec<Exchange>> {
        let from = (id, Time::from_millis(i64::MIN), Uuid::nil());
        Ok(self
            .exchanges
            .range(from..)
            .take_while(|((of, ..), _)| *of == id)
            .map(|(_, exchange)| exchange.clone())
            .collect())
    }

    pub(crate) fn letters(&self, id: InstanceId) -> Result<Vec<Letter>> {
        Ok(self.mail_of(id).map(|mail| mail.letter.clone()).collect())
    }

    pub(crate) fn orphans(&self, older_than: Time) -> Result<Vec<Orphan>> {
        let lost = |mail: &&Mail| {
            let waits = mail.instance.is_none() && mail.letter.source == "machine";
            !mail.consumed
                && mail.letter.at < older_than
                && !waits
                && mail.instance.is_none_or(|id| !self.machines.has(&id))
        };
        let mut orphans: Vec<Orphan> = self.inbox.values().filter(lost).map(orphan).collect();
        orphans.sort_by_key(|orphan| (orphan.letter.at, orphan.letter.id));
        orphans.truncate(1000);
        Ok(orphans)
    }
}

fn candidate(machine: &Machine) -> Option<Candidate> {
    let row = &machine.row;
    let (lane, tenant) = (row.lane.clone(), row.tenant.clone());
    Some(Candidate { id: row.id.0, lane, class: machine.class.into(), tenant, wake_at: row.wake_at? })
}

fn orphan(mail: &Mail) -> Orphan {
    let address = mail.address.clone().unwrap_or_else(|| mail.instance.map_or(String::new(), |id| id.to_string()));
    Orphan { tenant: mail.tenant.clone(), address, letter: mail.letter.clone() }
}
