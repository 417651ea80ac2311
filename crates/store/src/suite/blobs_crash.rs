//! Deaths at the points between a blob's content and its row: `cargo test -p store --features failpoints`.

use super::blobs::{PART, content, files, new, read, upload};
use super::*;
use crate::testing;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const TWO_DAYS: Duration = Duration::from_secs(2 * 24 * 60 * 60);
const POINT: &str = "LEVEE_BLOB_CRASH_AT";
const DATABASE: &str = "LEVEE_BLOB_CRASH_DATABASE";
const FOLDER: &str = "LEVEE_BLOB_CRASH_FOLDER";

/// The store of both processes.
async fn open(url: &str, folder: &str) -> Store {
    let blobs = if folder.is_empty() { Blobs::Database } else { Blobs::Folder(folder.into()) };
    let options = Options { exclusive: false, blobs, ..testing::options(testing::clock()) };
    Store::connect(url, options).await.unwrap()
}

/// Takes a content in, shreds it, and dies on the way.
#[tokio::test]
#[ignore = "this is the process that is killed"]
async fn the_process_that_is_killed() {
    let Ok(point) = std::env::var(POINT) else { return };
    fail::cfg_callback(point.clone(), || std::process::abort()).unwrap();
    let folder = std::env::var(FOLDER).unwrap();
    let store = open(&std::env::var(DATABASE).unwrap(), &folder).await;
    let mut writer = store.blob_writer("acme", new(Some(t(50)))).await.unwrap();
    writer.write(&content(PART + 1)).await.unwrap();
    let blob = writer.finish().await.unwrap();
    let by = format!("{point}/{}", folder.is_empty());
    store.shred("acme", blob.id, Shred { by, at: t(60), only_due: true }).await.unwrap();
}

#[tokio::test]
async fn a_process_may_die_at_every_point_of_a_blobs_life() {
    for point in ["blob.content", "blob.kept", "blob.shredded"] {
        for fresh in [testing::sqlite().await, testing::postgres().await] {
            for folder in [PathBuf::new(), std::env::temp_dir().join(format!("levee-blobs-{}", Uuid::new_v4()))] {
                dies_at(point, &fresh, folder).await;
            }
        }
    }
}

async fn dies_at(point: &str, fresh: &Fresh, folder: PathBuf) {
    let inside = folder.as_os_str().is_empty();
    if !inside {
        std::fs::create_dir(&folder).unwrap();
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "--ignored", "suite::blobs_crash::the_process_that_is_killed"]);
    let died = child.env(POINT, point).env(DATABASE, &fresh.url).env(FOLDER, &folder).output().unwrap();
    assert!(!died.status.success(), "{point} was never reached");
    let store = open(&fresh.url, folder.to_str().unwrap()).await;
    let due = store.blobs_due(t(100), 9).await.unwrap();
    let audited = store.acts("acme", 99).await.unwrap().iter().any(|act| act.who == format!("{point}/{inside}"));
    let left = match point {
        "blob.content" => 1,
        // The key is destroyed, the file is not yet.
        "blob.shredded" if !inside => 1,
        _ => 0,
    };
    assert_eq!((due.len(), audited), (usize::from(point == "blob.kept"), point == "blob.shredded"), "{point}");
    for blob in due {
        assert!(read(&store, "acme", blob.id).await.unwrap() == Some(content(PART + 1)), "whole, or not there");
        let order = Shred { by: "li".into(), at: t(60), only_due: false };
        assert_eq!(store.shred("acme", blob.id, order).await, Ok(true));
    }
    let later = store.time().await.unwrap() + TWO_DAYS;
    assert_eq!(store.sweep_blobs(later).await, Ok(left), "{point}");
    assert_eq!(store.verify_audit("acme").await, Ok(None));
    let again = upload(&store, "acme", &content(PART + 1), None).await;
    assert!(read(&store, "acme", again.id).await.unwrap() == Some(content(PART + 1)));
    let order = Shred { by: "li".into(), at: t(70), only_due: false };
    assert_eq!(store.shred("acme", again.id, order).await, Ok(true));
    if !inside {
        assert!(files(&folder).is_empty(), "{point}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
