//! The remit's outside: the provider's side of it, the bank, the payer and people. All of them tell the truth, late, twice or
//! never; the provider may close by itself, show odd words, and read lagging copies.

use crate::rules::{Broken, Rule};
use crate::world::{Far, Here, How, Sight};
use domain::levy::{NextStep, OrderSeen, OrderStatus, RemitSeen, RemitStatus};
use domain::{Answer, Fault, Refusal, Request, Time, Verdict};
use uuid::Uuid;
use workflows::machine::Machine;
use workflows::remit::{At, Event, EvidenceGiven, Input, Paid, Remit};

/// The remit as the provider has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    Open,
    /// CONTINUE is applied; the levy runs.
    Running,
    /// Levied, and shown as `REMIT`, or as `CLOSE`.
    Remitted,
    LevyClosed,
    Cancelled,
    /// Closed by the 72 h job.
    AutoClosed,
    /// Closed by somebody else.
    ClosedByOthers,
}

/// One attempt at the bank, under one permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Bank {
    /// The payer holds the permit: it may have paid, it may yet pay.
    Handed,
    /// The payer has attested that it will never be used.
    Attested,
    /// The bank does not know yet.
    Pending,
    Paid(Time),
    Failed,
    /// 退票.
    Returned(Time),
}

/// What a payer may report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Word {
    Paid,
    Failed,
    Unknown,
    Returned,
    Attested,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Act {
    Ask,
    Report(usize, Word),
    Notice,
    CancelAsked,
    Resolve(&'static str),
}

/// Which acts a model has; everything else stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Scope {
    pub(crate) asks: u8,
    pub(crate) cancels: bool,
    /// The model ends once the decision has been sent: others begin there.
    pub(crate) until_sent: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Outside {
    pub(crate) scope: Scope,
    pub(crate) side: Side,
    pub(crate) before: Option<(Side, Time)>,
    /// CONTINUE again after it was applied: the same answer, or a refusal.
    pub(crate) repeat_refused: bool,
    /// A query shows `arising_time` once it was given.
    pub(crate) shows_time: bool,
    pub(crate) slots: Vec<(Uuid, Bank)>,
    /// The time at which a query last said ACCEPT, and said nothing else since.
    pub(crate) accepted: Option<Time>,
    pub(crate) applied_time: Option<Time>,
    pub(crate) asked: u8,
}

const MOVES: [&str; 6] = ["paid", "not_paid", "levied", "closed", "resend_corrected", "retry"];

fn refusal(code: &str) -> Refusal {
    Refusal { code: code.into(), message: String::new() }
}

pub(crate) fn input() -> Input {
    Remit::specimens().input
}

impl Outside {
    pub(crate) fn new(scope: Scope, repeat_refused: bool, shows_time: bool) -> Self {
        Self {
            scope,
            side: Side::Open,
            before: None,
            repeat_refused,
            shows_time,
            slots: Vec::new(),
            accepted: None,
            applied_time: None,
            asked: 0,
        }
    }

    pub(crate) fn becomes(&mut self, side: Side, now: Time) {
        if side != self.side {
            self.before = Some((self.side, now));
            self.side = side;
        }
    }

    /// A look that shows it open.
    pub(crate) fn open(&self) -> Event {
        let answer = self.answer(Side::Open, None);
        let request = Request::FindOrder { request_id: input().request_id, person: input().person };
        Remit::specimens().states[0].answered(&request, input().first_sent, answer)
    }

    /// The payer's report of a bank-final success.
    pub(crate) fn paid(&self, slot: usize, paid_at: Time) -> Event {
        Event::PaidReported(Paid {
            permit: self.slots[slot].0,
            amount: input().amount,
            paid_at,
            bank_serial: format!("BK{slot}"),
            payee_ok: true,
            source: "api".into(),
        })
    }

    pub(crate) fn applied(&self) -> bool {
        matches!(self.side, Side::Running | Side::Remitted | Side::LevyClosed)
    }

    fn closed(&self) -> bool {
        matches!(self.side, Side::Cancelled | Side::AutoClosed | Side::ClosedByOthers)
    }

    pub(crate) fn paid_at(&self) -> Option<Time> {
        self.slots.iter().find_map(|(_, bank)| match bank {
            Bank::Paid(at) => Some(*at),
            Bank::Handed | Bank::Attested | Bank::Pending | Bank::Failed | Bank::Returned(_) => None,
        })
    }

    fn pending(&self) -> bool {
        self.slots.iter().any(|(_, bank)| matches!(bank, Bank::Pending))
    }

    fn answer(&self, side: Side, word: Option<&str>) -> Verdict<Answer> {
        let quote = input();
        let status = match side {
            _ if word.is_some() => RemitStatus::Unknown(word.unwrap_or_default().into()),
            Side::Open => RemitStatus::Accepted,
            Side::Running => RemitStatus::Processing,
            Side::Remitted => RemitStatus::Remitted,
            Side::LevyClosed | Side::Cancelled | Side::AutoClosed | Side::ClosedByOthers => RemitStatus::Closed,
        };
        let remit = RemitSeen {
            provider_order_id: quote.provider_order_id,
            tax_agent_location_id: quote.tax_agent_location_id,
            amount: quote.amount,
            fee: quote.fee,
            actual_amount: quote.actual_amount,
            compensate_fee: quote.compensate_fee,
            sum_fee: quote.sum_fee,
            status,
        };
        let levied = matches!(side, Side::Running | Side::Remitted | Side::LevyClosed);
        Verdict::Done(Answer::OrderSeen(OrderSeen {
            request_id: quote.request_id,
            status: OrderStatus::Closed,
            remits: vec![remit],
            fail_reason: None,
            accept_time: Some(quote.accept_time),
            arising_time: self.applied_time.filter(|_| levied && self.shows_time),
            same_card: Some(true),
        }))
    }

    /// What the provider may have done by itself since the last look.
    fn next(&self, at: &Here<'_, Remit>) -> Vec<(&'static str, Side, bool)> {
        let due = at.now + at.skew >= input().first_sent + std::time::Duration::from_secs(72 * 3600 - 60);
        let mut next = Vec::new();
        match self.side {
            Side::Open => {
                if due {
                    next.push(("the query shows CLOSE: the 72 h are over", Side::AutoClosed, false));
                }
                if at.left > 0 {
                    next.push(("the query shows CLOSE: closed by others", Side::ClosedByOthers, true));
                }
            }
            Side::Running => {
                next.push(("the query shows REMIT", Side::Remitted, false));
                next.push(("the query shows CLOSE: levied", Side::LevyClosed, false));
            }
            Side::Remitted | Side::LevyClosed | Side::Cancelled | Side::AutoClosed | Side::ClosedByOthers => {}
        }
        next
    }

    /// The moves that a truthful person may make.
    fn truthful(&self, name: &str) -> bool {
        match name {
            "paid" => self.paid_at().is_some(),
            "not_paid" => !self.pending() && self.paid_at().is_none(),
            "levied" => self.applied(),
            "closed" => self.closed(),
            "resend_corrected" => self.paid_at().is_some(),
            _ => true,
        }
    }

    fn letter(&self, slot: usize, word: Word) -> Event {
        let permit = self.slots[slot].0;
        match (word, self.slots[slot].1) {
            (Word::Paid, Bank::Paid(paid_at) | Bank::Returned(paid_at)) => self.paid(slot, paid_at),
            (Word::Unknown | Word::Paid, _) => Event::UnknownReported { permit },
            (Word::Failed, _) => Event::FailedReported { permit },
            (Word::Returned, _) => Event::ReturnedReported { permit },
            (Word::Attested, _) => Event::Attested { permit, by: "payer".into(), reason: "not used".into() },
        }
    }

    /// A CANCEL or an end without a levy is right only while nothing is paid and nothing can be.
    fn unpaid(&self) -> bool {
        !self.slots.iter().any(|(_, bank)| matches!(bank, Bank::Handed | Bank::Pending | Bank::Paid(_)))
    }
}

/// What a truthful payer may say: the news, or an older word again.
fn words(bank: Bank) -> &'static [Word] {
    match bank {
        Bank::Handed => &[Word::Paid, Word::Failed, Word::Unknown, Word::Attested],
        Bank::Attested => &[Word::Attested],
        Bank::Pending => &[Word::Paid, Word::Failed, Word::Unknown],
        Bank::Paid(_) => &[Word::Paid, Word::Unknown, Word::Returned],
        Bank::Failed => &[Word::Failed, Word::Unknown],
        Bank::Returned(_) => &[Word::Returned, Word::Paid],
    }
}

