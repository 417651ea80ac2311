//! The nouns of levee: money, time, people, ids, verdicts, and what may be asked of a provider.
//!
//! No I/O, no async, no provider's word. Everything here is either a checked value (it cannot be built wrong) or a plain
//! record that crosses a crate boundary. Personal data prints masked and leaves only through an explicit `expose`.

pub mod money;
pub mod time;
pub mod clock;
pub mod person;
pub mod ids;
pub mod verdict;
pub mod effect;
pub mod levy;
pub mod people;
pub mod papers;
pub mod call;
pub mod record;
pub mod invalid;
pub mod planted;

pub use call::{Answer, BareStep, Operation, Request};
pub use clock::Clock;
pub use ids::{InstanceId, ProviderOrderId, RequestId};
pub use invalid::Invalid;
pub use money::Money;
pub use person::{BankCard, Cellphone, IdCard, Person, PersonName};
pub use time::{BeijingTime, Time};
pub use verdict::{Fault, Refusal, Verdict};
