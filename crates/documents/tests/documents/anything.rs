//! Whatever is uploaded, there is a verdict, and the same in one piece and in many.

use crate::samples;
use documents::{Accept, Basis, Floor, Limit, Sniffer, fit, inspect};
use proptest::prelude::*;

const ACCEPT: Accept = Accept { picture: Some(1_000_000), pdf: Some(1_000_000), video: Some(1_000_000) };

fn judged(bytes: &[u8], size: usize) {
    let whole = inspect(&ACCEPT, bytes);
    let mut sniffer = Sniffer::new(ACCEPT, None);
    let fed = bytes.chunks(size).try_for_each(|chunk| sniffer.feed(chunk));
    let pieces = fed.and_then(|()| sniffer.finish());
    // In pieces, a part that runs past the end is known only at the end.
    assert_eq!(whole.is_ok(), pieces.is_ok(), "{whole:?} {pieces:?}");
    let _fitted = fit(bytes, &Limit { bytes: 50_000, basis: Basis::Raw, floor: Floor::RECOGNISABLE });
}

fn files() -> Vec<Vec<u8>> {
    let picture = samples::page(90, 60, 8, 20);
    let (jpeg, png) = (samples::phone_jpeg(&picture, 80, 6), samples::png(&picture));
    vec![jpeg, png, samples::pdf(2), samples::mp4(3_000), samples::avi(3_000), samples::flv(5)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..600), size in 1..90_usize) {
        judged(&bytes, size);
    }

    #[test]
    fn random_bytes_behind_a_true_beginning_are_judged(
        file in 0..6_usize,
        kept in 4..400_usize,
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        size in 1..90_usize,
    ) {
        let file = &files()[file];
        judged(&[&file[..kept.min(file.len())], &bytes].concat(), size);
    }

    #[test]
    fn a_file_with_a_few_other_bytes_is_judged(
        file in 0..6_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut file = files()[file].clone();
        for (place, byte) in changes {
            let place = place.index(file.len());
            file[place] = byte;
        }
        judged(&file, 50);
    }
}
