//! What a drive promises, on the real machines, a store and a provider that misbehaves.

mod support;

use engine::{Ask, Committer, Driven, Limits, Rules};
use futures::FutureExt;
use serde_json::json;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::{Freeze, NewExchange, NewInstance, Turn};
use support::{ACCOUNT, Say, TENANT, World, meanwhile};

const DIRECT: Committer = Committer::Direct;
const LEASE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn an_order_goes_from_submit_to_ready() {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    world.until(id, "ready").await;
    assert_eq!(world.story(id).await[1..3], ["GateOpened: timer", "Created: call"]);
    assert_eq!(world.provider.creates(), 1);
    assert_eq!(world.remits().await.len(), 1, "one child per remit");
    assert_eq!(world.engine.limbo().await.unwrap().count, 0);
    assert_eq!(world.store.verify_history(id).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn principle_4_the_intent_is_durable_before_a_byte_leaves() {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    let (store, clock) = (world.store.clone(), world.clock.clone());
    world.provider.watch(move |name| {
        let row = meanwhile(store.instance(id)).unwrap().unwrap();
        if name == "CREATE_ORDER_V2" {
            assert_eq!(
                (row.state_name.as_str(), row.claims),
                ("creating", 1),
                "a claim of the state that wants the call"
            );
            assert!(row.claimed_until.is_some_and(|until| until >= clock.real() + LEASE));
        }
    });
    world.until(id, "ready").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f2_a_row_claimed_twice_is_found_in_doubt_before_anything_is_sent() {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    world.provider.say(Say::Panic);
    let rows = world.engine.claim(10).await.unwrap();
    let died = AssertUnwindSafe(world.engine.drive(rows[0].clone(), &DIRECT)).catch_unwind().await;
    assert!(died.is_err());
    assert_eq!(world.engine.until_idle().await.unwrap(), 0, "its lease still lives");

    let store = world.store.clone();
    world.provider.watch(move |name| {
        let row = meanwhile(store.instance(id)).unwrap().unwrap();
        assert_eq!(
            (name, row.state_name.as_str()),
            ("QUERY_ORDER_V2", "create_in_doubt"),
            "the doubt is durable first"
        );
    });
    world.clock.advance_real(LEASE + Duration::from_secs(1));
    let rows = world.engine.claim(10).await.unwrap();
    assert_eq!(rows[0].claims, 2);
    world.engine.drive(rows[0].clone(), &DIRECT).await;
    let story = world.story(id).await;
    assert_eq!(story[2..4], ["WorkerLost: takeover", "Seen: call"]);
    assert_eq!(world.provider.creates(), 1, "one provider order (I3)");
}

#[tokio::test]
async fn a_claim_that_may_have_been_sent_is_never_given_back_unread() {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    world.provider.say(Say::Panic);
    let row = world.engine.claim(10).await.unwrap().remove(0);
    let died = AssertUnwindSafe(world.engine.drive(row, &DIRECT)).catch_unwind().await;
    assert!(died.is_err());
    world.clock.advance_real(LEASE + Duration::from_secs(1));
    // Claimed by a worker that is told to stop before it begins.
    let rows = world.engine.claim(10).await.unwrap();
    world.engine.release(rows).await.unwrap();
    assert_eq!(world.instance(id).await.claims, 1, "its own claim counts nothing; the one that died still does");
    world.until(id, "ready").await;
    assert_eq!(world.provider.creates(), 1);
}

#[tokio::test]
async fn a_claim_nobody_has_begun_goes_back_at_once() {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    let rows = world.engine.claim(10).await.unwrap();
    world.engine.release(rows).await.unwrap();
    assert_eq!(world.instance(id).await.claims, 0);
    assert_eq!(world.engine.claim(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn not_now_writes_nothing_and_counts_nothing() {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    for _ in 0..3 {
        world.provider.say(Say::NotThere);
    }
    world.engine.until_idle().await.unwrap();
    let before = world.instance(id).await;
    assert_eq!((before.state_name.as_str(), before.claims), ("creating", 0));
    assert!(before.wake_at.is_some_and(|at| at > world.clock.now()), "it waits for the delay");
    world.clock.advance_real(Duration::from_secs(2));
    world.engine.until_idle().await.unwrap();
    let after = world.instance(id).await;
    assert_eq!((after.revision, after.head, after.claims), (before.revision, before.head, 0));
    world.until(id, "ready").await;
    assert_eq!(world.provider.creates(), 1);
}

#[tokio::test]
async fn f45_a_lost_answer_is_a_doubt_that_a_query_settles() {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    world.provider.say(Say::Silence);
    world.until(id, "ready").await;
    assert!(world.story(id).await.contains(&"CreateUnsure: call".to_owned()));
    assert_eq!(world.provider.creates(), 1);
    let exchanges = world.store.exchanges(id).await.unwrap();
    let unsure = exchanges.iter().find(|kept| kept.exchange.verdict == "unsure").unwrap();
    assert!(!unsure.exchange.request.is_empty(), "the bytes are kept");
}

#[tokio::test]
async fn f86_a_freeze_thrown_after_the_claim_stops_the_send() {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    let row = world.engine.claim(10).await.unwrap().remove(0);
    let freeze = |create| Freeze { scope: "all".into(), create, pay: false, confirm: false, cancel: false };
    world.store.put_freeze(freeze(true)).await.unwrap();
    world.engine.refresh_freezes().await.unwrap();
    world.engine.drive(row, &DIRECT).await;
    world.engine.until_idle().await.unwrap();
    assert_eq!(world.provider.calls(), [""; 0]);
    world.store.put_freeze(freeze(false)).await.unwrap();
    world.until(id, "ready").await;
}

#[tokio::test]
async fn i19_a_cancel_that_people_froze_is_no_leak_until_they_lift_it() {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    world.until(id, "ready").await;
    let freeze =
        |scope: &str, cancel| Freeze { scope: scope.into(), create: false, pay: false, confirm: false, cancel };
    let leaked = async || {
        world.engine.refresh_freezes().await.unwrap();
        world.engine.audits().await.unwrap().into_iter().find(|finding| finding.audit == "I19").unwrap().count
    };
    world.store.put_freeze(freeze("all", true)).await.unwrap();
    world.engine.refresh_freezes().await.unwrap();
    world.clock.advance(Duration::from_secs(50 * 3600));
    world.engine.until_idle().await.unwrap();
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(world.remits().await[0].state_name, "gate_closed");
    assert_eq!(leaked().await, 0, "people wanted it so");
    world.store.put_freeze(freeze("all", false)).await.unwrap();
    world.store.put_freeze(freeze("location:2001", true)).await.unwrap();
    assert_eq!(leaked().await, 0, "it may be one of that location's");
    world.store.put_freeze(freeze("location:2001", false)).await.unwrap();
    assert_eq!(leaked().await, 1, "nobody wants it any more, and it is not cancelled yet");
}

#[tokio::test]
async fn f8_a_paused_worker_sends_nothing_late() {
    let world = World::new().await;
    world.submit("pay-1").await;
    let row = world.engine.claim(10).await.unwrap().remove(0);
    // Its lease still lives, but a call begun now could outlive it. (A fresh row commits first, and that renews the lease.)
    world.engine.drive(row, &DIRECT).await;
    world.provider.say(Say::NotThere);
    world.submit("pay-2").await;
    world.engine.until_idle().await.unwrap();
    world.clock.advance_real(Duration::from_secs(2));
    let row = world.engine.claim(10).await.unwrap().remove(0);
    assert_eq!(row.state_name, "creating");
    world.clock.advance_real(Duration::from_secs(100));
    let sent = world.provider.creates();
    assert_eq!(world.engine.drive(row, &DIRECT).await, Driven::LetGo);
    assert_eq!(world.provider.creates(), sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_that_comes_during_the_call_is_heard() {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    let engine = world.engine.clone();
    world.provider.watch(move |name| {
        if name == "CREATE_ORDER_V2" {
            let at = engine.clock.now();
            let event = json!({ "CancelAsked": { "by": "somebody" } });
            let to = store::Target::Instance(id);
            let post = store::Post {
                id: domain::ids::draw(at),
                tenant: TENANT.into(),
                to,
                event,
                source: "api".into(),
                dedupe: None,
                raw: None,
                at,
            };
            meanwhile(engine.post(post)).unwrap();
        }
    });
    world.engine.until_idle().await.unwrap();
    assert!(world.story(id).await.contains(&"CancelAsked: api".to_owned()));
}

#[tokio::test]
async fn a_letter_nobody_can_read_parks_the_machine_and_is_consumed() {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    world.post(id, json!({ "Nonsense": 1 })).await;
    world.engine.until_idle().await.unwrap();
    assert_eq!(world.instance(id).await.state_name, "needs_operator");
    assert_eq!(world.cases().await.len(), 1);
    assert_eq!(world.engine.until_idle().await.unwrap(), 0, "it does not spin");
    assert_eq!(world.provider.calls(), [""; 0]);
}

#[tokio::test]
async fn who_lost_the_row_drops_his_turn() {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    let slow = world.engine.claim(10).await.unwrap().remove(0);
    world.clock.advance_real(LEASE + Duration::from_secs(1));
    let quick = world.engine.claim(10).await.unwrap().remove(0);
    assert_eq!(world.engine.drive(quick, &DIRECT).await, Driven::Committed);
    let revision = world.instance(id).await.revision;
    assert_eq!(world.engine.drive(slow, &DIRECT).await, Driven::Conflict);
    assert_eq!(world.instance(id).await.revision, revision);
    assert_eq!(world.provider.creates(), 1);
}

#[tokio::test]
async fn what_the_database_forbids_parks_the_instance() {
    let world = World::new().await;
    // Somebody else's machine sits at the address of the remit that will be spawned.
    let remit = format!("20260105{}", &world.request_id("pay-1").as_str()[..8]);
    let squatter = engine::New { address: Some(format!("{ACCOUNT}/remit/{remit}")), ..world.order("squatter") };
    world.engine.submit(squatter).await.unwrap();
    let id = world.submit("pay-1").await;
    world.until(id, "needs_operator").await;
    assert_eq!(world.story(id).await.last().unwrap(), "Parked: engine");
    let case = world.cases().await.remove(0);
    assert!(case.open.facts.to_string().contains("identity_address"), "{:?}", case.open.facts);
    assert_eq!(world.store.exchanges(id).await.unwrap().len(), 2, "what went over the wire is kept");
    assert!(world.store.children(id).await.unwrap().is_empty());
    assert_eq!(world.instance(id).await.claims, 0);
}

#[tokio::test]
async fn s_c_what_an_answer_shows_is_as_old_as_its_question() {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    world.until(id, "ready").await;
    let remit = world.remits().await.remove(0).id;
    let before = world.provider.calls().len();
    let (clock, slow) = (world.clock.clone(), AtomicBool::new(true));
    world.provider.watch(move |_| {
        if slow.swap(false, Ordering::SeqCst) {
            clock.advance_real(Duration::from_secs(31));
        }
    });
    let ask = Ask { to: remit, tenant: TENANT, dedupe: None, wait: Duration::from_secs(10) };
    let asked = world.engine.ask(ask, |ask| json!({ "PermitAsked": { "ask": ask } }));
    let driven = async {
        // The turn that came too late is dropped, and its row is claimed anew.
        for _ in 0..2 {
            world.engine.until_idle().await.unwrap();
        }
    };
    let (answer, ()) = tokio::join!(asked, driven);
    assert!(answer.unwrap().unwrap()["granted"].is_object());
    assert_eq!(world.provider.calls().len() - before, 2, "the slow answer gave no permit: it was asked again");
}

#[tokio::test]
async fn one_forbidden_letter_does_not_take_the_others_with_it() {
    for forged_first in [true, false] {
        let world = World::new().await;
        let id = world.submit("pay-1").await;
        world.until(id, "ready").await;
        let remit = world.remits().await.remove(0).id;
        let ask = Ask { to: remit, tenant: TENANT, dedupe: None, wait: Duration::from_secs(10) };
        let asked = world.engine.ask(ask, |ask| json!({ "PermitAsked": { "ask": ask } }));
        let (answer, _) = tokio::join!(asked, world.engine.until_idle());
        let answer = answer.unwrap().unwrap();
        let permit = answer["granted"]["permit_id"].as_str().unwrap_or_else(|| panic!("{answer}"));
        let paid = json!({ "permit": permit, "amount": "100.00", "paid_at": world.clock.now(), "bank_serial": "1", "payee_ok": true, "source": "forged" });
        let mut letters = vec![json!("HintSeen"), json!({ "PaidReported": paid })];
        if forged_first {
            letters.reverse();
        }
        for letter in letters {
            world.clock.advance_real(Duration::from_millis(1));
            world.post(remit, letter).await;
        }
        world.engine.until_idle().await.unwrap();
        let story = world.story(remit).await;
        assert!(story.contains(&"HintSeen: api".to_owned()), "{story:?}");
        assert!(!story.iter().any(|line| line.starts_with("PaidReported")), "{story:?}");
        assert_eq!(story.iter().filter(|line| *line == "Parked: engine").count(), 1, "{story:?}");
        assert_eq!(world.engine.until_idle().await.unwrap(), 0, "every letter is consumed");
    }
}

#[tokio::test]
async fn what_cannot_even_be_parked_is_quarantined_and_keeps_its_claim() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("levee.db");
    let world = World::with(Rules::default(), &format!("sqlite://{}", file.display())).await;
    let id = world.submit("pay-1").await;
    let other = world.submit("pay-2").await;
    let rows = world.engine.claim(10).await.unwrap();
    let row = |wanted| rows.iter().find(|row| row.id == wanted).unwrap().clone();
    // Another instance has taken the id under which the exchange of the first CREATE will be kept.
    let at = world.clock.now();
    let id_of_exchange = domain::ids::derive(at, id.0, "exchange/2/0");
    let (request, answer, status) = (vec![], vec![], None);
    let (operation, verdict) = ("X".to_owned(), "done".to_owned());
    let exchange = NewExchange { id: id_of_exchange, operation, request, answer, status, verdict, took_ms: 0, at };
    world.store.commit(vec![Turn { exchanges: vec![exchange], ..idle(&row(other), at) }]).await.unwrap();
    assert_eq!(world.engine.drive(row(id), &DIRECT).await, Driven::Quarantined);
    assert_eq!(world.cases().await[0].open.kind, "quarantined");
    assert_eq!(world.instance(id).await.claims, 1, "something was sent under this claim: it is not given back");
    world.store.close().await;
}

#[tokio::test]
async fn a_row_that_does_not_load_is_owned_and_does_not_spin() {
    let world = World::new().await;
    let good = world.engine.prepare(world.order("pay-1")).unwrap();
    let bad = NewInstance { state: json!({ "of_the_future": 1 }), state_name: "of_the_future".into(), ..good };
    world.store.submit(vec![bad.clone()]).await.unwrap();
    let row = world.engine.claim(10).await.unwrap().remove(0);
    assert_eq!(world.engine.drive(row, &DIRECT).await, Driven::Quarantined);
    assert_eq!(world.engine.until_idle().await.unwrap(), 0);
    assert_eq!(world.cases().await.len(), 1);
    world.clock.advance_real(Duration::from_secs(601));
    assert_eq!(world.engine.until_idle().await.unwrap(), 1, "a newer program may know it");
    assert_eq!(world.cases().await.len(), 1, "one case, however often it is met");
}

#[tokio::test]
async fn f11_a_row_that_kills_its_workers_is_parked() {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    for _ in 0..20 {
        world.provider.say(Say::Panic);
        for row in world.engine.claim(10).await.unwrap() {
            let _died = AssertUnwindSafe(world.engine.drive(row, &DIRECT)).catch_unwind().await;
        }
        world.clock.advance_real(LEASE + Duration::from_secs(1));
    }
    assert_eq!(world.instance(id).await.state_name, "needs_operator");
    assert_eq!((world.cases().await.len(), world.provider.creates()), (1, 1));
}

#[tokio::test]
async fn f11_a_row_whose_ten_workers_were_killed_beside_it_goes_on() {
    let world = World::new().await;
    let id = world.submit("pay-1").await;
    for _ in 0..10 {
        assert_eq!(world.engine.claim(10).await.unwrap().len(), 1, "claimed, and its worker is killed");
        world.clock.advance_real(LEASE + Duration::from_secs(1));
    }
    world.until(id, "ready").await;
    assert_eq!((world.cases().await.len(), world.provider.creates()), (0, 1));
}

#[tokio::test]
async fn f11_a_suspect_that_is_held_back_kills_nobody_and_is_none_any_more() {
    let world = World::with(Rules { reconcile_only: true, ..Rules::default() }, "memory:").await;
    let id = world.submit("pay-1").await;
    for _ in 0..3 {
        world.engine.claim(10).await.unwrap();
        world.clock.advance_real(LEASE + Duration::from_secs(1));
    }
    let row = world.engine.claim(10).await.unwrap().remove(0);
    assert!(row.suspect());
    world.engine.drive(row, &DIRECT).await;
    world.clock.advance_real(LEASE + Duration::from_secs(1));
    let row = world.engine.claim(10).await.unwrap().remove(0);
    assert!(!row.suspect(), "{} claims", row.claims);
    assert_eq!((row.id, world.provider.creates()), (id, 0));
}

#[tokio::test]
async fn i28_reconcile_only_asks_and_changes_nothing() {
    let world = World::with(Rules { reconcile_only: true, ..Rules::default() }, "memory:").await;
    let id = world.submit("pay-1").await;
    for _ in 0..5 {
        world.engine.until_idle().await.unwrap();
        world.clock.advance_real(Duration::from_secs(10));
    }
    assert_eq!(world.provider.calls(), [""; 0]);
    assert_eq!(world.instance(id).await.claims, 0);
}

#[tokio::test]
async fn a_dead_provider_opens_the_breaker_of_its_lane_for_the_fleet() {
    let world = World::new().await;
    for n in 0..20 {
        world.submit(&format!("pay-{n}")).await;
        world.provider.say(Say::NotThere);
    }
    world.engine.until_idle().await.unwrap();
    let lanes = world.store.lanes().await.unwrap();
    let lane = lanes.iter().find(|lane| lane.lane == format!("{ACCOUNT}:create")).unwrap();
    assert!(lane.open_until.is_some());
    let figures = world.engine.figures().await.unwrap();
    assert!(figures.lanes.contains(&(format!("{ACCOUNT}:create"), true)));
}

#[tokio::test]
async fn turns_of_one_group_are_answered_each_for_itself() {
    let world = World::new().await;
    let (first, second) = (world.submit("pay-1").await, world.submit("pay-2").await);
    let (gather, mut queue) = tokio::sync::mpsc::channel(10);
    let committer = Committer::Grouped(gather);
    let rows = world.engine.claim(10).await.unwrap();
    let drive = async {
        let drives = rows.into_iter().map(|row| world.engine.drive(row, &committer));
        futures::future::join_all(drives).await
    };
    let commit = async {
        let mut sizes = Vec::new();
        loop {
            let mut group = Vec::new();
            tokio::select! {
                biased;
                n = queue.recv_many(&mut group, 10) => { sizes.push(n); engine::commit_group(&world.engine, group).await; }
                () = tokio::time::sleep(Duration::from_millis(50)) => return sizes,
            }
        }
    };
    let (driven, sizes) = tokio::join!(drive, commit);
    assert_eq!(driven, [Driven::Committed; 2]);
    assert_eq!(sizes[0], 2, "both at once");
    for id in [first, second] {
        assert_eq!(world.instance(id).await.state_name, "accepted");
    }
}

#[tokio::test]
async fn a_lane_without_tokens_waits_and_then_goes_on() {
    let limits = Limits { rate_per_second: Some(1), burst: 1, concurrency: 8 };
    let rules = Rules { limits: [(ACCOUNT.to_owned(), limits)].into(), ..Rules::default() };
    let world = World::with(rules, "memory:").await;
    let ids = [world.submit("pay-1").await, world.submit("pay-2").await];
    world.engine.until_idle().await.unwrap();
    assert!(world.provider.creates() <= 1);
    for id in ids {
        world.until(id, "ready").await;
    }
}

fn idle(row: &store::Claimed, at: domain::Time) -> Turn {
    Turn {
        id: row.id,
        tenant: row.tenant.clone(),
        account: row.account.clone(),
        token: row.token,
        revision: row.revision,
        head: row.head.clone(),
        state: row.state.clone(),
        state_name: row.state_name.clone(),
        resting: false,
        due: store::Due { wake_at: Some(at), lane: "-".into(), class: 3 },
        seen: row.signals,
        lines: vec![],
        consumed: vec![],
        writes: vec![],
        children: vec![],
        exchanges: vec![],
        keep_until: None,
        not_after: None,
        at,
    }
}
