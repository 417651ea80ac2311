//! The system seen from outside, through contract.md alone: real processes, plain HTTP, both databases, and the simulators' ledger as
//! the oracle. The modules are the contents page.

/// Who may import whom, who may be named where, and what documents and drawings promise.
mod architecture;
/// An outside program does the whole job.
mod outside;
/// Permits: one at a time, and what becomes of each.
mod permits;
/// Orders in: the same one is the same one, and a wrong one is told field by field.
mod inputs;
/// Callbacks in: believed as far as they are signed, and no further.
mod callbacks;
/// Payday files, two persons.
mod batch;
/// Three workers, one database, one of them killed.
mod fleet;
/// The database goes away and comes back.
mod restart;
/// `kill -9`, again and again.
mod kill;
/// Everything at once, under load.
mod chaos;
/// The database stopped dead: what was acknowledged is there.
mod acknowledged;
/// SIGTERM.
mod stop;
/// What is wrong, and what to do about it.
mod doctor;
/// The first command of the README.
mod demo;
/// The benchmark counts what it says, and other drivers can drive it.
mod bench;
/// Large files, in a crowd.
mod documents;
/// What must never be seen anywhere.
mod secrets;
