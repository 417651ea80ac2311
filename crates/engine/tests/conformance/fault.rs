//! Every way in which one call can go wrong, what then really happens at the provider, and what may be believed of it
//! (`faults.md` §4 "Provider, outgoing", safety.md §10).

use domain::Verdict;
use simulator::CallFault;

/// One row of the grid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) phase: &'static str,
    pub(crate) name: &'static str,
    pub(crate) wire: Wire,
    pub(crate) far: Far,
    pub(crate) truth: Truth,
    pub(crate) belief: Belief,
}

/// What happens between the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Nothing unusual.
    Pass,
    /// Nobody listens.
    Refuse,
    /// Somebody listens who knows no TLS.
    NoTls,
    CutRequest,
    /// The request goes nowhere; this status and header come back.
    Instead(&'static str),
    /// The request works, and this page comes back.
    Replace(&'static str),
    /// The request works, and the connection closes.
    Lose,
    /// The request works, and nothing comes back until the caller hangs up.
    Hold,
    CutHead,
    CutBody,
    Drip,
    Alter,
    /// Half the body, with a length that says so.
    Shorten,
    /// A header says that the body is compressed.
    Encode,
    /// The answer to another call of the same operation comes back, word for word.
    Other,
    /// The request is sent on twice.
    Twice,
}

/// What the provider does on its own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Far {
    Honest,
    Fault(CallFault),
    /// It refuses outright.
    Refuse,
    /// It has worked on this before, and refuses it as a duplicate.
    Duplicate,
}

/// What really becomes of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    /// The provider never sees it whole.
    Unseen,
    /// The provider sees it and does nothing.
    Idle,
    Works,
    /// It works after our time-out.
    WorksLater,
    SeenTwice,
    Refused,
}

/// The one verdict that fits what an adapter can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Belief {
    Done,
    Refused,
    NotNow,
    Unsure,
}

use Belief::{Done, NotNow, Unsure};
use Far::Honest;
use Truth::{Idle, SeenTwice, Unseen, Works, WorksLater};

const SERVER_ERROR: &str = "500 Internal Server Error";
const TOO_MANY: &str = "429 Too Many Requests\r\nRetry-After: 1";
const FOUND: &str = "302 Found\r\nLocation: /elsewhere";
const TEMPORARY: &str = "307 Temporary Redirect\r\nLocation: /elsewhere";

pub(crate) const FAULTS: &[Fault] = &[
    fault("control", "no fault", Wire::Pass, Honest, Works, Done),
    fault("control", "definite refusal", Wire::Pass, Far::Refuse, Truth::Refused, Belief::Refused),
    fault("before connect", "connection refused", Wire::Refuse, Honest, Unseen, NotNow),
    fault("before connect", "no TLS", Wire::NoTls, Honest, Unseen, NotNow),
    fault("mid-write", "cut in the request", Wire::CutRequest, Honest, Unseen, Unsure),
    fault("not processed", "HTTP 500", Wire::Instead(SERVER_ERROR), Honest, Unseen, Unsure),
    fault("not processed", "HTTP 429", Wire::Instead(TOO_MANY), Honest, Unseen, Unsure),
    fault("not processed", "redirect 302", Wire::Instead(FOUND), Honest, Unseen, Unsure),
    fault("not processed", "redirect 307", Wire::Instead(TEMPORARY), Honest, Unseen, Unsure),
    fault("not processed", "system failure", Wire::Pass, far(CallFault::SystemFailureBefore), Idle, Unsure),
    fault("after write", "no answer", Wire::Lose, Honest, Works, Unsure),
    fault("after write", "slow answer", Wire::Hold, Honest, Works, Unsure),
    fault("after write", "processed late", Wire::Pass, far(CallFault::Late), WorksLater, Unsure),
    fault("mid-answer", "cut in the head", Wire::CutHead, Honest, Works, Unsure),
    fault("mid-answer", "cut in the body", Wire::CutBody, Honest, Works, Unsure),
    fault("mid-answer", "drips", Wire::Drip, Honest, Works, Unsure),
    fault("bad signature", "wrong", Wire::Pass, far(CallFault::BadSignature), Works, Unsure),
    fault("bad signature", "missing", Wire::Pass, far(CallFault::MissingSignature), Works, Unsure),
    fault("bad signature", "body altered", Wire::Alter, Honest, Works, Unsure),
    fault("truncated", "body, its length right", Wire::Shorten, Honest, Works, Unsure),
    fault("truncated", "JSON, well signed", Wire::Pass, far(CallFault::Truncated), Works, Unsure),
    fault("another body", "HTML with 200", Wire::Replace("200 OK"), Honest, Works, Unsure),
    fault("another body", "marked as gzip", Wire::Encode, Honest, Works, Unsure),
    fault("another body", "2 MiB, well signed", Wire::Pass, far(CallFault::Huge), Works, Unsure),
    fault("another body", "of another order", Wire::Other, Honest, Works, Unsure),
    fault("processed", "HTTP 500", Wire::Replace(SERVER_ERROR), Honest, Works, Unsure),
    fault("processed", "system failure", Wire::Pass, far(CallFault::SystemFailureAfter), Works, Unsure),
    fault("repeated", "arrives twice", Wire::Twice, Honest, SeenTwice, Done),
    fault("repeated", "refused as duplicate", Wire::Pass, Far::Duplicate, Truth::Refused, Unsure),
];

const fn fault(phase: &'static str, name: &'static str, wire: Wire, far: Far, truth: Truth, belief: Belief) -> Fault {
    Fault { phase, name, wire, far, truth, belief }
}

const fn far(fault: CallFault) -> Far {
    Far::Fault(fault)
}

impl Fault {
    /// A question changes nothing, so it has no effect that could be late.
    pub(crate) fn fits_a_call(&self, question: bool) -> bool {
        !(self.truth == WorksLater && question)
    }

    /// Whether it can strike a call of an order's life and leave its end as it is: not a definite refusal, not a question taken
    /// for a duplicate, and no TLS where none is spoken.
    pub(crate) fn fits_a_life(&self, question: bool) -> bool {
        self.far != Far::Refuse && self.wire != Wire::NoTls && !(self.far == Far::Duplicate && question)
    }

    /// Whether the caller's patience ends before the answer does.
    pub(crate) fn times_out(&self) -> bool {
        matches!(self.wire, Wire::Hold | Wire::Drip) || self.far == far(CallFault::Late)
    }
}

impl Belief {
    pub(crate) fn of<T>(verdict: &Verdict<T>) -> Self {
        match verdict {
            Verdict::Done(_) => Belief::Done,
            Verdict::Refused(_) => Belief::Refused,
            Verdict::NotNow(_) => Belief::NotNow,
            Verdict::Unsure(_) => Belief::Unsure,
        }
    }
}
