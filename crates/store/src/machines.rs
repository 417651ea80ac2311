//! The machines' side of the store: what the engine lives on (design §4).

use crate::Inner;
use crate::{
    BatchRow, ClaimAsk, Claimed, Committed, Entry, Exchange, Filter, Instance, LetGo, Letter, NewInstance, Orphan,
    Post, Posted, Result, Seats, Store, Submitted, TakenIn, Touch, Turn,
};
use domain::{InstanceId, Time};
use serde_json::Value;
use uuid::Uuid;

impl Store {
    /// Inserts machines with their first history line in one transaction, one statement per table, and answers in order. Posts that
    /// came before them are adopted by address; a machine with a [`crate::Guard`] whose key is taken starts in its `held` state.
    pub async fn submit(&self, instances: Vec<NewInstance>) -> Result<Vec<Submitted>> {
        Ok(self.take_in(instances, Vec::new(), None).await?.submitted)
    }

    /// Makes messages durable, once per (tenant, dedupe), and pulls their addressees' `wake_at` to now. When this answers, they may be
    /// acknowledged (S-F).
    pub async fn post(&self, posts: Vec<Post>) -> Result<Vec<Posted>> {
        self.take_in(Vec::new(), posts, None).await?.posted.into_iter().collect()
    }

    /// Both in one transaction, which also claims, by the ask's lanes and limits and counted before this answers, those of the new
    /// machines that are due and those of the rung ones that nobody holds. What else is due is not looked at, and what was claimed before
    /// in its state is left to [`Self::claim`]. What is under way goes before what is new.
    pub async fn take_in(
        &self,
        instances: Vec<NewInstance>,
        posts: Vec<Post>,
        take: Option<ClaimAsk>,
    ) -> Result<TakenIn> {
        let touch = if instances.is_empty() { Touch::Post } else { Touch::Submit };
        let seats = take.map(|ask| {
            let for_posts = ask.limit.min(posts.len());
            Seats {
                starts: ClaimAsk { limit: ask.limit - for_posts, ..ask.clone() },
                posts: ClaimAsk { limit: for_posts, ..ask },
            }
        });
        let work = async {
            match &self.inner {
                Inner::Sql(sql) => sql.take_in(instances, posts, seats).await,
                Inner::Memory(memory) => memory.lock().take_in(instances, posts, seats),
            }
        };
        self.touch(touch, work).await
    }

    /// The answer a turn wrote for this post, once there is one.
    pub async fn answer(&self, ask: Uuid) -> Result<Option<Value>> {
        let work = async {
            match &self.inner {
                Inner::Sql(sql) => sql.answer(ask).await,
                Inner::Memory(memory) => memory.lock().answer(ask),
            }
        };
        self.touch(Touch::Answer, work).await
    }

    /// Takes due rows under a lease, counted durably before this answers (principle 4): most hazardous class first, fair between tenants, with a floor for every class.
    pub async fn claim(&self, ask: ClaimAsk) -> Result<Vec<Claimed>> {
        let work = async {
            match &self.inner {
                Inner::Sql(sql) => sql.claim(ask).await,
                Inner::Memory(memory) => memory.lock().claim(ask),
            }
        };
        self.touch(Touch::Claim, work).await
    }

    /// Group commit: one transaction, one statement per table. Turns lose nothing by travelling together: a forbidden one is found by bisection and answered alone.
    pub async fn commit(&self, turns: Vec<Turn>) -> Result<Vec<Committed>> {
        let work = async {
            match &self.inner {
                Inner::Sql(sql) => sql.commit(turns).await,
                Inner::Memory(memory) => memory.lock().commit(turns),
            }
        };
        self.touch(Touch::Commit, work).await
    }

    /// Counts that this claim's worker begins to drive a suspect alone, and lets the lease begin now. Answers the count; `None` when
    /// the row is somebody else's by now.
    pub async fn single_out(&self, id: InstanceId, token: Uuid, until: Time) -> Result<Option<i32>> {
        let work = async {
            match &self.inner {
                Inner::Sql(sql) => sql.single_out(id, token, until).await,
                Inner::Memory(memory) => memory.lock().single_out(id, token, until),
            }
        };
        self.touch(Touch::Claim, work).await
    }

    /// Gives claims back with no byte sent, token compared: a row that was claimed before in this state stays one that may have been
    /// sent.
    pub async fn release(&self, claims: Vec<LetGo>) -> Result<()> {
        let work = async {
            match &self.inner {
                Inner::Sql(sql) => sql.release(claims).await,
                Inner::Memory(memory) => memory.lock().release(claims),
            }
        };
        self.touch(Touch::Release, work).await
    }

    /// One machine.
    pub async fn instance(&self, id: InstanceId) -> Result<Option<Instance>> {
        match &self.inner {
            Inner::Sql(sql) => sql.instance(id).await,
            Inner::Memory(memory) => memory.lock().instance(id),
        }
    }

