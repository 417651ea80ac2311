use super::*;
use crate::testing;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) const PART: usize = 256 * 1024;
const SEAL: usize = 34;
const CANARY: &[u8] = b"a face of somebody who never chose this; ";

/// A store with its blobs in one place.
pub(super) struct Kept {
    pub(super) fresh: Fresh,
    pub(super) store: Store,
    pub(super) folder: Option<PathBuf>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// Every database, with blobs in it and with blobs in a folder beside it.
pub(super) async fn places() -> Vec<Kept> {
    let mut places = Vec::new();
    for fresh in testing::stores().await {
        let store = fresh.store.clone();
        places.push(Kept { fresh, store, folder: None });
    }
    for fresh in testing::stores().await {
        let folder = std::env::temp_dir().join(format!("levee-blobs-{}", Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let blobs = Blobs::Folder(folder.clone());
        let options = Options { exclusive: false, blobs, ..fresh.options.clone() };
        let store = Store::connect(&fresh.url, options).await.unwrap();
        places.push(Kept { fresh, store, folder: Some(folder) });
    }
    places
}

/// Every 41 bytes the canary, and no two parts alike.
pub(super) fn content(size: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = CANARY.iter().copied().cycle().take(size).collect();
    for (n, chunk) in bytes.chunks_mut(1000).enumerate() {
        for (byte, of) in chunk.iter_mut().skip(200).zip(n.to_be_bytes()) {
            *byte ^= of;
        }
    }
    bytes
}

pub(super) fn new(keep_until: Option<Time>) -> NewBlob {
    NewBlob { media: "video".into(), class: "identity".into(), keep_until, most: 20 << 20, at: t(1) }
}

pub(super) async fn upload(store: &Store, tenant: &str, bytes: &[u8], keep_until: Option<Time>) -> BlobInfo {
    let mut writer = store.blob_writer(tenant, new(keep_until)).await.unwrap();
    for chunk in bytes.chunks(100_003) {
        writer.write(chunk).await.unwrap();
    }
    writer.finish().await.unwrap()
}

pub(super) async fn read(store: &Store, tenant: &str, id: Uuid) -> Result<Option<Vec<u8>>> {
    let Some(mut reader) = store.blob_reader(tenant, id, BlobUse::Machine).await? else { return Ok(None) };
    let mut bytes = Vec::new();
    while let Some(part) = reader.next().await? {
        assert!((1..=PART).contains(&part.len()), "one part at a time");
        bytes.extend(part);
    }
    Ok(Some(bytes))
}

fn shredding(only_due: bool, at: Time) -> Shred {
    Shred { by: "retention".into(), at, only_due }
}

pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let list =
        |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    list(folder).iter().flat_map(|database| list(database)).flat_map(|drawer| list(&drawer)).collect()
}

/// The sealed parts of a blob, where they lie.
async fn sealed(place: &Kept, id: Uuid) -> Vec<Vec<u8>> {
    if let Some(folder) = &place.folder {
        let name = id.simple().to_string();
        let file = files(folder).into_iter().find(|file| file.ends_with(&name)).unwrap();
        return std::fs::read(file).unwrap().chunks(PART + SEAL).map(<[u8]>::to_vec).collect();
    }
    match &place.store.inner {
        Inner::Sql(sql) => {
            let query = "-- test\nselect sealed from blob_part where blob = $1 order by n";
            let rows = sql.all(query, vec![id.into()]).await.unwrap();
            rows.iter().map(|row| row.get("sealed").unwrap()).collect()
        }
        Inner::Memory(memory) => {
            memory.lock().blob_parts.range((id, 0)..=(id, u64::MAX)).map(|(_, sealed)| sealed.clone()).collect()
        }
    }
}

/// Puts other parts there.
async fn lay(place: &Kept, id: Uuid, parts: &[Vec<u8>]) {
    if let Some(folder) = &place.folder {
        let name = id.simple().to_string();
        let file = files(folder).into_iter().find(|file| file.ends_with(&name)).unwrap();
        return std::fs::write(file, parts.concat()).unwrap();
    }
    match &place.store.inner {
        Inner::Sql(sql) => {
            sql.exec("-- test\ndelete from blob_part where blob = $1", vec![id.into()]).await.unwrap();
            for (n, part) in (0_i64..).zip(parts) {
                let insert = "-- test\ninsert into blob_part (blob, n, sealed) values ($1, $2, $3)";
                sql.exec(insert, vec![id.into(), n.into(), part.clone().into()]).await.unwrap();
            }
        }
        Inner::Memory(memory) => {
            let mut world = memory.lock();
            world.blob_parts.retain(|(blob, _), _| *blob != id);
            world.blob_parts.extend((0..).zip(parts).map(|(n, part)| ((id, n), part.clone())));
        }
    }
}

#[tokio::test]
async fn what_is_put_comes_back_in_every_size() {
    for place in places().await {
        for size in [0, 1, PART - 1, PART, PART + 1, 2 * PART, 15_000_000] {
            let bytes = content(size);
            let blob = upload(&place.store, "acme", &bytes, Some(t(9))).await;
            assert_eq!((blob.size, blob.created_at, blob.keep_until), (size as u64, t(1), Some(t(9))));
            assert_eq!(blob.sha256, hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&bytes)));
            assert_eq!(place.store.blob("acme", blob.id).await.unwrap(), Some(blob.clone()));
            assert!(read(&place.store, "acme", blob.id).await.unwrap() == Some(bytes), "{size} bytes");
            assert_eq!(sealed(&place, blob.id).await.len(), size.div_ceil(PART).max(1));
        }
    }
}

