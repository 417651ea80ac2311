//! Every operation of every adapter × every fault: one call, and what may be believed of it.

use crate::fault::{Belief, Far, Fault, Truth, Wire};
use crate::olading::Subject;
use crate::world::{ACCOUNT, NEXT, PATIENT, World};
use crate::{Outcome, Wrong, told};
use domain::Verdict;
use providers::olading::{Call, Client};
use providers::{Descriptor, Transport};
use simulator::ledger::{CallLine, Effect};
use simulator::{OladingScript, Sim};
use std::time::Duration;

/// How often the ledger is looked at before it is believed that what should be there is not.
const LOOKS: usize = 2000;

/// One cell of the grid. What is wrong, if anything.
pub(crate) async fn cell(transport: &Transport, operation: Descriptor, fault: Fault, patience: Duration) -> Outcome {
    // Orders are ready at once: this is about one call, not about a life.
    let world = World::new(transport, 0).await;
    let name = operation.name;
    let providers = world.providers();
    let client = providers.olading(ACCOUNT).expect("its own account");
    let open = || true;
    let call = Call { now: world.clock.now(), timeout: PATIENT, gate: &open };

    let (mut subject, mut other) = (Subject::new(1), Subject::new(2));
    subject.prepare(client, name, call).await;
    if fault.wire == Wire::Other {
        other.prepare(client, name, call).await;
        honest(&other, client, name, call).await?;
    }
    if fault.far == Far::Duplicate {
        honest(&subject, client, name, call).await?;
    }
    let (calls, lines) = (world.proxy.calls(), world.calls(0).len());
    world.arm(fault, calls, calls.saturating_sub(1), spoil).await;
    // What strikes before there is a connection needs one that has none.
    let stranger = match () {
        () if fault.wire == Wire::Refuse => Some(world.afresh("http")),
        () if fault.wire == Wire::NoTls => Some(world.afresh("https")),
        () => None,
    };
    let client = stranger.as_ref().and_then(|stranger| stranger.olading(ACCOUNT)).unwrap_or(client);
    let timeout = if fault.times_out() { patience } else { PATIENT };
    let sent = subject.call(client, name, Call { timeout, ..call }).await;
    let sent = sent.ok_or_else(no_row)?;

    if !world.proxy.struck() {
        return Err(Wrong::Missed);
    }
    let belief = Belief::of(&sent.verdict);
    let seen = happened(&world, lines, fault.truth).await;
    told(belief == fault.belief, || format!("the verdict is {:?}", sent.verdict))?;
    let arrived = world.proxy.calls() - calls;
    let expected = usize::from(fault.belief != Belief::NotNow);
    told(arrived == expected, || format!("{arrived} requests on the wire"))?;
    told(sent.exchange.is_some() == (arrived > 0), || "its bytes are kept when and only when some left".to_owned())?;
    told(seen.iter().all(|line| line.operation == name), || format!("other calls at the provider: {seen:?}"))?;
    told(fits(fault.truth, &seen), || format!("the provider's ledger is {:?}", effects(&seen)))?;
    told(sound(belief, &seen), || format!("{belief:?} is not what happened: {:?}", effects(&seen)))
}

fn no_row() -> Wrong {
    Wrong::Not("no row for this operation".to_owned())
}

/// What the far side has become when the call arrives.
fn spoil(fault: Fault, sim: &mut Sim) {
    if fault.far == Far::Duplicate {
        let code = sim.config().switches.codes.duplicate_request_id.clone();
        sim.script(OladingScript { code: Some(code), ..NEXT });
    }
}

/// A call without a fault is done.
async fn honest(subject: &Subject, client: &Client, name: &str, call: Call<'_>) -> Outcome {
    let sent = subject.call(client, name, call).await.ok_or_else(no_row)?;
    told(matches!(sent.verdict, Verdict::Done(())), || format!("without a fault the verdict is {:?}", sent.verdict))
}

/// The provider's lines about the call. What it does after our time-out is waited for; what it must never do cannot be.
async fn happened(world: &World, from: usize, truth: Truth) -> Vec<CallLine> {
    let at_first = world.calls(from);
    if truth == Truth::WorksLater {
        world.clock.advance_real(Duration::from_secs(600));
    }
    for _ in 0..LOOKS {
        let lines = world.calls(from);
        // Late is what works late.
        if fits(truth, &lines) && !(truth == Truth::WorksLater && at_first.iter().any(works)) {
            return lines;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.calls(from)
}

fn fits(truth: Truth, seen: &[CallLine]) -> bool {
    let working = seen.iter().filter(|line| works(line)).count();
    match truth {
        Truth::Unseen => seen.is_empty(),
        Truth::Idle => seen.len() == 1 && seen[0].effect == Effect::Nothing,
        Truth::Works => seen.len() == 1 && working == 1,
        Truth::WorksLater => seen.len() == 2 && seen[0].effect == Effect::Nothing && works(&seen[1]),
        Truth::SeenTwice => seen.len() == 2 && working >= 1,
        Truth::Refused => seen.len() == 1 && seen[0].effect == Effect::Refused,
    }
}

/// Safety.md §10 read from the ledger alone, whatever the fault was.
fn sound(belief: Belief, seen: &[CallLine]) -> bool {
    match belief {
        Belief::Done => seen.iter().any(works),
        Belief::Refused => !seen.is_empty() && !seen.iter().any(works),
        Belief::NotNow => seen.is_empty(),
        Belief::Unsure => true,
    }
}

/// It did what it was sent for, or the same had been done before.
fn works(line: &CallLine) -> bool {
    matches!(line.effect, Effect::Accepted | Effect::Duplicate | Effect::Read)
}

fn effects(seen: &[CallLine]) -> Vec<Effect> {
    seen.iter().map(|line| line.effect).collect()
}
