//! From what was asked for to a machine to be: every field is parsed once, and all that is wrong is told at once.

use crate::api::Api;
use crate::orders::body::{Digits, PersonBody};
use crate::orders::draft::{Faults, account, digits, digits_of, person, printable, value};
use crate::problem::{Error, FieldError};
use crate::sign_ups::{Known, WORKFLOW};
use domain::{Invalid, Person};
use engine::New;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;
use workflows::sign_up::{Again, Contract, Input, SignUp};

/// One sign-up as it is asked for. Unknown names are refused; what is missing or wrong is told field by field.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SignUpBody {
    /// `sync_sign` (商户签约, 共享经济综合服务协议) or `sign_up` (签约, 授权协议).
    #[schema(value_type = String, required = true)]
    pub(crate) kind: Option<String>,
    /// May be left out when the tenant has one account that takes orders.
    pub(crate) account: Option<String>,
    #[schema(value_type = PersonBody, required = true)]
    pub(crate) person: Option<PersonBody>,
    /// 资质方 ID, digits; left out, the contract is with the provider itself.
    #[schema(value_type = Option<String>)]
    pub(crate) tax_agent_parent_id: Option<Digits>,
    /// 统一社会信用代码; required for `sign_up` with a tax_agent_parent_id.
    #[schema(max_length = 20)]
    pub(crate) credit_code: Option<String>,
    #[schema(value_type = Option<String>, max_length = 50)]
    pub(crate) customer_id: Option<Digits>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    SyncSign,
    SignUp,
}

/// A checked sign-up.
pub(crate) struct Draft {
    account: String,
    kind: Kind,
    pub(crate) person: Person,
    party: Option<String>,
    credit_code: Option<String>,
    customer_id: Option<String>,
}

impl Draft {
    /// Checks every field, and tells all that is wrong.
    pub(crate) fn check(api: &Api, tenant: &str, body: &SignUpBody) -> Result<Self, Vec<FieldError>> {
        let mut faults = Faults::default();
        let kind = faults.take("kind", body.kind.as_deref(), kind);
        let account = account(api, tenant, body.account.as_deref(), &mut faults);
        let person = person(body.person.as_ref(), &mut faults);
        let party = faults.may("tax_agent_parent_id", digits_of(&body.tax_agent_parent_id), |text| digits(text, 20));
        let credit_code = faults.may("credit_code", body.credit_code.as_deref(), |text| printable(text, 20));
        let customer_id = faults.may("customer_id", digits_of(&body.customer_id), |text| printable(text, 50));
        if kind == Some(Kind::SignUp) && party.is_some() && credit_code.is_none() {
            let said = (
                "a party's agreement needs the enterprise's credit code (000 §2.2 rule 4)",
                "与资质方签约须填写关联企业统一社会信用代码",
            );
            faults.0.push(FieldError::new("credit_code", "credit_code_required", said.0, said.1));
        }
        match (kind, account, person) {
            (Some(kind), Some(account), Some(person)) if faults.0.is_empty() => {
                Ok(Draft { account, kind, person, party, credit_code, customer_id })
            }
            _ => Err(faults.0),
        }
    }

    /// The machine to be. `person` is the stored snapshot. Its business key is the natural one: whom, with whom, of what kind (P50).
    pub(crate) fn sign_up(&self, api: &Api, tenant: &str, person: Uuid) -> Result<New, Error> {
        let key = api.store().fingerprint(
            tenant,
            "sign_up",
            &[self.person.id_card.expose(), self.party.as_deref().unwrap_or_default(), &self.account],
        );
        let contract = match self.kind {
            Kind::SyncSign => "sync_sign",
            Kind::SignUp => "sign_up",
        };
        let business_key = format!("{contract}/{key}");
        let request_id = api.store().derive_request_id(tenant, &business_key);
        let contract = match self.kind {
            Kind::SyncSign => Contract::SyncSign { request_id },
            Kind::SignUp => {
                Contract::SignUp { credit_code: self.credit_code.clone(), customer_id: self.customer_id.clone() }
            }
        };
        let name_chars = self.person.name.chars();
        let input = Input { contract, person, name_chars, party: self.party.clone(), again: None };
        machine(api, tenant, &self.account, business_key, self.content_hash(api, tenant), &input)
    }

    /// Digest of what the person signs with. The person enters as a keyed fingerprint: a plain digest of an ID number could be guessed.
    fn content_hash(&self, api: &Api, tenant: &str) -> String {
        let person = &self.person;
        let parts =
            [person.name.expose(), person.id_card.expose(), person.cellphone.expose(), person.bankcard.expose()];
        let person = api.store().fingerprint(tenant, "sign_up_person", &parts);
        let content = json!({"person": person, "credit_code": self.credit_code, "customer_id": self.customer_id});
        hex::encode(Sha256::digest(content.to_string()))
    }
}

/// The next invitation after one that failed; `None` where it has not.
pub(crate) fn again(api: &Api, tenant: &str, by: &str, failed: &Known) -> Result<Option<New>, Error> {
    if !matches!(failed.state, SignUp::NotSigned { .. }) {
        return Ok(None);
    }
    let number = failed.input.again.as_ref().map_or(0, |again| again.number) + 1;
    let suffix = format!("/{}", number - 1);
    let first = failed.row.business_key.strip_suffix(&suffix).unwrap_or(&failed.row.business_key);
    let business_key = format!("{first}/{number}");
    let contract = match &failed.input.contract {
        Contract::SyncSign { .. } => {
            Contract::SyncSign { request_id: api.store().derive_request_id(tenant, &business_key) }
        }
        same @ Contract::SignUp { .. } => same.clone(),
    };
    let again = Some(Again { of: failed.row.id, number, by: by.to_owned() });
    let input = Input { contract, again, ..failed.input.clone() };
    machine(api, tenant, &failed.row.account, business_key, failed.row.content_hash.clone(), &input).map(Some)
}

fn machine(
    api: &Api,
    tenant: &str,
    account: &str,
    business_key: String,
    content_hash: String,
    input: &Input,
) -> Result<New, Error> {
    let address = match &input.contract {
        Contract::SyncSign { request_id } => Some(format!("{account}/{request_id}")),
        Contract::SignUp { .. } => None,
    };
    Ok(New {
        workflow: WORKFLOW.into(),
        tenant: tenant.into(),
        account: account.into(),
        business_key,
        address,
        person: Some(input.person),
        content_hash,
        input: value(input)?,
        state: value(&SignUp::begin(api.now()))?,
        ..New::default()
    })
}

fn kind(text: &str) -> Result<Kind, Invalid> {
    match text.trim() {
        "sync_sign" => Ok(Kind::SyncSign),
        "sign_up" => Ok(Kind::SignUp),
        _ => Err(Invalid::new(
            "sign_up_kind",
            "kind is sync_sign or sign_up",
            "签约类型应为 sync_sign（商户签约）或 sign_up（签约）",
        )),
    }
}
