//! What comes in together is written together, and each is answered for itself (S-F).

#[path = "../../engine/tests/support/mod.rs"]
mod support;

use domain::ids;
use engine::{Engine, New};
use serde_json::json;
use store::{Post, Posted, Submitted, Target};
use support::World;
use worker::Options;
use workflows::bare::{Bare, Input};

const TENANT: &str = "default";

fn start(engine: &Engine, key: &str, address: &str) -> New {
    New {
        workflow: "bare".into(),
        tenant: TENANT.into(),
        account: "stub".into(),
        business_key: key.into(),
        address: Some(address.into()),
        input: json!(Input { key: key.into() }),
        state: json!(Bare::begin(engine.clock.now())),
        ..New::default()
    }
}

fn signal(engine: &Engine, to: &str, dedupe: &str) -> Post {
    let at = engine.clock.now();
    Post {
        id: ids::draw(at),
        tenant: TENANT.into(),
        to: Target::Address(to.into()),
        event: Bare::signal(),
        source: "api".into(),
        dedupe: Some(dedupe.into()),
        raw: None,
        at,
    }
}

#[tokio::test]
async fn each_start_of_a_group_is_answered_for_itself_and_a_forbidden_one_fails_alone() {
    let world = World::new().await;
    let engine = world.restarted();
    let intake = worker::take_in(&engine, &Options::default());
    let mut starts = tokio::task::JoinSet::new();
    for n in 0..40 {
        // The twentieth takes an address that is another's; the last one repeats a key.
        let (key, address) = match n {
            20 => ("b-20".to_owned(), "a-7".to_owned()),
            39 => ("b-3".to_owned(), "a-3".to_owned()),
            _ => (format!("b-{n}"), format!("a-{n}")),
        };
        let (engine, new) = (engine.clone(), start(&engine, &key, &address));
        starts.spawn(async move { (n, engine.submit(new).await) });
    }
    let (mut created, mut known, mut refused) = (0, 0, Vec::new());
    while let Some(answer) = starts.join_next().await {
        match answer.unwrap() {
            (_, Ok(Submitted::Created(id))) => {
                assert!(world.store.instance(id).await.unwrap().is_some(), "answered before it was durable");
                created += 1;
            }
            (_, Ok(Submitted::Known(_))) => known += 1,
            (n, Ok(Submitted::Differs(_)) | Err(_)) => refused.push(n),
        }
    }
    // Whichever of the two that want one address came second is the one that fails.
    assert!(refused == [20] || refused == [7], "{refused:?}");
    assert_eq!((created, known), (38, 1));
    intake.end().await;
}

#[tokio::test]
async fn copies_of_one_callback_in_one_group_ring_once() {
    let world = World::new().await;
    let engine = world.restarted();
    let intake = worker::take_in(&engine, &Options::default());
    let id = engine.submit(start(&engine, "b-1", "a-1")).await.unwrap();
    let copy = signal(&engine, "a-1", "the same body");
    let copies = (0..32).map(|n| {
        // Some under the id that follows from the body, some drawn anew.
        let post = if n % 2 == 0 { copy.clone() } else { signal(&engine, "a-1", "the same body") };
        let engine = engine.clone();
        async move { engine.post(post).await.unwrap() }
    });
    let answers = futures::future::join_all(copies).await;
    assert!(answers.iter().all(|answer| matches!(answer, Posted::Stored | Posted::Duplicate)), "{answers:?}");
    let Submitted::Created(id) = id else { panic!("{id:?}") };
    assert_eq!(world.store.letters(id).await.unwrap().len(), 1);
    let audits = engine.audits().await.unwrap();
    assert!(audits.iter().all(|finding| finding.count == 0), "{audits:?}");
    intake.end().await;
}

#[tokio::test]
async fn what_comes_after_the_end_is_written_by_itself() {
    let world = World::new().await;
    let engine = world.restarted();
    let intake = worker::take_in(&engine, &Options::default());
    intake.end().await;
    assert!(matches!(engine.submit(start(&engine, "b-1", "a-1")).await, Ok(Submitted::Created(_))));
    assert!(matches!(engine.post(signal(&engine, "a-1", "s")).await, Ok(Posted::Stored)));
}
