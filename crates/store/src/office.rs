//! What serves all machines: people, keys, audit, settings, lanes, schedules, watchers.

use crate::{
    Act, ApiKey, AuditPlan, Count, Error, Finding, Freeze, Idempotency, InDoubt, Inner, LaneState, Moment, Result,
    Saved, Schedule, Store, Touch,
};
use domain::{InstanceId, Person, Time};
use serde_json::Value;
use std::collections::HashMap;
use uuid::Uuid;

impl Store {
    /// Keeps a snapshot of a person, once per (tenant, all four fields), sealed.
    pub async fn put_person(&self, tenant: &str, person: &Person) -> Result<Uuid> {
        let ids = self.put_persons(tenant, std::slice::from_ref(person)).await?;
        ids.first().copied().ok_or(Error::Unavailable)
    }

    /// Keeps snapshots of many people in one transaction, and answers in order.
    pub async fn put_persons(&self, tenant: &str, persons: &[Person]) -> Result<Vec<Uuid>> {
        match &self.inner {
            Inner::Sql(sql) => sql.put_persons(tenant, persons).await,
            Inner::Memory(memory) => memory.lock().put_persons(tenant, persons),
        }
    }

    /// Opens a person. The caller audits it where a human asked.
    pub async fn person(&self, tenant: &str, id: Uuid) -> Result<Option<Person>> {
        Ok(self.persons(tenant, &[id]).await?.remove(&id))
    }

    /// Opens many in one read; who is not there is missing.
    pub async fn persons(&self, tenant: &str, ids: &[Uuid]) -> Result<HashMap<Uuid, Person>> {
        let work = async {
            match &self.inner {
                Inner::Sql(sql) => sql.persons(tenant, ids).await,
                Inner::Memory(memory) => memory.lock().persons(tenant, ids),
            }
        };
        self.touch(Touch::Person, work).await
    }

    /// People by exact name, ID number, phone, the phone's last four digits, or card, through blind indexes.
    pub async fn find_persons(&self, tenant: &str, text: &str) -> Result<Vec<Uuid>> {
        match &self.inner {
            Inner::Sql(sql) => sql.find_persons(tenant, text).await,
            Inner::Memory(memory) => memory.lock().find_persons(tenant, text),
        }
    }

    /// Every snapshot with the same ID number, this one included.
    pub async fn persons_same_id(&self, tenant: &str, id: Uuid) -> Result<Vec<Uuid>> {
        match &self.inner {
            Inner::Sql(sql) => sql.persons_same_id(tenant, id).await,
            Inner::Memory(memory) => memory.lock().persons_same_id(tenant, id),
        }
    }

    /// Stores an API key's digest.
    pub async fn put_key(&self, key: ApiKey) -> Result<()> {
        match &self.inner {
            Inner::Sql(sql) => sql.put_key(key).await,
            Inner::Memory(memory) => memory.lock().put_key(key),
        }
    }

    /// The key with this digest, revoked or not.
    pub async fn key_by_digest(&self, digest: &str) -> Result<Option<ApiKey>> {
        match &self.inner {
            Inner::Sql(sql) => sql.key_by_digest(digest).await,
            Inner::Memory(memory) => memory.lock().key_by_digest(digest),
        }
    }

    /// All keys of a tenant.
    pub async fn keys(&self, tenant: &str) -> Result<Vec<ApiKey>> {
        match &self.inner {
            Inner::Sql(sql) => sql.keys(tenant).await,
            Inner::Memory(memory) => memory.lock().keys(tenant),
        }
    }

    /// Revokes a key, for ever.
    pub async fn revoke_key(&self, id: &str, at: Time) -> Result<()> {
        match &self.inner {
            Inner::Sql(sql) => sql.revoke_key(id, at).await,
            Inner::Memory(memory) => memory.lock().revoke_key(id, at),
        }
    }

    /// Appends to the tenant's audit chain, all or none.
    pub async fn act(&self, tenant: &str, acts: Vec<Act>) -> Result<()> {
        match &self.inner {
            Inner::Sql(sql) => sql.act(tenant, acts).await,
            Inner::Memory(memory) => memory.lock().act(tenant, acts),
        }
    }

    /// The newest acts of a tenant.
    pub async fn acts(&self, tenant: &str, limit: usize) -> Result<Vec<Act>> {
        match &self.inner {
            Inner::Sql(sql) => sql.acts(tenant, limit).await,
            Inner::Memory(memory) => memory.lock().acts(tenant, limit),
        }
    }

