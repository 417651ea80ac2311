//! From the invitation to the signature, and the doubt about both (P47 to P50, S-G).

use super::{At, Contract, Input, Why};
use crate::cases::{self, Answered};
use crate::doubt::{Doubt, decaying};
use crate::machine::{Cx, Next};
use domain::levy::Hint;
use domain::people::SignSeen;
use domain::record::Severity;
use domain::{Refusal, Time};
use serde_json::json;
use std::time::Duration;

/// The provider gives a person so long to sign (000 §2.1 R4).
const SIGNED_WITHIN: Duration = Duration::from_secs(24 * 3600);
/// After so many proved losses on the way something is wrong that no re-send mends.
const SENDS_MAX: u32 = 5;
/// Looks come due together at whole multiples of this, so that they share a call.
const TICK: Duration = Duration::from_secs(300);
const DOUBT: &str = "sign_up_in_doubt";

impl At {
    /// As it begins.
    pub fn begin(now: Time) -> Self {
        At::Inviting { since: now, first_sent: None, sends: 1 }
    }

    pub(super) fn invited(self, sent_at: Time, signed: bool, cx: &Cx<'_>) -> Option<Next<Self>> {
        let At::Inviting { .. } = self else { return None };
        Some(if signed { Self::signed(cx) } else { Next::to(Self::waiting(silent_from(sent_at, cx), 0, cx)) })
    }

    /// A refusal is confirmed by one look, where one can see it.
    pub(super) fn refused(self, sent_at: Time, refusal: Refusal, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        let At::Inviting { sends, .. } = self else { return None };
        // A refused re-send proves nothing about the sends before it.
        if sends < 2 && !input.shown_by_query(cx) {
            return Some(Self::failed(refusal.to_string(), cx));
        }
        self.in_doubt(sent_at, Some(refusal), cx)
    }

    pub(super) fn in_doubt(self, sent_at: Time, refused: Option<Refusal>, cx: &Cx<'_>) -> Option<Next<Self>> {
        let At::Inviting { first_sent, sends, .. } = self else { return None };
        let first_sent = first_sent.unwrap_or(sent_at);
        let doubt = Doubt::new(sent_at, cx.now, sends);
        Some(Next::to(At::InDoubt { first_sent, until: silent_from(sent_at, cx), doubt, sends, refused }))
    }

    /// The worker that held the claim is gone, and the invitation may have left at any time since.
    pub(super) fn worker_lost(self, cx: &Cx<'_>) -> Option<Next<Self>> {
        let At::Inviting { since, first_sent, sends } = self else { return None };
        let first_sent = first_sent.unwrap_or(since);
        let doubt = Doubt::new(cx.now, cx.now, sends);
        Some(Next::to(At::InDoubt { first_sent, until: silent_from(cx.now, cx), doubt, sends, refused: None }))
    }

    /// Proved not to have arrived: the identical invitation again. Whoever had signed by then would answer so at once.
    pub(super) fn send_again(self, cx: &Cx<'_>) -> Option<Next<Self>> {
        let At::InDoubt { first_sent, until, doubt, sends, refused } = self else { return None };
        if !doubt.disproved() {
            return None;
        }
        if let Some(refusal) = refused {
            return Some(Self::failed(refusal.to_string(), cx));
        }
        if sends >= SENDS_MAX {
            let doubt = Doubt::new(cx.now, cx.now, 1);
            let back = At::InDoubt { first_sent, until, doubt, sends: 1, refused: None };
            return Some(back.park(Why::SendsExhausted, cx));
        }
        let again = At::Inviting { since: cx.now, first_sent: Some(first_sent), sends: sends + 1 };
        Some(Next::to(again).with(cases::close(&[DOUBT], "proved not applied", cx)))
    }

