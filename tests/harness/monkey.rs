//! A monkey with a plan: it kills and pauses workers and stops the database, at moments drawn by a seed, and a supervisor starts again
//! what has ended, as a service manager would.

use crate::{Payday, PrivateCluster, Process, World};
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

/// One thing the monkey does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// SIGKILL of this worker.
    Kill(usize),
    /// SIGSTOP of this worker, and SIGCONT after that long.
    Pause(usize, Duration),
    /// `pg_ctl stop -m immediate`, and a start after that long.
    StopDatabase(Duration),
}

/// What happens when. The same seed draws the same plan.
#[derive(Debug)]
pub struct Plan {
    pub seed: u64,
    pub deeds: Vec<(Duration, Deed)>,
}

/// What was really done.
#[derive(Debug, Default, Clone, Copy)]
pub struct Done {
    pub kills: usize,
    pub pauses: usize,
    pub stops: usize,
    /// Workers started, those at the beginning among them.
    pub starts: usize,
}

/// How often the supervisor looks.
const TEND: Duration = Duration::from_millis(50);
/// In the line that a worker logs for each transition that is durable.
const MOVED: &str = " -> ";
/// Transitions in the life of a worker, and between two stops of the database.
const ENOUGH: usize = 10;
/// How long it waits before it starts again what has ended.
const RESTART: Duration = Duration::from_millis(300);

impl Plan {
    /// A kill every 0.5 to 2 s, a pause of one to two leases now and then, and a database that stops every 4 to 8 s.
    pub fn draw(seed: u64, length: Duration, workers: usize, lease: Duration) -> Self {
        let mut dice = Payday::new(seed);
        let (mut deeds, mut at) = (Vec::new(), Duration::from_secs(1));
        while at < length {
            let worker = dice.below(workers);
            let deed = match dice.below(6) {
                0 => Deed::Pause(worker, lease + between(&mut dice, 500, millis(lease))),
                _ => Deed::Kill(worker),
            };
            deeds.push((at, deed));
            at += between(&mut dice, 500, 2000);
        }
        let mut at = between(&mut dice, 2000, 5000);
        while at < length {
            deeds.push((at, Deed::StopDatabase(between(&mut dice, 50, 1500))));
            at += between(&mut dice, 4000, 8000);
        }
        deeds.sort_by_key(|(at, _)| *at);
        Self { seed, deeds }
    }
}

fn between(dice: &mut Payday, from: usize, to: usize) -> Duration {
    Duration::from_millis((from + dice.below(to - from)) as u64)
}

fn millis(duration: Duration) -> usize {
    usize::try_from(duration.as_millis()).expect("seconds")
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        for (at, deed) in &self.deeds {
            match deed {
                Deed::Kill(worker) => writeln!(f, "{:>6} ms kill -9 worker-{worker}", at.as_millis())?,
                Deed::Pause(worker, pause) => {
                    writeln!(f, "{:>6} ms pause worker-{worker} for {} ms", at.as_millis(), pause.as_millis())?;
                }
                Deed::StopDatabase(down) => {
                    writeln!(f, "{:>6} ms stop -m immediate, for {} ms", at.as_millis(), down.as_millis())?;
                }
            }
        }
        Ok(())
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// Workers under a supervisor.
pub struct Fleet<'w> {
    world: &'w World,
    workers: Vec<Worker>,
    done: Done,
}

struct Worker {
    process: Process,
    /// Where its log stood when it began, or when the database last came back.
    since: usize,
    paused_until: Option<Instant>,
    /// When it was seen to have ended.
    ended: Option<Instant>,
}

impl<'w> Fleet<'w> {
    pub fn start(world: &'w World, count: usize) -> Self {
        let process = |n| world.spawn(&format!("worker-{n}"), &["worker"]);
        let worker = |n| Worker { process: process(n), since: 0, paused_until: None, ended: None };
        let workers = (0..count).map(worker).collect();
        Self { world, workers, done: Done { starts: count, ..Done::default() } }
    }

    /// Carries the plan out to its end; afterwards database and workers run. Its moments are counted without the time the database
    /// itself takes to stop and to recover: a slow machine shall not do nothing else.
    pub fn suffer(&mut self, plan: &Plan, cluster: &PrivateCluster) {
        let (begun, mut lost) = (Instant::now(), Duration::ZERO);
        let mut down_until: Option<Instant> = None;
        for (at, deed) in &plan.deeds {
            while begun.elapsed().saturating_sub(lost) < *at {
                lost += self.tend(cluster, &mut down_until);
                thread::sleep(TEND);
            }
            match deed {
                Deed::Kill(n) => self.kill(*n),
                Deed::Pause(n, pause) => self.pause(*n, *pause),
                Deed::StopDatabase(down) if down_until.is_none() && self.anybody_works() => {
                    lost += timed(|| cluster.crash());
                    self.done.stops += 1;
                    down_until = Some(Instant::now() + *down);
                }
                Deed::StopDatabase(_) => {}
            }
        }
        while down_until.is_some() || self.workers.iter().any(|worker| worker.paused_until.is_some()) {
            self.tend(cluster, &mut down_until);
            thread::sleep(TEND);
        }
    }

    pub fn done(&self) -> Done {
        self.done
    }

    /// Who is paused shall wake up and believe that no time has passed: another one is killed.
    fn kill(&mut self, n: usize) {
        let count = self.workers.len();
        let Some(n) = (0..count).map(|more| (n + more) % count).find(|n| self.works(*n)) else { return };
        self.workers[n].process.kill();
        self.done.kills += 1;
    }

    fn anybody_works(&mut self) -> bool {
        (0..self.workers.len()).any(|n| self.works(n))
    }

    /// Whether it has moved enough since it began and since the database came back. Only such a worker is worth killing: on a slow
    /// machine nobody would ever work, and every row would be parked for having been claimed too often.
    fn works(&mut self, n: usize) -> bool {
        let worker = &mut self.workers[n];
        worker.paused_until.is_none()
            && worker.process.is_running()
            && worker.process.has_logged(MOVED, worker.since) >= ENOUGH
    }

    fn pause(&mut self, n: usize, pause: Duration) {
        if self.works(n) {
            let worker = &mut self.workers[n];
            worker.process.pause();
            worker.paused_until = Some(Instant::now() + pause);
            self.done.pauses += 1;
        }
    }

    /// Wakes whoever has slept enough, and starts again whatever has ended. How long the database took for that.
    fn tend(&mut self, cluster: &PrivateCluster, down_until: &mut Option<Instant>) -> Duration {
        let mut took = Duration::ZERO;
        if down_until.is_some_and(|until| until <= Instant::now()) {
            took = timed(|| cluster.go_on());
            *down_until = None;
            self.workers.iter_mut().for_each(|worker| worker.since = worker.process.logged());
        }
        self.wake();
        self.revive();
        took
    }

    fn wake(&mut self) {
        for worker in &mut self.workers {
            if worker.paused_until.is_some_and(|until| until <= Instant::now()) {
                worker.process.go_on();
                worker.paused_until = None;
            }
        }
    }

    /// Starts again whoever has ended: one that found no database ends by itself.
    pub fn revive(&mut self) {
        for (n, worker) in self.workers.iter_mut().enumerate() {
            if worker.process.is_running() {
                continue;
            }
            if worker.ended.get_or_insert_with(Instant::now).elapsed() >= RESTART {
                worker.ended = None;
                worker.since = worker.process.logged();
                worker.process = self.world.spawn(&format!("worker-{n}"), &["worker"]);
                self.done.starts += 1;
            }
        }
    }
}
