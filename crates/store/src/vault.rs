//! Keys and ciphers (security.md §1): master key → data key per tenant → AES-256-GCM per field, and keyed digests for search.
//!
//! A sealed value is `version | alg | key id (4) | nonce (12) | ciphertext | tag`, bound to its place by
//! AAD = tenant ‖ table ‖ column ‖ row id: a value moved to another row does not open (I30).

use crate::{Error, Result};
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use domain::RequestId;
use hmac::{Hmac, Mac};
use rand::Rng;
use sha2::Sha256;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;
use zeroize::Zeroizing;

type Key = Zeroizing<[u8; 32]>;

const VERSION: u8 = 1;
const AES_256_GCM: u8 = 1;
const HEADER: usize = 6;
const NONCE: usize = 12;
/// How much longer a sealed value is than the plain one: header, nonce and tag.
pub(crate) const SEAL: usize = HEADER + NONCE + 16;
/// Data keys are fetched again after this long (F109).
const CACHED: Duration = Duration::from_secs(15 * 60);

/// Where a sealed value lives.
pub(crate) struct Place<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) table: &'a str,
    pub(crate) column: &'a str,
    pub(crate) row: Uuid,
}

impl Place<'_> {
    fn aad(&self) -> Vec<u8> {
        [self.tenant, self.table, self.column, &self.row.to_string()].join("\u{1f}").into_bytes()
    }

    pub(crate) fn corrupt(&self) -> Error {
        Error::Corrupt { table: self.table.into(), id: self.row.to_string(), column: self.column.into() }
    }
}

/// One tenant's opened keys.
pub(crate) struct Keys {
    data: Key,
    index: Key,
}

/// The key of one blob's content: drawn for it alone, so that destroying it destroys the content and nothing else.
pub(crate) struct DataKey(Key);

/// The keys that never rotate: provider ids and fingerprints follow from them for ever.
struct Roots {
    request: Key,
    fingerprint: Key,
}

pub(crate) struct Vault {
    master: Key,
    roots: OnceLock<Roots>,
    tenants: Mutex<HashMap<String, (Instant, Arc<Keys>)>>,
}

impl Vault {
    pub(crate) fn new(master: [u8; 32]) -> Self {
        Self { master: Zeroizing::new(master), roots: OnceLock::new(), tenants: Mutex::default() }
    }

    /// Keys that follow from the master key itself: for the memory store, which keeps none.
    pub(crate) fn derived(master: [u8; 32]) -> Self {
        let vault = Self::new(master);
        vault.set_roots(derive(&vault.master, "request"), derive(&vault.master, "fingerprint"));
        vault
    }

    pub(crate) fn set_roots(&self, request: Key, fingerprint: Key) {
        // A second caller brings the same keys: they are written once per database.
        let _ = self.roots.set(Roots { request, fingerprint });
    }

    pub(crate) fn has_roots(&self) -> bool {
        self.roots.get().is_some()
    }

    fn roots(&self) -> &Roots {
        self.roots.get().expect("cannot fail on a migrated database: connect and migrate load the keys")
    }

    /// See [`crate::Store::derive_request_id`].
    pub(crate) fn request_id(&self, tenant: &str, business_key: &str) -> RequestId {
        let digest = hex::encode(&mac(&self.roots().request, &[tenant, business_key])[..16]);
        RequestId::try_from(digest).expect("cannot fail: 32 hex digits are a request id")
    }

    pub(crate) fn fingerprint(&self, tenant: &str, label: &str, parts: &[&str]) -> String {
        let all: Vec<&str> = [tenant, label].into_iter().chain(parts.iter().copied()).collect();
        hex::encode(&mac(&self.roots().fingerprint, &all)[..16])
    }

    /// A fresh key, and the form in which the database keeps it under `name`.
    pub(crate) fn mint(&self, name: &str) -> String {
        let key = Zeroizing::new(random::<32>());
        base64::engine::general_purpose::STANDARD.encode(seal(&self.master, name.as_bytes(), key.as_ref()))
    }

