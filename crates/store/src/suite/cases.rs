//! What people do to a case is one transaction with its audit row and its letter (I24), on every database.

use super::*;
use crate::testing::{self, Lost};
use crate::{Act, CaseChange, CaseStep};
use domain::levy::NextStep;
use domain::record::Write;

fn proposal(by: &str, seconds: i64) -> Proposal {
    Proposal { name: "levied".into(), reason: "seen".into(), evidence: None, by: by.into(), at: t(seconds) }
}

pub(crate) fn step(case: uuid::Uuid, change: CaseChange) -> CaseStep {
    let act = Act { who: "li".into(), what: "case".into(), subject: case.to_string(), detail: json!({}), at: t(6) };
    CaseStep { case, change, act, letter: None }
}

pub(crate) fn propose(proposal: &Proposal, lapsed: i64) -> CaseChange {
    CaseChange::Propose { proposal: proposal.clone(), lapsed: t(lapsed) }
}

pub(crate) fn approve(proposal: &Proposal, by: &str) -> CaseChange {
    CaseChange::Approve { proposal: proposal.clone(), by: by.into() }
}

/// A machine with an open case, and a letter that an approval would send it.
async fn asked(fresh: &testing::Fresh) -> (InstanceId, uuid::Uuid, Post) {
    let id = put(fresh, machine("a")).await;
    let case = office::case("contradiction");
    fresh.store.open_case(id, "acme", case.clone()).await.unwrap();
    let (to, dedupe) = (Target::Instance(id), Some("case/approved".to_owned()));
    let event = json!({ "approved": case.id });
    let letter = Post {
        id: ids::draw(t(7)),
        tenant: "acme".into(),
        to,
        event,
        source: "api".into(),
        dedupe,
        raw: None,
        at: t(7),
    };
    (id, case.id, letter)
}

#[tokio::test]
async fn i24_an_approval_its_audit_row_and_its_letter_are_one_transaction() {
    for fresh in testing::stores().await {
        let store = &fresh.store;
        let (id, case, letter) = asked(&fresh).await;
        let first = proposal("li", 6);
        let yes = |by: &str| CaseStep { letter: Some(letter.clone()), ..step(case, approve(&first, by)) };
        assert_eq!(store.case_step(yes("wang")).await, Ok(false), "nothing is proposed");
        assert_eq!(store.case_step(step(case, propose(&first, 0))).await, Ok(true));
        assert_eq!(store.case_step(step(case, CaseChange::Move)).await, Ok(false), "a proposal waits");
        let before = store.acts("acme", 9).await.unwrap().len();
        assert_eq!(store.case_step(yes("li")).await, Err(Error::Forbidden("case_four_eyes".into())));
        assert_eq!(
            (store.letters(id).await.unwrap().len(), store.acts("acme", 9).await.unwrap().len()),
            (0, before),
            "what is refused leaves neither letter nor deed"
        );
        assert_eq!(store.case_step(yes("wang")).await, Ok(true));
        let again =
            CaseStep { letter: Some(Post { id: ids::draw(t(8)), dedupe: None, ..letter.clone() }), ..yes("wang") };
        assert_eq!(store.case_step(again).await, Ok(true), "the same approver has the same answer");
        assert_eq!(store.case_step(yes("zhao")).await, Ok(false), "one second person is enough");
        assert_eq!(store.letters(id).await.unwrap().len(), 1);
        assert_eq!(store.acts("acme", 9).await.unwrap().len(), before + 1);
        assert_eq!(
            store.case_step(step(case, propose(&proposal("chen", 9), 9))).await,
            Ok(false),
            "approved is approved"
        );
        let close = Write::CloseCase { case, how: "levied, by li and wang".into(), at: t(9) };
        assert!(is_done(&rules::writes(&fresh, id, vec![close]).await));
        assert_eq!(store.case_step(yes("wang")).await, Ok(true), "also when it is settled");
        let stored = store.case(case).await.unwrap().unwrap();
        assert_eq!((stored.state.as_str(), stored.approved_by.as_deref()), ("resolved", Some("wang")));
        assert_eq!(store.verify_audit("acme").await.unwrap(), None);
    }
}

#[tokio::test]
async fn f20_an_approval_whose_commit_lost_its_answer_is_made_once() {
    for fresh in testing::stores().await {
        for lost in [Lost::Applied, Lost::RolledBack] {
            let store = &fresh.store;
            let id = put(&fresh, machine(&format!("{lost:?}"))).await;
            let case = office::case("contradiction");
            store.open_case(id, "acme", case.clone()).await.unwrap();
            let first = proposal("li", 6);
            store.case_step(step(case.id, propose(&first, 0))).await.unwrap();
            let acts = store.acts("acme", 99).await.unwrap().len();
            let (to, event) = (Target::Instance(id), json!({}));
            let (source, dedupe) = ("api".to_owned(), None);
            let letter =
                Post { id: ids::draw(t(7)), tenant: "acme".into(), to, event, source, dedupe, raw: None, at: t(7) };
            testing::lose_commits(store, 1, lost);
            let yes = CaseStep { letter: Some(letter), ..step(case.id, approve(&first, "wang")) };
            assert_eq!(store.case_step(yes).await, Ok(true));
            assert_eq!(store.letters(id).await.unwrap().len(), 1, "{lost:?}");
            assert_eq!(store.acts("acme", 99).await.unwrap().len(), acts + 1, "{lost:?}");
        }
    }
}

