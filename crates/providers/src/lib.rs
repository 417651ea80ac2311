//! The providers levee drives: one folder each, and the only code that speaks HTTP to them (design.md §6).
//!
//! What leaves is checked against every printed limit first. What comes back is believed only after its signature, its name and
//! the ids it echoes: [`Verdict::Unsure`](domain::Verdict) is the default, anything else is earned (safety.md §10). To add a
//! provider: a folder beside `olading`, a variant of [`AccountConfig`], and its arms in [`registry`].

pub mod registry;
pub mod transport;
pub mod olading;
pub mod stub;

pub use registry::{AccountConfig, Ask, ConfigFault, Descriptor, Exchange, Providers, Received, Rejected, Sent};
pub use transport::{Exchanging, Method, Peer, Transport, WireAnswer, WireFault, WireRequest, http_client};
