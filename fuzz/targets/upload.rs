//! Payday files: whatever somebody uploads, it is rows or a refusal.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _rows = api::fuzzing::csv(bytes);
    let _rows = api::fuzzing::json(bytes);
});
