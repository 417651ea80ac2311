use super::*;
use crate::testing;
use domain::clock::Pace;
use domain::record::{Move, OpenCase, OpenTask, Severity, Write};
use std::time::Duration;

pub(crate) fn case(kind: &str) -> OpenCase {
    OpenCase {
        id: ids::draw(t(5)),
        kind: kind.into(),
        severity: Severity::High,
        owner_role: "finance".into(),
        opened_at: t(5),
        sla_at: t(500),
        moves: vec![Move { name: "levied".into(), needs: vec!["evidence".into(), "second_person".into()] }],
        facts: json!({ "remit": "1" }),
        group: Some("main/2026-01-05".into()),
    }
}

#[tokio::test]
async fn cases_and_tasks_are_opened_and_closed() {
    for fresh in testing::stores().await {
        let id = put(&fresh, machine("a")).await;
        let (first, second) = (case("first"), case("second"));
        fresh.store.open_case(id, "acme", first.clone()).await.unwrap();
        fresh.store.open_case(id, "acme", first.clone()).await.unwrap();
        let open = |case: &OpenCase| Write::OpenCase(case.clone());
        assert!(is_done(&rules::writes(&fresh, id, vec![open(&second)]).await));
        assert_eq!(fresh.store.cases("acme", Some("open"), None, Some(id), None, 9).await.unwrap().len(), 2);
        assert!(fresh.store.cases("other", None, None, None, None, 9).await.unwrap().is_empty());
        let close = |kinds: &[&str]| Write::CloseCases {
            kinds: kinds.iter().map(|k| (*k).to_owned()).collect(),
            how: "done".into(),
            at: t(7),
        };
        assert!(is_done(&rules::writes(&fresh, id, vec![close(&["first"])]).await));
        assert_eq!(fresh.store.cases("acme", Some("resolved"), None, None, None, 9).await.unwrap().len(), 1);
        assert!(is_done(&rules::writes(&fresh, id, vec![close(&[])]).await));
        assert!(fresh.store.cases("acme", Some("open"), None, None, None, 9).await.unwrap().is_empty());
        let task = Write::OpenTask(OpenTask { id: ids::draw(t(5)), kind: "sms_code".into(), sla_at: t(9), at: t(5) });
        assert!(is_done(&rules::writes(&fresh, id, vec![task]).await));
        assert_eq!(fresh.store.tasks("acme", true, Some("sms_code"), None, None, 9).await.unwrap().len(), 1);
        assert!(is_done(&rules::writes(&fresh, id, vec![Write::CloseTasks { at: t(8) }]).await));
        assert!(fresh.store.tasks("acme", true, None, None, None, 9).await.unwrap().is_empty());
        assert_eq!(fresh.store.tasks("acme", false, None, Some(id), None, 9).await.unwrap()[0].closed_at, Some(t(8)));
    }
}

#[tokio::test]
async fn i18_idempotency() {
    for fresh in testing::stores().await {
        let begin = |body: &'static str| fresh.store.idempotency("acme", "key", body, t(1));
        assert_eq!(begin("b1").await, Ok(Idempotency::Fresh));
        assert_eq!(begin("b1").await, Ok(Idempotency::Running));
        let saved = Saved { status: 201, body: b"{\"payee\":\"canary\"}".to_vec() };
        fresh.store.save_answer("acme", "key", saved.clone()).await.unwrap();
        fresh.store.save_answer("acme", "key", Saved { status: 500, body: vec![] }).await.unwrap();
        assert_eq!(begin("b1").await, Ok(Idempotency::Done(saved)), "the first answer stays");
        assert_eq!(begin("b2").await, Ok(Idempotency::OtherBody));
        assert_eq!(
            fresh.store.idempotency("other", "key", "b2", t(1)).await,
            Ok(Idempotency::Fresh),
            "keys are a tenant's own"
        );
    }
}

#[tokio::test]
async fn buckets_fill_with_time_and_breakers_show() {
    for fresh in testing::stores().await {
        let take = |want, seconds| fresh.store.take_tokens("main:query", want, 2, 4, t(seconds));
        assert_eq!(take(10, 0).await, Ok(4), "a new bucket is full");
        assert_eq!(take(1, 0).await, Ok(0));
        assert_eq!(take(10, 1).await, Ok(2));
        fresh.store.give_tokens("main:query", 1).await.unwrap();
        assert_eq!(take(10, 1).await, Ok(1));
        assert_eq!(take(10, -50).await, Ok(0), "a clock behind fills nothing");
        assert_eq!(take(10, 1000).await, Ok(4));
        fresh.store.set_breaker("main:create", Some(t(60))).await.unwrap();
        let lanes = fresh.store.lanes().await.unwrap();
        assert_eq!(lanes[0], LaneState { lane: "main:create".into(), open_until: Some(t(60)) });
        fresh.store.set_breaker("main:create", None).await.unwrap();
        assert!(fresh.store.lanes().await.unwrap().iter().all(|lane| lane.open_until.is_none()));
    }
}

