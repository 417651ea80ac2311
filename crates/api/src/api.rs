//! What the endpoints stand on.

use crate::idempotency::Desk;
use crate::keyring::Keyring;
use crate::problem::Error;
use crate::role::Caller;
use crate::strangers::Strangers;
use domain::{InstanceId, Time};
use engine::Engine;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use store::{Act, Instance, Post, Store, Target};

/// Everything a handler needs; clones share it.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    engine: Engine,
    settings: Settings,
    keyring: Keyring,
    strangers: Strangers,
    desk: Desk,
    draining: AtomicBool,
}

/// What the deployment decides about the API.
#[derive(Clone)]
pub struct Settings {
    /// `dev.enabled`: the clock may be advanced.
    pub dev: bool,
    /// `security.bootstrap_key`: its whole text is a bearer with the role admin of tenant `default`.
    pub bootstrap: Option<String>,
    /// The accounts that can take levy orders, by name.
    pub order_accounts: Vec<String>,
    /// Renders the Prometheus page.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { dev: false, bootstrap: None, order_accounts: Vec::new(), metrics: Arc::new(String::new) }
    }
}

impl Api {
    pub fn new(engine: Engine, settings: Settings) -> Self {
        let (keyring, strangers, desk) = (Keyring::default(), Strangers::default(), Desk::default());
        Self(Arc::new(Inner { engine, settings, keyring, strangers, desk, draining: AtomicBool::new(false) }))
    }

    /// From now on `/readyz` says no, so that balancers look elsewhere before the listener closes.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::SeqCst);
    }

    pub(crate) fn draining(&self) -> bool {
        self.0.draining.load(Ordering::SeqCst)
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.engine.store
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn keyring(&self) -> &Keyring {
        &self.0.keyring
    }

    pub(crate) fn strangers(&self) -> &Strangers {
        &self.0.strangers
    }

    pub(crate) fn desk(&self) -> &Desk {
        &self.0.desk
    }

    /// Business time.
    pub(crate) fn now(&self) -> Time {
        self.0.engine.clock.now()
    }

    /// A machine of the caller's tenant. Another tenant's does not exist for him (F96).
    pub(crate) async fn machine(
        &self,
        caller: &Caller,
        workflow: &str,
        what: &'static str,
        id: InstanceId,
    ) -> Result<Instance, Error> {
        let found = self.store().instance(id).await?;
        found.filter(|one| one.workflow == workflow && one.tenant == caller.tenant).ok_or(Error::NotFound(what))
    }

    /// Tells a machine something a caller wants or reports, durably. The same deed again changes nothing.
    pub(crate) async fn tell(&self, caller: &Caller, deed: &Deed, to: InstanceId, event: Value) -> Result<(), Error> {
        let at = self.now();
        let dedupe = deed.name(to);
        let post = Post {
            id: domain::ids::draw(at),
            tenant: caller.tenant.clone(),
            to: Target::Instance(to),
            event,
            source: "api".into(),
            dedupe,
            raw: None,
            at,
        };
        self.engine().post(post).await?;
        Ok(())
    }

    /// Writes an administrative act to the tenant's audit chain.
    pub(crate) async fn act(
        &self,
        caller: &Caller,
        what: &str,
        subject: impl ToString,
        detail: Value,
    ) -> Result<(), Error> {
        self.acts(caller, what, vec![(subject.to_string(), detail)]).await
    }

    /// Several at once: all are written, or none.
    pub(crate) async fn acts(&self, caller: &Caller, what: &str, of: Vec<(String, Value)>) -> Result<(), Error> {
        let (who, at) = (&caller.name, self.now());
        let act = |(subject, detail)| Act { who: who.clone(), what: what.into(), subject, detail, at };
        Ok(self.store().act(&caller.tenant, of.into_iter().map(act).collect()).await?)
    }

    /// The account of an order: the one named, or the tenant's only one that can take orders.
    pub(crate) fn order_account(&self, tenant: &str, named: Option<&str>) -> Result<String, AccountFault> {
        let rules = &self.engine().rules;
        let mut ours = self.settings().order_accounts.iter().filter(|name| rules.tenant(name) == tenant);
        match named {
            Some(name) => ours.find(|ours| *ours == name).cloned().ok_or(AccountFault::Unknown),
            None => match (ours.next(), ours.next()) {
                (Some(only), None) => Ok(only.clone()),
                (None, _) => Err(AccountFault::None),
                (Some(_), Some(_)) => Err(AccountFault::Several),
            },
        }
    }
}

/// Why no account can be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccountFault {
    Unknown,
    None,
    Several,
}

/// One request that may change something: its Idempotency-Key, and how often it was begun under it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deed {
    pub(crate) key: Option<String>,
    /// Attempts before this one that ended without a lasting answer.
    pub(crate) before: u32,
}

impl Deed {
    /// The name under which a message of this deed is stored once, if the deed has a key.
    pub(crate) fn name(&self, to: InstanceId) -> Option<String> {
        self.key.as_ref().map(|key| format!("deed/{key}/{to}"))
    }
}