#[tokio::test]
async fn p64_an_upload_is_bounded_by_what_was_said_at_its_beginning() {
    for place in places().await {
        let bounded = NewBlob { most: 10, ..new(None) };
        let mut writer = place.store.blob_writer("acme", bounded).await.unwrap();
        writer.write(&[1; 10]).await.unwrap();
        assert_eq!(writer.write(&[1]).await, Err(Error::Forbidden("blob_most".into())));
        assert!(matches!(writer.write(&[]).await, Err(Error::Refused(_))), "it is over");
        assert!(matches!(writer.finish().await, Err(Error::Refused(_))));
    }
}

/// Each way to spoil three parts of which the last is shorter.
fn spoiled(parts: &[Vec<u8>], others: &[Vec<u8>]) -> Vec<(String, Vec<Vec<u8>>)> {
    let mut all: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
    let mut with = |what: String, change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut changed = parts.to_vec();
        change(&mut changed);
        all.push((what, changed));
    };
    for n in 0..parts.len() {
        for at in [0, 7, 20, parts[n].len() / 2, parts[n].len() - 1] {
            with(format!("byte {at} of part {n} flipped"), &|parts| parts[n][at] ^= 1);
        }
        with(format!("part {n} dropped"), &|parts| drop(parts.remove(n)));
        with(format!("part {n} repeated"), &|parts| parts.insert(n, parts[n].clone()));
        with(format!("part {n} of another blob"), &|parts| parts[n] = others[n].clone());
        with(format!("part {n} swapped"), &|parts| parts.swap(n, (n + 1) % 3));
    }
    with("the end of the last part cut off".into(), &|parts| {
        let _ = parts[2].pop();
    });
    with("nothing left".into(), &|parts| parts.clear());
    all
}

#[tokio::test]
async fn i30_whatever_is_done_to_a_part_is_noticed() {
    for place in places().await {
        let blob = upload(&place.store, "acme", &content(2 * PART + 999), None).await;
        let other = upload(&place.store, "acme", &content(2 * PART + 998), None).await;
        let (parts, others) = (sealed(&place, blob.id).await, sealed(&place, other.id).await);
        for (what, changed) in spoiled(&parts, &others) {
            lay(&place, blob.id, &changed).await;
            let read = read(&place.store, "acme", blob.id).await.map(|bytes| bytes.map(|bytes| bytes.len()));
            let error = read.expect_err(&what);
            assert!(matches!(&error, Error::Corrupt { id, .. } if *id == blob.id.to_string()), "{what}: {error}");
        }
        if place.folder.is_some() {
            lay(&place, blob.id, &[parts.concat(), vec![0]]).await;
            assert!(read(&place.store, "acme", blob.id).await.is_err(), "a byte behind the end");
        }
        lay(&place, blob.id, &parts).await;
        assert!(read(&place.store, "acme", blob.id).await.unwrap().is_some(), "as it was");
    }
}

#[tokio::test]
async fn a_row_cannot_be_changed_and_a_changed_one_is_noticed() {
    for place in places().await.into_iter().filter(|place| place.store.kind() != Kind::Memory) {
        let blob = upload(&place.store, "acme", &content(PART + 1), None).await;
        let id = id_of(&place.fresh, blob.id);
        for change in
            ["size = 1", "sha256 = 'x'", "tenant = 'other'", "created_at = 0", "place = 'folder', class = 'x'"]
        {
            let refused = raw(&place.fresh, &format!("update blob set {change} where id = {id}")).await;
            assert_eq!(refused, Err(Error::Forbidden("blob_immutable".into())), "{change}");
        }
        let gone = raw(&place.fresh, "delete from blob").await;
        assert_eq!(gone, Err(Error::Forbidden("blob_immutable".into())));
        let keyless = raw(&place.fresh, "update blob set data_key = null").await;
        assert_eq!(keyless, Err(Error::Forbidden("blob_key".into())));
        rules::without_triggers(&place.fresh, "blob").await;
        for change in [format!("size = {PART}"), "sha256 = 'x'".to_owned(), "tenant = 'other'".to_owned()] {
            raw(&place.fresh, &format!("update blob set {change} where id = {id}")).await.unwrap();
            let tenant = if change.starts_with("tenant") { "other" } else { "acme" };
            assert!(matches!(read(&place.store, tenant, blob.id).await, Err(Error::Corrupt { .. })), "{change}");
        }
    }
}

