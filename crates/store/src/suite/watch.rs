//! What watchers count, and limbo.

use super::*;
use crate::testing;
use crate::watch::{CALM, FINISHED, in_none};

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

/// What PostgreSQL would do, in its words.
async fn plan(fresh: &Fresh, sql: &str) -> String {
    let Inner::Sql(database) = &fresh.store.inner else { panic!("an SQL store") };
    let rows = database.all(AssertSqlSafe(format!("explain {sql}")), vec![]).await.unwrap();
    rows.iter().map(|row| row.get::<String>("QUERY PLAN").unwrap()).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn watchers_read_neither_what_is_finished_nor_what_waits_in_peace() {
    let fresh = testing::postgres().await;
    for (states, index) in [(&FINISHED[..], "instance_still"), (&CALM[..], "instance_unsettled")] {
        let waits = if index == "instance_still" { "wake_at is null and" } else { "" };
        let sql = format!("select id from instance where {waits} {}", in_none(states));
        let said = plan(&fresh, &sql).await;
        assert!(said.contains(index), "the words of {index} and of the query differ: {said}");
    }
}

#[tokio::test]
async fn limbo_is_found_also_in_a_state_that_the_index_takes_for_finished() {
    for fresh in testing::stores().await {
        let finished = |key: &str| NewInstance {
            workflow: "remit".into(),
            state_name: "levied".into(),
            due: due("-", 3, None),
            ..machine(key)
        };
        let id = put(&fresh, finished("a")).await;
        let found = fresh.store.limbo(now(&fresh, t(5)), &[]).await.unwrap();
        assert_eq!(found.examples, [id.to_string()], "nobody says that it rests");
        let names = FINISHED.iter().filter_map(|name| name.split_once(' '));
        let resting: Vec<_> = names.map(|(workflow, state)| (workflow.to_owned(), state.to_owned())).collect();
        assert_eq!(fresh.store.limbo(now(&fresh, t(5)), &resting).await.unwrap().count, 0);
    }
}

#[tokio::test]
async fn a_list_of_all_states_is_one_list_newest_first() {
    for fresh in testing::stores().await {
        let of = |n: i64, workflow: &str| NewInstance {
            id: InstanceId(ids::draw(t(n))),
            workflow: workflow.into(),
            state_name: format!("state {}", n % 3),
            at: t(n),
            ..machine(&format!("{workflow}{n}"))
        };
        let mut put_in = Vec::new();
        for n in 0..12 {
            put_in.push(put(&fresh, of(n, "order")).await);
            put(&fresh, of(n, "remit")).await;
        }
        put_in.reverse();
        let all =
            || Filter { tenant: Some("acme".into()), workflow: Some("order".into()), limit: 5, ..Filter::default() };
        let list = async |filter| -> Vec<InstanceId> {
            fresh.store.list(filter).await.unwrap().into_iter().map(|row| row.id).collect()
        };
        assert_eq!(list(all()).await, put_in[..5]);
        assert_eq!(list(Filter { cursor: Some(put_in[4]), ..all() }).await, put_in[5..10]);
        assert_eq!(list(Filter { until: Some(t(9)), since: Some(t(7)), ..all() }).await, put_in[3..5]);
        let newest_of_state = [put_in[2], put_in[5], put_in[8], put_in[11]];
        assert_eq!(list(Filter { state: Some("state 0".into()), ..all() }).await, newest_of_state);
    }
}
