use super::*;
use crate::testing;
use domain::record::{OpenTask, Write};
use std::collections::BTreeSet;

#[tokio::test]
async fn submit_creates_knows_and_differs() {
    for fresh in testing::stores().await {
        let new = machine("k1");
        let id = put(&fresh, new.clone()).await;
        let again = NewInstance { id: InstanceId(ids::draw(t(1))), ..new.clone() };
        let other = NewInstance { content_hash: "other".into(), ..again.clone() };
        assert_eq!(
            fresh.store.submit(vec![again.clone(), other]).await.unwrap(),
            [Submitted::Known(id), Submitted::Differs(id)]
        );
        let twice = vec![machine("k2"), machine("k2")];
        assert_eq!(
            fresh.store.submit(twice.clone()).await.unwrap(),
            [Submitted::Created(twice[0].id), Submitted::Known(twice[0].id)]
        );
        let found = fresh.store.instance_by_key("acme", "order", "k1").await.unwrap().unwrap();
        assert_eq!((found.id, found.revision, found.wake_at), (id, 1, Some(t(0))));
        assert_eq!(fresh.store.history(id).await.unwrap().len(), 1);
        assert_eq!(fresh.store.verify_history(id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn i18_of_32_submits_of_one_key_one_makes_the_row() {
    for fresh in testing::stores().await {
        let tasks: Vec<_> = (0..32)
            .map(|_| {
                let store = fresh.store.clone();
                tokio::spawn(async move { store.submit(vec![machine("one")]).await.unwrap().remove(0) })
            })
            .collect();
        let mut created = 0;
        for task in tasks {
            created += i32::from(matches!(task.await.unwrap(), Submitted::Created(_)));
        }
        assert_eq!(created, 1, "{:?}", fresh.store.kind());
    }
}

#[tokio::test]
async fn machines_are_found_by_many_keys_at_once() {
    for fresh in testing::stores().await {
        let (a, b) = (put(&fresh, machine("a")).await, put(&fresh, machine("b")).await);
        put(&fresh, NewInstance { tenant: "other".into(), ..machine("c") }).await;
        let keys = ["a", "b", "c"].map(str::to_owned);
        let found = fresh.store.instances_by_keys("acme", "order", &keys).await.unwrap();
        let found: BTreeSet<InstanceId> = found.iter().map(|row| row.id).collect();
        assert_eq!(found, BTreeSet::from([a, b]));
        assert_eq!(fresh.store.instance_by_key("acme", "order", "b").await.unwrap().unwrap().id, b);
        assert!(fresh.store.instance_by_key("acme", "order", "c").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn an_address_belongs_to_one_machine() {
    for fresh in testing::stores().await {
        put(&fresh, NewInstance { address: Some("main/1".into()), ..machine("a") }).await;
        let clash = fresh.store.submit(vec![NewInstance { address: Some("main/1".into()), ..machine("b") }]).await;
        assert_eq!(clash, Err(Error::Forbidden("identity_address".into())));
    }
}

pub(super) fn guarded(key: &str) -> NewInstance {
    let task = Write::OpenTask(OpenTask { id: ids::draw(t(0)), kind: "duplicate".into(), sla_at: t(99), at: t(0) });
    let emit = Write::Emit { topic: "held".into(), body: json!({}) };
    let (state_name, state) = ("held".to_owned(), json!("Held"));
    let held = Held { state, state_name, due: due("-", 4, Some(t(500))), writes: vec![task, emit] };
    NewInstance { guard: Some(Guard { key: "person+amount+day".into(), held }), ..machine(key) }
}

#[tokio::test]
async fn p12_the_second_of_two_alike_is_held_with_an_owner() {
    for fresh in testing::stores().await {
        let (first, second) = (guarded("g1"), guarded("g2"));
        put(&fresh, first.clone()).await;
        put(&fresh, second.clone()).await;
        let states = [first.id, second.id];
        assert_eq!(fresh.store.instance(states[0]).await.unwrap().unwrap().state_name, "gated");
        let held = fresh.store.instance(states[1]).await.unwrap().unwrap();
        assert_eq!((held.state_name.as_str(), held.wake_at), ("held", Some(t(500))));
        assert_eq!(fresh.store.tasks("acme", true, None, Some(second.id), None, 10).await.unwrap().len(), 1);
        assert_eq!(fresh.store.verify_history(second.id).await.unwrap(), None);
        assert_eq!(fresh.store.submit(vec![first.clone()]).await.unwrap(), [Submitted::Known(first.id)]);
        let gaps = fresh.store.audits(now(&fresh, t(0)), AuditPlan::default()).await.unwrap();
        assert!(gaps.iter().all(|finding| finding.count == 0), "{gaps:?}");
    }
}

#[tokio::test]
async fn p12_of_16_alike_at_once_one_goes() {
    for fresh in testing::stores().await {
        let tasks: Vec<_> = (0..16)
            .map(|n| {
                let store = fresh.store.clone();
                tokio::spawn(async move { store.submit(vec![guarded(&format!("g{n}"))]).await.unwrap() })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let free =
            fresh.store.list(Filter { state: Some("gated".into()), limit: 99, ..Filter::default() }).await.unwrap();
        assert_eq!(free.len(), 1, "{:?}", fresh.store.kind());
    }
}

#[tokio::test]
async fn f70_a_post_before_its_machine_is_found() {
    for fresh in testing::stores().await {
        let new = NewInstance { address: Some("main/req1".into()), due: due("-", 3, Some(t(900))), ..machine("a") };
        let early = post(Target::Address("main/req1".into()), Some("body1"));
        let by_id = post(Target::Instance(new.id), None);
        assert_eq!(
            fresh.store.post(vec![early.clone(), by_id.clone()]).await.unwrap(),
            [Posted::Orphan, Posted::Orphan]
        );
        let repeats = vec![early.clone(), by_id.clone()];
        let found = fresh.store.post(repeats.clone()).await.unwrap();
        assert_eq!(found, [Posted::Orphan, Posted::Orphan], "a repeat finds its own row");
        assert_eq!(fresh.store.orphans(t(3)).await.unwrap().len(), 2);
        assert_eq!(fresh.store.letters(new.id).await.unwrap().len(), 1, "one names the machine that is to come");
        put(&fresh, new.clone()).await;
        assert_eq!(fresh.store.post(repeats).await.unwrap(), [Posted::Stored, Posted::Stored]);
        let claimed = claim_all(&fresh, t(2)).await;
        assert_eq!((claimed.len(), claimed[0].inbox.len(), claimed[0].signals), (1, 2, 2));
        assert!(fresh.store.orphans(t(3)).await.unwrap().is_empty());
        assert_eq!(
            fresh.store.post(vec![post(Target::Address("main/req1".into()), Some("body1"))]).await.unwrap(),
            [Posted::Duplicate]
        );
    }
}

#[tokio::test]
async fn f67_the_same_callback_32_times_is_one_letter() {
    for fresh in testing::stores().await {
        let id = put(&fresh, machine("a")).await;
        let tasks: Vec<_> = (0..32)
            .map(|_| {
                let store = fresh.store.clone();
                tokio::spawn(async move {
                    store.post(vec![post(Target::Instance(id), Some("same body"))]).await.unwrap().remove(0)
                })
            })
            .collect();
        let mut stored = 0;
        for task in tasks {
            stored += i32::from(task.await.unwrap() == Posted::Stored);
        }
        assert_eq!((stored, fresh.store.letters(id).await.unwrap().len()), (1, 1));
    }
}

#[tokio::test]
async fn posts_and_machines_that_cross_always_meet() {
    for fresh in testing::stores().await {
        for round in 0..20 {
            let address = format!("main/cross{round}");
            let new = NewInstance { address: Some(address.clone()), ..machine(&address) };
            let (store, id) = (fresh.store.clone(), new.id);
            let to = if round % 2 == 0 { Target::Address(address) } else { Target::Instance(id) };
            let submit = tokio::spawn(async move { store.submit(vec![new]).await.unwrap() });
            let posted = fresh.store.post(vec![post(to, None)]).await.unwrap();
            submit.await.unwrap();
            assert_eq!(fresh.store.letters(id).await.unwrap().len(), 1, "{:?} {posted:?}", fresh.store.kind());
            let heard = claim_one(&fresh, id).await;
            assert_eq!((heard.signals, heard.inbox.len()), (1, 1), "{:?} {posted:?}", fresh.store.kind());
        }
        assert!(fresh.store.orphans(t(10)).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn lists_filter_and_page() {
    for fresh in testing::stores().await {
        let parent = put(&fresh, machine("p")).await;
        for n in 0..5 {
            put(&fresh, NewInstance { parent: Some(parent), at: t(n), ..machine(&format!("c{n}")) }).await;
        }
        put(&fresh, NewInstance { tenant: "other".into(), ..machine("p") }).await;
        assert_eq!(fresh.store.children(parent).await.unwrap().len(), 5);
        let third = |key: &str, parent| NewInstance { tenant: "third".into(), parent, ..machine(key) };
        let second = put(&fresh, third("q", None)).await;
        let of_second = put(&fresh, third("cq", Some(second))).await;
        let of_both = fresh.store.children_of(&[second, parent]).await.unwrap();
        assert_eq!(of_both.len(), 6);
        assert!(of_both.windows(2).all(|pair| pair[0].id < pair[1].id), "oldest first");
        assert_eq!(fresh.store.children(second).await.unwrap()[0].id, of_second);
        assert!(fresh.store.children_of(&[]).await.unwrap().is_empty());
        let filter = Filter { tenant: Some("acme".into()), limit: 4, ..Filter::default() };
        let page = fresh.store.list(filter.clone()).await.unwrap();
        let rest = fresh.store.list(Filter { cursor: Some(page[3].id), ..filter }).await.unwrap();
        assert_eq!((page.len(), rest.len()), (4, 2));
        assert!(page.windows(2).all(|pair| pair[0].id > pair[1].id));
        let narrow = Filter {
            parent: Some(parent),
            since: Some(t(1)),
            until: Some(t(3)),
            business_key: None,
            limit: 9,
            ..Filter::default()
        };
        assert_eq!(fresh.store.list(narrow).await.unwrap().len(), 2);
        let nobody = Filter { persons: Some(vec![Uuid::new_v4()]), limit: 9, ..Filter::default() };
        assert!(fresh.store.list(nobody).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_batch_releases_each_good_line_once() {
    for fresh in testing::stores().await {
        let batch = NewInstance { workflow: "batch".into(), ..machine("batch1") };
        put(&fresh, machine("taken")).await;
        let line = |row: i64, key: &str| {
            let prepared = NewInstance { batch_row: Some((batch.id, row)), parent: Some(batch.id), ..machine(key) };
            BatchRow { row, prepared: Some(prepared), amount_fen: 10_000, errors: vec![] }
        };
        let wrong =
            RowError { field: "name".into(), code: "name_empty".into(), message: "x".into(), message_zh: "x".into() };
        let mut conflict = line(4, "taken");
        conflict.prepared.as_mut().unwrap().content_hash = "other".into();
        let bad = BatchRow { row: 3, prepared: None, amount_fen: 0, errors: vec![wrong] };
        let rows = vec![line(1, "a"), line(2, "taken"), bad, conflict];
        assert_eq!(fresh.store.put_batch(batch.clone(), rows.clone()).await.unwrap(), Submitted::Created(batch.id));
        assert_eq!(fresh.store.put_batch(batch.clone(), rows).await.unwrap(), Submitted::Known(batch.id));
        let sums = fresh.store.batch_sums(batch.id).await.unwrap();
        assert_eq!(sums, BatchSums { good: 3, bad: 1, released: 0, amount_fen: 30_000 });
        let prepared = fresh.store.prepared(batch.id, 0, 10).await.unwrap();
        assert_eq!(prepared.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [1, 2, 4]);
        let claimed = claim_one(&fresh, batch.id).await;
        let children: Vec<NewInstance> = prepared.into_iter().map(|(_, new)| new).collect();
        assert!(is_done(&commit(&fresh, Turn { children, ..turn(&claimed, "releasing") }).await));
        let lines = fresh.store.batch_lines(batch.id, 0, 10).await.unwrap();
        assert!(lines[0].order.is_some() && lines[1].order.is_some() && lines[0].state.as_deref() == Some("gated"));
        assert_eq!(lines[3].errors[0].code, "business_key_conflict");
        assert!(fresh.store.prepared(batch.id, 0, 10).await.unwrap().is_empty());
    }
}