/// The attempt as it is when this is said of it.
fn settled(bank: Bank, word: Word, now: Time) -> Bank {
    match (bank, word) {
        (Bank::Handed | Bank::Pending, Word::Paid) => Bank::Paid(now),
        (Bank::Handed | Bank::Pending, Word::Failed) => Bank::Failed,
        (Bank::Handed, Word::Unknown) => Bank::Pending,
        (Bank::Handed, Word::Attested) => Bank::Attested,
        (Bank::Paid(paid_at), Word::Returned) => Bank::Returned(paid_at),
        (_, Word::Paid | Word::Failed | Word::Unknown | Word::Attested | Word::Returned) => bank,
    }
}

impl Far for Outside {
    type Machine = Remit;
    type Act = Act;

    fn acts(&self, at: &Here<'_, Remit>, acts: &mut Vec<Act>) {
        if self.asked < self.scope.asks {
            acts.push(Act::Ask);
        }
        for (slot, (permit, bank)) in self.slots.iter().enumerate() {
            let unused = at.ledger.permits.iter().any(|row| row.id == *permit && row.state != "instructed");
            let words = words(*bank).iter().filter(|word| **word != Word::Attested || unused);
            acts.extend(words.map(|word| Act::Report(slot, *word)));
        }
        if at.left > 0 {
            acts.push(Act::Notice);
            if self.scope.cancels {
                acts.push(Act::CancelAsked);
            }
            let may = |name: &&str| at.ledger.offers(name) && self.truthful(name);
            acts.extend(MOVES.into_iter().filter(may).map(Act::Resolve));
        }
    }

