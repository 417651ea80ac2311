//! 72 hours in seconds: virtual time flows fast, and jumps to the next thing due whenever nobody has anything to do.

use super::closing::Progress;
use super::payer::Payer;
use super::people::Desk;
use super::stack::Stack;
use anyhow::{Context, Result};
use domain::Time;
use std::time::Duration;

/// A jump lands a little behind the next due time, so that neighbours are served together.
const SLACK: Duration = Duration::from_secs(90);
const BREATH: Duration = Duration::from_millis(3);
/// After the horizon whatever is still on its way may end: levies run, in-doubt calls are settled.
const TAIL: Duration = Duration::from_secs(30 * 3600);

pub(super) async fn run(
    stack: &Stack,
    payer: &mut Payer,
    desk: &mut Desk,
    horizon: Time,
    progress: &mut Progress,
) -> Result<()> {
    let mut quiet = 0;
    loop {
        payer.round().await?;
        desk.round().await?;
        let now = stack.clock.now();
        progress.at(stack, now, payer.paid).await?;
        if now >= horizon + TAIL || (now >= horizon && settled(stack).await? && desk.close().await? == 0) {
            return Ok(());
        }
        let next = next_due(stack, payer.next().min(desk.next())).await?;
        // Twice quiet in a row: a letter on its way between two looks is not overlooked.
        quiet = if next.is_some_and(|next| next > now) { quiet + 1 } else { 0 };
        match next {
            Some(next) if quiet >= 2 => {
                stack.advance((next.min(horizon + TAIL)).since(now) + SLACK).await?;
                quiet = 0;
            }
            _ => tokio::time::sleep(BREATH).await,
        }
    }
}

/// When anybody wants to act next, the people beside levee at `people`; `None` while somebody is acting.
async fn next_due(stack: &Stack, people: Time) -> Result<Option<Time>> {
    let store = &stack.running.engine.store;
    let busy =
        stack.sim.in_flight() > 0 || store.live_claims(stack.clock.real()).await.context("count the live claims")? > 0;
    if busy {
        return Ok(None);
    }
    let ours = store.next_wake().await.context("read the next wake-up")?;
    let next = [ours, stack.sim.due()].into_iter().flatten().fold(people, Time::min);
    Ok(Some(next))
}

/// Every order and remit is at rest or waits for a person.
async fn settled(stack: &Stack) -> Result<bool> {
    let counts = stack.running.engine.store.counts().await.context("count the instances")?;
    let resting = workflows::book::resting();
    let waits = |state: &str| matches!(state, "needs_operator" | "contradicted" | "gated" | "ready" | "owed");
    Ok(counts.iter().all(|count| {
        count.count == 0
            || waits(&count.state)
            || resting.iter().any(|(workflow, state)| *workflow == count.workflow && *state == count.state)
    }))
}