    /// One machine by its business key.
    pub async fn instance_by_key(&self, tenant: &str, workflow: &str, key: &str) -> Result<Option<Instance>> {
        Ok(self.instances_by_keys(tenant, workflow, &[key.to_owned()]).await?.pop())
    }

    /// The machines that have one of these business keys, in no order. No key may be named twice.
    pub async fn instances_by_keys(&self, tenant: &str, workflow: &str, keys: &[String]) -> Result<Vec<Instance>> {
        match &self.inner {
            Inner::Sql(sql) => sql.instances_by_keys(tenant, workflow, keys).await,
            Inner::Memory(memory) => memory.lock().instances_by_keys(tenant, workflow, keys),
        }
    }

    /// The machines that these people, under the same ID number in any snapshot, have had since: each with the one asked about.
    pub async fn of_same_people(
        &self,
        tenant: &str,
        workflow: &str,
        persons: &[Uuid],
        since: Time,
    ) -> Result<Vec<(Uuid, Instance)>> {
        match &self.inner {
            Inner::Sql(sql) => sql.of_same_people(tenant, workflow, persons, since).await,
            Inner::Memory(memory) => Ok(memory.lock().of_same_people(tenant, workflow, persons, since)),
        }
    }

    /// The machines one machine started, oldest first.
    pub async fn children(&self, parent: InstanceId) -> Result<Vec<Instance>> {
        self.children_of(&[parent]).await
    }

    /// The machines that any of these started, oldest first, in one read.
    pub async fn children_of(&self, parents: &[InstanceId]) -> Result<Vec<Instance>> {
        match &self.inner {
            Inner::Sql(sql) => sql.children_of(parents).await,
            Inner::Memory(memory) => memory.lock().children_of(parents),
        }
    }

    /// Machines, newest first.
    pub async fn list(&self, filter: Filter) -> Result<Vec<Instance>> {
        match &self.inner {
            Inner::Sql(sql) => sql.list(filter).await,
            Inner::Memory(memory) => memory.lock().list(filter),
        }
    }

    /// Every transition of a machine, in order.
    pub async fn history(&self, id: InstanceId) -> Result<Vec<Entry>> {
        match &self.inner {
            Inner::Sql(sql) => sql.history(id).await,
            Inner::Memory(memory) => memory.lock().history(id),
        }
    }

    /// Every call a machine made, oldest first, bytes opened.
    pub async fn exchanges(&self, id: InstanceId) -> Result<Vec<Exchange>> {
        match &self.inner {
            Inner::Sql(sql) => sql.exchanges(id).await,
            Inner::Memory(memory) => memory.lock().exchanges(id),
        }
    }

    /// Every post a machine was sent, read or not, oldest first.
    pub async fn letters(&self, id: InstanceId) -> Result<Vec<Letter>> {
        match &self.inner {
            Inner::Sql(sql) => sql.letters(id).await,
            Inner::Memory(memory) => memory.lock().letters(id),
        }
    }

    /// Posts whose addressee does not exist, received before `older_than` (F71).
    pub async fn orphans(&self, older_than: Time) -> Result<Vec<Orphan>> {
        match &self.inner {
            Inner::Sql(sql) => sql.orphans(older_than).await,
            Inner::Memory(memory) => memory.lock().orphans(older_than),
        }
    }

    /// Inserts a batch and its lines in one transaction.
    pub async fn put_batch(&self, batch: NewInstance, rows: Vec<BatchRow>) -> Result<Submitted> {
        match &self.inner {
            Inner::Sql(sql) => sql.put_batch(batch, rows).await,
            Inner::Memory(memory) => memory.lock().put_batch(batch, rows),
        }
    }

    /// Good lines not yet released, in order. Their ids were drawn at upload: releasing twice starts the same machines.
    pub async fn prepared(&self, batch: InstanceId, after_row: i64, limit: usize) -> Result<Vec<(i64, NewInstance)>> {
        match &self.inner {
            Inner::Sql(sql) => sql.prepared(batch, after_row, limit).await,
            Inner::Memory(memory) => memory.lock().prepared(batch, after_row, limit),
        }
    }

    /// Where each line of a batch has got to.
    pub async fn batch_lines(&self, batch: InstanceId, after: i64, limit: usize) -> Result<Vec<crate::BatchLine>> {
        match &self.inner {
            Inner::Sql(sql) => sql.batch_lines(batch, after, limit).await,
            Inner::Memory(memory) => memory.lock().batch_lines(batch, after, limit),
        }
    }

    /// Counts and sums of a batch.
    pub async fn batch_sums(&self, batch: InstanceId) -> Result<crate::BatchSums> {
        match &self.inner {
            Inner::Sql(sql) => sql.batch_sums(batch).await,
            Inner::Memory(memory) => memory.lock().batch_sums(batch),
        }
    }
}
