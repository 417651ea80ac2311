//! The desk where papers are uploaded and brought to the provider, and what became of them on either side.

use super::{Answer, World, ask, minutes, text};
use domain::papers::Paper;
use serde_json::{Value, json};
use store::{BlobUse, Instance};
use workflows::document::Input;

impl World {
    /// One file under its kind, and whose it is.
    pub(crate) async fn uploads(&self, kind: &str, whose: (&str, &str), file: &[u8]) -> Answer {
        self.uploads_as("scan", "application/octet-stream", kind, whose, file).await
    }

    /// The same under a name and a type of the uploader's.
    pub(crate) async fn uploads_as(
        &self,
        name: &str,
        media: &str,
        kind: &str,
        whose: (&str, &str),
        file: &[u8],
    ) -> Answer {
        let mut form = Vec::new();
        for (name, value) in [("kind", kind), whose] {
            let field = format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            form.extend_from_slice(field.as_bytes());
        }
        let head = format!("--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n");
        form.extend_from_slice(format!("{head}content-type: {media}\r\n\r\n").as_bytes());
        form.extend_from_slice(file);
        form.extend_from_slice(b"\r\n--edge--\r\n");
        self.office.bring("/v1/documents", "multipart/form-data; boundary=edge", form).await
    }

    /// A good file of the n-th person; its id.
    pub(crate) async fn kept(&self, n: u32, kind: &str, file: &[u8]) -> Value {
        let person = ask("-", n)["person"].to_string();
        self.uploads(kind, ("person", &person), file).await.expect(201).json()["id"].clone()
    }

    pub(crate) async fn try_submit(&self, body: Value) -> Answer {
        self.post("/v1/document-submissions", body).await
    }

    /// A new submission.
    pub(crate) async fn submits(&self, body: Value) -> Value {
        self.try_submit(body).await.expect(201).json()
    }

    /// The n-th person's agreement with the first party.
    pub(crate) async fn submits_agreement(&self, n: u32, contract_id: &str, file: &[u8]) -> Value {
        let id = self.kept(n, "agreement", file).await;
        self.submits(json!({ "document_ids": [id], "contract_id": contract_id, "tax_agent_parent_id": "1001" })).await
    }

    /// Both sides of the n-th person's ID card.
    pub(crate) async fn submits_id_card(&self, n: u32, front: &[u8], back: &[u8], renewal: bool) -> Value {
        let ids = [self.kept(n, "id_card_front", front).await, self.kept(n, "id_card_back", back).await];
        self.submits(json!({ "document_ids": ids, "renewal": renewal })).await
    }

    pub(crate) async fn submission(&self, submission: &Value) -> Value {
        self.get(&format!("/v1/document-submissions/{}", text(&submission["id"]))).await.expect(200).json()
    }

    pub(crate) async fn submission_state(&self, submission: &Value) -> String {
        text(&self.submission(submission).await["state"]).to_owned()
    }

    /// One person settles a case whose move needs no second one, and the machine is told.
    pub(crate) async fn one_person_decides(&self, kind: &str, r#move: &str) {
        // Asking takes a while.
        self.run(minutes(1)).await;
        let case = self.case(kind).await;
        let body = json!({ "move": r#move, "reason": "asked the provider" });
        self.post(&format!("/v1/cases/{}/resolve", text(&case["id"])), body).await.expect(202);
        self.settle().await;
    }

    /// The row of a submission, as it is stored.
    pub(crate) async fn row_of(&self, submission: &Value) -> Instance {
        let rows = self.machines().await;
        rows.into_iter().find(|row| row.id.0.to_string() == text(&submission["id"])).expect("it is stored")
    }

    /// The files of a submission as they are sent: hash and content.
    pub(crate) async fn renditions(&self, submission: &Value) -> Vec<(String, Vec<u8>)> {
        let row = self.row_of(submission).await;
        let input: Input = serde_json::from_value(row.input).expect("an input");
        let paper: Paper = input.paper;
        let mut files = Vec::new();
        for file in paper.files() {
            let reader = self.engine.store.blob_reader(&row.tenant, file.blob, BlobUse::Machine).await;
            let mut reader = reader.expect("the store answers").expect("it is kept");
            let mut content = Vec::new();
            while let Some(part) = reader.next().await.expect("the store answers") {
                content.extend_from_slice(&part);
            }
            files.push((file.sha256.clone(), content));
        }
        files
    }

    /// The hashes of what the provider keeps, in its order.
    pub(crate) fn papers_there(&self) -> Vec<String> {
        self.ledger().documents.into_iter().map(|paper| paper.sha256).collect()
    }

    /// The body of a well signed callback about a submission.
    pub(crate) fn judged(&self, name: &str, submission: &Value, data: Value) -> String {
        let mut data = data;
        let field = if name == "UPLOAD_ID_CARD_IMAGE" { "requestId" } else { "request_id" };
        data[field] = submission["request_id"].clone();
        super::callback(name, &data)
    }
}
