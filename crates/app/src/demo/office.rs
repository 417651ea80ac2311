//! The platform's office: uploads the payday file, has it approved by a second person, releases it, and decides about rows held
//! as duplicates.

use super::closing::Progress;
use super::http::Http;
use super::stack::Stack;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// The uploaded file, as levee answered it.
pub(super) struct Batch {
    pub(super) id: String,
    pub(super) count: u64,
    pub(super) sum: String,
    /// Wrong rows: `{row, field, code, message}`.
    pub(super) errors: Vec<Value>,
}

/// Who works there, each with a key of his own.
pub(super) struct Staff {
    pub(super) operator: Http,
    approver: Http,
}

impl Staff {
    pub(super) async fn hire(stack: &Stack) -> Result<Self> {
        let operator = key(&stack.office, "amei", "operator").await?;
        Ok(Self { operator, approver: key(&stack.office, "boss", "approver").await? })
    }
}

/// From file to released, by three persons.
pub(super) async fn import(staff: &Staff, file: &[u8], progress: &mut Progress) -> Result<Batch> {
    let (uploader, approver) = (&staff.operator, &staff.approver);
    let (status, answer) = uploader.send(reqwest::Method::POST, "/v1/batches", "text/csv", file.to_vec()).await?;
    if !(200..300).contains(&status) {
        bail!("the payday file was refused ({status}): {answer}");
    }
    let id = answer["id"].as_str().context("the batch has an id")?.to_owned();
    let batch = Batch {
        count: answer["count"].as_u64().unwrap_or(0),
        sum: answer["sum"].as_str().unwrap_or("0.00").to_owned(),
        errors: answer["errors"].as_array().cloned().unwrap_or_default(),
        id,
    };
    progress.say(&format!(
        "payday file: {} good rows, {} in all, {} mistakes in wrong rows",
        batch.count,
        batch.sum,
        batch.errors.len()
    ));
    wait_for_state(uploader, &batch.id, "approval").await?;
    approver.done(&format!("/v1/batches/{}/approve", batch.id), &json!({})).await?;
    approver.done(&format!("/v1/batches/{}/release", batch.id), &json!({})).await?;
    wait_for_state(uploader, &batch.id, "done").await?;
    progress.say("approved by a second person, and released");
    decide_duplicates(approver, progress).await?;
    Ok(batch)
}

/// A key of one's own; its name is the person for four-eyes.
pub(crate) async fn key(admin: &Http, name: &str, role: &str) -> Result<Http> {
    let made = admin.done("/v1/keys", &json!({"name": name, "role": role, "tenant": "default"})).await?;
    let secret = made["key"].as_str().context("a key is shown once")?;
    Ok(admin.with_key(secret))
}

pub(crate) async fn wait_for_state(office: &Http, batch: &str, state: &str) -> Result<()> {
    // Releasing five thousand orders takes a while; a batch that does not get there in two minutes never will.
    for _ in 0..6000 {
        let seen = office.get(&format!("/v1/batches/{batch}")).await?;
        if seen["state"] == state || (state == "approval" && seen["state"] == "done") {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    bail!("the batch never reached {state}")
}

/// Rows held as duplicates: every other one is a second job indeed, the rest was a mistake.
async fn decide_duplicates(approver: &Http, progress: &mut Progress) -> Result<()> {
    let held = approver.all("/v1/orders?state=gated").await?;
    let held: Vec<&Value> =
        held.iter().filter(|order| order["waits_for"].as_str().is_some_and(|why| why.contains("a person"))).collect();
    for (place, order) in held.iter().enumerate() {
        let id = order["id"].as_str().context("an order has an id")?;
        if place % 2 == 0 {
            approver.done(&format!("/v1/orders/{id}/release"), &json!({"reason": "two jobs on one day"})).await?;
        } else {
            approver.done(&format!("/v1/orders/{id}/cancel"), &json!({})).await?;
        }
    }
    progress.say(&format!(
        "{} rows were held as suspected duplicates: {} released, {} cancelled",
        held.len(),
        held.len().div_ceil(2),
        held.len() / 2
    ));
    Ok(())
}
