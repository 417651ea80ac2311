//! The truth-side predicates that are looked at whenever something happens (faults.md §5): at every send, arrival and payment. They
//! know the far side's ledger, and nothing of our tables but what is durable when a call leaves.

use super::core::CallId;
use super::near::Near;
use super::plan::Plan;
use super::tally::Tally;
use domain::{InstanceId, Time};
use simulator::ledger::{CallLine, Effect};
use simulator::{BankReply, PaymentStatus, Reply, Sim};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::Instance;
use workflows::Params;

#[derive(Default)]
pub(super) struct Oracle {
    pub(super) violations: Vec<String>,
    /// `request_id` → our order.
    orders: BTreeMap<String, InstanceId>,
    /// The provider's remit → ours.
    pub(super) remits: BTreeMap<String, Paying>,
    sends: BTreeMap<String, Sends>,
    /// Orders with a decision that has left.
    decided: BTreeSet<String>,
    /// Looks at an order since its last send that changes something.
    looks: BTreeMap<String, Vec<Look>>,
    /// When each look that is under way was asked.
    asked: BTreeMap<CallId, Time>,
    /// Answers on their way that a look will believe.
    coming: BTreeMap<CallId, Shown>,
    quarantine: Duration,
    spacing: Duration,
}

/// What is known of the payments of one remit.
#[derive(Debug, Clone)]
pub(super) struct Paying {
    pub(super) id: InstanceId,
    pub(super) request_id: String,
    pub(super) pay_cutoff: Time,
    /// Every number that its payer has used.
    pub(super) numbers: Vec<String>,
}

#[derive(Default)]
struct Sends {
    last: Option<Time>,
    directions: BTreeSet<&'static str>,
}

/// It tells of its question's moment, however late its answer came.
#[derive(Debug, Clone)]
struct Look {
    asked: Time,
    answered: Time,
    shown: Shown,
}

/// What an order's query showed: absent, or these remits in ACCEPT.
#[derive(Debug, Clone)]
enum Shown {
    Absent,
    Accepting(Vec<String>),
}

/// One call, as its bytes say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sent {
    Create(String),
    Continue(String),
    Cancel(String),
    Query(String),
}

/// Clocks of workers differ by less than this.
pub(super) const SLACK: Duration = Duration::from_millis(1100);

impl Sent {
    /// Reads a form; the names and ids of these calls need no decoding.
    pub(super) fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let value = |name: &str| {
            let after = text.split_once(&format!("%22{name}%22%3A%22")).map_or("", |(_, after)| after);
            after.split('%').next().unwrap_or_default().to_owned()
        };
        match () {
            () if text.contains("CREATE_ORDER_V2") => Sent::Create(value("request_id")),
            () if text.contains("CONFIRM_ORDER_V2") && text.contains("CONTINUE") => Sent::Continue(value("order_id")),
            () if text.contains("CONFIRM_ORDER_V2") => Sent::Cancel(value("order_id")),
            () => Sent::Query(value("request_id")),
        }
    }
}

/// I7: what changes the provider leaves only from a durable state that wants it, under a claim that is counted.
pub(super) fn intended(sent: &Sent, row: Option<&Instance>, now: Time) -> Option<String> {
    let wanted = match sent {
        Sent::Create(_) => "creating",
        Sent::Continue(_) => "confirming",
        Sent::Cancel(_) => "cancelling",
        Sent::Query(_) => return None,
    };
    let Some(row) = row else { return Some(format!("I7 {sent:?} left for a machine that is not stored")) };
    if row.state_name != wanted || row.claims != 1 {
        return Some(format!("I7 {sent:?} left while {} is {} under claim {}", row.id, row.state_name, row.claims));
    }
    let over = row.claimed_until.is_none_or(|until| until + SLACK < now);
    over.then(|| format!("F8 {sent:?} left after the lease of {} had ended", row.id))
}

impl Oracle {
    pub(super) fn new(_: &Plan) -> Self {
        let params = Params::default();
        Self { quarantine: params.quarantine, spacing: params.probe_spacing, ..Self::default() }
    }

