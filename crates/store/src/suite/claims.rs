use super::*;
use crate::testing;
use std::collections::HashSet;
use std::time::Duration;

#[tokio::test]
async fn f9_two_claimers_never_share_a_machine() {
    for fresh in testing::stores().await {
        fresh.store.submit((0..200).map(|n| machine(&format!("m{n}"))).collect()).await.unwrap();
        let claimers: Vec<_> = (0..2)
            .map(|_| {
                let (store, ask) = (fresh.store.clone(), ClaimAsk { limit: 20, ..ask(t(1)) });
                tokio::spawn(async move {
                    let mut mine = Vec::new();
                    for _ in 0..20 {
                        mine.extend(store.claim(ask.clone()).await.unwrap().into_iter().map(|claimed| claimed.id));
                    }
                    mine
                })
            })
            .collect();
        let mut all = Vec::new();
        for claimer in claimers {
            all.extend(claimer.await.unwrap());
        }
        let distinct: HashSet<_> = all.iter().collect();
        assert_eq!((all.len(), distinct.len()), (200, 200), "{:?}", fresh.store.kind());
    }
}

#[tokio::test]
async fn one_tenant_of_many_rows_stands_in_nobodys_way() {
    for fresh in testing::stores().await {
        let mut news: Vec<NewInstance> = (0..50).map(|n| machine(&format!("big{n}"))).collect();
        news.extend((0..3).map(|n| NewInstance {
            tenant: "small".into(),
            due: due("-", 3, Some(t(1))),
            ..machine(&format!("small{n}"))
        }));
        fresh.store.submit(news).await.unwrap();
        let claimed = fresh.store.claim(ClaimAsk { limit: 6, ..ask(t(2)) }).await.unwrap();
        assert_eq!(claimed.iter().filter(|claimed| claimed.tenant == "small").count(), 3);
    }
}

#[tokio::test]
async fn the_most_hazardous_class_goes_first_and_every_class_has_its_floor() {
    for fresh in testing::stores().await {
        let news = (0..30).flat_map(|n| {
            [0, 4].map(|class| NewInstance { due: due("-", class, Some(t(0))), ..machine(&format!("c{class}n{n}")) })
        });
        fresh.store.submit(news.collect()).await.unwrap();
        let claimed = fresh.store.claim(ClaimAsk { limit: 16, ..ask(t(1)) }).await.unwrap();
        let urgent: Vec<bool> = claimed.iter().map(|claimed| claimed.business_key.starts_with("c0")).collect();
        assert_eq!(urgent, [vec![true; 14], vec![false; 2]].concat(), "{:?}", fresh.store.kind());
    }
}

#[tokio::test]
async fn closed_and_full_lanes_are_left_alone() {
    for fresh in testing::stores().await {
        let news = ["a", "b", "c"].iter().flat_map(|lane| (0..4).map(move |n| (lane, n)));
        let news =
            news.map(|(lane, n)| NewInstance { due: due(lane, 3, Some(t(0))), ..machine(&format!("{lane}{n}")) });
        fresh.store.submit(news.collect()).await.unwrap();
        let narrow = ClaimAsk { closed_lanes: vec!["a".into()], per_lane: 3, ..ask(t(1)) };
        let lanes: Vec<String> =
            fresh.store.claim(narrow).await.unwrap().into_iter().map(|claimed| claimed.lane).collect();
        assert_eq!(lanes.len(), 6);
        assert!(!lanes.contains(&"a".to_owned()));
    }
}

#[tokio::test]
async fn a_narrow_lane_narrows_no_other() {
    for fresh in testing::stores().await {
        let news = ["narrow", "wide"].iter().flat_map(|lane| (0..9).map(move |n| (lane, n)));
        let news =
            news.map(|(lane, n)| NewInstance { due: due(lane, 3, Some(t(0))), ..machine(&format!("{lane}{n}")) });
        fresh.store.submit(news.collect()).await.unwrap();
        let narrow = ClaimAsk { per_lane: 6, rooms: [("narrow".to_owned(), 2)].into(), ..ask(t(1)) };
        let claimed = fresh.store.claim(narrow).await.unwrap();
        let of = |lane: &str| claimed.iter().filter(|claimed| claimed.lane == lane).count();
        assert_eq!((of("narrow"), of("wide")), (2, 6), "{:?}", fresh.store.kind());
    }
}

#[tokio::test]
async fn a_claim_expires_and_is_counted() {
    for fresh in testing::standing().await {
        let id = put(&fresh, machine("a")).await;
        let first = claim_all(&fresh, t(1)).await;
        assert_eq!((first[0].id, first[0].claims), (id, 1));
        fresh.pass(LEASE - Duration::from_millis(1)).await;
        assert!(claim_all(&fresh, t(1)).await.is_empty(), "a live claim is exclusive");
        assert_eq!(fresh.store.live_claims(fresh.store.time().await.unwrap()).await.unwrap(), 1);
        fresh.pass(Duration::from_millis(1)).await;
        let second = claim_all(&fresh, t(1)).await;
        assert_eq!((second.len(), second[0].claims), (1, 2), "taken twice in one state: perhaps sent");
        assert_ne!(second[0].token, first[0].token);
        assert_eq!(
            commit(&fresh, turn(&first[0], "late")).await,
            Committed::Conflict,
            "the first worker woke too late"
        );
        assert!(is_done(&commit(&fresh, turn(&second[0], "moved")).await));
    }
}

