//! Permits (S-B, S-C, S-D): when one is issued, and how an attempt goes on.

use super::rules::{allowed, decide, forbidden, permit};
use super::*;
use crate::testing;
use domain::levy::NextStep;
use domain::record::{Permit, Write};
use workflows::payout;

#[tokio::test]
async fn s_c_s_d_permits() {
    for fresh in testing::stores().await {
        let id = put(&fresh, machine("r")).await;
        let first = permit(id, 1, &fresh);
        let stale = first.observed_real - std::time::Duration::from_secs(31);
        forbidden(
            &fresh,
            id,
            vec![Write::IssuePermit(Permit { observed_real: stale, ..first.clone() })],
            "permit_fresh",
        )
        .await;
        forbidden(
            &fresh,
            id,
            vec![Write::IssuePermit(Permit { pay_cutoff: t(5), ..first.clone() })],
            "permit_before_cutoff",
        )
        .await;
        forbidden(&fresh, id, vec![Write::IssuePermit(Permit { attempt: 2, ..first.clone() })], "permit_attempt_order")
            .await;
        forbidden(
            &fresh,
            id,
            vec![Write::IssuePermit(Permit { state: "paid?".into(), ..first.clone() })],
            "permit_state",
        )
        .await;
        allowed(&fresh, id, vec![Write::IssuePermit(first.clone())]).await;
        forbidden(&fresh, id, vec![Write::IssuePermit(permit(id, 2, &fresh))], "permit_one_live").await;
        allowed(&fresh, id, vec![Write::MovePermit { permit: first.id, state: "final_failed".into() }]).await;
        let second = permit(id, 2, &fresh);
        allowed(&fresh, id, vec![Write::IssuePermit(second.clone())]).await;
        allowed(&fresh, id, vec![Write::MovePermit { permit: second.id, state: "success".into() }]).await;
        forbidden(&fresh, id, vec![Write::IssuePermit(permit(id, 3, &fresh))], "permit_one_success").await;
        let rows = fresh.store.permits(id).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.permit.state.as_str()).collect::<Vec<_>>(), ["final_failed", "success"]);
        assert_eq!(fresh.store.permit(second.id).await.unwrap().unwrap().permit.bank_order_no, "bank2");
    }
}

/// Every state of an attempt, with a way that leads there.
const WAYS: [(&str, &[&str]); 7] = [
    ("permit_issued", &[]),
    ("instructed", &["instructed"]),
    ("in_doubt", &["in_doubt"]),
    ("success", &["success"]),
    ("final_failed", &["final_failed"]),
    ("expired_attested", &["expired_attested"]),
    ("returned", &["success", "returned"]),
];

#[tokio::test]
async fn s_b_s_d_an_attempt_moves_only_as_its_machine_does() {
    let drawn = |from: &str, to: &str| {
        let states = payout::State::ALL.into_iter().filter(|state| state.name() == from);
        let next =
            states.flat_map(|state| payout::Event::ALL.into_iter().filter_map(move |event| state.apply(event).ok()));
        next.into_iter().any(|state| state.name() == to)
    };
    for fresh in testing::stores().await {
        for (from, way) in WAYS {
            for (to, _) in WAYS {
                let id = put(&fresh, machine(&format!("{from}/{to}"))).await;
                let permit = permit(id, 1, &fresh);
                let move_to = |state: &str| vec![Write::MovePermit { permit: permit.id, state: state.into() }];
                allowed(&fresh, id, vec![Write::IssuePermit(permit.clone())]).await;
                for state in way {
                    allowed(&fresh, id, move_to(state)).await;
                }
                match from == to || drawn(from, to) {
                    true => allowed(&fresh, id, move_to(to)).await,
                    false => forbidden(&fresh, id, move_to(to), "permit_move").await,
                }
            }
        }
    }
}

#[tokio::test]
async fn s_b_nothing_revives_an_attempt_of_a_cancelled_remit() {
    for fresh in [testing::sqlite().await, testing::postgres().await] {
        let id = put(&fresh, machine("r")).await;
        let failed = permit(id, 1, &fresh);
        let over = Write::MovePermit { permit: failed.id, state: "final_failed".into() };
        let cancel = vec![Write::CloseGate { remit: id, at: t(5) }, decide(id, NextStep::Cancel, None)];
        allowed(&fresh, id, vec![Write::IssuePermit(failed.clone())]).await;
        allowed(&fresh, id, vec![over]).await;
        allowed(&fresh, id, cancel).await;
        for state in ["permit_issued", "instructed", "in_doubt", "success", "expired_attested", "returned"] {
            let broken = format!("update permit set state = '{state}' where id = {}", id_of(&fresh, failed.id));
            assert_eq!(raw(&fresh, &broken).await, Err(Error::Forbidden("permit_move".into())), "{broken}");
        }
    }
}