    fn act(&mut self, act: &Act, at: &Here<'_, Remit>) -> Vec<Event> {
        match act {
            Act::Ask => {
                self.asked += 1;
                vec![Event::PermitAsked { ask: Uuid::from_u128(u128::from(self.asked)) }]
            }
            Act::Report(slot, word) => {
                let bank = settled(self.slots[*slot].1, *word, at.now);
                self.slots[*slot].1 = bank;
                vec![self.letter(*slot, *word)]
            }
            Act::Notice => {
                let close_time = self.before.filter(|_| self.closed()).map(|(_, since)| since);
                vec![Event::NoticeSeen { close_time: Some(close_time.unwrap_or(at.now)) }]
            }
            Act::CancelAsked => vec![Event::CancelAsked { by: "amei".into() }],
            Act::Resolve(name) => {
                if *name == "not_paid" {
                    for (_, bank) in self.slots.iter_mut().filter(|(_, bank)| *bank == Bank::Handed) {
                        *bank = Bank::Attested;
                    }
                }
                let evidence = self.paid_at().map(|paid_at| EvidenceGiven {
                    amount: input().amount,
                    paid_at,
                    bank_serial: "BK-person".into(),
                    payee_ok: true,
                    source: "person".into(),
                });
                let given = evidence.or_else(|| {
                    (*name == "closed" || *name == "levied").then(|| EvidenceGiven {
                        amount: input().amount,
                        paid_at: at.now,
                        bank_serial: "none".into(),
                        payee_ok: true,
                        source: "person".into(),
                    })
                });
                vec![Event::CaseResolved {
                    case: at.ledger.asked(name),
                    r#move: (*name).to_owned(),
                    evidence: given,
                    by: "amei".into(),
                }]
            }
        }
    }

    fn surprises(&self, act: &Act) -> bool {
        match act {
            Act::Notice | Act::CancelAsked | Act::Resolve(_) => true,
            Act::Ask => false,
            // The first word of the payer is expected; a word again, and a return, are not.
            Act::Report(slot, _) => !matches!(self.slots[*slot].1, Bank::Handed | Bank::Pending),
        }
    }

    fn sights(&self, at: &Here<'_, Remit>) -> Vec<Sight<Self>> {
        let sight = |word, side: Side, surprise| {
            let mut far = self.clone();
            far.becomes(side, at.now);
            far.accepted = (side == Side::Open).then_some(at.now);
            Sight { word, answer: far.answer(side, None), far, surprise }
        };
        let mut sights = vec![sight(shown(self.side), self.side, false)];
        sights.extend(self.next(at).into_iter().map(|(word, side, surprise)| sight(word, side, surprise)));
        if at.left == 0 {
            return sights;
        }
        if let Some((before, _)) = self.before.filter(|(_, since)| at.now < *since + at.quarantine) {
            let mut far = self.clone();
            far.accepted = (before == Side::Open).then_some(at.now);
            sights.push(Sight {
                word: "a lagging copy answers",
                answer: self.answer(before, None),
                far,
                surprise: true,
            });
        }
        let odd = self.answer(self.side, Some("FROZEN"));
        let far = Self { accepted: None, ..self.clone() };
        sights.push(Sight { word: "the query shows an unknown word", answer: odd, far, surprise: true });
        let answer = Verdict::Unsure(Fault::Timeout);
        sights.push(Sight { word: "the query fails", answer, far: self.clone(), surprise: true });
        sights
    }

