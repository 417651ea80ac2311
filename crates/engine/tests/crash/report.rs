//! Many lives of one story, and what they came to.

use crate::story::Stage;
use domain::planted::Bug;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the lives with these deaths came to.
pub(crate) struct Report<'s> {
    stage: &'s Stage,
    lives: Vec<Life>,
}

/// Unsafe lives that are told in full.
const SHOWN: usize = 5;

struct Life {
    wanted: Vec<usize>,
    died: Vec<String>,
    faults: Vec<String>,
}

impl<'s> Report<'s> {
    /// Lives each of them, some at a time.
    pub(crate) fn of(stage: &'s Stage, deaths: &[Vec<usize>]) -> Self {
        Self::live(stage, deaths, None)
    }

    /// The same lives, lived by a process with that bug.
    pub(crate) fn of_the_planted(bug: Bug, stage: &'s Stage, deaths: &[Vec<usize>]) -> Self {
        Self::live(stage, deaths, Some(bug))
    }

    fn live(stage: &'s Stage, deaths: &[Vec<usize>], planted: Option<Bug>) -> Self {
        let (next, lives) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let width = std::thread::available_parallelism().map_or(2, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..width {
                scope.spawn(|| {
                    while let Some(wanted) = deaths.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let (died, faults) = stage.live(wanted, planted);
                        let life = Life { wanted: wanted.clone(), died, faults };
                        lives.lock().expect("a life ended in a panic").push(life);
                    }
                });
            }
        });
        let mut lives = lives.into_inner().expect("a life ended in a panic");
        lives.sort_by(|a, b| a.wanted.cmp(&b.wanted));
        Self { stage, lives }
    }

    pub(crate) fn print(self) -> Self {
        let points = &self.stage.points;
        let met: Vec<&String> = self.lives.iter().flat_map(|life| &life.died).collect();
        println!("{}", self.stage.story.name);
        println!("  {} points: {}", points.len(), by_name(points.iter()));
        println!(
            "  {} lives, {} of {} deaths reached: {}",
            self.lives.len(),
            met.len(),
            self.wanted(),
            by_name(met.into_iter())
        );
        println!("  {} safe, {} unsafe", self.lives.len() - self.unsafe_lives(), self.unsafe_lives());
        for life in self.lives.iter().filter(|life| !life.faults.is_empty()).take(SHOWN) {
            println!("  k = {:?}, at {:?}: {}", life.wanted, life.died, life.faults.join("; "));
        }
        self
    }

    fn wanted(&self) -> usize {
        self.lives.iter().map(|life| life.wanted.len()).sum()
    }

    pub(crate) fn unsafe_lives(&self) -> usize {
        self.lives.iter().filter(|life| !life.faults.is_empty()).count()
    }

    /// Every first death was met, where the life without a crash passes that point, and every life was safe.
    #[track_caller]
    pub(crate) fn safe(&self) {
        assert!(!self.lives.is_empty(), "a report about nothing");
        for life in &self.lives {
            let first = life.wanted[0];
            assert_eq!(life.died.first(), self.stage.points.get(first - 1), "point {first} was not reached");
        }
        // A later death may be drawn beyond the end of its life.
        let reached: usize = self.lives.iter().map(|life| life.died.len()).sum();
        assert!(reached * 4 >= self.wanted() * 3, "{reached} of {} deaths were reached", self.wanted());
        assert_eq!(self.unsafe_lives(), 0, "see above: k, and what was wrong");
    }
}

fn by_name<'n>(points: impl Iterator<Item = &'n String>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for point in points {
        *counts.entry(point).or_default() += 1;
    }
    let counts: Vec<String> = counts.into_iter().map(|(name, times)| format!("{name} {times}")).collect();
    counts.join(", ")
}