    /// The first broken link of a tenant's audit chain; `None` when it is whole.
    pub async fn verify_audit(&self, tenant: &str) -> Result<Option<i64>> {
        match &self.inner {
            Inner::Sql(sql) => sql.verify_audit(tenant).await,
            Inner::Memory(memory) => memory.lock().verify_audit(tenant),
        }
    }

    /// The first broken line of a machine's history; `None` when it is whole.
    pub async fn verify_history(&self, id: InstanceId) -> Result<Option<i64>> {
        match &self.inner {
            Inner::Sql(sql) => sql.verify_history(id).await,
            Inner::Memory(memory) => memory.lock().verify_history(id),
        }
    }

    /// A setting.
    pub async fn setting(&self, name: &str) -> Result<Option<Value>> {
        match &self.inner {
            Inner::Sql(sql) => sql.setting(name).await,
            Inner::Memory(memory) => memory.lock().setting(name),
        }
    }

    /// Writes a setting.
    pub async fn put_setting(&self, name: &str, value: Value) -> Result<()> {
        match &self.inner {
            Inner::Sql(sql) => sql.put_setting(name, value).await,
            Inner::Memory(memory) => memory.lock().put_setting(name, value),
        }
    }

    /// Every freeze switch that was ever set.
    pub async fn freezes(&self) -> Result<Vec<Freeze>> {
        let work = async {
            match &self.inner {
                Inner::Sql(sql) => sql.freezes().await,
                Inner::Memory(memory) => memory.lock().freezes(),
            }
        };
        self.touch(Touch::Freezes, work).await
    }

    /// Sets a freeze switch.
    pub async fn put_freeze(&self, freeze: Freeze) -> Result<()> {
        match &self.inner {
            Inner::Sql(sql) => sql.put_freeze(freeze).await,
            Inner::Memory(memory) => memory.lock().put_freeze(freeze),
        }
    }

    /// Begins or recalls a request under its Idempotency-Key.
    pub async fn idempotency(&self, tenant: &str, key: &str, body_digest: &str, now: Time) -> Result<Idempotency> {
        match &self.inner {
            Inner::Sql(sql) => sql.idempotency(tenant, key, body_digest, now).await,
            Inner::Memory(memory) => memory.lock().idempotency(tenant, key, body_digest, now),
        }
    }

    /// Keeps the answer of a request, refusals and failures included.
    pub async fn save_answer(&self, tenant: &str, key: &str, answer: Saved) -> Result<()> {
        match &self.inner {
            Inner::Sql(sql) => sql.save_answer(tenant, key, answer).await,
            Inner::Memory(memory) => memory.lock().save_answer(tenant, key, answer),
        }
    }

    /// Takes up to `want` tokens from a lane's bucket, shared by the fleet.
    pub async fn take_tokens(
        &self,
        lane: &str,
        want: i64,
        rate_per_second: i64,
        burst: i64,
        real: Time,
    ) -> Result<i64> {
        let work = async {
            match &self.inner {
                Inner::Sql(sql) => sql.take_tokens(lane, want, rate_per_second, burst, real).await,
                Inner::Memory(memory) => memory.lock().take_tokens(lane, want, rate_per_second, burst, real),
            }
        };
        self.touch(Touch::Tokens, work).await
    }

    /// Gives unused tokens back.
    pub async fn give_tokens(&self, lane: &str, tokens: i64) -> Result<()> {
        match &self.inner {
            Inner::Sql(sql) => sql.give_tokens(lane, tokens).await,
            Inner::Memory(memory) => memory.lock().give_tokens(lane, tokens),
        }
    }

    /// Every lane that has state.
    pub async fn lanes(&self) -> Result<Vec<LaneState>> {
        let work = async {
            match &self.inner {
                Inner::Sql(sql) => sql.lanes().await,
                Inner::Memory(memory) => memory.lock().lanes(),
            }
        };
        self.touch(Touch::Lanes, work).await
    }

    /// Opens a lane's breaker until a real time, or closes it.
    pub async fn set_breaker(&self, lane: &str, open_until: Option<Time>) -> Result<()> {
        let work = async {
            match &self.inner {
                Inner::Sql(sql) => sql.set_breaker(lane, open_until).await,
                Inner::Memory(memory) => memory.lock().set_breaker(lane, open_until),
            }
        };
        self.touch(Touch::Breaker, work).await
    }