    /// Opens what [`Self::mint`] made, or says that the master key is another one.
    pub(crate) fn unwrap(&self, name: &str, wrapped: &str) -> Result<Key> {
        let bytes = base64::engine::general_purpose::STANDARD.decode(wrapped).ok();
        let key = bytes
            .and_then(|bytes| open(&self.master, name.as_bytes(), &bytes))
            .and_then(|key| <[u8; 32]>::try_from(key.as_slice()).ok());
        let wrong = || {
            Error::Refused(
                "security.master_key does not open this database's keys: give the key it was created with".into(),
            )
        };
        key.map(Zeroizing::new).ok_or_else(wrong)
    }

    /// A tenant's keys where none are kept, beside [`Self::derived`].
    pub(crate) fn derived_keys(&self, tenant: &str) -> Arc<Keys> {
        let key = |name: &str| Zeroizing::new(mac(&self.master, &[name, tenant]));
        Arc::new(Keys { data: key("key/data"), index: key("key/index") })
    }

    pub(crate) fn cached(&self, tenant: &str) -> Option<Arc<Keys>> {
        let tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.get(tenant).filter(|(since, _)| since.elapsed() < CACHED).map(|(_, keys)| keys.clone())
    }

    pub(crate) fn keep(&self, tenant: &str, data: Key, index: Key) -> Arc<Keys> {
        let keys = Arc::new(Keys { data, index });
        self.tenants
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(tenant.to_owned(), (Instant::now(), keys.clone()));
        keys
    }
}

impl Keys {
    pub(crate) fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Vec<u8> {
        seal(&self.data, &place.aad(), plain)
    }

    pub(crate) fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Vec<u8>> {
        open(&self.data, &place.aad(), sealed).ok_or_else(|| place.corrupt())
    }

    /// The form in which the database keeps a blob's key.
    pub(crate) fn wrap(&self, place: &Place<'_>, key: &DataKey) -> Vec<u8> {
        self.seal(place, key.0.as_ref())
    }

    pub(crate) fn unwrap(&self, place: &Place<'_>, wrapped: &[u8]) -> Result<DataKey> {
        let key = Zeroizing::new(self.open(place, wrapped)?);
        <[u8; 32]>::try_from(key.as_slice()).map(|key| DataKey(Zeroizing::new(key))).map_err(|_| place.corrupt())
    }

    /// 128 bits of a keyed digest, one key per field (blind index).
    pub(crate) fn blind(&self, field: &str, value: &str) -> String {
        hex::encode(&mac(&derive(&self.index, field), &[value])[..16])
    }
}

impl DataKey {
    pub(crate) fn draw() -> Self {
        Self(Zeroizing::new(random::<32>()))
    }

    pub(crate) fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Vec<u8> {
        seal(&self.0, &place.aad(), plain)
    }

    pub(crate) fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Vec<u8>> {
        open(&self.0, &place.aad(), sealed).ok_or_else(|| place.corrupt())
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

fn derive(key: &Key, label: &str) -> Key {
    Zeroizing::new(mac(key, &[label]))
}

/// HMAC-SHA256 over parts, each with its length before it: no two lists of parts read the same.
fn mac(key: &Key, parts: &[&str]) -> [u8; 32] {
    let mut mac =
        <Hmac<Sha256> as Mac>::new_from_slice(key.as_ref()).expect("cannot fail: HMAC takes keys of any length");
    for part in parts {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().into()
}

fn cipher(key: &Key) -> Aes256Gcm {
    Aes256Gcm::new_from_slice(key.as_ref()).expect("cannot fail: the key has 32 bytes")
}

fn seal(key: &Key, aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let nonce = random::<NONCE>();
    let sealed = cipher(key)
        .encrypt(&Nonce::from(nonce), Payload { msg: plain, aad })
        .expect("cannot fail: fields are far below 64 GiB");
    // Key id 1: the only data key so far; the place for rotation.
    [&[VERSION, AES_256_GCM, 0, 0, 0, 1], &nonce[..], &sealed].concat()
}

fn open(key: &Key, aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (header, rest) = sealed.split_at_checked(HEADER)?;
    let (nonce, body) = rest.split_at_checked(NONCE)?;
    if header != [VERSION, AES_256_GCM, 0, 0, 0, 1] {
        return None;
    }
    let nonce = <[u8; NONCE]>::try_from(nonce).ok()?;
    cipher(key).decrypt(&Nonce::from(nonce), Payload { msg: body, aad }).ok()
}
