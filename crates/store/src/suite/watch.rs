//! What watchers count, and limbo.

use super::*;
use crate::testing;

#[tokio::test]
async fn i9_limbo_is_what_nothing_will_ever_move() {
    for fresh in testing::stores().await {
        let resting = [("order".to_owned(), "settled".to_owned())];
        let limbo = async || fresh.store.limbo(now(&fresh, t(5)), &resting).await.unwrap();
        let id = put(&fresh, machine("a")).await;
        assert_eq!(limbo().await.count, 0, "it has a due time");
        let claimed = claim_one(&fresh, id).await;
        let stuck = Turn { due: due("-", 3, None), ..turn(&claimed, "waiting") };
        assert!(is_done(&commit(&fresh, stuck).await));
        let found = limbo().await;
        assert_eq!((found.audit.as_str(), found.count, found.examples), ("L-2", 1, vec![id.to_string()]));
        fresh.store.open_case(id, "acme", office::case("stuck")).await.unwrap();
        assert_eq!(limbo().await.count, 0, "a case owns it");
        let rests =
            put(&fresh, NewInstance { due: due("-", 3, None), state_name: "settled".into(), ..machine("b") }).await;
        assert_eq!(limbo().await.count, 0, "{rests} rests");
    }
}

#[tokio::test]
async fn watchers_count_and_look_ahead() {
    for fresh in testing::stores().await {
        put(&fresh, machine("a")).await;
        put(&fresh, NewInstance { due: due("-", 3, Some(t(50))), ..machine("b") }).await;
        let counts = fresh.store.counts().await.unwrap();
        assert_eq!(counts, [Count { workflow: "order".into(), state: "gated".into(), count: 2 }]);
        assert_eq!(fresh.store.due_oldest(t(9)).await.unwrap(), Some(t(0)));
        assert_eq!(fresh.store.due_oldest(t(-9)).await.unwrap(), None);
        claim_all(&fresh, t(1)).await;
        assert_eq!(fresh.store.due_oldest(t(9)).await.unwrap(), None);
        assert_eq!(fresh.store.next_wake().await.unwrap(), Some(t(0)), "claimed or not");
    }
}
