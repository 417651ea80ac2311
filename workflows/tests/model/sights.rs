//! What a query may show of a remit: what is, what the provider may have done by itself since the last look, a lagging copy, an odd
//! word, nothing.

use crate::remit::{Outside, Side, input};
use crate::world::{Here, Sight};
use domain::levy::{OrderSeen, OrderStatus, RemitSeen, RemitStatus};
use domain::{Answer, Fault, Verdict};
use workflows::remit::Remit;

impl Outside {
    pub(crate) fn shows(&self, at: &Here<'_, Remit>) -> Vec<Sight<Self>> {
        let sight = |word, side: Side, surprise| {
            let mut far = self.clone();
            far.becomes(side, at.now);
            far.accepted = self.accepted.max((side == Side::Open).then_some(at.now));
            Sight { word, answer: far.answer(side, None), far, surprise }
        };
        let mut sights = vec![sight(shown(self.side), self.side, false)];
        sights.extend(self.next(at).into_iter().map(|(word, side, surprise)| sight(word, side, surprise)));
        if at.left == 0 {
            return sights;
        }
        if let Some((before, _)) = self.before.filter(|(_, since)| at.now < *since + at.quarantine) {
            let mut far = self.clone();
            far.accepted = self.accepted.max((before == Side::Open).then_some(at.now));
            sights.push(Sight {
                word: "a lagging copy answers",
                answer: self.answer(before, None),
                far,
                surprise: true,
            });
        }
        let odd = self.answer(self.side, Some("FROZEN"));
        sights.push(Sight { word: "the query shows an unknown word", answer: odd, far: self.clone(), surprise: true });
        let answer = Verdict::Unsure(Fault::Timeout);
        sights.push(Sight { word: "the query fails", answer, far: self.clone(), surprise: true });
        sights
    }

    pub(crate) fn answer(&self, side: Side, word: Option<&str>) -> Verdict<Answer> {
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
}

fn shown(side: Side) -> &'static str {
    match side {
        Side::Open => "the query shows ACCEPT",
        Side::Running => "the query shows PROCESS",
        Side::Remitted => "the query shows REMIT",
        Side::LevyClosed | Side::Cancelled | Side::AutoClosed | Side::ClosedByOthers => "the query shows CLOSE",
    }
}
