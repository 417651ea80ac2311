//! The quote gate (P06): before any payment the provider's split must add up to what was asked, to the fen.

use crate::Policy;
use crate::policy::SumCheck;
use domain::Money;
use domain::levy::{Asked, RemitSeen};
use domain::planted::{Bug, planted};
use std::collections::BTreeSet;

/// Why a split must not be paid as it stands, in words for the case; `None` when it adds up.
pub fn broken(asked: Asked, remits: &[RemitSeen], policy: &Policy) -> Option<String> {
    if planted(Bug::IgnoreQuote) {
        return None;
    }
    let ids: BTreeSet<_> = remits.iter().map(|r| &r.provider_order_id).collect();
    if ids.len() != remits.len() {
        return Some("an order id occurs twice in the remit list".into());
    }
    let formula = remits.iter().find(|r| r.fee.checked_add(r.compensate_fee) != Some(r.sum_fee));
    if let Some(r) = formula {
        return Some(format!(
            "fee {} + compensate_fee {} is not sum_fee {} ({})",
            r.fee, r.compensate_fee, r.sum_fee, r.provider_order_id
        ));
    }
    if let Some(r) = remits.iter().find(|r| over_cap(r, policy)) {
        return Some(format!("sum_fee {} of {} exceeds the agreed cap", r.sum_fee, r.provider_order_id));
    }
    let gross_held = policy.gross_sum_check == SumCheck::Hold;
    sum_differs(asked, remits, policy).filter(|_| matches!(asked, Asked::Net(_)) || gross_held)
}

/// What a person is warned of and nothing is held for: a gross sum that differs, where the account says so.
pub fn warning(asked: Asked, remits: &[RemitSeen], policy: &Policy) -> Option<String> {
    let warned = matches!(asked, Asked::Gross(_)) && policy.gross_sum_check == SumCheck::Warn;
    if warned { sum_differs(asked, remits, policy) } else { None }
}

fn over_cap(remit: &RemitSeen, policy: &Policy) -> bool {
    let Some(cap) = policy.fee_cap_basis_points else { return false };
    i128::from(remit.sum_fee.fen()) * 10_000 > i128::from(remit.amount.fen()) * i128::from(cap)
}

fn sum_differs(asked: Asked, remits: &[RemitSeen], policy: &Policy) -> Option<String> {
    let (wanted, sum, name, tolerance) = match asked {
        Asked::Net(net) => (net, Money::sum(remits.iter().map(|r| r.amount)), "amount", 0),
        Asked::Gross(gross) => {
            let splits = i64::try_from(remits.len()).unwrap_or(i64::MAX);
            (
                gross,
                Money::sum(remits.iter().map(|r| r.actual_amount)),
                "actual_amount",
                policy.gross_sum_tolerance_fen.saturating_mul(splits),
            )
        }
    };
    match sum {
        Some(sum) if sum.distance(wanted) <= tolerance => None,
        Some(sum) => Some(format!("the sum of {name} is {sum}, asked was {wanted}")),
        None => Some(format!("the sum of {name} is out of range")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::levy::RemitStatus;

    fn remit(id: &str, amount: &str, fee: &str, compensate: &str, sum: &str) -> RemitSeen {
        let money = |s| Money::parse(s).unwrap();
        RemitSeen {
            provider_order_id: id.to_owned().try_into().unwrap(),
            tax_agent_location_id: "2001".into(),
            amount: money(amount),
            fee: money(fee),
            actual_amount: money(amount).checked_add(money(sum)).unwrap(),
            compensate_fee: money(compensate),
            sum_fee: money(sum),
            status: RemitStatus::Accepted,
        }
    }

    #[test]
    fn p06_the_split_must_add_up_before_anything_is_paid() {
        let policy = Policy::default();
        let net = |s| Asked::Net(Money::parse(s).unwrap());
        let good = [remit("a", "60.00", "3.00", "0.60", "3.60"), remit("b", "40.00", "2.00", "0.40", "2.40")];
        assert_eq!(broken(net("100.00"), &good, &policy), None);
        assert!(broken(net("100.01"), &good, &policy).unwrap().contains("sum of amount"));
        assert_eq!(broken(Asked::Gross(Money::parse("106.00").unwrap()), &good, &policy), None);
        assert!(broken(Asked::Gross(Money::parse("105.99").unwrap()), &good, &policy).is_some());
        let off_by_one = [remit("a", "100.00", "3.00", "0.60", "3.61")];
        assert!(broken(net("100.00"), &off_by_one, &policy).unwrap().contains("sum_fee"));
        let twice = [good[0].clone(), good[0].clone()];
        assert!(broken(net("120.00"), &twice, &policy).unwrap().contains("twice"));
        let capped = Policy { fee_cap_basis_points: Some(500), ..Policy::default() };
        assert!(broken(net("100.00"), &good, &capped).unwrap().contains("cap"));
    }
}
