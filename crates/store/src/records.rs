//! The rows that turns write beside their states: permits, evidence, decisions, cases, tasks.

use crate::{Case, EvidenceRow, Inner, PermitRow, Result, Store, Task, Touch};
use domain::InstanceId;
use domain::record::{Decision, OpenCase};
use uuid::Uuid;

impl Store {
    /// One pay permit.
    pub async fn permit(&self, id: Uuid) -> Result<Option<PermitRow>> {
        match &self.inner {
            Inner::Sql(sql) => sql.permit(id).await,
            Inner::Memory(memory) => memory.lock().permit(id),
        }
    }

    /// The pay permits of a remit, by attempt.
    pub async fn permits(&self, remit: InstanceId) -> Result<Vec<PermitRow>> {
        match &self.inner {
            Inner::Sql(sql) => sql.permits(remit).await,
            Inner::Memory(memory) => memory.lock().permits(remit),
        }
    }

    /// Everything that was taken as proof of payment of a remit, oldest first.
    pub async fn evidence(&self, remit: InstanceId) -> Result<Vec<EvidenceRow>> {
        match &self.inner {
            Inner::Sql(sql) => sql.evidence(remit).await,
            Inner::Memory(memory) => memory.lock().evidence(remit),
        }
    }

    /// The decision of a remit, with the arising time of its revision where one was made.
    pub async fn decision(&self, remit: InstanceId) -> Result<Option<Decision>> {
        match &self.inner {
            Inner::Sql(sql) => sql.decision(remit).await,
            Inner::Memory(memory) => memory.lock().decision(remit),
        }
    }

    /// Cases of a tenant, newest first, by id below `cursor`.
    pub async fn cases(
        &self,
        tenant: &str,
        state: Option<&str>,
        kind: Option<&str>,
        instance: Option<InstanceId>,
        cursor: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Case>> {
        match &self.inner {
            Inner::Sql(sql) => sql.cases(tenant, state, kind, instance, cursor, limit).await,
            Inner::Memory(memory) => memory.lock().cases(tenant, state, kind, instance, cursor, limit),
        }
    }

    /// One case.
    pub async fn case(&self, id: Uuid) -> Result<Option<Case>> {
        match &self.inner {
            Inner::Sql(sql) => sql.case(id).await,
            Inner::Memory(memory) => memory.lock().case(id),
        }
    }

    /// Opens a case outside a turn: for the engine's own parking. The same id again changes nothing.
    pub async fn open_case(&self, instance: InstanceId, tenant: &str, case: OpenCase) -> Result<()> {
        let work = async {
            match &self.inner {
                Inner::Sql(sql) => sql.open_case(instance, tenant, case).await,
                Inner::Memory(memory) => memory.lock().open_case(instance, tenant, case),
            }
        };
        self.touch(Touch::Case, work).await
    }

    /// Human tasks of a tenant, newest first, by id below `cursor`.
    pub async fn tasks(
        &self,
        tenant: &str,
        open_only: bool,
        kind: Option<&str>,
        instance: Option<InstanceId>,
        cursor: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Task>> {
        match &self.inner {
            Inner::Sql(sql) => sql.tasks(tenant, open_only, kind, instance, cursor, limit).await,
            Inner::Memory(memory) => memory.lock().tasks(tenant, open_only, kind, instance, cursor, limit),
        }
    }
}