    pub(super) fn found(&mut self, violation: Option<String>) {
        self.violations.extend(violation);
    }

    pub(super) fn order(&mut self, request_id: String, id: InstanceId) {
        self.orders.insert(request_id, id);
    }

    pub(super) fn remit(&mut self, id: InstanceId, input: &workflows::remit::Input) {
        self.remits.entry(input.provider_order_id.to_string()).or_insert_with(|| Paying {
            id,
            request_id: input.request_id.to_string(),
            pay_cutoff: input.pay_cutoff,
            numbers: Vec::new(),
        });
    }

    pub(super) fn machine(&self, sent: &Sent) -> Option<InstanceId> {
        match sent {
            Sent::Create(request_id) => self.orders.get(request_id).copied(),
            Sent::Continue(order_id) | Sent::Cancel(order_id) => self.remits.get(order_id).map(|remit| remit.id),
            Sent::Query(_) => None,
        }
    }

    /// A call leaves: S-G, I1, I5, I6.
    pub(super) fn leaves(&mut self, call: CallId, sent: &Sent, now: Time, sim: &mut Sim, tally: &mut Tally) {
        match sent {
            Sent::Query(_) => {
                self.asked.insert(call, now);
            }
            Sent::Create(request_id) => {
                if !self.orders.contains_key(request_id) {
                    self.violations.push(format!("S-E CREATE left under {request_id}, which no order of ours has"));
                }
                self.again(format!("create {request_id}"), request_id, None, now, tally);
            }
            Sent::Continue(order_id) | Sent::Cancel(order_id) => self.decides(sent, order_id, now, sim, tally),
        }
    }

    fn decides(&mut self, sent: &Sent, order_id: &str, now: Time, sim: &mut Sim, tally: &mut Tally) {
        let direction = if matches!(sent, Sent::Continue(_)) { "CONTINUE" } else { "CANCEL" };
        let key = format!("decide {order_id}");
        let directions = &mut self.sends.entry(key.clone()).or_default().directions;
        directions.insert(direction);
        if directions.len() > 1 {
            self.violations.push(format!("I6 both CONTINUE and CANCEL left for {order_id}"));
        }
        let Some(remit) = self.remits.get(order_id).cloned() else {
            self.violations.push(format!("I6 {direction} left for {order_id}, which no remit of ours has"));
            return;
        };
        let ends: Vec<PaymentStatus> =
            remit.numbers.iter().filter_map(|number| status(sim, now, number)).map(|(status, _)| status).collect();
        let paid = remit.numbers.iter().any(|number| status(sim, now, number).is_some_and(|(_, paid)| paid.is_some()));
        if direction == "CONTINUE" && !paid {
            self.violations.push(format!("I1 CONTINUE left for {order_id}, and the bank has paid nothing: {ends:?}"));
        }
        let may_be_paid = |status: &PaymentStatus| {
            matches!(status, PaymentStatus::Success | PaymentStatus::Pending | PaymentStatus::Unknown)
        };
        if direction == "CANCEL" && ends.iter().any(may_be_paid) {
            self.violations.push(format!("I5 CANCEL left for {order_id}, and the bank says {ends:?}"));
        }
        self.decided.insert(remit.request_id.clone());
        self.again(key, &remit.request_id, Some(order_id), now, tally);
    }

    /// S-G: the same call again only after the quarantine and two negative probes, apart.
    fn again(&mut self, key: String, request_id: &str, remit: Option<&str>, now: Time, tally: &mut Tally) {
        let Some(last) = self.sends.entry(key.clone()).or_default().last.replace(now) else { return };
        let looks = self.looks.get(request_id).map_or(&[][..], Vec::as_slice);
        tally.count(Near::Resent);
        let open = last + self.quarantine - SLACK;
        let negative = |shown: &Shown| match (shown, remit) {
            (Shown::Absent, None) => true,
            (Shown::Accepting(remits), Some(remit)) => remits.iter().any(|accepting| accepting == remit),
            (Shown::Absent, Some(_)) | (Shown::Accepting(_), None) => false,
        };
        let negatives: Vec<&Look> = looks.iter().filter(|look| look.asked >= open && negative(&look.shown)).collect();
        let apart = |first: &Look, then: &Look| then.asked + SLACK >= first.answered + self.spacing;
        let apart = negatives.iter().any(|first| negatives.iter().any(|then| apart(first, then)));
        if now < open || !apart {
            let waited = now.since(last).as_secs();
            self.violations.push(format!("S-G {key} left again after {waited} s and the probes {negatives:?}"));
        }
    }

