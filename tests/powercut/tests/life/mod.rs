//! Lives of one store between power cuts.

mod ledger;
mod op;
mod plan;
mod verify;

use domain::{Clock, InstanceId, Time};
use ledger::Ledger;
use op::{Answer, Op};
use powercut::{Counts, Disk, Faults, Lie};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{Committed, Error, Options, Store};

/// Lives on one disk; then a new one, so that cuts also meet the migrations.
const LIVES: u64 = 10;
const OPS: u64 = 60;
/// Most lives end at a drawn change within this many; a life makes about a thousand.
const CHANGES: u64 = 1000;
/// Opening an old file makes fewer changes than this, migrating a new one more.
const EARLY: u64 = 12;
/// About what making a new file and migrating it takes.
const MIGRATING: u64 = 250;

/// What to run.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) cuts: u64,
    pub(crate) lie: Option<Lie>,
    pub(crate) faults: Option<Faults>,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) disk: Counts,
    /// Operations that the store answered with success.
    pub(crate) acknowledged: u64,
    /// Facts of acknowledged operations compared after cuts.
    pub(crate) compared: u64,
    /// Operations cut short that were there afterwards, whole; and those of which nothing was.
    pub(crate) applied: u64,
    pub(crate) gone: u64,
    /// Of the applied: those that a failing disk had already shown as not applied.
    pub(crate) risen: u64,
    /// Cuts while the store was opening.
    pub(crate) before_open: u64,
    /// Operations that a fault made unavailable.
    pub(crate) unavailable: u64,
    /// What must never be.
    pub(crate) breaches: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let disk = &self.disk;
        writeln!(
            f,
            "{} power cuts ({} while opening), {} changes, {} syncs, {} checkpoints",
            disk.cuts, self.before_open, disk.changes, disk.syncs, disk.checkpoints
        )?;
        writeln!(
            f,
            "un-synced writes: {} lost, {} kept, {} torn ({} sectors missing), {} names undone",
            disk.lost, disk.kept, disk.torn, disk.torn_sectors, disk.names_undone
        )?;
        writeln!(f, "{} writes acknowledged, {} facts compared after cuts", self.acknowledged, self.compared)?;
        writeln!(
            f,
            "not acknowledged: {} applied whole ({} after looking undone), {} not at all; {} unavailable by {} faults, {} lies",
            self.applied, self.risen, self.gone, self.unavailable, disk.faults, disk.lies
        )?;
        write!(f, "breaches: {}", self.breaches.len())
    }
}

/// Why a life ended early.
enum Stop {
    Cut,
    Breach(String),
}

/// The start of a business day.
fn t(seconds: i64) -> Time {
    Time::from_millis(1_767_574_800_000 + seconds * 1000)
}

pub(crate) fn run(plan: Plan) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut dice = StdRng::seed_from_u64(plan.seed);
        let mut report = Report::default();
        while report.disk.cuts < plan.cuts {
            let lives = LIVES.min(plan.cuts - report.disk.cuts);
            let mut one = OneDisk::new(&plan, dice.random(), std::mem::take(&mut report));
            one.live(lives).await;
            report = one.finish();
        }
        report
    })
}

/// One disk and what is known of it.
struct OneDisk<'p> {
    plan: &'p Plan,
    dice: StdRng,
    disk: Arc<Disk>,
    vfs: String,
    folder: PathBuf,
    clock: Clock,
    ledger: Ledger,
    report: Report,
    /// What earlier disks counted.
    before: Counts,
}

impl<'p> OneDisk<'p> {
    fn new(plan: &'p Plan, seed: u64, report: Report) -> Self {
        let disk = Disk::new(seed);
        disk.lie(plan.lie);
        let vfs = format!("powercut-{seed:x}-{}-{}", report.disk.cuts, uuid::Uuid::new_v4().simple());
        // Only the instance lock of the product is a real file.
        let folder = std::env::temp_dir().join(&vfs);
        std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
        powercut::register(&vfs, &disk);
        let (before, clock) = (report.disk, Clock::manual(t(0)));
        let dice = StdRng::seed_from_u64(seed);
        OneDisk { plan, dice, disk, vfs, folder, clock, ledger: Ledger::default(), report, before }
    }

    async fn live(&mut self, lives: u64) {
        for life in 0..lives {
            match self.dice.random_range(0..100) {
                0..15 => self.disk.cut_after(self.dice.random_range(1..=EARLY)),
                15..60 if life == 0 => self.disk.cut_after(self.dice.random_range(1..=MIGRATING)),
                15..45 => self.disk.cut_at_sync(self.dice.random_range(1..=OPS)),
                _ => self.disk.cut_after(self.dice.random_range(1..=CHANGES)),
            }
            let ended = self.life().await;
            self.disk.reboot();
            if let Err(Stop::Breach(breach)) = ended {
                self.report.breaches.push(breach);
                return;
            }
        }
        // The last cut is checked by a life without one.
        if let Err(Stop::Breach(breach)) = self.last().await {
            self.report.breaches.push(breach);
        }
    }

    async fn life(&mut self) -> Result<(), Stop> {
        let Some(store) = self.open().await? else {
            self.report.before_open += 1;
            return Ok(());
        };
        let ended = self.drive(&store).await;
        store.close().await;
        ended
    }

    async fn last(&mut self) -> Result<(), Stop> {
        let store = self.open().await?.ok_or_else(|| Stop::Breach("the power failed by itself".into()))?;
        self.ledger.touch_all();
        let verified = self.verify(&store).await;
        store.close().await;
        verified
    }

