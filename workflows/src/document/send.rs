//! From the upload to the judgement, and the doubt about both (P61 to P63, P66, S-G).

use super::{Document, Input, Why};
use crate::cases::{self, Answered};
use crate::doubt::{Doubt, decaying};
use crate::machine::{Cx, Next};
use domain::levy::Hint;
use domain::papers::PaperSeen;
use domain::record::Severity;
use domain::{Refusal, Time};
use serde_json::json;

/// After so many sends something is wrong that no re-send mends.
const SENDS_MAX: u32 = 5;
const DOUBT: &str = "document_in_doubt";
const STUCK: &str = "document_stuck";

impl Document {
    /// As it begins.
    pub fn begin(now: Time) -> Self {
        Document::Rendered { since: now, first_sent: None, sends: 1 }
    }

    /// The answer to the upload itself. Success at once, where judging takes its time, means that there was one before (R3, P61).
    pub(super) fn taken(self, sent_at: Time, seen: &PaperSeen, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        let Document::Rendered { .. } = self else { return None };
        let existing = input.query().is_some();
        match seen {
            PaperSeen::Good if existing && input.renewal => Some(self.sent(sent_at, cx)?.park(Why::NotRenewed, cx)),
            PaperSeen::Good if existing => Some(Next::to(Self::there_before(cx))),
            PaperSeen::Good => Some(Self::verified(false, cx)),
            // Its own id was taken before: by an earlier send of the same content, which only its callback or a person confirms.
            PaperSeen::Duplicate => Some(Next::to(Self::processing(true, cx))),
            PaperSeen::Accepted => Some(Next::to(Self::processing(false, cx))),
            PaperSeen::Bad { reason } => Some(Self::rejected(words(reason), cx)),
            PaperSeen::NoPerson => Some(self.sent(sent_at, cx)?.park(Why::NoPerson, cx)),
            PaperSeen::Missing => self.in_doubt(sent_at, None, cx),
            PaperSeen::Unknown(word) => Some(self.sent(sent_at, cx)?.park(Why::UnknownStatus(word.clone()), cx)),
        }
    }

    fn sent(self, sent_at: Time, cx: &Cx<'_>) -> Option<Self> {
        self.in_doubt(sent_at, None, cx).map(|next| next.state)
    }

    /// A refusal is confirmed by one look, where one can see it; a refused re-send proves nothing about the sends before it.
    pub(super) fn refused(self, sent_at: Time, refusal: Refusal, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        let Document::Rendered { sends, .. } = self else { return None };
        if sends < 2 && input.query().is_none() {
            return Some(Self::rejected(refusal.to_string(), cx));
        }
        self.in_doubt(sent_at, Some(refusal), cx)
    }

    pub(super) fn in_doubt(self, sent_at: Time, refused: Option<Refusal>, cx: &Cx<'_>) -> Option<Next<Self>> {
        let Document::Rendered { first_sent, sends, .. } = self else { return None };
        let first_sent = first_sent.unwrap_or(sent_at);
        let mut doubt = Doubt::new(sent_at, cx.now, sends);
        doubt.look_at = cx.now + decaying(sends);
        Some(Next::to(Document::Submitted { first_sent, doubt, sends, refused }))
    }

    /// The worker that held the claim is gone, and the upload may have left at any time since.
    pub(super) fn worker_lost(self, cx: &Cx<'_>) -> Option<Next<Self>> {
        let Document::Rendered { since, first_sent, sends } = self else { return None };
        let first_sent = first_sent.unwrap_or(since);
        Some(Next::to(Document::Submitted {
            first_sent,
            doubt: Doubt::new(cx.now, cx.now, sends),
            sends,
            refused: None,
        }))
    }

