//! Compares what is on the disk with what was acknowledged: every fact there, and nothing that nobody wrote.

use super::ledger::Known;
use super::op::{Op, TENANT};
use super::{OneDisk, Stop, plan, t};
use domain::InstanceId;
use std::collections::{BTreeMap, BTreeSet};
use store::{AuditPlan, Error, Filter, Instance, Moment, Store, Target};
use uuid::Uuid;

fn breach<T>(what: String) -> Result<T, Stop> {
    Err(Stop::Breach(what))
}

impl OneDisk<'_> {
    /// After every start.
    pub(super) async fn verify(&mut self, store: &Store) -> Result<(), Stop> {
        self.whole()?;
        self.ledger.held.clear();
        for (ops, risen) in
            [(std::mem::take(&mut self.ledger.ghosts), true), (std::mem::take(&mut self.ledger.doubts), false)]
        {
            for op in ops {
                let applied = self.settle(store, &op).await?;
                self.report.risen += u64::from(risen && applied);
            }
        }
        self.machines(store).await?;
        for id in std::mem::take(&mut self.ledger.touched) {
            self.details(store, id).await?;
        }
        self.rest(store).await?;
        self.ledger.claims_unsure = false;
        Ok(())
    }

    /// SQLite's own word, through a connection of its own beside the store's.
    fn whole(&self) -> Result<(), Stop> {
        let path = self.path().display().to_string();
        for (sql, wanted) in [("pragma integrity_check", vec!["ok".to_owned()]), ("pragma foreign_key_check", vec![])] {
            match powercut::ask(&path, &self.vfs, sql) {
                Ok(answer) if answer == wanted => {}
                Err(_) if self.disk.dead() => return Err(Stop::Cut),
                other => return breach(format!("{sql}: {other:?}")),
            }
        }
        Ok(())
    }

    /// What came of an operation that was never answered: all of it, or nothing. Its traces become what is known.
    pub(super) async fn settle(&mut self, store: &Store, op: &Op) -> Result<bool, Stop> {
        let mut there = Vec::new();
        match op {
            Op::Nothing => return Ok(false),
            Op::Claim(_) | Op::Release(_) => {
                self.ledger.claims_unsure = true;
                return Ok(false);
            }
            Op::Submit(news) => {
                for new in news {
                    there.push(self.must(store.instance(new.id).await)?.is_some());
                }
            }
            Op::Post(posts) => {
                let orphans: BTreeSet<Uuid> =
                    self.must(store.orphans(t(100)).await)?.iter().map(|orphan| orphan.letter.id).collect();
                for post in posts {
                    let home = match &post.to {
                        Target::Instance(id) => Some(*id),
                        Target::Address(address) => self.ledger.owners.get(address).copied(),
                    };
                    there.push(match home {
                        Some(id) => self.must(store.letters(id).await)?.iter().any(|letter| letter.id == post.id),
                        None => orphans.contains(&post.id),
                    });
                }
            }
            Op::Commit(turns) => {
                for turn in turns {
                    let found = self.must(store.instance(turn.id).await)?.map(|found| found.revision);
                    there.push(found == Some(turn.revision + turn.lines.len() as i64));
                }
            }
            Op::OpenCase(_, case) => there.push(self.must(store.case(case.id).await)?.is_some()),
            Op::Act(act) => {
                let acts = self.must(store.acts(TENANT, 10_000).await)?;
                there.push(acts.iter().any(|found| found.subject == act.subject));
            }
        }
        let applied = there.iter().all(|there| *there);
        if !applied && there.contains(&true) {
            return breach(format!("{} is half there: {there:?}", op.name()));
        }
        if applied {
            self.adopt(op);
            self.report.applied += 1;
        } else {
            self.report.gone += 1;
        }
        Ok(applied)
    }

    fn adopt(&mut self, op: &Op) {
        let ledger = &mut self.ledger;
        match op {
            Op::Submit(news) => news.iter().for_each(|new| ledger.created(new)),
            Op::Post(posts) => posts.iter().for_each(|post| ledger.posted(post)),
            Op::Commit(turns) => turns.iter().for_each(|turn| ledger.moved(turn)),
            Op::OpenCase(id, case) => {
                ledger.known(*id).cases.insert(case.id, "open");
            }
            Op::Act(act) => {
                ledger.acts.insert(act.subject.clone());
            }
            Op::Nothing | Op::Claim(_) | Op::Release(_) => {}
        }
    }

    /// Every machine, and no other.
    async fn machines(&mut self, store: &Store) -> Result<(), Stop> {
        let filter = Filter { limit: 100_000, ..Filter::default() };
        let found: BTreeMap<InstanceId, Instance> =
            self.must(store.list(filter).await)?.into_iter().map(|machine| (machine.id, machine)).collect();
        if let Some(id) = found.keys().find(|id| !self.ledger.machines.contains_key(id)) {
            return breach(format!("nobody made machine {id}"));
        }
        let unsure = self.ledger.claims_unsure;
        for (id, known) in &mut self.ledger.machines {
            let Some(found) = found.get(id) else { return breach(format!("machine {id} is lost: {known:?}")) };
            let head = known.head.get_or_insert_with(|| found.head.clone());
            let same = (found.revision, &found.head, &found.state_name) == (known.revision, &*head, &known.state);
            if !same || (found.claims != known.claims && !unsure) {
                return breach(format!("machine {id}: {known:?}, found {found:?}"));
            }
            known.claims = found.claims;
            self.report.compared += 1;
        }
        Ok(())
    }

    /// All that one machine owns.
    async fn details(&mut self, store: &Store, id: InstanceId) -> Result<(), Stop> {
        let known = self.ledger.machines[&id].clone();
        let letters: BTreeSet<Uuid> = self.must(store.letters(id).await)?.iter().map(|letter| letter.id).collect();
        let state = |resolved: bool| if resolved { "resolved" } else { "open" };
        let cases = self.must(store.cases(TENANT, None, None, Some(id), None, 1000).await)?;
        let found = Known {
            tells: letters.difference(&known.letters).count(),
            letters: letters.intersection(&known.letters).copied().collect(),
            permits: self
                .must(store.permits(id).await)?
                .into_iter()
                .map(|row| (row.permit.id, row.permit.state))
                .collect(),
            evidence: self.must(store.evidence(id).await)?.iter().map(|row| row.evidence.id).collect(),
            cases: cases.iter().map(|case| (case.open.id, state(case.resolved_at.is_some()))).collect(),
            decision: self.must(store.decision(id).await)?.map(|decision| decision.next_step),
            exchanges: self.must(store.exchanges(id).await)?.len(),
            ..known.clone()
        };
        if found != known {
            return breach(format!("machine {id}: {known:?}, found {found:?}"));
        }
        self.report.compared += known.facts();
        Ok(())
    }

    /// Orphans, acts, and every safety audit: hash chains of histories and acts among them.
    async fn rest(&mut self, store: &Store) -> Result<(), Stop> {
        let mut orphans: BTreeMap<String, BTreeSet<Uuid>> = BTreeMap::new();
        for orphan in self.must(store.orphans(t(100)).await)? {
            orphans.entry(orphan.address).or_default().insert(orphan.letter.id);
        }
        if orphans != self.ledger.orphans {
            return breach(format!("orphans {:?}, found {orphans:?}", self.ledger.orphans));
        }
        let acts: BTreeSet<String> =
            self.must(store.acts(TENANT, 10_000).await)?.into_iter().map(|act| act.subject).collect();
        if acts != self.ledger.acts {
            return breach(format!("acts {:?}, found {acts:?}", self.ledger.acts));
        }
        self.report.compared += (orphans.len() + acts.len()) as u64;
        if let Some(payee) = self.ledger.payee {
            match self.must(store.person(TENANT, payee).await)? {
                Some(found) if found == plan::payee() => self.report.compared += 1,
                Some(_) => return breach(format!("the payee {payee} is somebody else")),
                None => return breach(format!("the payee {payee} is lost")),
            }
        }
        let now = Moment { business: t(10), real: self.clock.real() };
        let findings = self.must(store.audits(now, AuditPlan::default()).await)?;
        match findings.into_iter().find(|finding| finding.count > 0) {
            Some(finding) => breach(format!("audit {} finds {:?}", finding.audit, finding.examples)),
            None => Ok(()),
        }
    }

    /// Reading works on a living disk.
    fn must<T>(&self, answer: store::Result<T>) -> Result<T, Stop> {
        match answer {
            Ok(answer) => Ok(answer),
            Err(Error::Unavailable) if self.disk.dead() => Err(Stop::Cut),
            Err(error) => breach(format!("what is stored cannot be read: {error}")),
        }
    }
}
