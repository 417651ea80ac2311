use super::blobs::{PART, content, files, new, places, read, upload};
use super::*;
use crate::testing::{self, Lost, lose_commits};
use std::time::Duration;

const CANARY: &[u8] = b"somebody who never chose";
const TWO_DAYS: Duration = Duration::from_secs(2 * 24 * 60 * 60);

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing_to_see_and_is_swept() {
    for place in places().await {
        let store = &place.store;
        let (now, later) = (store.time().await.unwrap(), store.time().await.unwrap() + TWO_DAYS);
        let kept = upload(store, "acme", &content(PART + 1), None).await;
        let mut writer = store.blob_writer("acme", new(None)).await.unwrap();
        writer.write(&content(3 * PART)).await.unwrap();
        let mut other = store.blob_writer("acme", new(Some(t(0)))).await.unwrap();
        other.write(&content(2 * PART)).await.unwrap();
        drop(writer);
        // As a process that dies: nothing of it runs any more.
        std::mem::forget(other);
        assert_eq!(store.blobs_due(t(9), 9).await, Ok(vec![]));
        assert_eq!(store.sweep_blobs(now).await, Ok(0), "an upload may still be under way");
        let left = if place.folder.is_some() { 1 } else { 2 };
        assert_eq!(store.sweep_blobs(later).await, Ok(left));
        assert_eq!(store.sweep_blobs(later).await, Ok(0));
        if let Some(folder) = &place.folder {
            assert_eq!(files(folder).len(), 1);
        }
        assert!(read(store, "acme", kept.id).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_death_between_the_content_and_its_row_leaves_what_nobody_can_open() {
    for place in places().await.into_iter().filter(|place| place.store.kind() != Kind::Memory) {
        let (store, fresh) = (&place.store, &place.fresh);
        let (make, unmake) = match store.kind() {
            Kind::Postgres => (
                "create trigger test before insert on blob for each row execute function levee_refuse('test')",
                "drop trigger test on blob",
            ),
            Kind::Sqlite | Kind::Memory => (
                "create trigger test before insert on blob begin select raise(abort, 'test'); end",
                "drop trigger test",
            ),
        };
        raw(fresh, make).await.unwrap();
        let mut writer = store.blob_writer("acme", new(Some(t(0)))).await.unwrap();
        writer.write(&content(PART + 1)).await.unwrap();
        assert_eq!(writer.finish().await, Err(Error::Forbidden("test".into())));
        raw(fresh, unmake).await.unwrap();
        assert_eq!(store.blobs_due(t(9), 9).await, Ok(vec![]));
        let again = upload(store, "acme", &content(PART + 1), None).await;
        assert_eq!(store.sweep_blobs(store.time().await.unwrap() + TWO_DAYS).await, Ok(1), "what has no row");
        assert!(read(store, "acme", again.id).await.unwrap().is_some(), "and nothing else");
    }
}

#[tokio::test]
async fn f24_a_commit_without_an_answer_makes_one_blob_and_one_shredding() {
    for place in places().await {
        for (n, lost) in [(1, Lost::Applied), (2, Lost::RolledBack)] {
            let (store, bytes) = (&place.store, content(PART + n));
            let mut writer = store.blob_writer("acme", new(None)).await.unwrap();
            writer.write(&bytes).await.unwrap();
            lose_commits(store, 2, lost);
            let blob = writer.finish().await.unwrap();
            assert!(read(store, "acme", blob.id).await.unwrap() == Some(bytes));
            lose_commits(store, 1, lost);
            let order = Shred { by: "li".into(), at: t(9), only_due: false };
            assert_eq!(store.shred("acme", blob.id, order).await, Ok(true), "{lost:?}");
            assert_eq!(store.acts("acme", 9).await.unwrap().len(), n);
        }
        assert_eq!(place.store.verify_audit("acme").await, Ok(None));
    }
}

fn holds_none(bytes: &[u8], what: &str) {
    let plain = [CANARY.to_vec(), hex::encode(CANARY).into_bytes()];
    for canary in plain {
        assert!(!bytes.windows(canary.len()).any(|window| window == canary), "plain bytes lie in {what}");
    }
}

#[tokio::test]
async fn f104_no_content_can_be_read_at_rest() {
    for place in places().await {
        let blob = upload(&place.store, "acme", &content(2 * PART + 9), None).await;
        let mut unfinished = place.store.blob_writer("acme", new(None)).await.unwrap();
        unfinished.write(&content(2 * PART)).await.unwrap();
        assert!(content(PART).windows(CANARY.len()).any(|window| window == CANARY), "there is a canary");
        for file in place.folder.iter().flat_map(|folder| files(folder)) {
            assert!(!file.display().to_string().contains(&blob.sha256));
            holds_none(&std::fs::read(&file).unwrap(), "a file");
        }
        let Inner::Sql(sql) = &place.fresh.store.inner else { continue };
        if let Some(path) = place.fresh.url.strip_prefix("sqlite://") {
            for file in [path.to_owned(), format!("{path}-wal")] {
                holds_none(&std::fs::read(&file).unwrap(), &file);
            }
        } else {
            for table in ["blob", "blob_part"] {
                let rows =
                    sql.all(AssertSqlSafe(format!("select x::text as row from {table} x")), vec![]).await.unwrap();
                rows.iter().for_each(|row| holds_none(row.get::<String>("row").unwrap().as_bytes(), table));
            }
        }
    }
}

#[tokio::test]
async fn a_shredded_key_does_not_lie_on_in_the_file() {
    let fresh = testing::sqlite().await;
    let Inner::Sql(sql) = &fresh.store.inner else { panic!("an SQL store") };
    let blob = upload(&fresh.store, "acme", &content(9), None).await;
    let row = sql.one("-- test\nselect data_key from blob", vec![]).await.unwrap().unwrap();
    let wrapped: Vec<u8> = row.get("data_key").unwrap();
    let path = fresh.url.trim_start_matches("sqlite://").to_owned();
    let lies = || std::fs::read(&path).unwrap().windows(wrapped.len()).any(|window| window == wrapped);
    let checkpoint = || async { sql.one("-- test\npragma wal_checkpoint(truncate)", vec![]).await.unwrap() };
    checkpoint().await;
    assert!(lies(), "it lay there");
    let order = Shred { by: "li".into(), at: t(9), only_due: false };
    assert_eq!(fresh.store.shred("acme", blob.id, order).await, Ok(true));
    checkpoint().await;
    assert!(!lies());
}

#[tokio::test]
async fn blobs_stay_where_they_were_put_when_the_setting_changes() {
    for place in places().await.into_iter().filter(|place| place.folder.is_some()) {
        if place.store.kind() == Kind::Memory {
            continue;
        }
        let inside = upload(&place.fresh.store, "acme", &content(1), None).await;
        let outside = upload(&place.store, "acme", &content(2), None).await;
        assert!(read(&place.store, "acme", inside.id).await.unwrap().is_some());
        assert!(matches!(read(&place.fresh.store, "acme", outside.id).await, Err(Error::Refused(_))));
        let again = upload(&place.store, "acme", &content(1), None).await;
        assert_eq!(again.id, inside.id, "one content lies in one place");
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_refused_at_the_start() {
    let blobs = Blobs::Folder("/nowhere/at/all".into());
    let refused = Store::connect("memory:", Options { blobs, ..testing::options(testing::clock()) }).await.err();
    assert!(matches!(refused, Some(Error::Refused(_))));
}