    /// Writes when a schedule runs next.
    pub async fn put_schedule(&self, schedule: Schedule) -> Result<()> {
        match &self.inner {
            Inner::Sql(sql) => sql.put_schedule(schedule).await,
            Inner::Memory(memory) => memory.lock().put_schedule(schedule),
        }
    }

    /// All schedules by name.
    pub async fn schedules(&self) -> Result<Vec<Schedule>> {
        match &self.inner {
            Inner::Sql(sql) => sql.schedules().await,
            Inner::Memory(memory) => memory.lock().schedules(),
        }
    }

    /// Whether the caller is the one runner of this tick in the fleet.
    pub async fn schedule_tick(&self, name: &str, tick: Time) -> Result<bool> {
        match &self.inner {
            Inner::Sql(sql) => sql.schedule_tick(name, tick).await,
            Inner::Memory(memory) => memory.lock().schedule_tick(name, tick),
        }
    }

    /// Machines by workflow and state.
    pub async fn counts(&self) -> Result<Vec<Count>> {
        match &self.inner {
            Inner::Sql(sql) => sql.counts().await,
            Inner::Memory(memory) => memory.lock().counts(),
        }
    }

    /// Machines in doubt, by account and state.
    pub async fn in_doubt(&self) -> Result<Vec<InDoubt>> {
        match &self.inner {
            Inner::Sql(sql) => sql.in_doubt().await,
            Inner::Memory(memory) => memory.lock().in_doubt(),
        }
    }

    /// The oldest due time that nobody has claimed.
    pub async fn due_oldest(&self, now: Time) -> Result<Option<Time>> {
        match &self.inner {
            Inner::Sql(sql) => sql.due_oldest(now).await,
            Inner::Memory(memory) => memory.lock().due_oldest(now),
        }
    }

    /// The least `wake_at` of all, claimed or not.
    pub async fn next_wake(&self) -> Result<Option<Time>> {
        match &self.inner {
            Inner::Sql(sql) => sql.next_wake().await,
            Inner::Memory(memory) => memory.lock().next_wake(),
        }
    }

    /// How many claims are live.
    pub async fn live_claims(&self, real: Time) -> Result<i64> {
        match &self.inner {
            Inner::Sql(sql) => sql.live_claims(real).await,
            Inner::Memory(memory) => memory.lock().live_claims(real),
        }
    }

    /// Machines that nothing will ever move (I9). `resting` names the states at rest, as (workflow, state).
    pub async fn limbo(&self, now: Moment, resting: &[(String, String)]) -> Result<Finding> {
        match &self.inner {
            Inner::Sql(sql) => sql.limbo(now, resting).await,
            Inner::Memory(memory) => memory.lock().limbo(now, resting),
        }
    }

    /// Every safety audit; each must find nothing (safety.md §16).
    pub async fn audits(&self, now: Moment, plan: AuditPlan) -> Result<Vec<Finding>> {
        match &self.inner {
            Inner::Sql(sql) => sql.audits(now, plan).await,
            Inner::Memory(memory) => memory.lock().audits(now, plan),
        }
    }

    /// The same of what has moved since then, or should have: as often as one likes, however much has gathered. On SQLite and in
    /// memory it is all of them.
    pub async fn recent_audits(&self, now: Moment, plan: AuditPlan, since: Time) -> Result<Vec<Finding>> {
        match &self.inner {
            Inner::Sql(sql) => sql.recent_audits(now, plan, since).await,
            Inner::Memory(memory) => memory.lock().audits(now, plan),
        }
    }

    /// The same of the next few thousand machines after this one, and the last of them: with nil first and so on, until there is none,
    /// everything is audited in short snapshots. On SQLite and in memory [`Store::recent_audits`] leaves nothing to this.
    pub async fn next_audits(&self, now: Moment, plan: AuditPlan, after: Uuid) -> Result<(Vec<Finding>, Option<Uuid>)> {
        match &self.inner {
            Inner::Sql(sql) => sql.next_audits(now, plan, after).await,
            Inner::Memory(_) => Ok((Vec::new(), None)),
        }
    }

    /// Fen of evidence not revoked whose remit is not levied: paid, and not yet safe.
    pub async fn money_at_risk(&self) -> Result<i64> {
        match &self.inner {
            Inner::Sql(sql) => sql.money_at_risk().await,
            Inner::Memory(memory) => memory.lock().money_at_risk(),
        }
    }
}
