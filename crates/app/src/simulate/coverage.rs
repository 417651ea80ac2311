//! A green run that tested little is red (testing.md §6): every fault that the run claims must have struck. What it claims is read
//! from the code: a new kind of fault, touch or crash point that never strikes fails the next large run.

use super::Simulate;
use super::door::points;
use super::near::{Lost, Near};
use super::tally::Tally;
use super::wire::CRASHES;
use simulator::faults::{CallFault, CallbackFault};
use simulator::{Operation, Outcome};
use store::Touch;

/// From so many orders on, and with nothing left out, everything must have happened at least once.
const ENOUGH: u64 = 5000;
/// What befalls single processes now and then, and not single orders, needs so many.
const ENOUGH_FOR_RARE: u64 = 50_000;

/// The interfaces that an order's life touches; sign-ups, agreements and pictures are no part of it.
const OPERATIONS: [Operation; 3] = [Operation::CreateOrderV2, Operation::QueryOrderV2, Operation::ConfirmOrderV2];

/// What was claimed and never struck.
pub(super) fn thin(tally: &Tally, options: &Simulate) -> Vec<String> {
    let whole = options.without.is_empty() && options.intensity > 0;
    let claimed = claimed().into_iter().filter(|claim| whole && tally.orders >= claim.from);
    claimed.filter(|claim| (claim.count)(tally) == 0).map(|claim| format!("never struck: {}", claim.what)).collect()
}

/// One thing that must have struck from so many orders on.
struct Claim {
    what: String,
    from: u64,
    count: Box<dyn Fn(&Tally) -> u64>,
}

fn claim(what: String, from: u64, count: impl Fn(&Tally) -> u64 + 'static) -> Claim {
    Claim { what, from, count: Box::new(count) }
}

fn claimed() -> Vec<Claim> {
    let calls = OPERATIONS.iter().flat_map(|operation| {
        let fitting = CallFault::ALL.into_iter().filter(|fault| fault.fits(*operation));
        fitting.map(|fault| format!("{}/{}/{}", operation.name(), fault.phase().word(), fault.word()))
    });
    let callbacks = CallbackFault::ALL.iter().map(|fault| format!("CREATE_ORDER_V2/callback/{}", fault.word()));
    let payments = Outcome::ALL.iter().filter(|outcome| **outcome != Outcome::Success);
    let payments = payments.map(|outcome| format!("BANK/payment/{}", outcome.word()));
    let far = calls.chain(callbacks).chain(payments).map(|key| {
        let of = key.clone();
        claim(key, ENOUGH, move |tally| tally.pairs.get(&of).copied().unwrap_or(0))
    });
    let near = Near::ALL.iter().map(|what| {
        let from = if per_order(*what) { ENOUGH } else { ENOUGH_FOR_RARE };
        claim(what.word().into(), from, |tally| tally.of(*what))
    });
    let lost = Touch::ALL.into_iter().flat_map(|touch| {
        Lost::ALL.map(|how| {
            let of = move |tally: &Tally| tally.lost.get(&(touch, how)).copied().unwrap_or(0);
            claim(format!("{} {}", how.word(), touch.word()), often(touch), of)
        })
    });
    let at_touches = Touch::ALL.into_iter().filter_map(|touch| points(touch).map(|(a, b)| ([a, b], often(touch))));
    let at_touches = at_touches.flat_map(|(both, from)| both.map(|point| (point, from)));
    let crashes = at_touches.chain(CRASHES.map(|point| (point, ENOUGH))).map(|(point, from)| {
        claim(format!("crash {point}"), from, move |tally| tally.crashes.get(point).copied().unwrap_or(0))
    });
    far.chain(near).chain(lost).chain(crashes).collect()
}

fn often(touch: Touch) -> u64 {
    match touch {
        Touch::Submit | Touch::Post | Touch::Claim | Touch::Commit | Touch::Release | Touch::Person => ENOUGH,
        Touch::Answer | Touch::Freezes | Touch::Tokens | Touch::Lanes | Touch::Breaker | Touch::Case => ENOUGH_FOR_RARE,
    }
}

/// What befalls orders one by one; the rest befalls whole worlds.
fn per_order(what: Near) -> bool {
    match what {
        Near::BlackedOut | Near::ClockJumped | Near::ClockOff | Near::Froze | Near::ProviderOut => false,
        Near::CallsIntoOutage | Near::TouchesInBlackout | Near::TooLate => false,
        Near::Crashed | Near::Forgot | Near::HandedBack | Near::OddlyClosed | Near::OutOfOrder | Near::Paused => true,
        Near::AskedTwice | Near::Refused | Near::SaidTwice | Near::Slow | Near::SubmittedAgain | Near::Acknowledged => {
            true
        }
        Near::Answered
        | Near::CameMeanwhile
        | Near::Conflicts
        | Near::MovesOfPeople
        | Near::NotAcknowledged
        | Near::Payments => true,
        Near::Permits | Near::Resent | Near::Returned | Near::Split | Near::Takeovers | Near::TimedOut => true,
    }
}
