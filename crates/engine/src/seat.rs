//! Where a machine sits: what it may know of itself, the time and the rules, and where it waits.

use crate::{Engine, Rules};
use domain::{Clock, InstanceId, Operation, Request, Time};
use std::sync::Arc;
use store::{Claimed, Due};
use workflows::book::{Running, Want};
use workflows::{Cx, Freezes};

/// The lane of turns that call nobody.
pub(crate) const NO_LANE: &str = "-";

/// Everything a [`Cx`] is made of.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) me: InstanceId,
    pub(crate) parent: Option<InstanceId>,
    pub(crate) tenant: String,
    pub(crate) account: String,
    /// No claim before this one can have sent what the present state wants.
    pub(crate) unsent: bool,
    freezes: Arc<Freezes>,
    rules: Arc<Rules>,
    clock: Clock,
}

impl Seat {
    pub(crate) fn new(
        engine: &Engine,
        me: InstanceId,
        parent: Option<InstanceId>,
        tenant: &str,
        account: &str,
    ) -> Self {
        Self {
            me,
            parent,
            tenant: tenant.to_owned(),
            account: account.to_owned(),
            unsent: true,
            freezes: engine.freezes(),
            rules: engine.rules.clone(),
            clock: engine.clock.clone(),
        }
    }

    pub(crate) fn of(engine: &Engine, row: &Claimed) -> Self {
        let unsent = row.claims < 2;
        Self { unsent, ..Self::new(engine, row.id, row.parent, &row.tenant, &row.account) }
    }

    /// With the freezes as they are now.
    pub(crate) fn refreshed(&self, engine: &Engine) -> Self {
        Self { freezes: engine.freezes(), ..self.clone() }
    }

    pub(crate) fn cx(&self) -> Cx<'_> {
        self.cx_at(self.clock.now())
    }

    fn cx_at(&self, now: Time) -> Cx<'_> {
        Cx {
            me: self.me,
            parent: self.parent,
            tenant: &self.tenant,
            account: &self.account,
            now,
            real: self.clock.real(),
            unsent: self.unsent,
            params: &self.rules.params,
            policy: self.rules.policy(&self.account),
            freezes: &self.freezes,
        }
    }

    /// Where the machine waits now. Lane and class are those it will have when it is due: a row that sleeps until its next look
    /// must not come due outside the lane of that look.
    pub(crate) fn due(&self, machine: &dyn Running) -> Due {
        let cx = self.cx();
        let want = machine.want(&cx);
        let wake_at = match &want {
            Want::Record | Want::Call(_) | Want::Release { .. } | Want::Require(_) => Some(cx.now),
            Want::Wait(until) => Some(*until),
            Want::Ask(until) => *until,
            Want::Rest => None,
        };
        let then = self.cx_at(wake_at.unwrap_or(cx.now).max(cx.now));
        let lane = lane_of(&self.account, &machine.want(&then));
        Due { wake_at, lane, class: machine.class(&then) }
    }
}

fn lane_of(account: &str, want: &Want) -> String {
    match want {
        Want::Call(request) => lane(account, request),
        Want::Record | Want::Wait(_) | Want::Ask(_) | Want::Release { .. } | Want::Require(_) | Want::Rest => {
            NO_LANE.to_owned()
        }
    }
}

/// `account:group`: creates, decisions and queries of an account do not stand in each other's way.
pub(crate) fn lane(account: &str, request: &Request) -> String {
    format!("{account}:{}", request.operation().group())
}

/// The lanes of these accounts in which several machines share a call.
pub(crate) fn shared_lanes<'a>(accounts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let shared = || Operation::ALL.into_iter().filter(|operation| operation.batch() > 1);
    accounts.flat_map(|account| shared().map(move |operation| format!("{account}:{}", operation.group()))).collect()
}
