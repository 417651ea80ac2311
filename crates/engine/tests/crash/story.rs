//! The lives that are lived, and what must have come of each however often it was interrupted.

use crate::process::folder;
use crate::talk::Standing;
use crate::world::{Ended, World};
use domain::Money;
use domain::planted::Bug;
use serde_json::Value;
use simulator::ledger::Effect;
use simulator::{CallFault, Ended as RemitEnd, OladingScript, Operation, PaymentStatus};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the payer and the client do with one remit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    Pay,
    /// The bank refuses the first attempt, finally.
    FailThenPay,
    /// The client does not want it any more.
    Cancel,
}

/// One order's life.
pub(crate) struct Story {
    pub(crate) name: &'static str,
    pub(crate) net: Money,
    pub(crate) plans: Vec<Plan>,
    pub(crate) callbacks: bool,
    pub(crate) faults: Vec<OladingScript>,
    /// The first so many requests find no provider to connect to.
    pub(crate) absent: usize,
    /// Whether this program knows the state of the order's row.
    pub(crate) readable: bool,
}

impl Story {
    /// Polling alone carries it.
    pub(crate) fn unsplit() -> Self {
        Self {
            name: "an unsplit order, paid and levied",
            net: Money::parse("128.50").expect("money"),
            plans: vec![Plan::Pay],
            callbacks: false,
            faults: Vec::new(),
            absent: 0,
            readable: true,
        }
    }

    pub(crate) fn called_back() -> Self {
        Self { name: "the same, with callbacks", callbacks: true, ..Self::unsplit() }
    }

    /// First there is no provider; then the answer of CREATE is lost; and CONTINUE itself is lost, and must be proved lost before it
    /// goes again (S-G).
    pub(crate) fn doubted() -> Self {
        let faults = vec![
            OladingScript::fault(Operation::CreateOrderV2, CallFault::DropAfter),
            OladingScript::fault(Operation::ConfirmOrderV2, CallFault::DropBefore),
        ];
        Self {
            name: "the same, with a provider away, a lost answer and a lost CONTINUE",
            faults,
            absent: 2,
            ..Self::unsplit()
        }
    }

    pub(crate) fn split() -> Self {
        Self {
            name: "an order split in three: one paid, one failed and paid, one cancelled",
            net: Money::parse("30000.00").expect("money"),
            plans: vec![Plan::Pay, Plan::FailThenPay, Plan::Cancel],
            callbacks: true,
            ..Self::unsplit()
        }
    }

    /// Nothing can be done with it but to tell a person, once.
    pub(crate) fn unreadable() -> Self {
        Self { name: "an order that this program cannot read", plans: Vec::new(), readable: false, ..Self::unsplit() }
    }

    pub(crate) fn all() -> [Self; 5] {
        [Self::unsplit(), Self::called_back(), Self::doubted(), Self::split(), Self::unreadable()]
    }
}

/// What must be the same in every life of a story.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Came {
    order: String,
    outcome: Value,
    /// By location: amount and state.
    remits: Vec<(String, String, String)>,
    orders_at_provider: usize,
    /// By location: how it ended there, and by which decision.
    ends: Vec<(String, Option<RemitEnd>, Option<String>)>,
    /// Amounts paid, and how many payments failed.
    paid: Vec<String>,
    failed: usize,
    /// Vouchers at the provider.
    papers: usize,
    cases: usize,
}

impl Came {
    pub(crate) fn of(ended: &Ended) -> Self {
        let Ended { standing, judged, ledger, .. } = ended;
        let Standing { order, outcome, remits, .. } = standing;
        let remits = remits.iter().map(|r| (r.location.clone(), r.amount.to_string(), r.state.clone())).collect();
        let mut ends: Vec<_> = ledger.remits.iter().collect();
        ends.sort_by(|a, b| a.tax_agent_location_id.cmp(&b.tax_agent_location_id));
        let end = |remit: &&simulator::ledger::RemitTruth| {
            let decision = remit.decision.as_ref().map(|decision| decision.next_step.clone());
            (remit.tax_agent_location_id.clone(), remit.ended, decision)
        };
        let with = |wanted| ledger.payments.iter().filter(move |payment| has(&payment.statuses, wanted));
        let mut paid: Vec<String> = with(PaymentStatus::Success).map(|payment| payment.amount.to_string()).collect();
        paid.sort();
        Self {
            order: order.clone(),
            outcome: outcome.clone(),
            remits,
            orders_at_provider: ledger.orders.len(),
            ends: ends.iter().map(end).collect(),
            paid,
            failed: with(PaymentStatus::Failed).count(),
            papers: ledger.documents.len(),
            cases: judged.cases,
        }
    }
}

