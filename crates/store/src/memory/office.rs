//! People, keys, audit, settings, lanes, schedules.

use super::{Lane, World};
use crate::keys::RESERVED;
use crate::{
    Act, ApiKey, Error, Freeze, Idempotency, Instance, LaneState, Result, Saved, Schedule, chain, lanes, person,
};
use domain::{Person, PersonName, Time};
use serde_json::Value;
use std::collections::HashMap;
use uuid::Uuid;

impl World {
    pub(crate) fn put_persons(&mut self, tenant: &str, persons: &[Person]) -> Result<Vec<Uuid>> {
        let mut ids = Vec::with_capacity(persons.len());
        for person in persons {
            let fingerprint = person::fingerprint(&self.vault, tenant, person);
            let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, fingerprint.as_bytes());
            self.people.put((tenant.to_owned(), id), person.clone());
            ids.push(id);
        }
        self.people.end(true);
        Ok(ids)
    }

    fn person(&self, tenant: &str, id: Uuid) -> Option<&Person> {
        self.people.get(&(tenant.to_owned(), id))
    }

    pub(crate) fn persons(&self, tenant: &str, ids: &[Uuid]) -> Result<HashMap<Uuid, Person>> {
        Ok(ids.iter().filter_map(|id| Some((*id, self.person(tenant, *id)?.clone()))).collect())
    }

    fn people_of(&self, tenant: &str, wanted: impl Fn(&Person) -> bool) -> Vec<Uuid> {
        let people = self.people.iter().filter(|((of, _), person)| of == tenant && wanted(person));
        people.map(|((_, id), _)| *id).collect()
    }

    pub(crate) fn find_persons(&self, tenant: &str, text: &str) -> Result<Vec<Uuid>> {
        let text = text.trim();
        let name = PersonName::parse(text).map_or_else(|_| text.to_owned(), |name| name.expose().to_owned());
        let upper = text.to_uppercase();
        Ok(self.people_of(tenant, |p| {
            let phone = p.cellphone.expose();
            p.name.expose() == name
                || p.id_card.expose() == upper
                || phone == text
                || person::tail(phone) == text
                || p.bankcard.expose() == text
        }))
    }

    pub(crate) fn persons_same_id(&self, tenant: &str, id: Uuid) -> Result<Vec<Uuid>> {
        let Some(person) = self.person(tenant, id) else { return Ok(Vec::new()) };
        Ok(self.people_of(tenant, |other| other.id_card == person.id_card))
    }

    pub(crate) fn of_same_people(
        &self,
        tenant: &str,
        workflow: &str,
        persons: &[Uuid],
        since: Time,
    ) -> Vec<(Uuid, Instance)> {
        let id_card = |id: Uuid| self.person(tenant, id).map(|person| &person.id_card);
        let rows = self.machines.values().map(|machine| &machine.row);
        let rows = rows.filter(|row| row.tenant == tenant && row.workflow == workflow && row.created_at >= since);
        let of = |row: &Instance| {
            let whose = row.person.and_then(id_card);
            let same = persons.iter().filter(|asked| whose.is_some() && id_card(**asked) == whose);
            same.map(|asked| (*asked, row.clone())).collect::<Vec<_>>()
        };
        rows.flat_map(of).collect()
    }

    pub(crate) fn put_key(&mut self, key: ApiKey) -> Result<()> {
        let taken = self.keys.values().any(|other| other.digest == key.digest && other.id != key.id);
        if taken {
            return Err(Error::Forbidden("api_key_digest".into()));
        }
        if !["viewer", "operator", "approver", "admin"].contains(&key.role.as_str()) {
            return Err(Error::Forbidden("api_key_role".into()));
        }
        if !self.keys.has(&key.id) {
            self.keys.put(key.id.clone(), key);
        }
        self.keys.end(true);
        Ok(())
    }

    pub(crate) fn key_by_digest(&self, digest: &str) -> Result<Option<ApiKey>> {
        Ok(self.keys.values().find(|key| key.digest == digest).cloned())
    }

    pub(crate) fn keys(&self, tenant: &str) -> Result<Vec<ApiKey>> {
        let mut keys: Vec<ApiKey> = self.keys.values().filter(|key| key.tenant == tenant).cloned().collect();
        keys.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(keys)
    }

    pub(crate) fn revoke_key(&mut self, id: &str, at: Time) -> Result<()> {
        self.keys.change(&id.to_owned(), |key| key.revoked_at = key.revoked_at.or(Some(at)));
        self.keys.end(true);
        Ok(())
    }

    pub(crate) fn act(&mut self, tenant: &str, acts: Vec<Act>) -> Result<()> {
        let last = self.audit.range((tenant.to_owned(), 0)..=(tenant.to_owned(), i64::MAX)).next_back();
        let (mut seq, mut hash) = last.map_or((0, String::new()), |((_, seq), (_, hash))| (*seq, hash.clone()));
        for act in acts {
            seq += 1;
            hash = chain::act(&hash, tenant, seq, &act);
            self.audit.put((tenant.to_owned(), seq), (act, hash.clone()));
        }
        self.audit.end(true);
        Ok(())
    }

    pub(crate) fn acts(&self, tenant: &str, limit: usize) -> Result<Vec<Act>> {
        let acts = self.audit.range((tenant.to_owned(), 0)..=(tenant.to_owned(), i64::MAX)).rev();
        Ok(acts.take(limit).map(|(_, (act, _))| act.clone()).collect())
    }

    pub(crate) fn verify_audit(&self, tenant: &str) -> Result<Option<i64>> {
        let mut before = "";
        let acts = self.audit.range((tenant.to_owned(), 0)..=(tenant.to_owned(), i64::MAX));
        for (((_, seq), (act, hash)), want) in acts.zip(1..) {
            if *seq != want || *hash != chain::act(before, tenant, want, act) {
                return Ok(Some(want));
            }
            before = hash;
        }
        Ok(None)
    }

    pub(crate) fn setting(&self, name: &str) -> Result<Option<Value>> {
        Ok(self.settings.get(&name.to_owned()).cloned())
    }

    pub(crate) fn put_setting(&mut self, name: &str, value: Value) -> Result<()> {
        if RESERVED.iter().any(|reserved| name.starts_with(reserved)) {
            return Err(Error::Forbidden("setting_reserved".into()));
        }
        self.settings.put(name.to_owned(), value);
        self.settings.end(true);
        Ok(())
    }

    pub(crate) fn freezes(&self) -> Result<Vec<Freeze>> {
        Ok(self.freezes.values().cloned().collect())
    }

    pub(crate) fn put_freeze(&mut self, freeze: Freeze) -> Result<()> {
        self.freezes.put(freeze.scope.clone(), freeze);
        self.freezes.end(true);
        Ok(())
    }

    pub(crate) fn idempotency(
        &mut self,
        tenant: &str,
        key: &str,
        body_digest: &str,
        _now: Time,
    ) -> Result<Idempotency> {
        let place = (tenant.to_owned(), key.to_owned());
        let Some((digest, saved)) = self.idempotency.get(&place) else {
            self.idempotency.put(place, (body_digest.to_owned(), None));
            self.idempotency.end(true);
            return Ok(Idempotency::Fresh);
        };
        if digest != body_digest {
            return Ok(Idempotency::OtherBody);
        }
        Ok(saved.clone().map_or(Idempotency::Running, Idempotency::Done))
    }

    pub(crate) fn save_answer(&mut self, tenant: &str, key: &str, answer: Saved) -> Result<()> {
        self.idempotency
            .change(&(tenant.to_owned(), key.to_owned()), |(_, saved)| *saved = saved.take().or(Some(answer)));
        self.idempotency.end(true);
        Ok(())
    }

    pub(crate) fn take_tokens(
        &mut self,
        lane: &str,
        want: i64,
        rate_per_second: i64,
        burst: i64,
        real: Time,
    ) -> Result<i64> {
        let full = Lane { tokens: burst.saturating_mul(1000), counted_at: real, open_until: None };
        let mut bucket = self.lanes.get(&lane.to_owned()).cloned().unwrap_or(full);
        let tokens = lanes::refill(bucket.tokens, bucket.counted_at, rate_per_second, burst, real);
        let granted = lanes::grant(tokens, want);
        (bucket.tokens, bucket.counted_at) = (tokens - granted * 1000, bucket.counted_at.max(real));
        self.lanes.put(lane.to_owned(), bucket);
        self.lanes.end(true);
        Ok(granted)
    }

    pub(crate) fn give_tokens(&mut self, lane: &str, tokens: i64) -> Result<()> {
        self.lanes.change(&lane.to_owned(), |lane| {
            lane.tokens = lane.tokens.saturating_add(tokens.max(0).saturating_mul(1000))
        });
        self.lanes.end(true);
        Ok(())
    }

    pub(crate) fn lanes(&self) -> Result<Vec<LaneState>> {
        Ok(self
            .lanes
            .iter()
            .map(|(lane, state)| LaneState { lane: lane.clone(), open_until: state.open_until })
            .collect())
    }

    pub(crate) fn set_breaker(&mut self, lane: &str, open_until: Option<Time>) -> Result<()> {
        let new = Lane { tokens: 0, counted_at: Time::from_millis(0), open_until };
        let lane_state = self.lanes.get(&lane.to_owned()).map_or(new, |lane| Lane { open_until, ..lane.clone() });
        self.lanes.put(lane.to_owned(), lane_state);
        self.lanes.end(true);
        Ok(())
    }

    pub(crate) fn put_schedule(&mut self, schedule: Schedule) -> Result<()> {
        self.schedules.put(schedule.name.clone(), schedule);
        self.schedules.end(true);
        Ok(())
    }

    pub(crate) fn schedules(&self) -> Result<Vec<Schedule>> {
        Ok(self.schedules.values().cloned().collect())
    }

    pub(crate) fn schedule_tick(&mut self, name: &str, tick: Time) -> Result<bool> {
        let key = (name.to_owned(), tick);
        let first = !self.ticks.has(&key);
        self.ticks.put(key, ());
        self.ticks.end(true);
        Ok(first)
    }
}
