//! What is claimed by the transaction that makes it due: the same row, counted the same way, as a claim that came right after it.

use super::*;
use crate::testing;

fn ids(claimed: &[Claimed]) -> Vec<&str> {
    let mut ids: Vec<&str> = claimed.iter().map(|claimed| claimed.business_key.as_str()).collect();
    ids.sort_unstable();
    ids
}

fn answers(posted: Vec<Result<Posted>>) -> Vec<Posted> {
    posted.into_iter().collect::<Result<_>>().unwrap()
}

#[tokio::test]
async fn a_new_machine_that_is_due_is_claimed_and_counted_at_the_door() {
    for fresh in testing::stores().await {
        let later = NewInstance { due: due("-", 3, Some(t(900))), ..machine("later") };
        let closed = NewInstance { due: due("main:create", 3, Some(t(0))), ..machine("closed") };
        let known = machine("known");
        put(&fresh, known.clone()).await;
        let ask = ClaimAsk { closed_lanes: vec!["main:create".into()], ..ask(t(1)) };
        let news = vec![machine("a"), later, closed, known, machine("b")];
        let claimed = fresh.store.take_in(news, vec![], Some(ask)).await.unwrap().claimed;
        assert_eq!(ids(&claimed), ["a", "b"], "{:?}", fresh.store.kind());
        assert!(claimed.iter().all(|row| row.claims == 1 && row.inbox.is_empty()));
        let again = claim_all(&fresh, t(1)).await;
        assert_eq!(ids(&again), ["closed", "known"], "nobody else has what is held: {:?}", fresh.store.kind());
        let mut turns = claimed.iter().map(|row| turn(row, "moved"));
        assert!(is_done(&commit(&fresh, turns.next().unwrap()).await), "its token is the row's");
    }
}

#[tokio::test]
async fn no_more_is_claimed_at_the_door_than_there_are_seats_and_places_in_a_lane() {
    for fresh in testing::stores().await {
        let lane = |n: u32| if n.is_multiple_of(2) { "main:query" } else { "main:create" };
        let news = (0..20).map(|n| NewInstance { due: due(lane(n), 3, Some(t(0))), ..machine(&format!("m{n}")) });
        let ask = ClaimAsk { limit: 5, per_lane: 2, ..ask(t(1)) };
        let taken = fresh.store.take_in(news.collect(), vec![], Some(ask)).await.unwrap();
        assert_eq!((taken.submitted.len(), taken.claimed.len()), (20, 4), "{:?}", fresh.store.kind());
    }
}

#[tokio::test]
async fn p12_what_is_held_as_a_duplicate_is_not_claimed_at_the_door() {
    for fresh in testing::stores().await {
        let news = vec![super::machines::guarded("g1"), super::machines::guarded("g2")];
        let claimed = fresh.store.take_in(news, vec![], Some(ask(t(1)))).await.unwrap().claimed;
        assert_eq!(ids(&claimed), ["g1"], "{:?}", fresh.store.kind());
    }
}

#[tokio::test]
async fn a_machine_that_nobody_holds_is_claimed_with_the_letter_that_rang_it() {
    for fresh in testing::stores().await {
        let sleeping = |key: &str| NewInstance { due: due("-", 4, Some(t(900))), ..machine(key) };
        let (free, held) = (put(&fresh, sleeping("free")).await, put(&fresh, sleeping("held")).await);
        fresh.store.post(vec![post(Target::Instance(held), None)]).await.unwrap();
        let holder = claim_all(&fresh, t(2)).await;
        assert_eq!(ids(&holder), ["held"]);
        let posts = vec![post(Target::Instance(free), Some("same")), post(Target::Instance(held), None)];
        let TakenIn { posted, claimed, .. } = fresh.store.take_in(vec![], posts, Some(ask(t(2)))).await.unwrap();
        assert_eq!(
            (answers(posted), ids(&claimed)),
            (vec![Posted::Stored; 2], vec!["free"]),
            "{:?}",
            fresh.store.kind()
        );
        assert_eq!((claimed[0].inbox.len(), claimed[0].signals, claimed[0].claims), (1, 1, 1));
        let repeat = vec![post(Target::Instance(free), Some("same"))];
        let TakenIn { posted, claimed, .. } = fresh.store.take_in(vec![], repeat, Some(ask(t(2)))).await.unwrap();
        assert_eq!((answers(posted), claimed.len()), (vec![Posted::Duplicate], 0));
        assert!(is_done(&commit(&fresh, turn(&holder[0], "moved")).await));
        let after = claim_all(&fresh, t(6)).await;
        assert_eq!(ids(&after), ["held"], "what came during its turn has made it due: {:?}", fresh.store.kind());
    }
}

