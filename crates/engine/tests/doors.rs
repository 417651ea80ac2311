//! What comes in: submissions, posts, questions and callbacks.

mod support;

use engine::{Ask, NotTaken, Rejected, Rules};
use serde_json::json;
use std::time::Duration;
use store::{Posted, Submitted};
use support::{ACCOUNT, TENANT, World};

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

#[tokio::test]
async fn the_same_key_is_the_same_order() {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    assert_eq!(world.engine.submit(world.order("pay-1")).await.unwrap(), Submitted::Known(id));
    let other = engine::New { content_hash: "other".into(), ..world.order("pay-1") };
    assert_eq!(world.engine.submit(other).await.unwrap(), Submitted::Differs(id));
}

#[tokio::test]
async fn a_row_waits_in_the_lane_of_the_call_it_will_make() {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    assert_eq!(world.instance(id).await.lane, "-", "it opens its own gate first");
    world.engine.until_idle().await.unwrap();
    let accepted = world.instance(id).await;
    assert_eq!(
        (accepted.state_name.as_str(), accepted.lane.as_str()),
        ("accepted", "main:query"),
        "though it only waits now"
    );
}

#[tokio::test]
async fn an_ask_is_answered_by_a_turn() {
    let world = World::new().await;
    let remit = ready_remit(&world).await;
    let ask = Ask { to: remit, tenant: TENANT, dedupe: Some("key-1"), wait: Duration::from_secs(10) };
    let (answer, _) =
        tokio::join!(world.engine.ask(ask, |ask| json!({ "PermitAsked": { "ask": ask } })), world.engine.until_idle());
    let answer = answer.unwrap().expect("an answer");
    assert!(answer.get("granted").or(answer.get("refused")).is_some(), "{answer}");
}

#[tokio::test]
async fn an_ask_that_timed_out_is_collected_under_its_key() {
    let world = World::new().await;
    let remit = ready_remit(&world).await;
    let ask = |wait| Ask { to: remit, tenant: TENANT, dedupe: Some("key-1"), wait };
    let event = |ask| json!({ "PermitAsked": { "ask": ask } });
    assert_eq!(world.engine.ask(ask(Duration::from_millis(30)), event).await.unwrap(), None);
    world.engine.until_idle().await.unwrap();
    let answer = world.engine.ask(ask(Duration::ZERO), event).await.unwrap();
    assert!(answer.is_some());
    world.engine.until_idle().await.unwrap();
    assert_eq!(world.store.letters(remit).await.unwrap().len(), 1, "one question");
}

#[tokio::test]
async fn asking_nobody_is_an_error() {
    let world = World::new().await;
    let nobody = domain::InstanceId::new(world.clock.now());
    let ask = Ask { to: nobody, tenant: TENANT, dedupe: None, wait: Duration::ZERO };
    assert!(
        matches!(world.engine.ask(ask, |_| json!("HintSeen")).await, Err(engine::Error::UnknownInstance(id)) if id == nobody)
    );
}

#[tokio::test]
async fn s_f_a_callback_is_acknowledged_once_it_is_durable_and_moves_nothing() {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    let body = world.callback("pay-1");
    let ack = world.engine.receive(ACCOUNT, FORM, &body).await.unwrap();
    assert_eq!(ack.body, "SUCCESS");
    let letters = world.store.letters(id).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(world.instance(id).await.state_name, "gated", "the handler takes no transition");
    world.engine.receive(ACCOUNT, FORM, &body).await.unwrap();
    assert_eq!(world.store.letters(id).await.unwrap().len(), 1, "F67: every copy is acknowledged, one counts");
    world.until(id, "ready").await;
    assert!(world.story(id).await.contains(&"Hinted: callback".to_owned()));
}

#[tokio::test]
async fn f72_a_bad_signature_has_no_effect() {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    let mut body = world.callback("pay-1");
    let last = body.len() - 4;
    body[last] = b'x';
    let refused = world.engine.receive(ACCOUNT, FORM, &body).await;
    assert!(matches!(refused, Err(NotTaken::Rejected(Rejected::BadSignature | Rejected::Malformed(_)))));
    assert!(world.store.letters(id).await.unwrap().is_empty());
}

#[tokio::test]
async fn f71_a_callback_for_an_unknown_id_is_kept_and_found_by_its_order() {
    let world = World::new().await;
    world.engine.receive(ACCOUNT, FORM, &world.callback("pay-1")).await.unwrap();
    assert_eq!(world.store.orphans(world.clock.now() + Duration::from_secs(1)).await.unwrap().len(), 1);
    let id = world.submit("pay-1").await;
    assert_eq!(world.store.letters(id).await.unwrap().len(), 1);
    assert!(world.engine.orphans().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_callback_that_cannot_be_stored_is_not_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("levee.db");
    let world = World::with(Rules::default(), &format!("sqlite://{}", file.display())).await;
    world.store.close().await;
    let refused = world.engine.receive(ACCOUNT, FORM, &world.callback("pay-1")).await;
    assert!(matches!(refused, Err(NotTaken::Unavailable(_))));
}

#[tokio::test]
async fn a_post_counts_once_per_key() {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    let at = world.clock.now();
    let post = |n: u128| store::Post {
        id: uuid::Uuid::from_u128(n),
        tenant: TENANT.into(),
        to: store::Target::Instance(id),
        event: json!({ "CancelAsked": { "by": "a" } }),
        source: "api".into(),
        dedupe: Some("once".into()),
        raw: None,
        at,
    };
    assert_eq!(world.engine.post(post(1)).await.unwrap(), Posted::Stored);
    assert_eq!(world.engine.post(post(2)).await.unwrap(), Posted::Duplicate);
    world.engine.until_idle().await.unwrap();
    assert_eq!(world.instance(id).await.state_name, "cancelled");
    assert!(world.provider.calls().is_empty(), "CREATE never left");
}

async fn ready_remit(world: &World) -> domain::InstanceId {
    let id = world.submit("pay-1").await;
    world.until(id, "ready").await;
    world.remits().await.remove(0).id
}
