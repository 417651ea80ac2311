//! Where the crash tests kill the process (`crates/engine/tests/crash`).

/// A place to die at, once it is configured by its name. Nothing in a build without the feature `failpoints`.
#[inline]
pub fn fail_point(_name: &str) {
    #[cfg(feature = "failpoints")]
    fail::fail_point!(_name);
}
