//! Ten thousand people at once. Minutes: `cargo test -p api --test scenarios crowd -- --ignored`.

use crate::signing::invitation;
use crate::world::*;
use serde_json::json;
use simulator::{Operation, Span};
use std::collections::BTreeMap;

const PEOPLE: u32 = 10_000;

async fn ten_thousand_people_sign_and_no_callback_tells_of_it(db: Db) -> World {
    let w = World::with(db, |setup| {
        setup.policy.sign_up_query_covers_sync_sign = true;
        setup.far.switches.batch_shows_sync_sign = true;
        setup.far.switches.sync_sign_silent_per_mille = 40;
        setup.far.timings.person = Span(1800, 1800);
    })
    .await;
    // Given ten thousand invitations in one call, and a provider whose callbacks never come.
    w.mute_callbacks(true);
    let items: Vec<_> = (1..=PEOPLE).map(|n| invitation("sync_sign", n)).collect();
    let taken = w.post("/v1/sign-ups", json!({ "items": items })).await.expect(200).json();
    assert_eq!((&taken["created"], &taken["refused"]), (&json!(PEOPLE), &json!(0)));
    // When a day and the grace have passed.
    w.run(hours(26)).await;
    // Then everybody is settled as the provider has it, and who was silent is listed for a new invitation.
    let ledger = w.ledger();
    let signed =
        ledger.sign_ups.iter().filter(|one| one.statuses.last().is_some_and(|(_, word)| word == "SIGN")).count();
    assert!((9_000..PEOPLE as usize).contains(&signed), "{signed} have signed");
    assert_eq!(w.all("/v1/sign-ups?state=signed").await.len(), signed);
    assert_eq!(w.all("/v1/sign-ups?state=not_signed").await.len(), PEOPLE as usize - signed);
    // And no sweep of all of them took more than 25 calls.
    let mut sweeps: BTreeMap<i64, usize> = BTreeMap::new();
    for call in w.arrivals(Operation::QuerySignUpBatch) {
        *sweeps.entry(call.at.millis()).or_default() += 1;
    }
    let most = sweeps.values().max().copied().unwrap_or(0);
    println!("{signed} signed, {} sweeps, at most {most} calls in one", sweeps.len());
    assert!((20..=25).contains(&most), "{sweeps:?}");
    w
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: tests/run --all"]
async fn on_sqlite() {
    ten_thousand_people_sign_and_no_callback_tells_of_it(Db::Sqlite).await.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: tests/run --all"]
async fn on_postgres() {
    ten_thousand_people_sign_and_no_callback_tells_of_it(Db::Postgres).await.end().await;
}
