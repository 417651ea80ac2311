//! The scenarios: every pitfall, decoding trap and race of the documents that concerns orders, remits, callbacks, money, sign-ups and papers, as a
//! story against the simulator over HTTP, on both databases. `list` says which there are.
//!
//! Each story is told once, as given, when, then, and hands its [`world::World`] back: what must hold at the end of every one of
//! them is asked there ([`world::World::end`]).

#![allow(clippy::unwrap_used, clippy::allow_attributes, reason = "a test binary")]

mod names;
mod list;
mod world;
mod creating;
mod statuses;
mod paying;
mod confirming;
mod callbacks;
mod traps;
mod races;
mod papers;
mod signing;
mod documents;
mod crowd;
mod uploads;
