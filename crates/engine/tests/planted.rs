//! The planted bugs that lie outside the machines, where the model checker does not look: each is planted, and what is right
//! without it must be wrong with it (safety.md §16.5). In a process of its own: a planted bug is global.

mod support;

use domain::planted::{Bug, plant};
use engine::{NotTaken, Rules};
use support::{ACCOUNT, Say, World};

/// S-F: what cannot be stored is not acknowledged.
async fn an_acknowledged_callback_is_durable() -> bool {
    let file = std::env::temp_dir().join(format!("levee-{}.db", uuid::Uuid::new_v4()));
    let world = World::with(Rules::default(), &format!("sqlite://{}", file.display())).await;
    world.store.close().await;
    let taken = world.engine.receive(ACCOUNT, None, &world.callback("pay-1")).await;
    std::fs::remove_file(file).expect("the store's file");
    matches!(taken, Err(NotTaken::Unavailable(_)))
}

/// Whether an order whose CREATE is answered so stays in doubt until it is asked for.
async fn doubted(say: Say) -> bool {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    world.provider.say(say);
    world.engine.until_idle().await.expect("a store");
    let story = world.story(id).await;
    assert!(story.iter().any(|line| line.ends_with(": call")), "{story:?}");
    story.contains(&"CreateUnsure: call".to_owned())
}

/// What is right without the bug is wrong with it.
async fn finds<F: Future<Output = bool>>(bug: Bug, right: impl Fn() -> F) {
    plant(None);
    assert!(right().await, "{bug:?} is found where it is not");
    plant(Some(bug));
    assert!(!right().await, "{bug:?} is not found");
    plant(None);
}

#[tokio::test]
async fn a_bug_outside_the_machines_is_found() {
    finds(Bug::AckBeforeCommit, an_acknowledged_callback_is_durable).await;
    finds(Bug::BelieveBadSignature, || doubted(Say::Unsigned)).await;
    finds(Bug::BelieveForeignAnswer, || doubted(Say::Another)).await;
}
