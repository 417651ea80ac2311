//! Providers and a bank that misbehave on purpose (design.md §7).
//!
//! The simulator plays the far side of the wire from the documents alone: its own signatures, its own field tables, its own
//! state machines. It shares nothing with the adapters but the nouns of `domain`, so an error in an adapter cannot hide in
//! its twin. What it knows to have happened stands in the [`Ledger`], the oracle that our own tables are compared with.
//!
//! Two layers. [`Sim`] is the core without I/O: bytes and a time in, a [`Reply`] out, and [`Outgoing`] callbacks when their
//! time comes. The same seed and the same inputs give the same outputs. [`serve`] puts it on a loopback socket.

pub mod config;
pub mod switches;
pub mod faults;
pub mod operation;
pub mod ledger;
pub mod script;
pub mod sim;
mod agenda;
mod dice;
mod callbacks;
mod olading;
mod bank;
mod http;

pub use bank::{BankReply, Instruction, Outcome, Payment, PaymentStatus};
pub use config::{Agent, Catalogue, Client, Config, Location, Quotas, Span, Split, Task, TaskKind, Timings};
pub use faults::{BankFaults, CallFault, CallbackFault, FaultError, Faults, Phase, preset};
pub use http::{Running, ServeError, serve};
pub use ledger::{Ended, Ledger, fingerprint};
pub use operation::Operation;
pub use script::{BankScript, CloseAs, OladingScript};
pub use sim::{Answer, Outgoing, Reply, Sim, Wire};
pub use switches::Switches;