#[tokio::test]
async fn i21_another_tenant_sees_nothing() {
    for place in places().await {
        let store = &place.store;
        let blob = upload(store, "acme", &content(99), Some(t(2))).await;
        assert_eq!(store.blob("other", blob.id).await, Ok(None));
        assert_eq!(read(store, "other", blob.id).await, Ok(None));
        assert_eq!(store.shred("other", blob.id, shredding(false, t(3))).await, Ok(false));
        let same = upload(store, "other", &content(99), None).await;
        assert_ne!(same.id, blob.id, "nor learns from an upload that somebody else has the same");
        assert!(read(store, "acme", blob.id).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn the_same_content_is_one_blob_kept_as_long_as_anybody_needs_it() {
    for place in places().await {
        let (store, bytes) = (&place.store, content(PART + 5));
        let first = upload(store, "acme", &bytes, Some(t(100))).await;
        for (said, kept) in
            [(Some(t(50)), Some(t(100))), (Some(t(200)), Some(t(200))), (None, None), (Some(t(300)), None)]
        {
            let again = upload(store, "acme", &bytes, said).await;
            assert_eq!(again, BlobInfo { keep_until: kept, ..first.clone() });
        }
        assert_eq!(store.sweep_blobs(store.time().await.unwrap() + Duration::from_secs(200_000)).await, Ok(0));
        if let Some(folder) = &place.folder {
            assert_eq!(files(folder).len(), 1);
        }
        let at_once = |_| {
            let store = store.clone();
            tokio::spawn(async move { upload(&store, "acme", &content(77), None).await.id })
        };
        let mut ids = Vec::new();
        for task in (0..6).map(at_once).collect::<Vec<_>>() {
            ids.push(task.await.unwrap());
        }
        assert!(ids.iter().all(|id| *id == ids[0]), "uploads at once meet");
        assert!(read(store, "acme", ids[0]).await.unwrap() == Some(content(77)));
    }
}

#[tokio::test]
async fn what_is_shredded_is_gone_and_its_hash_remains() {
    for place in places().await {
        let (store, bytes) = (&place.store, content(PART + 5));
        let blob = upload(store, "acme", &bytes, Some(t(100))).await;
        let later = upload(store, "acme", &content(3), Some(t(300))).await;
        upload(store, "acme", &content(4), None).await;
        assert_eq!(store.blobs_due(t(99), 9).await, Ok(vec![]));
        assert_eq!(store.blobs_due(t(300), 9).await, Ok(vec![blob.clone(), later.clone()]));
        assert_eq!(store.blobs_due(t(300), 1).await, Ok(vec![blob.clone()]));
        let mut reading = store.blob_reader("acme", blob.id, BlobUse::Machine).await.unwrap().unwrap();
        reading.next().await.unwrap().unwrap();
        assert_eq!(store.shred("acme", later.id, shredding(true, t(200))).await, Ok(false), "not its time");
        assert_eq!(store.shred("acme", blob.id, shredding(true, t(200))).await, Ok(true));
        assert_eq!(store.shred("acme", blob.id, shredding(false, t(201))).await, Ok(false), "once");
        let rest = BlobInfo { shredded_at: Some(t(200)), ..blob.clone() };
        assert_eq!(store.blob("acme", blob.id).await, Ok(Some(rest)));
        assert_eq!(read(store, "acme", blob.id).await, Ok(None));
        assert_eq!(store.blobs_due(t(200), 9).await, Ok(vec![]));
        if let Some(folder) = &place.folder {
            assert_eq!(files(folder).len(), 2);
        } else {
            assert_eq!(reading.next().await, Err(Error::Forbidden("blob_shredded".into())));
            assert!(sealed(&place, blob.id).await.is_empty());
        }
        let again = upload(store, "acme", &bytes, Some(t(400))).await;
        assert_ne!(again.id, blob.id, "what comes again is new");
        assert!(read(store, "acme", again.id).await.unwrap() == Some(bytes));
        let act = &store.acts("acme", 9).await.unwrap()[0];
        assert_eq!((&*act.who, &*act.what, &act.subject), ("retention", "blob.shred", &blob.id.to_string()));
        assert_eq!((act.at, &act.detail["sha256"]), (t(200), &json!(blob.sha256)));
        assert_eq!((store.acts("acme", 9).await.unwrap().len(), store.verify_audit("acme").await), (1, Ok(None)));
    }
}

#[tokio::test]
async fn a_reading_by_a_person_is_audited_before_it_shows_anything() {
    for place in places().await {
        let store = &place.store;
        let blob = upload(store, "acme", &content(3), None).await;
        store.blob_reader("acme", blob.id, BlobUse::Machine).await.unwrap().unwrap();
        assert!(store.acts("acme", 9).await.unwrap().is_empty());
        let person = BlobUse::Person { who: "li".into(), at: t(7) };
        store.blob_reader("acme", blob.id, person.clone()).await.unwrap().unwrap();
        let acts = store.acts("acme", 9).await.unwrap();
        assert_eq!((acts.len(), &*acts[0].who, &*acts[0].what, acts[0].at), (1, "li", "blob.read", t(7)));
        assert!(store.blob_reader("acme", Uuid::new_v4(), person).await.unwrap().is_none());
        assert_eq!(store.acts("acme", 9).await.unwrap().len(), 1, "nothing was revealed");
        assert_eq!(store.verify_audit("acme").await, Ok(None));
    }
}
