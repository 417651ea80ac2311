//! The monthly limit of a person's pay, as advice (000 §2.3.5, P08): the provider keeps the true account, and races for it are its own.

use crate::api::Api;
use crate::orders::draft::Draft;
use crate::orders::{Known, WORKFLOW};
use crate::problem::Error;
use domain::levy::Terms;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;
use workflows::levy_order::{Order, Outcome};

/// What somebody is paid in this month, and where; of no place it may be any.
type Paid = (Option<String>, i64);

/// The business keys of those drafts that exceed it, with the person's other orders of this month and with the drafts before them.
/// Each comes with its person's stored snapshot.
pub(crate) async fn exceeded(api: &Api, tenant: &str, drafts: &[(&Draft, Uuid)]) -> Result<BTreeSet<String>, Error> {
    let limit = |draft: &Draft| api.engine().rules.policy(&draft.account).month_limit;
    let persons: Vec<Uuid> = drafts.iter().filter(|(draft, _)| limit(draft).is_some()).map(|(_, id)| *id).collect();
    let mut over = BTreeSet::new();
    if persons.is_empty() {
        return Ok(over);
    }
    let since = api.now().beijing().month_start();
    let mut before: HashMap<(Uuid, String), Vec<Paid>> = HashMap::new();
    for (person, row) in api.store().of_same_people(tenant, WORKFLOW, &persons, since).await? {
        let order = Known::read(row)?;
        if takes_its_share(&order.state) {
            before.entry((person, order.row.account)).or_default().push(paid(&order.input.terms));
        }
    }
    // Snapshots of one human differ where a phone or a card does.
    let mut human: HashMap<(&str, &str), Vec<Paid>> = HashMap::new();
    for (draft, person) in drafts {
        let Some(limit) = limit(draft) else { continue };
        let account = draft.account.as_str();
        let paid_before = human
            .entry((draft.person.id_card.expose(), account))
            .or_insert_with(|| before.remove(&(*person, draft.account.clone())).unwrap_or_default());
        let (place, fen) = paid(&draft.terms);
        let here = |(other, _): &&Paid| other.is_none() || place.is_none() || *other == place;
        let sum = paid_before.iter().filter(here).fold(fen, |sum, (_, fen)| sum.saturating_add(*fen));
        if sum > limit.fen() {
            over.insert(draft.business_key.clone());
        }
        paid_before.push((place, fen));
    }
    Ok(over)
}

fn paid(terms: &Terms) -> Paid {
    (terms.tax_agent_location_id.clone(), terms.asked.money().fen())
}

/// What will not be paid takes none.
fn takes_its_share(order: &Order) -> bool {
    let unpaid = matches!(order, Order::Settled { outcome: Outcome::Cancelled | Outcome::Closed, .. });
    !unpaid && !matches!(order, Order::Rejected { .. } | Order::Cancelled)
}
