//! Uploads: whose a paper is, and which content it has.

use crate::sql::{Into, Row, Value};
use crate::{Error, Inner, Result, Sql, Store};
use domain::papers::FileRef;
use domain::{InstanceId, Time};
use uuid::Uuid;

/// One upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    pub id: Uuid,
    pub tenant: String,
    /// `agreement`, `id_card_front`, …
    pub kind: String,
    /// The person's stored snapshot.
    pub person: Option<Uuid>,
    /// The remit that a voucher is of.
    pub instance: Option<InstanceId>,
    pub file: FileRef,
    /// `image/jpeg`, …, by content.
    pub media: String,
    pub by: String,
    pub at: Time,
}

const INSERT: Into = Into {
    name: "paper.put",
    table: "paper",
    columns: "id uuid, tenant text, kind text, person uuid, instance uuid, blob uuid, uploaded_by text, at bigint",
    suffix: "",
};

impl Store {
    /// Keeps an upload whose content is a blob already.
    pub async fn put_upload(&self, upload: Upload) -> Result<()> {
        match &self.inner {
            Inner::Sql(sql) => sql.put_upload(upload).await,
            Inner::Memory(memory) => {
                memory.lock().put_upload(upload);
                Ok(())
            }
        }
    }

    /// An upload of this tenant.
    pub async fn upload(&self, tenant: &str, id: Uuid) -> Result<Option<Upload>> {
        match &self.inner {
            Inner::Sql(sql) => sql.upload(tenant, id).await,
            Inner::Memory(memory) => Ok(memory.lock().upload(tenant, id)),
        }
    }
}

impl Sql {
    async fn put_upload(&self, upload: Upload) -> Result<()> {
        let row: Vec<Value> = vec![
            upload.id.into(),
            upload.tenant.into(),
            upload.kind.into(),
            upload.person.into(),
            upload.instance.into(),
            upload.file.blob.into(),
            upload.by.into(),
            upload.at.into(),
        ];
        let work = crate::connect::work(move |c| {
            let rows = vec![row.clone()];
            Box::pin(async move { c.insert(&INSERT, rows).await.map(|_| ()) })
        });
        match self.pool.write(work).await {
            // A COMMIT of unknown outcome was repeated: its own row is there.
            Err(Error::Forbidden(rule)) if rule.contains("paper_pkey") || rule.contains("paper.id") => Ok(()),
            other => other,
        }
    }

    async fn upload(&self, tenant: &str, id: Uuid) -> Result<Option<Upload>> {
        let sql = "-- paper.get\nselect p.*, b.sha256, b.size, b.media from paper p join blob b on b.id = p.blob where p.tenant = $1 and p.id = $2";
        self.one(sql, vec![tenant.into(), id.into()]).await?.as_ref().map(read).transpose()
    }
}

fn read(row: &Row) -> Result<Upload> {
    let bytes = u64::try_from(row.get::<i64>("size")?).map_err(|_| row.corrupt("size"))?;
    Ok(Upload {
        id: row.get("id")?,
        tenant: row.get("tenant")?,
        kind: row.get("kind")?,
        person: row.get("person")?,
        instance: row.id_or("instance")?,
        file: FileRef { blob: row.get("blob")?, sha256: row.get("sha256")?, bytes },
        media: row.get("media")?,
        by: row.get("uploaded_by")?,
        at: row.time("at")?,
    })
}
