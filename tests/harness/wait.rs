//! Waiting for what happens by itself, and doing many things at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often [`until`] looks.
const LOOK: Duration = Duration::from_millis(50);

/// Looks until there is something to see; panics with `what` when it takes longer than `within`.
#[track_caller]
pub fn until<T>(within: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(begun.elapsed() < within, "waited {} s in vain: {what}", within.as_secs());
        thread::sleep(LOOK);
    }
}

/// Runs a test and says how long it took, whether it passed or not.
pub fn timed(name: &str, test: impl FnOnce()) {
    struct Told<'a>(&'a str, Instant);
    impl Drop for Told<'_> {
        fn drop(&mut self) {
            let verdict = if thread::panicking() { "failed" } else { "passed" };
            println!("{} {verdict} after {} ms", self.0, self.1.elapsed().as_millis());
        }
    }
    let _told = Told(name, Instant::now());
    test();
}

/// `work` on every item, `width` at once; the answers in the items' order.
pub fn parallel<I: Sync, T: Send>(items: &[I], width: usize, work: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..width.min(items.len()) {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(place) else { return };
                    let answer = work(item);
                    done.lock().expect("a worker panicked").push((place, answer));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("a worker panicked");
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, answer)| answer).collect()
}