    /// Proved not to have arrived, or harmless to repeat: the identical call again.
    pub(super) fn send_again(self, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        let Document::Submitted { first_sent, doubt, sends, refused } = self else { return None };
        if input.query().is_some() && !doubt.disproved() {
            return None;
        }
        if let (Some(refusal), true) = (&refused, doubt.disproved()) {
            return Some(Self::rejected(refusal.to_string(), cx));
        }
        if sends >= SENDS_MAX {
            let back = Document::Submitted { first_sent, doubt: Doubt::new(cx.now, cx.now, 1), sends: 1, refused };
            return Some(back.park(Why::SendsExhausted, cx));
        }
        let again = Document::Rendered { since: cx.now, first_sent: Some(first_sent), sends: sends + 1 };
        Some(Next::to(again).with(cases::close(&[DOUBT], "sent again", cx)))
    }

    /// What a look shows.
    pub(super) fn seen(self, asked_at: Time, seen: &PaperSeen, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        match (self, seen) {
            (
                Document::Rendered { .. }
                | Document::Verified { .. }
                | Document::Rejected { .. }
                | Document::NeedsOperator { .. },
                _,
            ) => None,
            (
                Document::Submitted { refused: Some(refusal), sends: 1, .. },
                PaperSeen::Missing | PaperSeen::NoPerson,
            ) => Some(Self::rejected(refusal.to_string(), cx)),
            // No look tells the new picture from the old one (P61).
            (this @ Document::Submitted { .. }, PaperSeen::Good) if input.renewal => {
                Some(this.park(Why::NotRenewed, cx))
            }
            (Document::Submitted { .. }, PaperSeen::Good) => Some(Self::verified(false, cx)),
            (Document::Processing { existing, .. }, PaperSeen::Good) => Some(Self::verified(existing, cx)),
            (_, PaperSeen::Bad { reason }) => Some(Self::rejected(words(reason), cx)),
            (this, PaperSeen::Unknown(word)) => Some(this.park(Why::UnknownStatus(word.clone()), cx)),
            (Document::Submitted { .. }, PaperSeen::Accepted) => Some(Next::to(Self::processing(false, cx))),
            // An upload that never arrived has not made the person known either: only its own answer asks for a sign-up (P62).
            (Document::Submitted { first_sent, doubt, sends, refused }, PaperSeen::Missing | PaperSeen::NoPerson) => {
                let doubt = doubt.negative(asked_at, cx.now, cx.params);
                Some(Document::Submitted { first_sent, doubt, sends, refused }.told(cx))
            }
            (this @ Document::Submitted { .. }, PaperSeen::Duplicate) => this.look_failed(cx),
            // Taken before, and no longer there: the look is older than the upload.
            (
                this @ Document::Processing { .. },
                PaperSeen::Accepted | PaperSeen::Missing | PaperSeen::NoPerson | PaperSeen::Duplicate,
            ) => this.look_failed(cx),
        }
    }

    pub(super) fn look_failed(self, cx: &Cx<'_>) -> Option<Next<Self>> {
        match self {
            Document::Processing { since, asked, inferred, existing, .. } => {
                let look_at = cx.now + decaying(asked + 1);
                Some(Next::to(Document::Processing { since, asked: asked + 1, look_at, inferred, existing }))
            }
            Document::Submitted { first_sent, doubt, sends, refused } => {
                let doubt = doubt.unclear(cx.now, cx.params);
                Some(Document::Submitted { first_sent, doubt, sends, refused }.told(cx))
            }
            Document::Rendered { .. }
            | Document::Verified { .. }
            | Document::Rejected { .. }
            | Document::NeedsOperator { .. } => None,
        }
    }

    /// The callback of this very submission says how it ended; where a query could say more, it only makes us look (TR1).
    pub(super) fn hinted(self, hint: &Hint, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let Hint::PaperJudged { request_id, seen } = hint else { return Next::to(self) };
        if *request_id != input.request_id {
            return Next::to(self);
        }
        match (self, seen) {
            (this @ (Document::Verified { .. } | Document::Rejected { .. }), _) => Next::to(this),
            // What a person is asked about is looked at when he says so.
            (this @ Document::NeedsOperator { .. }, _) if input.query().is_some() => Next::to(this),
            (this, _) if input.query().is_some() => Next::to(this.looked_now(cx)),
            (_, PaperSeen::Good) => Self::verified(false, cx),
            (_, PaperSeen::Bad { reason }) => Self::rejected(words(reason), cx),
            (
                this,
                PaperSeen::Accepted
                | PaperSeen::Duplicate
                | PaperSeen::Missing
                | PaperSeen::NoPerson
                | PaperSeen::Unknown(_),
            ) => Next::to(this),
        }
    }

