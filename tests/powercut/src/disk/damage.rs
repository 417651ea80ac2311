//! What becomes of writes that nobody synced.

use super::Counts;
use rand::RngExt;
use rand::rngs::StdRng;

/// The unit in which a write can tear.
const SECTOR: usize = 512;
/// In a hundred.
const LOST: u32 = 50;
const KEPT: u32 = 30;

/// One change that the platter may not have yet.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

impl Change {
    pub(super) fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Change::Write { at, bytes } => put(image, *at, bytes),
            Change::Truncate(size) => image.truncate(*size),
        }
    }
}

fn put(image: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[at..end].copy_from_slice(bytes);
}

/// Each change is lost, kept, or torn, whatever came before or after it.
pub(super) fn settle(dice: &mut StdRng, image: &mut Vec<u8>, changes: Vec<Change>, counts: &mut Counts) {
    for change in changes {
        let drawn = dice.random_range(0..100);
        if drawn < LOST {
            counts.lost += 1;
            continue;
        }
        let Change::Write { at, bytes } = &change else {
            change.apply(image);
            continue;
        };
        if drawn < LOST + KEPT {
            counts.kept += 1;
            change.apply(image);
        } else {
            counts.torn += 1;
            counts.torn_sectors += tear(dice, image, *at, bytes);
        }
    }
}

/// Each sector by itself reaches the platter or not; a new one that does not may hold anything, for the file has already grown. How many did not.
fn tear(dice: &mut StdRng, image: &mut Vec<u8>, at: usize, bytes: &[u8]) -> u64 {
    let (old, mut missing, mut from) = (image.len(), 0, at);
    while from < at + bytes.len() {
        let to = ((from / SECTOR + 1) * SECTOR).min(at + bytes.len());
        if dice.random_bool(0.5) {
            put(image, from, &bytes[from - at..to - at]);
        } else {
            missing += 1;
            if from >= old {
                let stale: Vec<u8> = (from..to).map(|_| dice.random()).collect();
                put(image, from, &stale);
            }
        }
        from = to;
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn half_of_the_unsynced_writes_are_lost_and_a_fifth_is_torn() {
        let (mut dice, mut counts) = (StdRng::seed_from_u64(1), Counts::default());
        let writes = (0..10_000).map(|n| Change::Write { at: n * 4096, bytes: vec![7; 4096] }).collect();
        settle(&mut dice, &mut vec![0; 10_000 * 4096], writes, &mut counts);
        assert!(counts.lost.abs_diff(5_000) < 200 && counts.kept.abs_diff(3_000) < 200, "{counts:?}");
        assert!(counts.torn.abs_diff(2_000) < 200 && counts.torn_sectors.abs_diff(8_000) < 400, "{counts:?}");
    }

    #[test]
    fn a_torn_write_leaves_whole_sectors_of_old_or_new() {
        let (mut dice, mut image) = (StdRng::seed_from_u64(2), vec![1; 8192]);
        let missing = tear(&mut dice, &mut image, 4096, &[2; 4096]);
        assert!((1..8).contains(&missing), "{missing}");
        assert!(image.chunks(SECTOR).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
        assert_eq!(image.chunks(SECTOR).filter(|sector| sector[0] == 2).count() as u64, 8 - missing);
    }
}