fn has(statuses: &[(domain::Time, PaymentStatus)], wanted: PaymentStatus) -> bool {
    statuses.iter().any(|(_, status)| *status == wanted)
}

/// What no life may do, whatever another did: by the far side's ledger alone.
fn unsafe_deeds(Ended { ledger, payments, .. }: &Ended) -> Vec<String> {
    let mut deeds = Vec::new();
    // Each call that changes something is carried out once for its subject, and never comes again after that.
    let mut carried: BTreeMap<(&str, &str), Vec<Effect>> = BTreeMap::new();
    for call in &ledger.calls {
        let changes = ["CREATE_ORDER_V2", "CONFIRM_ORDER_V2"].contains(&call.operation.as_str());
        if changes && call.effect != Effect::Nothing {
            carried.entry((&call.operation, &call.id)).or_default().push(call.effect);
        }
    }
    for ((operation, _), effects) in carried {
        if effects != [Effect::Accepted] {
            deeds.push(format!("{operation} came to {effects:?}"));
        }
    }
    if ledger.orders.len() > 1 {
        deeds.push(format!("{} orders at the provider", ledger.orders.len()));
    }
    for remit in &ledger.remits {
        let numbers = payments.get(&remit.order_id);
        let of_remit = |number: &String| numbers.is_some_and(|numbers| numbers.contains(number));
        let paid = ledger.payments.iter().filter(|payment| of_remit(&payment.bank_order_no));
        let paid = paid.filter(|payment| has(&payment.statuses, PaymentStatus::Success)).count();
        if paid > 1 {
            deeds.push(format!("{} was paid {paid} times (S-D)", remit.order_id));
        }
        let next_step = remit.decision.as_ref().map(|decision| decision.next_step.as_str());
        if next_step == Some("CONTINUE") && paid == 0 {
            deeds.push(format!("{} is levied and was not paid (S-A)", remit.order_id));
        }
        if next_step == Some("CANCEL") && paid > 0 {
            deeds.push(format!("{} is cancelled and was paid (S-B)", remit.order_id));
        }
    }
    if ledger.payments.iter().any(|payment| payment.refused_repeats > 0) {
        deeds.push("two instructions under one bank order number".into());
    }
    deeds
}

/// A story with the database its lives begin with, and how it goes without a crash.
pub(crate) struct Stage {
    pub(crate) story: Story,
    folder: PathBuf,
    pub(crate) came: Came,
    /// The points of a life without a crash, in order.
    pub(crate) points: Vec<String>,
}

impl Stage {
    pub(crate) fn of(story: Story) -> Self {
        let folder = folder("template");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(crate::levee::begin(&folder.join("levee.db")));
        let ended = World::new(&story, &folder.join("levee.db"), &[], None).live();
        let faults = faults(&ended, None);
        assert!(faults.is_empty(), "{}, without a crash: {faults:#?}", story.name);
        let came = Came::of(&ended);
        let wanted = if story.readable { ("settled", 0) } else { (crate::levee::OF_THE_FUTURE, 1) };
        assert_eq!((came.order.as_str(), came.cases), wanted, "{}: {came:?}", story.name);
        assert_eq!(came.papers, came.paid.len(), "{}: every payment has its voucher: {came:?}", story.name);
        Self { story, folder, came, points: ended.judged.passed }
    }

    /// A life with these deaths: where it died, and what was wrong with it.
    pub(crate) fn live(&self, deaths: &[usize], planted: Option<Bug>) -> (Vec<String>, Vec<String>) {
        let ended = World::new(&self.story, &self.folder.join("levee.db"), deaths, planted).live();
        let faults = faults(&ended, Some(&self.came));
        (ended.deaths, faults)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

fn faults(ended: &Ended, wanted: Option<&Came>) -> Vec<String> {
    let mut faults = ended.broken.clone();
    faults.extend(unsafe_deeds(ended));
    let came = Came::of(ended);
    if let Some(wanted) = wanted.filter(|wanted| **wanted != came) {
        faults.push(format!("it came to {came:?}, without a crash to {wanted:?}"));
    }
    faults
}