    pub(super) fn resolved(self, case: &Answered, name: &str, by: &str, cx: &Cx<'_>) -> Next<Self> {
        let answered = case.closed(name, by, cx);
        match (self, name) {
            (Document::NeedsOperator { back, .. }, "retry") => Next::to(back.looked_now(cx)).with(answered),
            (Document::NeedsOperator { why: Why::Silent | Why::NotRenewed, .. }, "verified") => {
                Self::verified(false, cx).with(answered)
            }
            (Document::NeedsOperator { .. }, "abandon") => {
                Self::rejected(format!("given up by {by}"), cx).with(answered)
            }
            (this @ Document::Submitted { .. }, "retry") => Next::to(this.looked_now(cx)).with(answered),
            (this, _) => Next::to(this).with(case.reopened(name, "it is not open to that any more")),
        }
    }

    pub(super) fn park(self, why: Why, cx: &Cx<'_>) -> Next<Self> {
        let case = cases::open(STUCK, Severity::Medium, why.moves(), json!({ "why": why.words() }), cx);
        match self {
            Document::NeedsOperator { .. } | Document::Verified { .. } | Document::Rejected { .. } => {
                Next::to(self).with(case)
            }
            Document::Rendered { .. } => {
                // What may have left must be asked about before it goes again.
                let back = if cx.unsent { None } else { self.clone().worker_lost(cx).map(|next| next.state) };
                Next::to(Document::NeedsOperator { why, back: Box::new(back.unwrap_or(self)) }).with(case)
            }
            Document::Submitted { .. } | Document::Processing { .. } => {
                Next::to(Document::NeedsOperator { why, back: Box::new(self) }).with(case)
            }
        }
    }

    fn processing(inferred: bool, cx: &Cx<'_>) -> Self {
        Document::Processing { since: cx.now, asked: 0, look_at: cx.now + decaying(2), inferred, existing: false }
    }

    /// Looked at at once: it is judged, for better or worse.
    fn there_before(cx: &Cx<'_>) -> Self {
        Document::Processing { since: cx.now, asked: 0, look_at: cx.now, inferred: false, existing: true }
    }

    fn verified(existing: bool, cx: &Cx<'_>) -> Next<Self> {
        Next::to(Document::Verified { at: cx.now, existing }).with(cases::close(&[], "verified", cx))
    }

    fn rejected(reason: String, cx: &Cx<'_>) -> Next<Self> {
        Next::to(Document::Rejected { at: cx.now, reason }).with(cases::close(&[], "rejected", cx))
    }

    /// With a case where so many looks have settled nothing.
    fn told(self, cx: &Cx<'_>) -> Next<Self> {
        let tell = matches!(&self, Document::Submitted { doubt, .. } if doubt.tell_now());
        let next = Next::to(self);
        let facts = json!({ "why": "many looks have not settled whether the paper arrived" });
        if tell { next.with(cases::open(DOUBT, Severity::Medium, &["retry"], facts, cx)) } else { next }
    }

    fn looked_now(self, cx: &Cx<'_>) -> Self {
        match self {
            Document::Submitted { first_sent, doubt, sends, refused } => {
                Document::Submitted { first_sent, doubt: doubt.look_now(cx.now), sends, refused }
            }
            // Its days of silence begin anew.
            Document::Processing { asked, inferred, existing, .. } => {
                Document::Processing { since: cx.now, asked, look_at: cx.now, inferred, existing }
            }
            Document::NeedsOperator { back, .. } => back.looked_now(cx),
            Document::Rendered { .. } | Document::Verified { .. } | Document::Rejected { .. } => self,
        }
    }
}

fn words(reason: &Option<String>) -> String {
    reason.clone().unwrap_or_else(|| "the provider gives no reason".into())
}
