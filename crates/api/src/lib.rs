//! The admin HTTP API of levee and the door for providers' callbacks (contract.md).
//!
//! A request passes `door` (who is it, may it, how much may it send), perhaps `idempotency` (was this asked before), and then one
//! file per endpoint. A handler parses into checked values once, makes something durable through the engine, and answers from
//! the row. It never moves a machine: what it wants is a post, and the machine's own turn decides.
//!
//! Every refusal is an [`Error`]: the one place with status codes.

mod api;
mod routes;
mod document;
mod door;
mod sips;
mod role;
mod keyring;
mod strangers;
mod idempotency;
mod read;
mod page;
mod listing;
mod table;
mod problem;
mod server;
mod orders;
mod remits;
mod sign_ups;
mod papers;
mod batches;
mod cases;
mod tasks;
mod freezes;
mod keys;
mod clock;
mod system;
mod callbacks;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
#[cfg(test)]
mod tests;

pub use api::{Api, Settings};
pub use problem::{Error, FieldError};
pub use role::Role;
pub use routes::{callbacks, openapi, router};
pub use server::{Limits, serve};
