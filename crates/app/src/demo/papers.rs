//! The platform's paper desk: uploads both sides of everybody's card, has them brought to the provider, and brings the vouchers that the
//! payer has left out.

use super::closing::Progress;
use super::http::Http;
use super::people::{self, Row};
use super::specimens;
use anyhow::{Context, Result, bail};
use domain::papers::FileKind;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

const AT_ONCE: usize = 8;

/// A person's card at the provider: our submission's id, and the ID number it is known by there.
pub(super) struct Card {
    pub(super) submission: String,
    pub(super) id_card: String,
}

/// Uploads the cards of the people of a payday file. Rows with mistakes in them have none.
pub(super) async fn bring_cards(office: &Http, file: &[u8], progress: &Progress) -> Result<Vec<Card>> {
    let mut rows = people::rows(file)?;
    rows.sort_by(|a, b| a.id_card.cmp(&b.id_card));
    rows.dedup_by(|a, b| a.id_card == b.id_card);
    let cards: Vec<Option<Card>> = stream::iter((0..=u16::MAX).cycle().zip(&rows))
        .map(|(number, row)| bring_card(office, number, row))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let cards: Vec<Card> = cards.into_iter().flatten().collect();
    progress.say(&format!("{} people's identity pictures uploaded, front and back", cards.len()));
    Ok(cards)
}

async fn bring_card(office: &Http, number: u16, row: &Row) -> Result<Option<Card>> {
    let person = row.person().to_string();
    let mut sides = Vec::new();
    for (kind, front) in [(FileKind::IdCardFront, true), (FileKind::IdCardBack, false)] {
        let picture = specimens::card(number, front);
        let (status, upload) = office.upload(kind.name(), ("person", &person), picture).await?;
        match status {
            201 => sides.push(upload["id"].clone()),
            // A row with a mistake: levee has said which.
            400 => return Ok(None),
            _ => bail!("a picture was refused ({status}): {upload}"),
        }
    }
    let submitted = office.done("/v1/document-submissions", &json!({ "document_ids": sides })).await?;
    let submission = submitted["id"].as_str().context("a submission has an id")?.to_owned();
    Ok(Some(Card { submission, id_card: row.id_card.clone() }))
}

/// Brings the vouchers that are still owed. How many.
pub(super) async fn bring_owed(office: &Http) -> Result<usize> {
    let remits = office.all("/v1/remits").await?;
    let owed: Vec<&Value> = remits.iter().filter(|remit| remit["voucher_state"] == "owed").collect();
    for remit in &owed {
        let id = remit["id"].as_str().context("a remit has an id")?;
        let (status, upload) =
            office.upload(FileKind::BankVoucher.name(), ("remit", id), specimens::voucher(id)).await?;
        if status != 201 {
            bail!("a voucher was refused ({status}): {upload}");
        }
        office.done("/v1/document-submissions", &json!({ "document_ids": [upload["id"]] })).await?;
    }
    Ok(owed.len())
}