#[tokio::test]
async fn a_lapsed_proposal_gives_way_to_a_new_one_and_a_live_one_does_not() {
    for fresh in testing::stores().await {
        let store = &fresh.store;
        let (_, case, _) = asked(&fresh).await;
        let (first, second) = (proposal("li", 6), proposal("wang", 100));
        assert_eq!(store.case_step(step(case, propose(&first, 0))).await, Ok(true));
        assert_eq!(store.case_step(step(case, propose(&first, 0))).await, Ok(true), "a repeat is the same proposal");
        assert_eq!(
            store.case_step(step(case, propose(&second, 6))).await,
            Ok(false),
            "it still waits for its approver"
        );
        assert_eq!(store.case_step(step(case, propose(&second, 7))).await, Ok(true));
        assert_eq!(store.case(case).await.unwrap().unwrap().proposal, Some(second.clone()));
        assert_eq!(
            store.case_step(step(case, approve(&first, "zhao"))).await,
            Ok(false),
            "nobody approves the old one"
        );
        assert_eq!(
            store.case_step(step(case, approve(&second, "wang"))).await,
            Err(Error::Forbidden("case_four_eyes".into())),
            "the proposer is the new one's"
        );
        assert_eq!(store.case_step(step(case, approve(&second, "li"))).await, Ok(true), "and the old proposer is free");
    }
}

#[tokio::test]
async fn a_case_is_closed_alone_and_reopened_with_its_reason() {
    for fresh in testing::stores().await {
        let store = &fresh.store;
        let (id, case, _) = asked(&fresh).await;
        let other = office::case("contradiction");
        store.open_case(id, "acme", other.clone()).await.unwrap();
        let first = proposal("li", 6);
        store.case_step(step(case, propose(&first, 0))).await.unwrap();
        store.case_step(step(case, approve(&first, "wang"))).await.unwrap();
        let reopen = Write::ReopenCase { case, why: "levied was not done: it's \"paid\" 已付款".into() };
        assert!(is_done(&rules::writes(&fresh, id, vec![reopen.clone()]).await));
        let open = store.case(case).await.unwrap().unwrap();
        assert_eq!((open.state.as_str(), open.proposal, open.approved_by), ("open", None, None));
        assert_eq!(open.open.facts, json!({"remit": "1", "reopened": "levied was not done: it's \"paid\" 已付款"}));
        assert_eq!(
            store.case_step(step(case, propose(&proposal("wang", 9), 0))).await,
            Ok(true),
            "it takes a move again"
        );
        let close = Write::CloseCase { case, how: "closed, by wang and li".into(), at: t(9) };
        assert!(is_done(&rules::writes(&fresh, id, vec![close]).await));
        assert!(is_done(&rules::writes(&fresh, id, vec![reopen]).await));
        assert_eq!(store.case(case).await.unwrap().unwrap().state, "resolved", "what is settled stays so");
        assert_eq!(store.case(other.id).await.unwrap().unwrap().state, "open", "of the same kind, and not meant");
    }
}

#[tokio::test]
async fn what_stands_beside_remits_is_read_at_once_and_in_order() {
    for fresh in testing::stores().await {
        let bare = put(&fresh, machine("bare")).await;
        let (id, case, _) = asked(&fresh).await;
        let found = fresh.store.beside(&[bare, id, InstanceId(uuid::Uuid::from_u128(404))]).await.unwrap();
        assert_eq!(found.iter().map(|one| one.open_case).collect::<Vec<_>>(), [None, Some(case), None]);
        assert!(fresh.store.beside(&[]).await.unwrap().is_empty());
        let paid = put(&fresh, machine("paid")).await;
        let failed = rules::permit(paid, 1, &fresh);
        let permit = rules::permit(paid, 2, &fresh);
        let (revoked, evidence) = (rules::evidence(paid, None), rules::evidence(paid, Some(permit.id)));
        let decide = rules::decide(paid, NextStep::Continue, Some(evidence.id));
        let Write::Decide(decision) = decide.clone() else { panic!() };
        let over = Write::MovePermit { permit: failed.id, state: "final_failed".into() };
        let gone = Write::RevokeEvidence { evidence: revoked.id, at: t(6) };
        let writes = vec![
            Write::IssuePermit(failed),
            over,
            Write::IssuePermit(permit.clone()),
            Write::KeepEvidence(evidence.clone()),
            Write::KeepEvidence(revoked),
            gone,
            decide,
        ];
        assert!(is_done(&rules::writes(&fresh, paid, writes).await));
        let found = fresh.store.beside(&[paid]).await.unwrap().remove(0);
        assert_eq!((found.permit, found.evidence, found.decision), (Some(permit), Some(evidence), Some(decision)));
    }
}
