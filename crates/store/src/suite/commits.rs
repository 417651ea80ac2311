use super::*;
use crate::testing::{self, Lost};
use domain::record::Write;

#[tokio::test]
async fn a_turn_moves_its_machine_and_writes_its_history() {
    for fresh in testing::stores().await {
        let id = put(&fresh, machine("a")).await;
        let claimed = claim_one(&fresh, id).await;
        let exchange = NewExchange {
            id: Uuid::new_v4(),
            operation: "create_order".into(),
            request: b"request".to_vec(),
            answer: b"answer".to_vec(),
            status: Some(200),
            verdict: "done".into(),
            took_ms: 12,
            at: t(4),
        };
        let child = NewInstance { parent: Some(id), address: Some("main/child".into()), ..machine("child") };
        let moved = Turn {
            exchanges: vec![exchange.clone()],
            children: vec![child.clone()],
            lines: vec![line("b"), line("c")],
            ..turn(&claimed, "c")
        };
        let Committed::Done { revision, head, .. } = commit(&fresh, moved.clone()).await else { panic!("it commits") };
        assert_eq!(revision, 3);
        let row = fresh.store.instance(id).await.unwrap().unwrap();
        assert_eq!((row.revision, &row.head, row.state_name.as_str(), row.claims), (3, &head, "c", 0));
        assert_eq!(fresh.store.history(id).await.unwrap().len(), 3);
        assert_eq!(fresh.store.exchanges(id).await.unwrap()[0].exchange, exchange);
        assert_eq!(fresh.store.children(id).await.unwrap()[0].id, child.id);
        assert_eq!(fresh.store.verify_history(id).await.unwrap(), None);
        assert_eq!(commit(&fresh, moved).await, Committed::Conflict, "the same turn again (I16)");
    }
}

#[tokio::test]
async fn i16_a_stale_revision_token_or_hour_changes_nothing() {
    for fresh in testing::stores().await {
        let id = put(&fresh, machine("a")).await;
        let claimed = claim_one(&fresh, id).await;
        let good = turn(&claimed, "moved");
        let late = fresh.store.time().await.unwrap() - std::time::Duration::from_secs(1);
        for stale in [
            Turn { revision: 2, ..good.clone() },
            Turn { token: Uuid::new_v4(), ..good.clone() },
            Turn { not_after: Some(late), ..good.clone() },
        ] {
            assert_eq!(commit(&fresh, stale).await, Committed::Conflict);
        }
        assert_eq!(fresh.store.history(id).await.unwrap().len(), 1);
        let in_time = Some(late + std::time::Duration::from_secs(60));
        assert!(is_done(&commit(&fresh, Turn { not_after: in_time, ..good }).await));
    }
}

#[tokio::test]
async fn a_kept_claim_goes_on_with_the_same_token() {
    for fresh in testing::stores().await {
        let id = put(&fresh, machine("a")).await;
        let claimed = claim_one(&fresh, id).await;
        let keep_until = Some(fresh.store.time().await.unwrap() + std::time::Duration::from_secs(60));
        let Committed::Done { revision, head, signals } =
            commit(&fresh, Turn { keep_until, ..turn(&claimed, "b") }).await
        else {
            panic!()
        };
        let row = fresh.store.instance(id).await.unwrap().unwrap();
        assert_eq!((row.claims, row.claimed_until), (1, keep_until));
        let next = Claimed { revision, head, signals, ..claimed };
        assert!(is_done(&commit(&fresh, turn(&next, "c")).await));
        assert_eq!(fresh.store.instance(id).await.unwrap().unwrap().claimed_until, None);
    }
}

