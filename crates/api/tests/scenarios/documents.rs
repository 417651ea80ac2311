//! P63, P66: papers, and what a lost or a silent answer means.

use crate::world::*;
use serde_json::{Value, json};
use simulator::{CallFault, Operation};

/// A PDF of one empty page; `name` makes it another one.
pub(crate) fn pdf(name: &str) -> Vec<u8> {
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>".to_owned(),
        format!("<< /Title ({name}) >>"),
    ];
    let (mut text, mut places) = ("%PDF-1.4\n".to_owned(), Vec::new());
    for (n, object) in (1..).zip(&objects) {
        places.push(text.len());
        text.push_str(&format!("{n} 0 obj\n{object}\nendobj\n"));
    }
    let table = text.len();
    text.push_str(&format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1));
    for place in places {
        text.push_str(&format!("{place:010} 00000 n \n"));
    }
    let size = objects.len() + 1;
    text.push_str(&format!("trailer\n<< /Size {size} /Root 1 0 R /Info 4 0 R >>\nstartxref\n{table}\n%%EOF\n"));
    text.into_bytes()
}

pub(crate) async fn p63_agreement_retry_duplicate_contract_id(db: Db) -> World {
    let w = World::new(db).await;
    // Given an agreement whose answer is lost.
    w.provider_will(Operation::UploadTaxpayerAgreement, CallFault::DropAfter);
    let person = ask("-", 1)["person"].to_string();
    let uploaded = w.uploads("agreement", ("person", &person), &pdf("one")).await.expect(201).json();
    let wanted = json!({ "document_ids": [uploaded["id"]], "contract_id": "C-1", "tax_agent_parent_id": "1001" });
    let submitted = w.post("/v1/document-submissions", wanted.clone()).await.expect(201).json();
    w.settle().await;
    assert_eq!(w.submission_state(&submitted).await, "submitted", "lost, and not failed");
    // Then it goes again word for word, and the provider has one.
    w.run(hours(2)).await;
    assert_eq!(w.submission_state(&submitted).await, "verified");
    let sends = w.arrivals(Operation::UploadTaxpayerAgreement);
    assert_eq!((sends.len(), &sends[0].facts), (2, &sends[1].facts), "never a new contract_id");
    assert_eq!(w.ledger().documents.len(), 1);
    // And the same again is the same, while another file under its number is refused before anything is sent.
    let same = w.post("/v1/document-submissions", wanted).await.expect(200).json();
    assert_eq!(same["id"], submitted["id"]);
    let other = w.uploads("agreement", ("person", &person), &pdf("other")).await.expect(201).json();
    let wanted = json!({ "document_ids": [other["id"]], "contract_id": "C-1", "tax_agent_parent_id": "1001" });
    assert_eq!(w.post("/v1/document-submissions", wanted).await.expect(409).json()["code"], "contract_id_used");
    // And one whose callback never comes goes to a person.
    w.mute_callbacks(true);
    let wanted = json!({ "document_ids": [other["id"]], "contract_id": "C-2", "tax_agent_parent_id": "1001" });
    let silent = w.post("/v1/document-submissions", wanted).await.expect(201).json();
    w.run(hours(73)).await;
    assert_eq!(w.submission_state(&silent).await, "needs_operator");
    w
}

impl World {
    /// One file under its kind, and whose it is.
    pub(crate) async fn uploads(&self, kind: &str, whose: (&str, &str), file: &[u8]) -> Answer {
        let mut form = Vec::new();
        for (name, value) in [("kind", kind), whose] {
            let field = format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            form.extend_from_slice(field.as_bytes());
        }
        let head = "--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"scan\"\r\n\r\n";
        form.extend_from_slice(head.as_bytes());
        form.extend_from_slice(file);
        form.extend_from_slice(b"\r\n--edge--\r\n");
        self.office.bring("/v1/documents", "multipart/form-data; boundary=edge", form).await
    }

    pub(crate) async fn submission_state(&self, submission: &Value) -> String {
        let shown = self.get(&format!("/v1/document-submissions/{}", text(&submission["id"]))).await.expect(200).json();
        text(&shown["state"]).to_owned()
    }
}