#[tokio::test]
async fn keys_settings_freezes_and_schedules() {
    for fresh in testing::stores().await {
        let store = &fresh.store;
        let (id, digest) = ("k1".to_owned(), "d1".to_owned());
        let key = ApiKey {
            id,
            tenant: "acme".into(),
            name: "li".into(),
            role: "admin".into(),
            digest,
            created_at: t(0),
            revoked_at: None,
        };
        store.put_key(key.clone()).await.unwrap();
        store.put_key(key.clone()).await.unwrap();
        assert_eq!(store.key_by_digest("d1").await.unwrap(), Some(key.clone()));
        assert!(matches!(
            store.put_key(ApiKey { id: "k2".into(), role: "god".into(), digest: "d2".into(), ..key }).await,
            Err(Error::Forbidden(_))
        ));
        store.revoke_key("k1", t(3)).await.unwrap();
        assert_eq!(store.keys("acme").await.unwrap()[0].revoked_at, Some(t(3)));
        store.put_setting("region", json!({ "a": 1 })).await.unwrap();
        store.put_setting("region", json!(2)).await.unwrap();
        assert_eq!(store.setting("region").await.unwrap(), Some(json!(2)));
        assert!(matches!(store.put_setting("key/request", json!(1)).await, Err(Error::Forbidden(_))));
        let freeze = Freeze { scope: "all".into(), create: true, pay: false, confirm: true, cancel: false };
        store.put_freeze(Freeze { pay: true, ..freeze.clone() }).await.unwrap();
        store.put_freeze(freeze.clone()).await.unwrap();
        assert_eq!(store.freezes().await.unwrap(), [freeze]);
        let schedule = Schedule { name: "recon".into(), cron: "0 2 * * *".into(), due_at: t(9), last_run: None };
        store.put_schedule(schedule.clone()).await.unwrap();
        assert_eq!(store.schedules().await.unwrap(), [schedule]);
        assert!(store.schedule_tick("recon", t(9)).await.unwrap());
        assert!(!store.schedule_tick("recon", t(9)).await.unwrap(), "one runner in the fleet");
    }
}

#[tokio::test]
async fn acts_form_a_chain_even_when_written_at_once() {
    for fresh in testing::stores().await {
        let tasks: Vec<_> = (0..10)
            .map(|n| {
                let store = fresh.store.clone();
                tokio::spawn(async move {
                    store.act("acme", vec![rules::act(&format!("act{n}")), rules::act("beside")]).await.unwrap()
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(fresh.store.acts("acme", 99).await.unwrap().len(), 20);
        assert_eq!(fresh.store.verify_audit("acme").await.unwrap(), None);
        if fresh.store.kind() != Kind::Memory {
            rules::without_triggers(&fresh, "audit").await;
            raw(&fresh, "update audit set who = 'nobody' where seq = 4").await.unwrap();
            assert_eq!(fresh.store.verify_audit("acme").await.unwrap(), Some(4));
        }
    }
}

#[tokio::test]
async fn the_fleet_shares_one_clock_that_never_goes_back() {
    for fresh in testing::stores().await {
        let store = &fresh.store;
        assert_eq!(store.pace().await.unwrap(), Pace::REAL);
        let origin = store.time().await.unwrap();
        let pace = Pace { epoch: t(0), origin, speed_milli: 1_000_000, advanced: Duration::ZERO };
        assert_eq!(store.set_pace(pace).await.unwrap(), pace, "an epoch in the past begins a new database");
        let later = origin + Duration::from_millis(20);
        tokio::time::sleep(Duration::from_millis(30)).await;
        let restarted = store.set_pace(Pace { origin: later, ..pace }).await.unwrap();
        assert_eq!(restarted, pace, "a restart goes on from the origin");
        let advanced = store.advance_clock(Duration::from_secs(60)).await.unwrap();
        assert_eq!(advanced.advanced, Duration::from_secs(60));
        let forward = Pace { epoch: t(9_000_000), origin: later, ..pace };
        assert_eq!(store.set_pace(forward).await.unwrap(), forward);
        assert_eq!(store.set_pace(pace).await.unwrap(), forward, "an earlier epoch moves nothing");
        assert_eq!(store.pace().await.unwrap(), forward);
    }
}
