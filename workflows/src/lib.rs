//! The process book of levee: one pure file per state machine. No I/O, no async, no clock.
//!
//! Each file reads in the same order: the process in words with its diagram and promises, `State`, `Event`, `step` (what the
//! state wants), `found` (what to assume when a worker is lost), `apply` (what may happen), tests. The engine runs any of them
//! through [`book`] and knows none by name.

pub mod machine;
pub mod params;
pub mod calendar;
pub mod policy;
pub mod doubt;
mod cases;
#[cfg(test)]
mod answers;
pub mod needs;
pub mod levy_order;
pub mod quote;
pub mod remit;
pub mod payout;
pub mod sign_up;
pub mod document;
pub mod voucher;
pub mod id_card_check;
pub mod batch;
pub mod bare;
pub mod book;
pub mod draw;

pub use machine::{Cx, Illegal, Machine, Next, Step};
pub use params::Params;
pub use policy::{Freezes, Policy};