    fn hows(&self, _: &Request, at: &Here<'_, Remit>) -> Vec<How> {
        if self.side == Side::Open && at.left > 0 { vec![How::Apply, How::Refuse] } else { vec![How::Apply] }
    }

    fn repeats(&self) -> bool {
        true
    }

    fn process(&mut self, request: &Request, how: How, at: &Here<'_, Remit>) -> Verdict<Answer> {
        let Request::DecideRemit { next_step, arising_time, .. } = request else {
            return Verdict::Unsure(Fault::Unbound);
        };
        if how == How::Refuse {
            return Verdict::Refused(refusal("0002"));
        }
        let again = match (next_step, self.side) {
            (NextStep::Continue, Side::Open) => {
                self.becomes(Side::Running, at.now);
                self.applied_time = Some(*arising_time);
                false
            }
            (NextStep::Cancel, Side::Open) => {
                self.becomes(Side::Cancelled, at.now);
                false
            }
            (NextStep::Continue, Side::Running | Side::Remitted | Side::LevyClosed)
            | (NextStep::Cancel, Side::Cancelled) => self.repeat_refused,
            (NextStep::Continue, Side::Cancelled | Side::AutoClosed | Side::ClosedByOthers)
            | (
                NextStep::Cancel,
                Side::Running | Side::Remitted | Side::LevyClosed | Side::AutoClosed | Side::ClosedByOthers,
            ) => true,
        };
        if again { Verdict::Refused(refusal("0002")) } else { Verdict::Done(Answer::RemitDecided) }
    }

    fn leaves(&mut self, request: &Request, at: &Here<'_, Remit>) -> Result<(), Broken> {
        let Request::DecideRemit { next_step, arising_time, .. } = request else {
            return Err(Broken::new(Rule::E, "a remit sends its decision only"));
        };
        let (stands, decision) = (at.ledger.stands(), at.ledger.decision.as_ref());
        if decision.map(|row| row.word) != Some(next_step.word()) {
            return Err(Broken::new(Rule::E, "it sends what is not decided"));
        }
        match next_step {
            NextStep::Continue => {
                let once = |bank: &Bank| match bank {
                    Bank::Paid(at) | Bank::Returned(at) => Some(*at),
                    Bank::Handed | Bank::Attested | Bank::Pending | Bank::Failed => None,
                };
                let paid: Vec<Time> = self.slots.iter().filter_map(|(_, bank)| once(bank)).collect();
                if stands.is_none() || paid.is_empty() {
                    return Err(Broken::new(Rule::A, "CONTINUE for what the bank has not paid"));
                }
                if !paid.contains(arising_time) || decision.is_some_and(|row| row.arising_time != *arising_time) {
                    return Err(Broken::new(Rule::A, "arising_time is not the bank's time of success"));
                }
                Ok(())
            }
            NextStep::Cancel if !at.ledger.gate => Err(Broken::new(Rule::B, "CANCEL with an open pay gate")),
            NextStep::Cancel if at.ledger.live() > 0 => Err(Broken::new(Rule::B, "CANCEL beside a live permit")),
            NextStep::Cancel if !self.unpaid() => Err(Broken::new(Rule::B, "CANCEL for what is paid, or may yet be")),
            NextStep::Cancel => Ok(()),
        }
    }

    fn committed(&mut self, before: &Remit, at: &Here<'_, Remit>) -> Result<(), Broken> {
        for permit in &at.ledger.permits {
            if self.slots.iter().all(|(id, _)| *id != permit.id) {
                if self.accepted != Some(at.now) {
                    return Err(Broken::new(Rule::C, "a permit without a fresh ACCEPT"));
                }
                if !self.unpaid() {
                    return Err(Broken::new(Rule::D, "a permit beside an attempt that is paid, or may yet be"));
                }
                self.slots.push((permit.id, Bank::Handed));
            }
        }
        self.ends_well(at)?;
        kept_to(before, at)
    }

    fn negative(answer: &Verdict<Answer>) -> bool {
        matches!(answer, Verdict::Done(Answer::OrderSeen(seen)) if seen.remits.iter().all(|remit| remit.status == RemitStatus::Accepted))
    }

    fn over(&self, remit: &Remit) -> bool {
        let sent = matches!(
            remit.at,
            At::ConfirmInDoubt { .. } | At::Levying { .. } | At::Levied { .. } | At::CancelInDoubt { .. }
        );
        // A levy may yet come back from the bank; the rest is quiet.
        let quiet = matches!(remit.at, At::Cancelled | At::AutoClosedUnpaid | At::ReturnedAfterLevy);
        quiet || (sent && self.scope.until_sent)
    }
}