#[tokio::test]
async fn two_turns_of_one_machine_in_one_group_follow_each_other() {
    for fresh in testing::stores().await {
        let id = put(&fresh, machine("a")).await;
        let claimed = claim_one(&fresh, id).await;
        let keep_until = Some(fresh.store.time().await.unwrap() + std::time::Duration::from_secs(60));
        let first = Turn { keep_until, ..turn(&claimed, "b") };
        let head = crate::commit::hashes(&first).remove(0);
        let second = turn(&Claimed { revision: 2, head, ..claimed }, "c");
        let answers = fresh.store.commit(vec![first, second]).await.unwrap();
        assert!(answers.iter().all(is_done), "{answers:?}");
        assert_eq!(fresh.store.verify_history(id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_forbidden_turn_is_found_and_the_others_are_kept() {
    for fresh in testing::stores().await {
        fresh.store.submit((0..9).map(|n| machine(&format!("m{n}"))).collect()).await.unwrap();
        let claimed = claim_all(&fresh, t(1)).await;
        let cancel = |id: InstanceId| {
            let next_step = domain::levy::NextStep::Cancel;
            Write::Decide(domain::record::Decision {
                remit: id,
                next_step,
                evidence: None,
                arising_time: t(5),
                at: t(5),
            })
        };
        let mut turns: Vec<Turn> = claimed.iter().map(|claimed| turn(claimed, "moved")).collect();
        turns[4].writes = vec![cancel(turns[4].id)];
        turns[7].writes = vec![Write::Emit { topic: "x".into(), body: json!(1) }, cancel(turns[7].id)];
        let answers = fresh.store.commit(turns.clone()).await.unwrap();
        for (place, answer) in answers.iter().enumerate() {
            match place {
                4 | 7 => {
                    assert_eq!(answer, &Committed::Forbidden("decision_needs_gate".into()), "{:?}", fresh.store.kind())
                }
                _ => assert!(is_done(answer)),
            }
        }
        let untouched = fresh.store.instance(turns[7].id).await.unwrap().unwrap();
        assert_eq!((untouched.revision, untouched.claims), (1, 1), "nothing of it was written");
        let findings = fresh.store.audits(now(&fresh, t(1)), AuditPlan::default()).await.unwrap();
        assert!(findings.iter().all(|finding| finding.count == 0), "{findings:?}");
    }
}

#[tokio::test]
async fn f19_a_commit_of_unknown_outcome_is_read_back() {
    for fresh in [testing::sqlite().await, testing::postgres().await] {
        for (lost, applied) in [(Lost::Applied, true), (Lost::RolledBack, false)] {
            let new = machine(&format!("{lost:?}"));
            testing::lose_commits(&fresh.store, 1, lost);
            let id = put_again(&fresh, new).await;
            let claimed = claim_one(&fresh, id).await;
            testing::lose_commits(&fresh.store, 1, lost);
            let answer = commit(&fresh, turn(&claimed, "moved")).await;
            assert_eq!(is_done(&answer), applied, "{lost:?}: {answer:?}");
            let row = fresh.store.instance(id).await.unwrap().unwrap();
            assert_eq!(row.revision, if applied { 2 } else { 1 });
            if !applied {
                assert!(is_done(&commit(&fresh, turn(&claimed, "moved")).await), "the claim still stands");
            }
        }
    }
}

/// A repeat inside the store finds the first run's row: created or known, never twice.
async fn put_again(fresh: &Fresh, new: NewInstance) -> InstanceId {
    let id = new.id;
    let answer = fresh.store.submit(vec![new]).await.unwrap().remove(0);
    assert!(answer == Submitted::Created(id) || answer == Submitted::Known(id));
    id
}

#[tokio::test]
async fn s_f_a_post_of_unknown_outcome_is_stored_once() {
    for fresh in [testing::sqlite().await, testing::postgres().await] {
        let id = put(&fresh, machine("a")).await;
        for lost in [Lost::Applied, Lost::RolledBack] {
            testing::lose_commits(&fresh.store, 1, lost);
            let posted = fresh.store.post(vec![post(Target::Instance(id), Some(&format!("{lost:?}")))]).await.unwrap();
            assert_eq!(posted, [Posted::Stored]);
        }
        let claimed = claim_one(&fresh, id).await;
        assert_eq!((claimed.signals, claimed.inbox.len()), (2, 2));
    }
}

#[tokio::test]
async fn telling_answering_and_emitting() {
    for fresh in testing::stores().await {
        let (a, b) = (
            put(&fresh, machine("a")).await,
            put(&fresh, NewInstance { due: due("-", 3, None), ..machine("b") }).await,
        );
        let ask = post(Target::Instance(a), None);
        fresh.store.post(vec![ask.clone()]).await.unwrap();
        assert_eq!(fresh.store.answer(ask.id).await.unwrap(), None);
        let claimed = claim_one(&fresh, a).await;
        let emit = |n: i64| Write::Emit { topic: "order.moved".into(), body: json!({ "n": n }) };
        let tell = Write::Tell { to: b, event: json!("ChildSettled") };
        let answer = Write::Answer { ask: ask.id, body: json!({ "yes": true }) };
        let rest =
            Turn { writes: vec![emit(1), tell, answer, emit(2)], due: due("-", 3, None), ..turn(&claimed, "settled") };
        assert!(is_done(&commit(&fresh, Turn { consumed: vec![ask.id], resting: true, ..rest }).await));
        assert_eq!(fresh.store.answer(ask.id).await.unwrap(), Some(json!({ "yes": true })));
        let told = claim_all(&fresh, t(6)).await;
        assert_eq!((told.len(), told[0].id, told[0].inbox[0].event.clone()), (1, b, json!("ChildSettled")));
        assert_eq!(told[0].inbox[0].source, "machine");
        let findings = fresh.store.audits(now(&fresh, t(1)), AuditPlan::default()).await.unwrap();
        assert!(findings.iter().all(|finding| finding.count == 0), "three outbox rows, no gap: {findings:?}");
    }
}

#[tokio::test]
async fn i23_tampering_with_history_shows() {
    for fresh in [testing::sqlite().await, testing::postgres().await] {
        let id = put(&fresh, machine("a")).await;
        let claimed = claim_one(&fresh, id).await;
        commit(&fresh, turn(&claimed, "moved")).await;
        let change =
            format!("update history set to_state = 'levied' where instance = {} and seq = 2", id_of(&fresh, id.0));
        assert_eq!(raw(&fresh, &change).await, Err(Error::Forbidden("history_append_only".into())));
        rules::without_triggers(&fresh, "history").await;
        raw(&fresh, &change).await.unwrap();
        assert_eq!(fresh.store.verify_history(id).await.unwrap(), Some(2));
        raw(&fresh, &format!("delete from history where instance = {} and seq = 2", id_of(&fresh, id.0)))
            .await
            .unwrap();
        assert_eq!(fresh.store.verify_history(id).await.unwrap(), Some(2), "a missing end shows too");
    }
}