    /// What a call's answer will tell whoever waits for it.
    pub(super) fn answered(&mut self, sent: &Sent, reply: &Reply, call: CallId) {
        use simulator::faults::CallFault::{CallbackFirst, Delay, Stale};
        let Sent::Query(request_id) = sent else { return };
        // A worker that slept through its own time-out reads an answer that came meanwhile.
        if !matches!(reply.fault, None | Some(Stale | CallbackFirst | Delay)) {
            return;
        }
        let Some(answer) = reply.answer() else { return };
        let text = String::from_utf8_lossy(&answer.body);
        if text.contains("\"code\":\"1404\"") {
            self.coming.insert(call, Shown::Absent);
        } else if self.decided.contains(request_id) {
            let body: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            let remits = body["data"]["remit_order_list"].as_array().cloned().unwrap_or_default();
            let open = remits.iter().filter(|remit| remit["remit_status"] == "ACCEPT");
            let open = open.filter_map(|remit| remit["order_id"].as_str().map(str::to_owned)).collect();
            self.coming.insert(call, Shown::Accepting(open));
        }
    }

    /// An answer has reached its worker.
    pub(super) fn landed(&mut self, call: CallId, sent: &Sent, now: Time) {
        let look = self.coming.remove(&call).zip(self.asked.remove(&call));
        if let (Some((shown, asked)), Sent::Query(request_id)) = (look, sent) {
            self.looks.entry(request_id.clone()).or_default().push(Look { asked, answered: now, shown });
        }
    }

    /// Its time is up: what came of it so far is not read. A worker that sleeps through this may read what comes later.
    pub(super) fn given_up(&mut self, call: CallId) {
        self.coming.remove(&call);
    }

    pub(super) fn lost(&mut self, call: CallId) {
        self.coming.remove(&call);
        self.asked.remove(&call);
    }

    /// New lines of the provider's log: I13 and I25.
    pub(super) fn arrived(&mut self, lines: &[CallLine]) {
        for line in lines {
            if line.operation == "?" || line.code.as_deref() == Some("0003") {
                self.violations.push(format!("I25 the provider did not understand a call of ours: {:?}", line.facts));
            }
            if line.effect == Effect::Refused && line.facts.contains_key("why") {
                self.violations.push(format!("I25 the provider turned a call of ours away: {:?}", line.facts));
            }
        }
    }

    /// I12: a payment leaves inside the gate only.
    pub(super) fn pays(&mut self, order_id: &str, number: &str, now: Time, sim: &Sim) {
        let Some(remit) = self.remits.get_mut(order_id) else {
            self.violations.push(format!("I12 a payment for {order_id}, which no remit of ours has"));
            return;
        };
        let late = now >= remit.pay_cutoff + SLACK;
        if !remit.numbers.iter().any(|known| known == number) {
            remit.numbers.push(number.to_owned());
        }
        let status = sim.remit_status(order_id);
        if late || status != Some("ACCEPT") {
            self.violations.push(format!("I12 {order_id} was paid while the provider shows {status:?}, late: {late}"));
        }
    }
}

/// The bank's word on a number, and when it paid.
fn status(sim: &mut Sim, now: Time, number: &str) -> Option<(PaymentStatus, Option<Time>)> {
    match sim.payment(now, number) {
        BankReply::Known(payment) => Some((payment.status, payment.paid_at)),
        BankReply::NoSuch | BankReply::Conflict | BankReply::Invalid(_) | BankReply::Lost => None,
    }
}