impl Outside {
    /// No end is reached by doubt.
    fn ends_well(&self, at: &Here<'_, Remit>) -> Result<(), Broken> {
        let wrong = |how| Err(Broken::new(Rule::Doubt, how));
        match &at.machine.at {
            At::Levied { .. } | At::Levying { .. } if !self.applied() => wrong("levied, and CONTINUE is not applied"),
            At::Cancelled | At::AutoClosedUnpaid | At::ClosedExternally | At::AutoClosedPaid
                if self.side == Side::Open =>
            {
                wrong("at rest, and the provider has it open")
            }
            At::Cancelled | At::AutoClosedUnpaid | At::ClosedExternally | At::AutoClosedPaid if self.applied() => {
                wrong("closed, and the levy runs")
            }
            At::Cancelled | At::AutoClosedUnpaid | At::ClosedExternally | At::AutoClosedPaid
                if at.ledger.live() > 0 || self.pending() =>
            {
                wrong("at rest, and a payment is under way")
            }
            At::Cancelled | At::AutoClosedUnpaid if self.paid_at().is_some() && at.ledger.cases.is_empty() => {
                wrong("closed unpaid, and the bank has paid")
            }
            At::AutoClosedPaid if !at.ledger.case("auto_closed_paid") => wrong("an incident without its case"),
            At::Open { .. }
            | At::Permitted(_)
            | At::Paying(_)
            | At::PayoutInDoubt { .. }
            | At::Paid
            | At::Confirming { .. }
            | At::ConfirmInDoubt { .. }
            | At::Levying { .. }
            | At::Levied { .. }
            | At::GateClosed { .. }
            | At::Cancelling { .. }
            | At::CancelInDoubt { .. }
            | At::Cancelled
            | At::AutoClosedUnpaid
            | At::AutoClosedPaid
            | At::ClosedExternally
            | At::Contradicted { .. }
            | At::ReturnedAfterLevy
            | At::NeedsOperator { .. } => Ok(()),
        }
    }
}

/// Where a remit stands: what is decided is never undecided, and rest is left by drawn arrows only (S-H).
fn kept_to(before: &Remit, at: &Here<'_, Remit>) -> Result<(), Broken> {
    let (from, to) = (before.at.name(), at.machine.at.name());
    let drawn = matches!(
        (from, to),
        ("levied", "returned_after_levy")
            | ("auto_closed_paid" | "closed_externally", "levied" | "returned_after_levy")
    );
    let rests = |name: &str| Remit::STATES.iter().any(|(state, rest)| *rest && *state == name);
    if rests(from) && from != to && !drawn {
        return Err(Broken::new(Rule::H, format!("{from} was left for {to}")));
    }
    let undecided = ["open", "permitted", "paying", "payout_in_doubt", "paid", "gate_closed"].contains(&to);
    if undecided && at.ledger.decision.is_some() {
        return Err(Broken::new(Rule::H, format!("{to}, and it is decided")));
    }
    if at.machine.facts.proof.is_none() && at.ledger.stands().is_some() {
        return Err(Broken::new(Rule::H, "the evidence is forgotten"));
    }
    if at.ledger.gate && !at.machine.facts.gate_shut {
        return Err(Broken::new(Rule::H, "the closed gate is forgotten"));
    }
    let known = live_in(&at.machine.at);
    if at.ledger.live() != usize::from(known) {
        return Err(Broken::new(Rule::H, format!("{to} does not know its live permit")));
    }
    Ok(())
}

fn live_in(at: &At) -> bool {
    match at {
        At::Permitted(payout) | At::Paying(payout) | At::PayoutInDoubt { payout, .. } => payout.state.live(),
        At::Contradicted { payout, .. } => payout.as_ref().is_some_and(|payout| payout.state.live()),
        At::NeedsOperator { back, .. } => live_in(back),
        At::Open { .. } | At::Paid | At::Confirming { .. } | At::ConfirmInDoubt { .. } | At::Levying { .. } => false,
        At::Levied { .. } | At::GateClosed { .. } | At::Cancelling { .. } | At::CancelInDoubt { .. } => false,
        At::Cancelled | At::AutoClosedUnpaid | At::AutoClosedPaid | At::ClosedExternally | At::ReturnedAfterLevy => {
            false
        }
    }
}

fn shown(side: Side) -> &'static str {
    match side {
        Side::Open => "the query shows ACCEPT",
        Side::Running => "the query shows PROCESS",
        Side::Remitted => "the query shows REMIT",
        Side::LevyClosed | Side::Cancelled | Side::AutoClosed | Side::ClosedByOthers => "the query shows CLOSE",
    }
}