#[tokio::test]
async fn lapsed_rows_of_a_closed_lane_hide_no_others() {
    for fresh in testing::standing().await {
        let dead =
            (0..5).map(|n| NewInstance { due: due("main:create", 3, Some(t(0))), ..machine(&format!("dead{n}")) });
        fresh.store.submit(dead.collect()).await.unwrap();
        assert_eq!(claim_all(&fresh, t(1)).await.len(), 5);
        fresh.pass(Duration::from_secs(1)).await;
        let open = put(&fresh, machine("open")).await;
        assert_eq!(claim_all(&fresh, t(1)).await.len(), 1);
        fresh.pass(LEASE).await;
        let ask = ClaimAsk { limit: 1, closed_lanes: vec!["main:create".into()], ..ask(t(1)) };
        let claimed = fresh.store.claim(ask).await.unwrap();
        let claimed: Vec<_> = claimed.iter().map(|claimed| claimed.id).collect();
        assert_eq!(claimed, [open], "{:?}", fresh.store.kind());
    }
}

#[tokio::test]
async fn letting_go_counts_nothing() {
    for fresh in testing::stores().await {
        let id = put(&fresh, machine("a")).await;
        let claimed = claim_one(&fresh, id).await;
        let go = |token, wake_at| vec![LetGo { id, token, wake_at }];
        fresh.store.release(go(Uuid::new_v4(), Some(t(7)))).await.unwrap();
        assert!(claim_all(&fresh, t(9)).await.is_empty(), "another token releases nothing");
        fresh.store.release(go(claimed.token, Some(t(7)))).await.unwrap();
        assert!(claim_all(&fresh, t(6)).await.is_empty());
        let again = claim_all(&fresh, t(8)).await;
        assert_eq!((again.len(), again[0].claims), (1, 1));
        fresh.store.post(vec![post(Target::Instance(id), None)]).await.unwrap();
        fresh.store.release(go(again[0].token, Some(t(70)))).await.unwrap();
        assert_eq!(claim_all(&fresh, t(8)).await.len(), 1, "a post since the claim keeps the machine due");
    }
}

#[tokio::test]
async fn f2_letting_go_never_forgets_an_earlier_claim() {
    for fresh in testing::standing().await {
        let id = put(&fresh, machine("a")).await;
        claim_one(&fresh, id).await;
        fresh.pass(LEASE).await;
        for _ in 0..3 {
            let again = claim_one(&fresh, id).await;
            assert_eq!(again.claims, 2, "the first worker is gone, and may have sent");
            fresh.store.release(vec![LetGo { id, token: again.token, wake_at: None }]).await.unwrap();
        }
    }
}

#[tokio::test]
async fn f11_claims_count_up_to_the_suspicion_and_only_a_lone_drive_counts_beyond() {
    for fresh in testing::standing().await {
        let id = put(&fresh, machine("a")).await;
        for claims in [1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3] {
            let claimed = claim_one(&fresh, id).await;
            assert_eq!((claimed.claims, claimed.suspect()), (claims, claims == 3), "{:?}", fresh.store.kind());
            fresh.pass(LEASE).await;
        }
        for alone in 1..4 {
            let claimed = claim_one(&fresh, id).await;
            fresh.pass(LEASE / 2).await;
            let until = fresh.options.clock.real() + LEASE;
            let stranger = fresh.store.single_out(id, Uuid::new_v4(), until).await.unwrap();
            assert_eq!(stranger, None, "another token counts nothing");
            assert_eq!(fresh.store.single_out(id, claimed.token, until).await.unwrap(), Some(SUSPECT + alone));
            fresh.pass(LEASE - Duration::from_millis(1)).await;
            assert!(claim_all(&fresh, t(1)).await.is_empty(), "the lease began with the drive");
            fresh.pass(Duration::from_millis(1)).await;
        }
        let claimed = claim_one(&fresh, id).await;
        assert_eq!(claimed.claims, SUSPECT + 3, "a claim takes nothing of it back");
        fresh.store.release(vec![LetGo { id, token: claimed.token, wake_at: None }]).await.unwrap();
        let cleared = claim_one(&fresh, id).await;
        assert_eq!(cleared.claims, 2, "who drove it lives: no suspect any more, but perhaps sent");
        assert!(is_done(&commit(&fresh, turn(&cleared, "moved")).await));
        assert_eq!(claim_one(&fresh, id).await.claims, 1, "a new state begins anew");
    }
}

#[tokio::test]
async fn f15_a_post_during_a_claim_is_not_lost() {
    for fresh in testing::stores().await {
        let id = put(&fresh, machine("a")).await;
        let claimed = claim_one(&fresh, id).await;
        fresh.store.post(vec![post(Target::Instance(id), None)]).await.unwrap();
        let rest = Turn { due: due("-", 3, None), ..turn(&claimed, "settled") };
        assert!(matches!(commit(&fresh, rest).await, Committed::Done { signals: 1, .. }));
        let woken = claim_all(&fresh, t(6)).await;
        assert_eq!((woken.len(), woken[0].inbox.len()), (1, 1));
        let read = Turn { consumed: vec![woken[0].inbox[0].id], due: due("-", 3, None), ..turn(&woken[0], "settled") };
        assert!(is_done(&commit(&fresh, read).await));
        assert!(claim_all(&fresh, t(99)).await.is_empty());
        assert_eq!(fresh.store.letters(id).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn sqlite_expires_its_claims_at_start() {
    let fresh = testing::sqlite().await;
    let id = put(&fresh, machine("a")).await;
    claim_one(&fresh, id).await;
    fresh.store.close().await;
    let Fresh { url, options, .. } = &fresh;
    let tool = Store::connect(url, Options { exclusive: false, ..options.clone() }).await.unwrap();
    assert_eq!(tool.live_claims(options.clock.real()).await.unwrap(), 1, "a reading tool expires nothing");
    let server = Store::connect(url, options.clone()).await.unwrap();
    let again = server.claim(ask(t(1))).await.unwrap();
    assert_eq!((again.len(), again[0].claims), (1, 2));
}
