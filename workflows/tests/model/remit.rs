//! The remit's outside: the provider's side of it, the bank, the payer and people. All of them tell the truth, late, twice or
//! never; the provider may close by itself, show odd words, and read lagging copies.

use crate::bank::{Bank, Word, settled, words};
use crate::rules::{Broken, Rule};
use crate::truth::kept_to;
use crate::world::{Far, Here, How, Sight};
use domain::levy::{NextStep, RemitStatus};
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
    /// The time at which a query last said ACCEPT.
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
            voucher: None,
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

    pub(crate) fn pending(&self) -> bool {
        self.slots.iter().any(|(_, bank)| matches!(bank, Bank::Pending))
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
            // A case is answered once: the next answer waits until this one is heard.
            let may = |name: &&str| !at.unread && at.ledger.offers(name) && self.truthful(name);
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
            Act::Report(slot, word) => {
                !matches!((self.slots[*slot].1, word), (Bank::Handed, _) | (Bank::Pending, Word::Paid | Word::Failed))
            }
        }
    }

    fn sights(&self, at: &Here<'_, Remit>) -> Vec<Sight<Self>> {
        self.shows(at)
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
        self.ends_well(before, at)?;
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