    /// `None`: the power failed meanwhile.
    async fn open(&mut self) -> Result<Option<Store>, Stop> {
        let url = format!("sqlite://{}?vfs={}", self.path().display(), self.vfs);
        // As the product runs: durability checked, the instance lock taken.
        let options = Options {
            master_key: [7; 32],
            dev: false,
            pool_size: 3,
            clock: self.clock.clone(),
            exclusive: true,
            blobs: store::Blobs::Database,
        };
        let opened = async {
            let store = Store::connect(&url, options).await?;
            let ready = async { store.migrate().await.and(store.check_schema().await) }.await;
            if ready.is_err() {
                store.close().await;
            }
            ready.map(|()| store)
        };
        match opened.await {
            Ok(store) => Ok(Some(store)),
            Err(_) if self.disk.dead() => Ok(None),
            Err(error) => Err(Stop::Breach(format!("the file does not open after a power cut: {error}"))),
        }
    }

    async fn drive(&mut self, store: &Store) -> Result<(), Stop> {
        self.verify(store).await?;
        self.know_payee(store).await?;
        self.disk.fault(self.plan.faults);
        for _ in 0..OPS {
            let (first, second) = (plan::op(&mut self.dice, &mut self.ledger, &self.clock), self.second());
            let watched = self.ledger.any(&mut self.dice);
            let (one, two, seen) =
                tokio::join!(op::perform(store, &first), op::perform(store, &second), op::look(store, watched));
            if one.is_ok() || two.is_ok() {
                self.ledger.ghosts.clear();
            }
            // Both were under way: each is acknowledged or in doubt before a cut ends this life.
            let ends =
                [self.take(store, first, one).await, self.take(store, second, two).await, self.saw(watched, seen)];
            ends.into_iter().collect::<Result<Vec<()>, Stop>>()?;
        }
        Ok(())
    }

    /// A person is stored once, however often a power cut left it in doubt.
    async fn know_payee(&mut self, store: &Store) -> Result<(), Stop> {
        match store.put_person(op::TENANT, &plan::payee()).await {
            Ok(id) if self.ledger.payee.is_none_or(|known| known == id) => {
                self.ledger.payee = Some(id);
                Ok(())
            }
            Ok(id) => Err(Stop::Breach(format!("the payee {:?} is {id} now", self.ledger.payee))),
            Err(error) => self.excuse("a person", &error),
        }
    }

    /// Something small beside the main operation, now and then.
    fn second(&mut self) -> Op {
        if self.dice.random_bool(0.7) { Op::Nothing } else { plan::small(&mut self.dice, &mut self.ledger) }
    }

    async fn take(&mut self, store: &Store, op: Op, answer: store::Result<Answer>) -> Result<(), Stop> {
        match answer {
            // Only a failing disk makes the store read back that nothing was written; then nothing must have been.
            Ok(Answer::Committed(answers)) if answers.contains(&Committed::Conflict) && self.plan.faults.is_some() => {
                self.report.unavailable += 1;
                self.in_doubt(store, op).await
            }
            Ok(answer) => {
                let writes = self.ledger.acknowledge(&op, answer).map_err(Stop::Breach)?;
                self.report.acknowledged += writes;
                Ok(())
            }
            Err(error) => {
                if let Err(stop) = self.excuse(op.name(), &error) {
                    self.ledger.doubt(op);
                    return Err(stop);
                }
                self.report.unavailable += 1;
                self.in_doubt(store, op).await
            }
        }
    }

    /// What was acknowledged before the question is seen by every reader.
    fn saw(&self, watched: Option<(InstanceId, i64)>, seen: store::Result<Option<i64>>) -> Result<(), Stop> {
        match (watched, seen) {
            (Some((id, known)), Ok(seen)) if seen.is_none_or(|seen| seen < known) => {
                Err(Stop::Breach(format!("a reader sees {id} at {seen:?}, acknowledged was {known}")))
            }
            (_, Ok(_)) => Ok(()),
            (_, Err(error)) => self.excuse("a read", &error),
        }
    }

    /// After a power cut any operation may fail, under a faulty disk too; always as unavailable, never as an outcome.
    fn excuse(&self, what: &str, error: &Error) -> Result<(), Stop> {
        if *error != Error::Unavailable {
            return Err(Stop::Breach(format!("{what} failed as an outcome: {error}")));
        }
        match self.plan.faults {
            _ if self.disk.dead() => Err(Stop::Cut),
            Some(_) => Ok(()),
            None => Err(Stop::Breach(format!("{what} failed with the power on"))),
        }
    }

    /// The disk failed and the process lives: what came of the operation can be read now.
    async fn in_doubt(&mut self, store: &Store, op: Op) -> Result<(), Stop> {
        self.disk.fault(None);
        let settled = self.settle(store, &op).await;
        self.disk.fault(self.plan.faults);
        match settled {
            // What the log took without a sync may still rise after a cut, until something else is written over it.
            Ok(false) => self.ledger.ghosts.push(op),
            Ok(true) => {}
            Err(stop) => {
                self.ledger.doubt(op);
                return Err(stop);
            }
        }
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.folder.join("levee.db")
    }

    fn finish(self) -> Report {
        let _ = std::fs::remove_dir_all(Path::new(&self.folder));
        let mut report = self.report;
        report.disk = ledger::sum(self.before, self.disk.counts());
        report
    }
}
