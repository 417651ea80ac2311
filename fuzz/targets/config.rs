//! `levee.toml`: whatever stands in it, it is a configuration or a refusal.
#![no_main]
#![allow(dead_code)]

#[path = "../../crates/app/src/config.rs"]
mod config;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // A `file:` value would read this machine's files.
    if !text.contains("file:") {
        let _config = config::Config::read(Some(text));
    }
});
