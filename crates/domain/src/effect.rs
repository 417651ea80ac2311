//! Effect classes as types (safety.md §10): an operation that must be verified before it is sent again does not compile
//! without naming the query that verifies it.
//!
//! ```compile_fail
//! use domain::effect::{Effect, VerifyThenRetry};
//! struct NoProbe;
//! fn needs_effect<E: Effect>() {}
//! needs_effect::<VerifyThenRetry<NoProbe>>(); // `NoProbe` is no query operation
//! ```

use serde::{Deserialize, Serialize};
use std::marker::PhantomData;

/// How a call may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectClass {
    /// No effect; repeat freely within the rate limit. A failing query is never proof of failure.
    Query,
    /// Carries a key under which an identical repeat is harmless.
    Keyed,
    /// Every re-send is preceded by quarantine and negative probes (S-G).
    VerifyThenRetry,
    /// Never re-sent automatically; a doubt goes to a person.
    AtMostOnce,
}

/// A class at the type level.
pub trait Effect {
    const CLASS: EffectClass;
}

/// One operation of one provider: its name on the wire and its class.
pub trait Described {
    const NAME: &'static str;
    type Effect: Effect;
}

/// An operation that can settle a doubt: a query, and nothing else.
pub trait Probe: Described<Effect = Query> {}
impl<T: Described<Effect = Query>> Probe for T {}

pub struct Query;
pub struct Keyed;
pub struct AtMostOnce;
pub struct VerifyThenRetry<P: Probe>(PhantomData<P>);

impl Effect for Query {
    const CLASS: EffectClass = EffectClass::Query;
}
impl Effect for Keyed {
    const CLASS: EffectClass = EffectClass::Keyed;
}
impl Effect for AtMostOnce {
    const CLASS: EffectClass = EffectClass::AtMostOnce;
}
impl<P: Probe> Effect for VerifyThenRetry<P> {
    const CLASS: EffectClass = EffectClass::VerifyThenRetry;
}
