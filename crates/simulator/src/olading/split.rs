//! How an order becomes remits: by 资质方配置, by monthly caps, and the fee arithmetic of each (000 §2.3).

use super::book::Asked;
use crate::{Agent, Location};
use domain::Money;

/// The money of one remit. `fee + compensate_fee = sum_fee`, and `amount + sum_fee = actual_amount`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quote {
    pub(crate) amount: i64,
    pub(crate) fee: i64,
    pub(crate) compensate_fee: i64,
    pub(crate) sum_fee: i64,
    pub(crate) actual_amount: i64,
}

/// Divides what was asked over places: evenly over the first ones where the configuration says so, the rest by room, in order.
/// `room` tells what is left of a place's monthly cap. `None` when all places together have too little.
pub(crate) fn shares<'a>(
    agent: &'a Agent,
    wanted: Option<&str>,
    asked: Asked,
    room: impl Fn(&Location) -> i64,
) -> Option<Vec<(&'a Location, i64)>> {
    let places: Vec<&Location> =
        agent.locations.iter().filter(|place| wanted.is_none_or(|id| id == place.id)).collect();
    let total = asked.fen();
    let spread = match &agent.split {
        Some(split) if wanted.is_none() && total >= split.from.fen() => {
            usize::from(split.over).clamp(1, places.len().max(1))
        }
        Some(_) | None => 1,
    };
    let rooms: Vec<i64> = places.iter().map(|place| room(place).max(0)).collect();
    let parts = i64::try_from(spread).ok()?;
    let mut left = total;
    let mut shares = vec![0; places.len()];
    for (index, share) in shares.iter_mut().enumerate().take(spread) {
        let even = total / parts + if index == 0 { total % parts } else { 0 };
        *share = even.min(rooms[index]);
        left -= *share;
    }
    for (share, room) in shares.iter_mut().zip(&rooms) {
        let more = left.min(room - *share);
        *share += more;
        left -= more;
    }
    let placed = places.into_iter().zip(shares).filter(|(_, share)| *share > 0).collect();
    (left == 0).then_some(placed)
}

/// The other amounts of a share: 纳税人实到税后收入 and 企业应付金额, whichever was given (rule 4), to the fen.
pub(crate) fn quote(place: &Location, asked: Asked, share: i64) -> Quote {
    let part = |amount: i64, basis_points: i64| (amount * basis_points + 5_000) / 10_000;
    match asked {
        Asked::Net(_) => {
            let (fee, compensate_fee) = (part(share, place.fee_bp), part(share, place.compensate_bp));
            Quote {
                amount: share,
                fee,
                compensate_fee,
                sum_fee: fee + compensate_fee,
                actual_amount: share + fee + compensate_fee,
            }
        }
        Asked::Gross(_) => {
            let amount = share * 10_000 / (10_000 + place.fee_bp + place.compensate_bp);
            let compensate_fee = amount * place.compensate_bp / 10_000;
            let sum_fee = share - amount;
            Quote { amount, fee: sum_fee - compensate_fee, compensate_fee, sum_fee, actual_amount: share }
        }
    }
}

/// Fen that are known to be in range, as money.
pub(crate) fn money(fen: i64) -> Money {
    Money::from_fen(fen).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalogue;

    fn fen(shares: &[(&Location, i64)]) -> Vec<(String, i64)> {
        shares.iter().map(|(place, share)| (place.id.clone(), *share)).collect()
    }

    #[test]
    fn a_large_order_is_spread_and_a_small_one_is_not() {
        let agent = &Catalogue::default().agents["1001"];
        let free = |_: &Location| 5_000_000;
        let small = shares(agent, None, Asked::Net(money(999_999)), free).unwrap();
        assert_eq!(fen(&small), [("2001".into(), 999_999)]);
        let large = shares(agent, None, Asked::Net(money(1_000_001)), free).unwrap();
        assert_eq!(fen(&large), [("2001".into(), 500_001), ("2002".into(), 500_000)]);
        let fixed = shares(agent, Some("2003"), Asked::Net(money(1_000_001)), free).unwrap();
        assert_eq!(fen(&fixed), [("2003".into(), 1_000_001)], "the place that was asked for, and no other");
    }

    #[test]
    fn caps_push_the_rest_on_and_refuse_what_fits_nowhere() {
        let agent = &Catalogue::default().agents["1001"];
        let room = |place: &Location| if place.id == "2001" { 100 } else { 1000 };
        let pushed = shares(agent, None, Asked::Net(money(1500)), room).unwrap();
        assert_eq!(fen(&pushed), [("2001".into(), 100), ("2002".into(), 1000), ("2003".into(), 400)]);
        assert!(shares(agent, None, Asked::Net(money(2101)), room).is_none());
        assert!(shares(agent, Some("2001"), Asked::Net(money(101)), room).is_none());
    }

    #[test]
    fn fees_add_up_to_the_fen_in_both_directions() {
        let agent = &Catalogue::default().agents["1001"];
        for place in &agent.locations {
            for share in [1, 7, 99, 100, 123_456, 99_999_999] {
                for asked in [Asked::Net(money(share)), Asked::Gross(money(share))] {
                    let q = quote(place, asked, share);
                    assert_eq!(q.fee + q.compensate_fee, q.sum_fee);
                    assert_eq!(q.amount + q.sum_fee, q.actual_amount);
                    assert!(q.fee >= 0 && q.compensate_fee >= 0 && q.amount >= 0);
                    let given = match asked {
                        Asked::Net(_) => q.amount,
                        Asked::Gross(_) => q.actual_amount,
                    };
                    assert_eq!(given, share, "what was asked stands");
                }
            }
        }
    }
}
