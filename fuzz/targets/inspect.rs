//! Uploads: whatever somebody sends, it is a file in order or a refusal, and the same in one piece and in many.
#![no_main]

use documents::{Accept, Basis, Floor, Limit, Sniffer, fit, inspect};
use libfuzzer_sys::fuzz_target;

const ACCEPT: Accept = Accept { picture: Some(1 << 20), pdf: Some(1 << 20), video: Some(1 << 20) };

fuzz_target!(|bytes: &[u8]| {
    let whole = inspect(&ACCEPT, bytes);
    let mut sniffer = Sniffer::new(ACCEPT, None);
    let fed = bytes.chunks(61).try_for_each(|chunk| sniffer.feed(chunk));
    let pieces = fed.and_then(|()| sniffer.finish());
    assert_eq!(whole.clone().ok(), pieces.ok(), "pieces are judged as the whole is");
    // Anything that opens becomes a picture within the limit, or is for a person.
    if let Ok(fitted) = fit(bytes, &Limit { bytes: 20_000, basis: Basis::Base64, floor: Floor::RECOGNISABLE }) {
        assert!(whole.is_ok() && fitted.counted <= 20_000);
        assert!(inspect(&ACCEPT, &fitted.jpeg).is_ok());
    }
});
