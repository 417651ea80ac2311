//! CREATE: the provider as documented, and each open question of it both ways (safety.md §15.2, §15.3).
//!
//! A request may arrive late, twice or never; a repeated `request_id` is answered the same, refused, or makes a second order; a
//! query may read a copy that lags by up to the quarantine; "no such order" has a known code or none.

use crate::rules::{Broken, Rule};
use crate::world::{Far, Here, How, Sight};
use domain::levy::{Hint, OrderSeen, OrderStatus, RemitSeen, RemitStatus};
use domain::{Answer, Fault, Money, Refusal, Request, Time, Verdict};
use workflows::levy_order::{Event, Input, Order};
use workflows::machine::Machine;

/// A second CREATE under one `request_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Repeat {
    Same,
    Rejected,
    SecondOrder,
}

/// The order as the provider has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Shown {
    Nothing,
    Accepted,
    Processing,
    /// `CLOSE` with remits; whether they add up.
    Remits {
        adds_up: bool,
    },
    /// `CLOSE` with a reason.
    Failed,
    /// `CLOSE` with neither.
    Bare,
    /// `CLOSE` with both.
    Partial,
    /// A word in no table.
    Odd,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Provider {
    pub(crate) repeat: Repeat,
    /// The account's settings name the code of "no such order".
    pub(crate) absent_known: bool,
    pub(crate) orders: u8,
    pub(crate) shown: Shown,
    /// What a lagging copy still shows, and since when it is wrong.
    pub(crate) before: Option<(Shown, Time)>,
    pub(crate) first_sent: Option<Time>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Act {
    Hint,
    CancelAsked,
    Resolve(&'static str),
}

const MOVES: [&str; 4] = ["retry", "abandon", "accept_remits", "cancel_each"];

impl Provider {
    pub(crate) fn new(repeat: Repeat, absent_known: bool) -> Self {
        Self { repeat, absent_known, orders: 0, shown: Shown::Nothing, before: None, first_sent: None }
    }

    fn becomes(&mut self, shown: Shown, now: Time) {
        self.before = Some((self.shown, now));
        self.shown = shown;
    }

    fn answer(&self, shown: Shown) -> Verdict<Answer> {
        let (status, remits, fail_reason) = match shown {
            Shown::Nothing if self.absent_known => return Verdict::Done(Answer::OrderAbsent),
            Shown::Nothing => return Verdict::Refused(refusal("1404")),
            Shown::Accepted => (OrderStatus::Accepted, vec![], None),
            Shown::Processing => (OrderStatus::Processing, vec![], None),
            Shown::Remits { adds_up } => (OrderStatus::Closed, vec![remit(adds_up)], None),
            Shown::Failed => (OrderStatus::Closed, vec![], Some("不支持".to_owned())),
            Shown::Bare => (OrderStatus::Closed, vec![], None),
            Shown::Partial => (OrderStatus::Closed, vec![remit(true)], Some("部分失败".to_owned())),
            Shown::Odd => (OrderStatus::Unknown("FROZEN".into()), vec![], None),
        };
        let request_id = Order::specimens().input.request_id;
        let seen = OrderSeen {
            request_id,
            status,
            remits,
            fail_reason,
            accept_time: None,
            arising_time: None,
            same_card: None,
        };
        Verdict::Done(Answer::OrderSeen(seen))
    }

    /// What may come next by itself.
    fn next(&self, odd: bool) -> Vec<Shown> {
        let mut next = Vec::new();
        match self.shown {
            Shown::Accepted | Shown::Processing | Shown::Bare | Shown::Odd => {
                next.extend([Shown::Remits { adds_up: true }, Shown::Failed]);
                if self.shown == Shown::Accepted {
                    next.push(Shown::Processing);
                }
                if odd {
                    next.extend([Shown::Remits { adds_up: false }, Shown::Bare, Shown::Partial, Shown::Odd]);
                }
            }
            Shown::Nothing | Shown::Remits { .. } | Shown::Failed | Shown::Partial => {}
        }
        next.retain(|shown| *shown != self.shown);
        next
    }
}

fn odd(shown: Shown) -> bool {
    matches!(shown, Shown::Remits { adds_up: false } | Shown::Bare | Shown::Partial | Shown::Odd)
}

fn word(shown: Shown) -> &'static str {
    match shown {
        Shown::Nothing => "the query finds nothing",
        Shown::Accepted => "the query shows ACCEPT",
        Shown::Processing => "the query shows PROCESS",
        Shown::Remits { adds_up: true } => "the query shows CLOSE with remits",
        Shown::Remits { adds_up: false } => "the query shows CLOSE with remits that do not add up",
        Shown::Failed => "the query shows CLOSE with a reason",
        Shown::Bare => "the query shows CLOSE with neither remits nor a reason",
        Shown::Partial => "the query shows CLOSE with remits and a reason",
        Shown::Odd => "the query shows an unknown word",
    }
}

fn refusal(code: &str) -> Refusal {
    Refusal { code: code.into(), message: String::new() }
}

fn remit(adds_up: bool) -> RemitSeen {
    let fen = |fen| Money::from_fen(fen).expect("an amount");
    let asked = Order::specimens().input.terms.asked.money();
    let amount = if adds_up { asked } else { fen(asked.fen() - 1) };
    RemitSeen {
        provider_order_id: "R1".to_owned().try_into().expect("an id"),
        tax_agent_location_id: "2001".into(),
        amount,
        fee: fen(100),
        actual_amount: fen(amount.fen() + 120),
        compensate_fee: fen(20),
        sum_fee: fen(120),
        status: RemitStatus::Accepted,
    }
}

pub(crate) fn input() -> Input {
    Order::specimens().input
}

/// Where an order stands on its way: no observation brings it back (S-H).
fn rank(order: &Order) -> u8 {
    match order {
        Order::Gated { .. } => 0,
        Order::Creating { .. } | Order::CreateInDoubt { .. } => 1,
        Order::Accepted(_) | Order::Splitting(_) => 2,
        Order::Ready { .. } => 3,
        Order::Settled { .. } | Order::Rejected { .. } | Order::Cancelled => 4,
        Order::NeedsOperator { back, .. } => rank(back),
    }
}

impl Far for Provider {
    type Machine = Order;
    type Act = Act;

    fn acts(&self, at: &Here<'_, Order>, acts: &mut Vec<Act>) {
        if at.left > 0 && self.orders > 0 {
            acts.push(Act::Hint);
        }
        if at.left > 0 {
            acts.push(Act::CancelAsked);
            acts.extend(MOVES.into_iter().filter(|name| !at.unread && at.ledger.offers(name)).map(Act::Resolve));
        }
    }

    fn act(&mut self, act: &Act, at: &Here<'_, Order>) -> Vec<Event> {
        match act {
            Act::Hint => {
                vec![Event::Hinted(Hint::OrderChanged { request_id: input().request_id })]
            }
            Act::CancelAsked => {
                vec![Event::CancelAsked { by: "amei".into() }]
            }
            Act::Resolve(name) => {
                vec![Event::CaseResolved {
                    case: at.ledger.asked(name),
                    r#move: (*name).to_owned(),
                    evidence: None,
                    by: "amei".into(),
                }]
            }
        }
    }

    fn sights(&self, at: &Here<'_, Order>) -> Vec<Sight<Self>> {
        let sight = |word, shown, surprise| {
            let mut far = self.clone();
            if shown != self.shown {
                far.becomes(shown, at.now);
            }
            Sight { word, answer: far.answer(shown), far, surprise }
        };
        let mut sights = vec![sight(word(self.shown), self.shown, false)];
        sights.extend(self.next(at.left > 0).into_iter().map(|shown| sight(word(shown), shown, odd(shown))));
        let lagging = self.before.filter(|(_, since)| at.now < *since + at.quarantine);
        if let Some((before, _)) = lagging.filter(|_| at.left > 0) {
            let answer = self.answer(before);
            sights.push(Sight { word: "a lagging copy answers", answer, far: self.clone(), surprise: true });
        }
        if at.left > 0 {
            let answer = Verdict::Unsure(Fault::Timeout);
            sights.push(Sight { word: "the query fails", answer, far: self.clone(), surprise: true });
        }
        sights
    }

    fn surprises(&self, _: &Act) -> bool {
        true
    }

    fn hows(&self, _: &Request, at: &Here<'_, Order>) -> Vec<How> {
        if self.orders == 0 && at.left > 0 { vec![How::Apply, How::Refuse] } else { vec![How::Apply] }
    }

    /// Under the contract "a second order" nothing could be done against a wire that doubles requests.
    fn repeats(&self) -> bool {
        self.repeat != Repeat::SecondOrder
    }

    fn process(&mut self, _: &Request, how: How, at: &Here<'_, Order>) -> Verdict<Answer> {
        if how == How::Refuse {
            return Verdict::Refused(refusal("1009"));
        }
        let accepted = Verdict::Done(Answer::OrderAccepted { accept_time: None });
        match (self.orders, self.repeat) {
            (0, _) => {
                self.orders = 1;
                self.becomes(Shown::Accepted, at.now);
                accepted
            }
            (_, Repeat::Same) => accepted,
            (_, Repeat::Rejected) => Verdict::Unsure(Fault::UnknownCode("duplicate".into())),
            (_, Repeat::SecondOrder) => {
                self.orders += 1;
                accepted
            }
        }
    }

    fn leaves(&mut self, request: &Request, at: &Here<'_, Order>) -> Result<(), Broken> {
        self.first_sent.get_or_insert(at.now);
        let Request::CreateOrder { request_id, .. } = request else {
            return Err(Broken::new(Rule::E, "an order sends CREATE only"));
        };
        if *request_id != input().request_id {
            return Err(Broken::new(Rule::E, "CREATE under another request_id"));
        }
        Ok(())
    }

    fn committed(&mut self, before: &Order, at: &Here<'_, Order>) -> Result<(), Broken> {
        if self.orders > 1 {
            return Err(Broken::new(Rule::E, "two orders at the provider"));
        }
        let alive = self.orders > 0 && self.shown != Shown::Failed;
        match at.machine {
            Order::Rejected { .. } if alive || (self.orders == 0 && at.flights > 0) => {
                return Err(Broken::new(Rule::Doubt, "rejected, and the provider has it or may get it"));
            }
            Order::Cancelled if self.orders > 0 || at.flights > 0 => {
                return Err(Broken::new(Rule::Doubt, "cancelled, and the provider has it or may get it"));
            }
            Order::Accepted(_) | Order::Splitting(_) | Order::Ready { .. } if self.orders == 0 => {
                return Err(Broken::new(Rule::Doubt, "accepted, and the provider has nothing"));
            }
            Order::Ready { times, .. } => {
                let (quoted, first) = (at.ledger.children.iter().all(|(_, ok)| *ok), self.first_sent);
                if quoted && self.shown == (Shown::Remits { adds_up: false }) {
                    return Err(Broken::new(Rule::C, "a split that does not add up may be paid"));
                }
                if at.ledger.children.is_empty() {
                    return Err(Broken::new(Rule::Limbo, "ready without remits"));
                }
                if first.is_some_and(|first| times.first_sent > first + at.skew) {
                    return Err(Broken::new(Rule::C, "the 72 h are counted from later than the first send"));
                }
            }
            Order::Gated { .. }
            | Order::Creating { .. }
            | Order::CreateInDoubt { .. }
            | Order::Accepted(_)
            | Order::Splitting(_)
            | Order::Settled { .. }
            | Order::Rejected { .. }
            | Order::Cancelled
            | Order::NeedsOperator { .. } => {}
        }
        if rank(at.machine) < rank(before) {
            return Err(Broken::new(Rule::H, format!("{} became {}", before.name(), at.machine.name())));
        }
        Ok(())
    }

    fn negative(answer: &Verdict<Answer>) -> bool {
        matches!(answer, Verdict::Done(Answer::OrderAbsent))
    }

    fn over(&self, order: &Order) -> bool {
        matches!(order, Order::Ready { .. } | Order::Settled { .. } | Order::Rejected { .. } | Order::Cancelled)
    }
}