/// F2: a row that somebody else claimed before in this state may have been sent. It takes the way through the claim and `found`.
#[tokio::test]
async fn f2_a_row_that_was_claimed_before_in_its_state_is_not_claimed_at_the_door() {
    for fresh in testing::standing().await {
        let id = put(&fresh, machine("a")).await;
        for _ in 0..2 {
            assert_eq!(claim_all(&fresh, t(1)).await.len(), 1);
            fresh.pass(LEASE).await;
        }
        let rung = vec![post(Target::Instance(id), None)];
        let claimed = fresh.store.take_in(vec![], rung, Some(ask(t(1)))).await.unwrap().claimed;
        assert!(claimed.is_empty(), "its lease lapsed: {:?}", fresh.store.kind());
        let third = claim_all(&fresh, t(1)).await.remove(0);
        fresh.store.release(vec![LetGo { id, token: third.token, wake_at: Some(t(900)) }]).await.unwrap();
        let rung = vec![post(Target::Instance(id), None)];
        let claimed = fresh.store.take_in(vec![], rung, Some(ask(t(1)))).await.unwrap().claimed;
        assert!(claimed.is_empty(), "let go, and perhaps sent: {:?}", fresh.store.kind());
    }
}

#[tokio::test]
async fn f70_a_machine_that_sleeps_and_adopts_an_early_letter_is_left_to_the_claim() {
    for fresh in testing::stores().await {
        let new = NewInstance { address: Some("main/req1".into()), due: due("-", 3, Some(t(900))), ..machine("a") };
        fresh.store.post(vec![post(Target::Address("main/req1".into()), None)]).await.unwrap();
        let claimed = fresh.store.take_in(vec![new], vec![], Some(ask(t(2)))).await.unwrap().claimed;
        assert!(claimed.is_empty(), "{:?}", fresh.store.kind());
        let claimed = claim_all(&fresh, t(2)).await;
        assert_eq!((claimed.len(), claimed[0].inbox.len()), (1, 1), "{:?}", fresh.store.kind());
    }
}

#[tokio::test]
async fn s_f_what_comes_in_together_is_answered_in_order_whoever_it_is_for() {
    for fresh in testing::stores().await {
        let sleeping =
            |key: &str| NewInstance { address: Some(format!("main/{key}")), due: due("-", 4, None), ..machine(key) };
        let old = put(&fresh, sleeping("old")).await;
        let to = |address: &str| post(Target::Address(format!("main/{address}")), None);
        let posts = vec![to("nobody"), to("old"), to("new"), to("nobody2")];
        let taken = fresh.store.take_in(vec![sleeping("new")], posts, Some(ask(t(2)))).await.unwrap();
        let (orphan, stored) = (Posted::Orphan, Posted::Stored);
        assert_eq!(answers(taken.posted), [orphan, stored, stored, orphan], "{:?}", fresh.store.kind());
        assert_eq!(ids(&taken.claimed), ["new", "old"], "{:?}", fresh.store.kind());
        assert!(taken.claimed.iter().all(|row| row.inbox.len() == 1));
        assert!(taken.claimed.iter().any(|row| row.id == old));
    }
}

#[tokio::test]
async fn what_is_under_way_takes_the_seats_before_what_is_new() {
    for fresh in testing::stores().await {
        let sleeping = |key: &str| NewInstance { due: due("-", 4, Some(t(900))), ..machine(key) };
        let (one, two) = (put(&fresh, sleeping("one")).await, put(&fresh, sleeping("two")).await);
        let posts = vec![post(Target::Instance(one), None), post(Target::Instance(two), None)];
        let news = vec![machine("a"), machine("b")];
        let taken = fresh.store.take_in(news, posts, Some(ClaimAsk { limit: 3, ..ask(t(2)) })).await.unwrap();
        assert_eq!(
            ids(&taken.claimed)[1..],
            ["one", "two"],
            "one seat is left for a new one: {:?}",
            fresh.store.kind()
        );
    }
}

#[tokio::test]
async fn f70_a_machine_claimed_as_it_is_inserted_reads_an_early_letter_in_this_claim_or_in_the_next() {
    for fresh in testing::stores().await {
        let new = NewInstance { address: Some("main/req1".into()), ..machine("a") };
        fresh.store.post(vec![post(Target::Address("main/req1".into()), None)]).await.unwrap();
        let claimed = fresh.store.take_in(vec![new], vec![], Some(ask(t(2)))).await.unwrap().claimed;
        assert_eq!(claimed.len(), 1, "{:?}", fresh.store.kind());
        let mut read = claimed[0].inbox.len();
        if read == 0 {
            assert!(is_done(&commit(&fresh, turn(&claimed[0], "moved")).await));
            read = claim_all(&fresh, t(6)).await.iter().map(|row| row.inbox.len()).sum();
        }
        assert_eq!(read, 1, "{:?}", fresh.store.kind());
    }
}
