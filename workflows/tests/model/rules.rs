//! What must hold (safety.md §3, §4): the properties of every model.

use std::fmt;

/// One rule of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Rule {
    A,
    B,
    C,
    D,
    E,
    F,
    G,
    H,
    Limbo,
    Doubt,
    Switch,
}

impl Rule {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Rule::A => "S-A CONTINUE leaves only with standing evidence of a payment that happened",
            Rule::B => "S-B CANCEL leaves only with the gate closed and nothing paid, live or in doubt",
            Rule::C => "S-C a permit rests on a fresh ACCEPT, before pay_cutoff, undecided, the quote adding up",
            Rule::D => "S-D one live attempt, one success, the next only after a final failure",
            Rule::E => "S-E one decision, one request_id, one order; a re-send is identical",
            Rule::F => "S-F what was posted is kept, and wakes its row",
            Rule::G => "S-G a re-send only after quarantine and two negative probes",
            Rule::H => "S-H no observation lowers a belief; what contradicts has a case",
            Rule::Limbo => "L-2 no limbo: a timer, a lease, a task or a case owns what is open",
            Rule::Doubt => "no row ends on what is not proved: never failed, never levied, never closed by doubt",
            Rule::Switch => "a freeze stops every send from then on (F86)",
        }
    }
}

/// A rule that was broken, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Broken {
    pub(crate) rule: Rule,
    pub(crate) how: String,
}

impl Broken {
    pub(crate) fn new(rule: Rule, how: impl Into<String>) -> Self {
        Self { rule, how: how.into() }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.rule.words(), self.how)
    }
}