    /// What the batch query says: `SIGN` at once, `UN_SIGN` typed by the time of the question (P48).
    pub(super) fn seen(self, asked_at: Time, seen: &SignSeen, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        match (self, seen) {
            (At::Waiting { .. } | At::InDoubt { .. }, SignSeen::Signed) => Some(Self::signed(cx)),
            (this @ (At::Waiting { .. } | At::InDoubt { .. }), SignSeen::Unknown(word)) => {
                Some(this.park(Why::UnknownStatus(word.clone()), cx))
            }
            (At::Waiting { until, .. } | At::InDoubt { until, .. }, SignSeen::NotSigned) if asked_at >= until => {
                Some(Self::failed("not signed within 24 hours".into(), cx))
            }
            (At::Waiting { until, asked, .. }, SignSeen::NotSigned) => {
                Some(Next::to(Self::waiting(until, asked + 1, cx)))
            }
            (At::InDoubt { refused: Some(refusal), sends: 1, .. }, SignSeen::NotSigned) => {
                Some(Self::failed(refusal.to_string(), cx))
            }
            (At::InDoubt { first_sent, until, doubt, sends, refused }, SignSeen::NotSigned) => {
                // Of the contract with an id of ours "not signed" says nothing about whether the invitation arrived (safety.md §10.1).
                let doubt = match &input.contract {
                    Contract::SyncSign { .. } => doubt.unclear(cx.now, cx.params),
                    Contract::SignUp { .. } => doubt.negative(asked_at, cx.now, cx.params),
                };
                Some(At::InDoubt { first_sent, until, doubt, sends, refused }.told(cx))
            }
            (At::Inviting { .. } | At::Signed { .. } | At::NotSigned { .. } | At::NeedsOperator { .. }, _) => None,
        }
    }

    pub(super) fn look_failed(self, cx: &Cx<'_>) -> Option<Next<Self>> {
        match self {
            At::Waiting { until, asked, .. } => Some(Next::to(Self::waiting(until, asked + 1, cx))),
            At::InDoubt { first_sent, until, doubt, sends, refused } => {
                let doubt = doubt.unclear(cx.now, cx.params);
                Some(At::InDoubt { first_sent, until, doubt, sends, refused }.told(cx))
            }
            At::Inviting { .. } | At::Signed { .. } | At::NotSigned { .. } | At::NeedsOperator { .. } => None,
        }
    }

    pub(super) fn lapsed(self, cx: &Cx<'_>) -> Option<Next<Self>> {
        match self {
            At::Waiting { until, .. } | At::InDoubt { until, .. } if cx.now >= until => {
                Some(Self::failed("nobody signed within 24 hours".into(), cx))
            }
            At::Waiting { .. }
            | At::InDoubt { .. }
            | At::Inviting { .. }
            | At::Signed { .. }
            | At::NotSigned { .. }
            | At::NeedsOperator { .. } => None,
        }
    }

    /// The callback of this very invitation is proof, and only forwards (I15); any other makes it look.
    pub(super) fn hinted(self, hint: &Hint, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        match (self, input.told_by(hint)) {
            (this @ At::Signed { .. }, _) => Next::to(this),
            (_, Some(true)) => Self::signed(cx),
            (At::Waiting { .. } | At::InDoubt { .. }, Some(false)) => {
                Self::failed("the provider says: not signed".into(), cx)
            }
            (At::Waiting { until, asked, .. }, None) => Next::to(At::Waiting { until, asked, look_at: cx.now }),
            (At::InDoubt { first_sent, until, mut doubt, sends, refused }, None) => {
                doubt.look_at = cx.now;
                Next::to(At::InDoubt { first_sent, until, doubt, sends, refused })
            }
            (this @ (At::Inviting { .. } | At::NotSigned { .. } | At::NeedsOperator { .. }), Some(false) | None) => {
                Next::to(this)
            }
        }
    }

    pub(super) fn resolved(self, case: &Answered, name: &str, by: &str, cx: &Cx<'_>) -> Next<Self> {
        let answered = case.closed(name, by, cx);
        match (self, name) {
            (At::NeedsOperator { back, .. }, "retry") => Next::to(back.looked_now(cx)).with(answered),
            (At::NeedsOperator { .. }, "abandon") => Self::failed(format!("given up by {by}"), cx).with(answered),
            (this @ At::InDoubt { .. }, "retry") => Next::to(this.looked_now(cx)).with(answered),
            (this, _) => Next::to(this).with(case.reopened(name, "it is not open to that any more")),
        }
    }

