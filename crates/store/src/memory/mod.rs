//! The store in memory: the same semantics over ordered maps, for the simulation. Deterministic; nothing here awaits.

mod table;
mod due;
mod machines;
mod commit;
mod writes;
mod records;
mod cases;
mod batch;
mod office;
mod blobs;
mod watch;
mod audits;
#[cfg(test)]
mod broken;

use crate::blob::Kept;
use crate::vault::Vault;
use crate::{
    ApiKey, BatchRow, Case, Entry, Exchange, Freeze, Instance, Letter, Options, PermitRow, Result, Schedule, Task,
    Upload,
};
use domain::clock::Pace;
use domain::record::Decision;
use domain::{Clock, InstanceId, Person, Time};
use due::Machines;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use table::Table;
use uuid::Uuid;

/// A handle; clones share one world.
#[derive(Clone)]
pub(crate) struct Memory {
    world: Arc<Mutex<World>>,
    vault: Arc<Vault>,
    clock: Clock,
}

/// Everything durable, and what stands for a database's indexes.
pub(crate) struct World {
    vault: Arc<Vault>,
    clock: Clock,
    pub(crate) pace: Option<Pace>,
    /// Claims ever made: a claim's token.
    claims: u128,
    machines: Machines,
    by_key: Table<(String, String, String), InstanceId>,
    by_address: Table<String, InstanceId>,
    history: Table<(InstanceId, i64), Entry>,
    inbox: Table<Uuid, Mail>,
    /// Letters of a machine, in order.
    mail: Table<(InstanceId, Time, Uuid), ()>,
    /// Letters that found nobody, by the address or id they were sent to.
    strays: Table<(String, Time, Uuid), ()>,
    dedupe: Table<(String, String), Uuid>,
    outbox: Table<(InstanceId, i64), (String, Value)>,
    exchanges: Table<(InstanceId, Time, Uuid), Exchange>,
    duplicates: Table<String, InstanceId>,
    lines: Table<(InstanceId, i64), BatchEntry>,
    permits: Table<Uuid, Permit>,
    permits_by_remit: Table<(InstanceId, Uuid), ()>,
    evidence: Table<Uuid, crate::EvidenceRow>,
    evidence_by_remit: Table<(InstanceId, Uuid), ()>,
    gates: Table<InstanceId, Time>,
    decisions: Table<InstanceId, Decision>,
    revisions: Table<InstanceId, Decision>,
    cases: Table<Uuid, Case>,
    cases_by_instance: Table<(InstanceId, Uuid), ()>,
    tasks: Table<Uuid, Task>,
    tasks_by_instance: Table<(InstanceId, Uuid), ()>,
    people: Table<(String, Uuid), Person>,
    keys: Table<String, ApiKey>,
    audit: Table<(String, i64), (crate::Act, String)>,
    idempotency: Table<(String, String), (String, Option<crate::Saved>)>,
    settings: Table<String, Value>,
    freezes: Table<String, Freeze>,
    lanes: Table<String, Lane>,
    schedules: Table<String, Schedule>,
    ticks: Table<(String, Time), ()>,
    blobs: Table<(String, Uuid), Kept>,
    uploads: Table<Uuid, Upload>,
    /// Never taken back: without their blob's row they are nothing.
    pub(crate) blob_parts: BTreeMap<(Uuid, u64), Vec<u8>>,
}

#[derive(Clone)]
struct Machine {
    row: Instance,
    class: i16,
    signals: i64,
    seen: i64,
    emitted: i64,
    token: Option<Uuid>,
}

impl Machine {
    /// Nobody holds it, and nobody has claimed it since its last transition.
    fn is_free(&self) -> bool {
        self.token.is_none() && self.row.claims == 0
    }
}

#[derive(Clone)]
struct Mail {
    letter: Letter,
    tenant: String,
    instance: Option<InstanceId>,
    address: Option<String>,
    consumed: bool,
    answer: Option<Value>,
}

#[derive(Clone)]
struct BatchEntry {
    row: BatchRow,
    order: Option<InstanceId>,
}

#[derive(Clone)]
struct Permit {
    row: PermitRow,
    issued_real: Time,
}

#[derive(Clone)]
struct Lane {
    tokens: i64,
    counted_at: Time,
    open_until: Option<Time>,
}

impl Memory {
    pub(crate) fn new(options: &Options) -> Memory {
        let vault = Arc::new(Vault::derived(options.master_key));
        let clock = options.clock.clone();
        Memory { world: Arc::new(Mutex::new(World::new(vault.clone(), clock.clone()))), vault, clock }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn real(&self) -> Time {
        self.clock.real()
    }

    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }
}

impl World {
    fn new(vault: Arc<Vault>, clock: Clock) -> World {
        World {
            vault,
            clock,
            pace: None,
            claims: 0,
            machines: Machines::default(),
            by_key: Table::default(),
            by_address: Table::default(),
            history: Table::default(),
            inbox: Table::default(),
            mail: Table::default(),
            strays: Table::default(),
            dedupe: Table::default(),
            outbox: Table::default(),
            exchanges: Table::default(),
            duplicates: Table::default(),
            lines: Table::default(),
            permits: Table::default(),
            permits_by_remit: Table::default(),
            evidence: Table::default(),
            evidence_by_remit: Table::default(),
            gates: Table::default(),
            decisions: Table::default(),
            revisions: Table::default(),
            cases: Table::default(),
            cases_by_instance: Table::default(),
            tasks: Table::default(),
            tasks_by_instance: Table::default(),
            people: Table::default(),
            keys: Table::default(),
            audit: Table::default(),
            idempotency: Table::default(),
            settings: Table::default(),
            freezes: Table::default(),
            lanes: Table::default(),
            schedules: Table::default(),
            ticks: Table::default(),
            blobs: Table::default(),
            uploads: Table::default(),
            blob_parts: BTreeMap::new(),
        }
    }

    /// The rows of an index that belong to one machine.
    fn rows_of(index: &Table<(InstanceId, Uuid), ()>, of: InstanceId) -> impl Iterator<Item = &Uuid> {
        index.range((of, Uuid::nil())..=(of, Uuid::max())).map(|((_, id), ())| id)
    }

    /// All or nothing. Only the tables that turns write need to go back; the others change by single rows.
    fn atomically<T>(&mut self, work: impl FnOnce(&mut World) -> Result<T>) -> Result<T> {
        let done = work(self);
        let keep = done.is_ok();
        self.machines.end(keep);
        self.by_key.end(keep);
        self.by_address.end(keep);
        self.history.end(keep);
        self.inbox.end(keep);
        self.mail.end(keep);
        self.strays.end(keep);
        self.dedupe.end(keep);
        self.outbox.end(keep);
        self.exchanges.end(keep);
        self.duplicates.end(keep);
        self.lines.end(keep);
        self.permits.end(keep);
        self.permits_by_remit.end(keep);
        self.evidence.end(keep);
        self.evidence_by_remit.end(keep);
        self.gates.end(keep);
        self.decisions.end(keep);
        self.revisions.end(keep);
        self.cases.end(keep);
        self.cases_by_instance.end(keep);
        self.tasks.end(keep);
        self.tasks_by_instance.end(keep);
        done
    }
}
