//! API keys: 256 random bits, shown once, kept as a digest (security.md §3).

use crate::api::Api;
use crate::problem::Error;
use crate::role::{Caller, PLATFORM, Role};
use crate::strangers::Client;
use axum::http::{HeaderMap, header};
use domain::Time;
use rand::Rng;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use store::ApiKey;

/// A key is believed for this long without asking again: revoked keys are refused well within 60 s (F98).
const BELIEVED: Duration = Duration::from_secs(30);
/// Keys remembered at once; beyond it all are forgotten and asked again.
const REMEMBERED: usize = 10_000;
/// The bootstrap key's length.
const BOOTSTRAP: std::ops::RangeInclusive<usize> = 24..=200;

/// The keys seen lately, by digest.
#[derive(Default)]
pub(crate) struct Keyring(Mutex<HashMap<String, (Instant, Caller)>>);

/// A fresh key: the text to show once, and the row to keep.
pub(crate) struct Minted {
    pub(crate) secret: String,
    pub(crate) row: ApiKey,
}

impl Keyring {
    pub(crate) fn forget_all(&self) {
        self.seen().clear();
    }

    fn recall(&self, digest: &str) -> Option<Caller> {
        self.seen().get(digest).filter(|(since, _)| since.elapsed() < BELIEVED).map(|(_, caller)| caller.clone())
    }

    fn remember(&self, digest: String, caller: Caller) {
        let mut seen = self.seen();
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        seen.insert(digest, (Instant::now(), caller));
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, (Instant, Caller)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Api {
    /// Who sent a request. An address that gave many wrong keys waits, unless its key is known to be right.
    pub(crate) async fn caller(&self, headers: &HeaderMap, client: Option<Client>) -> Result<Caller, Error> {
        let caller = match bearer(headers).map(digest) {
            Some(digest) => match self.keyring().recall(&digest) {
                Some(caller) => return Ok(caller),
                None if client.is_some_and(|client| self.strangers().waits(client)) => return Err(Error::TooManyTries),
                None => self.look_up(digest).await,
            },
            None => Err(Error::Unauthorized),
        };
        if let (Err(Error::Unauthorized), Some(client)) = (&caller, client) {
            self.strangers().failed(client);
        }
        caller
    }

    /// By digest: there is no secret here to compare in constant time.
    async fn look_up(&self, digest: String) -> Result<Caller, Error> {
        let key = self
            .store()
            .key_by_digest(&digest)
            .await?
            .filter(|key| key.revoked_at.is_none())
            .ok_or(Error::Unauthorized)?;
        let role = Role::parse(&key.role).ok_or(Error::Unauthorized)?;
        let caller = Caller { name: key.name, tenant: key.tenant, role };
        self.keyring().remember(digest, caller.clone());
        Ok(caller)
    }

    /// Makes `security.bootstrap_key` a key, once: a revoked one stays revoked.
    pub async fn ensure_bootstrap(&self) -> Result<(), Error> {
        let Some(secret) = &self.settings().bootstrap else { return Ok(()) };
        if !BOOTSTRAP.contains(&secret.len())
            || !secret.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
            || secret.trim() != secret
        {
            return Err(Error::bad("bootstrap_key", "security.bootstrap_key has 24 to 200 printable ASCII characters"));
        }
        let digest = digest(secret);
        if self.store().key_by_digest(&digest).await?.is_some() {
            return Ok(());
        }
        let row = ApiKey {
            id: format!("bootstrap-{}", &digest[..8]),
            tenant: PLATFORM.into(),
            name: "bootstrap".into(),
            role: Role::Admin.word().into(),
            digest,
            created_at: self.now(),
            revoked_at: None,
        };
        Ok(self.store().put_key(row).await?)
    }
}

/// `lv_<id>.<secret>`: the id may be printed anywhere, the secret never again.
pub(crate) fn mint(name: String, role: Role, tenant: String, now: Time) -> Minted {
    let mut bytes = [0_u8; 40];
    rand::rng().fill_bytes(&mut bytes);
    let id = hex::encode(&bytes[..8]);
    let secret = format!("lv_{id}.{}", hex::encode(&bytes[8..]));
    let row = ApiKey {
        id,
        tenant,
        name,
        role: role.word().into(),
        digest: digest(&secret),
        created_at: now,
        revoked_at: None,
    };
    Minted { secret, row }
}

fn digest(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim()).filter(|secret| !secret.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_256_random_bits_and_keeps_only_its_digest() {
        let minted = mint("amei".into(), Role::Operator, "default".into(), Time::from_millis(0));
        let (id, secret) = minted.secret.strip_prefix("lv_").unwrap().split_once('.').unwrap();
        assert_eq!((id, secret.len()), (minted.row.id.as_str(), 64));
        assert!(!format!("{:?}", minted.row).contains(secret));
        assert_ne!(mint("amei".into(), Role::Operator, "default".into(), Time::from_millis(0)).secret, minted.secret);
    }

    #[test]
    fn the_bearer_is_the_whole_text() {
        let with = |value: &str| HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
        assert_eq!(bearer(&with("Bearer lv_1.2")), Some("lv_1.2"));
        assert_eq!(bearer(&with("bearer two words of a bootstrap key")), Some("two words of a bootstrap key"));
        assert_eq!(bearer(&with("Basic eDp5")), None);
        assert_eq!(bearer(&with("Bearer ")), None);
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