    pub(super) fn park(self, why: Why, cx: &Cx<'_>) -> Next<Self> {
        let moves: &[&str] = &["retry", "abandon"];
        let case = cases::open("sign_up_stuck", Severity::Medium, moves, json!({ "why": why.words() }), cx);
        match self {
            At::NeedsOperator { .. } | At::Signed { .. } | At::NotSigned { .. } => Next::to(self).with(case),
            At::Inviting { .. } => {
                // What may have left must be asked about before it goes again.
                let back =
                    if cx.unsent { Some(self.clone()) } else { self.clone().worker_lost(cx).map(|next| next.state) };
                let back = Box::new(back.unwrap_or(self));
                Next::to(At::NeedsOperator { why, back }).with(case)
            }
            At::Waiting { .. } | At::InDoubt { .. } => {
                Next::to(At::NeedsOperator { why, back: Box::new(self) }).with(case)
            }
        }
    }

    fn waiting(until: Time, asked: u32, cx: &Cx<'_>) -> Self {
        At::Waiting { until, asked, look_at: next_look(until, asked, cx) }
    }

    fn signed(cx: &Cx<'_>) -> Next<Self> {
        Next::to(At::Signed { at: cx.now }).with(cases::close(&[], "signed", cx))
    }

    fn failed(reason: String, cx: &Cx<'_>) -> Next<Self> {
        Next::to(At::NotSigned { at: cx.now, reason }).with(cases::close(&[], "not signed", cx))
    }

    /// With a case where so many looks have settled nothing.
    fn told(self, cx: &Cx<'_>) -> Next<Self> {
        let tell = matches!(&self, At::InDoubt { doubt, .. } if doubt.tell_now());
        let next = Next::to(self);
        let facts = json!({ "why": "many looks have not settled whether the invitation arrived" });
        if tell { next.with(cases::open(DOUBT, Severity::Medium, &["retry"], facts, cx)) } else { next }
    }

    fn looked_now(self, cx: &Cx<'_>) -> Self {
        match self {
            At::InDoubt { first_sent, until, doubt, sends, refused } => {
                At::InDoubt { first_sent, until, doubt: doubt.look_now(cx.now), sends, refused }
            }
            At::Waiting { until, asked, .. } => At::Waiting { until, asked, look_at: cx.now },
            At::NeedsOperator { back, .. } => back.looked_now(cx),
            At::Inviting { .. } | At::Signed { .. } | At::NotSigned { .. } => self,
        }
    }
}

impl Input {
    /// What a callback says of this very invitation.
    fn told_by(&self, hint: &Hint) -> Option<bool> {
        let (Hint::SignUpEnded { request_id: told, signed }, Contract::SyncSign { request_id }) =
            (hint, &self.contract)
        else {
            return None;
        };
        (told == request_id).then_some(*signed)
    }
}

/// From then on silence means no.
fn silent_from(sent_at: Time, cx: &Cx<'_>) -> Time {
    sent_at + SIGNED_WITHIN + cx.params.sign_up_grace
}

/// Looks at leisure, on a tick, and one when silence has begun to mean something.
fn next_look(until: Time, asked: u32, cx: &Cx<'_>) -> Time {
    // The first is a minute ahead: nobody signs faster.
    let at_leisure = cx.now + decaying(asked + 2);
    let on_tick = on_tick(at_leisure);
    if cx.now < until { on_tick.min(self::on_tick(until)) } else { on_tick }
}

/// The next whole multiple of [`TICK`].
fn on_tick(at: Time) -> Time {
    let tick = i64::try_from(TICK.as_millis()).unwrap_or(1);
    Time::from_millis(at.millis().div_euclid(tick).saturating_add(1).saturating_mul(tick))
}
