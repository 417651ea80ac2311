//! The merchant's till and desk: permits, reports of what the bank did, and the cases that two persons settle.

use super::office::{Answer, CARD, Person};
use super::{Remit, World, text};
use serde_json::{Value, json};
use std::time::Duration;

/// Leave to pay once.
#[derive(Debug, Clone)]
pub(crate) struct Permit(pub(crate) Value);

/// A permit that was used, and the bank's answer.
#[derive(Debug, Clone)]
pub(crate) struct Paid {
    pub(crate) permit: Permit,
    pub(crate) payment: Value,
}

impl Permit {
    pub(crate) fn id(&self) -> &str {
        text(&self.0["permit_id"])
    }

    /// The bank order number.
    pub(crate) fn number(&self) -> &str {
        text(&self.0["bank_order_no"])
    }

    pub(crate) fn attempt(&self) -> u64 {
        self.0["attempt"].as_u64().expect("a number")
    }
}

impl World {
    /// Asks something that a turn of the machine answers; the worker drives meanwhile.
    async fn answered(&self, path: &str) -> Answer {
        let (office, path) = (self.office.clone(), path.to_owned());
        let asking = tokio::spawn(async move { office.call(Person::Li, "POST", &path, Some(json!({})), None).await });
        while !asking.is_finished() {
            self.engine.until_idle().await.expect("the store answers");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        asking.await.expect("an answer")
    }

    /// The payer asks whether it may pay.
    pub(crate) async fn asks_permit(&self, remit: &Remit) -> Answer {
        let answer = self.answered(&format!("/v1/remits/{}/pay-permit", remit.id)).await;
        if answer.status == 201 {
            let number = text(&answer.json()["bank_order_no"]).to_owned();
            self.pays_under(&number, remit);
        }
        answer
    }

    /// This number pays that remit: the oracle wants to know.
    pub(crate) fn pays_under(&self, number: &str, remit: &Remit) {
        self.paying.lock().expect("no panic before").insert(number.to_owned(), remit.provider_order_id.clone());
    }

    pub(crate) async fn permit(&self, remit: &Remit) -> Permit {
        Permit(self.asks_permit(remit).await.expect(201).json())
    }

    /// The code with which a permit is refused.
    pub(crate) async fn refused(&self, remit: &Remit) -> String {
        self.asks_permit(remit).await.expect(409).code()
    }

    pub(crate) async fn report(&self, remit: &Remit, permit: &Permit, outcome: &str) {
        let body = json!({ "permit_id": permit.id(), "outcome": outcome, "bank_order_no": permit.number() });
        self.post(&format!("/v1/remits/{}/payout-results", remit.id), body).await.expect(202);
    }

    /// The payer reports what the bank answered: paid, and when.
    pub(crate) async fn report_paid(&self, remit: &Remit, permit: &Permit, payment: &Value) {
        self.try_report_paid(remit, permit, payment).await.expect(202);
    }

    pub(crate) async fn try_report_paid(&self, remit: &Remit, permit: &Permit, payment: &Value) -> Answer {
        let body = json!({
            "permit_id": permit.id(), "outcome": "paid", "amount": payment["amount"], "paid_at": payment["paid_at"],
            "bank_serial": payment["bank_serial"], "bank_order_no": permit.number(),
            "payee_bankcard_no": permit.0["payee"]["bankcard_no"],
        });
        self.post(&format!("/v1/remits/{}/payout-results", remit.id), body).await
    }

    /// Permit, payment, report: all as it should be. Nothing is driven after the report.
    pub(crate) async fn pays(&self, remit: &Remit) -> Paid {
        let permit = self.permit(remit).await;
        let payment = self.instruct(&permit).await.expect("the bank answers");
        self.report_paid(remit, &permit, &payment).await;
        Paid { permit, payment }
    }

    /// The payer attests that a permit was not used.
    pub(crate) async fn attests(&self, remit: &Remit, permit: &Permit) -> Answer {
        let body = json!({ "permit_id": permit.id(), "reason": "the bank does not know the number" });
        self.post(&format!("/v1/remits/{}/attest-not-paid", remit.id), body).await
    }

    /// The kinds of all open cases, sorted.
    pub(crate) async fn cases(&self) -> Vec<String> {
        let mut kinds: Vec<String> =
            self.open_cases().await.iter().map(|case| text(&case["kind"]).to_owned()).collect();
        kinds.sort();
        kinds
    }

    async fn open_cases(&self) -> Vec<Value> {
        self.all("/v1/cases").await.into_iter().filter(|case| case["state"] != "resolved").collect()
    }

    /// The open case of a kind.
    pub(crate) async fn case(&self, kind: &str) -> Value {
        let cases = self.open_cases().await;
        let kinds: Vec<&str> = cases.iter().map(|case| text(&case["kind"])).collect();
        let found = cases.iter().find(|case| case["kind"] == kind).cloned();
        found.unwrap_or_else(|| panic!("no open case of {kind}: {kinds:?}"))
    }

    /// One person proposes a move, another approves it, and the machine is told.
    pub(crate) async fn two_persons_decide(&self, kind: &str, r#move: &str, evidence: Option<Value>) {
        let case = self.case(kind).await;
        let path = format!("/v1/cases/{}", text(&case["id"]));
        let body = json!({ "move": r#move, "reason": "looked up at the bank", "evidence": evidence });
        let proposed = self.post(&format!("{path}/resolve"), body).await.expect(202).json();
        assert_eq!(proposed["state"], "proposed", "{proposed}");
        let alone = self.post_as(Person::Li, &format!("{path}/approve"), json!({})).await;
        assert_eq!(alone.expect(409).code(), "same_person");
        self.post_as(Person::Wang, &format!("{path}/approve"), json!({})).await.expect(202);
        self.settle().await;
    }
}

/// The bank's word as evidence for people to bring.
pub(crate) fn evidence(payment: &Value) -> Value {
    json!({
        "amount": payment["amount"], "paid_at": payment["paid_at"], "bank_serial": payment["bank_serial"],
        "payee_bankcard_no": CARD, "source": "statement",
    })
}
