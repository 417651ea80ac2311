//! From what was asked for to a machine to be: every field is parsed once, and all that is wrong is told at once.

use crate::api::Api;
use crate::orders::body::{Digits, PersonBody};
use crate::orders::draft::{Faults, account, digits, digits_of, person, printable, too_long, value};
use crate::problem::{Error, FieldError};
use crate::sign_ups::{Known, WORKFLOW};
use domain::levy::{Customer, Terms};
use domain::{Invalid, Person};
use engine::New;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;
use workflows::needs::{Need, StartOf, Starting};
use workflows::policy::SignUpKind;
use workflows::sign_up::{Again, At, Contract, Input, SignUp};

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

/// A checked sign-up.
pub(crate) struct Draft {
    account: String,
    kind: SignUpKind,
    pub(crate) person: Person,
    party: Option<String>,
    credit_code: Option<String>,
    customer_id: Option<String>,
}

/// A sign-up under its natural key, and where signals and those who wait find it.
struct Prepared {
    business_key: String,
    address: String,
    input: Input,
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
        if kind == Some(SignUpKind::SignUp) && party.is_some() && credit_code.is_none() {
            let said = (
                "a party's agreement needs the enterprise's credit code (000 §2.2 rule 4)",
                "与资质方签约须填写关联企业统一社会信用代码",
            );
            faults.0.push(FieldError::new("credit_code", "credit_code_required", said.0, said.1));
        }
        if let (Some(account), Some(person)) = (&account, &person) {
            faults.0.extend(too_long(api, account, person));
        }
        match (kind, account, person) {
            (Some(kind), Some(account), Some(person)) if faults.0.is_empty() => {
                Ok(Draft { account, kind, person, party, credit_code, customer_id })
            }
            _ => Err(faults.0),
        }
    }

    /// What an order of this account needs by its policy, where that is a signature with its party.
    pub(crate) fn needed(api: &Api, account: &str, person: &Person, terms: &Terms) -> Option<Self> {
        let kind = api.engine().rules.policy(account).require_sign_up?;
        let (credit_code, customer_id) = match &terms.customer {
            Customer::CreditCode(code) => (Some(code.clone()), None),
            Customer::CustomerId(id) => (None, Some(id.clone())),
        };
        let party = Some(terms.tax_agent_parent_id.clone());
        Some(Draft { account: account.to_owned(), kind, person: person.clone(), party, credit_code, customer_id })
    }

    /// The same as a need of that order.
    pub(crate) fn need(&self, api: &Api, tenant: &str, person: Uuid) -> Need {
        let Prepared { business_key, address, input } = self.prepared(api, tenant, person);
        let agreement = match self.kind {
            SignUpKind::SyncSign => "共享经济综合服务协议",
            SignUpKind::SignUp => "授权协议",
        };
        let what =
            format!("the person's signature of the {agreement} with party {}", self.party.as_deref().unwrap_or("-"));
        // Without the credit code a party's agreement cannot be asked for (000 §2.2 rule 4): a person does so.
        let complete = self.kind == SignUpKind::SyncSign || self.credit_code.is_some();
        let may_start = complete && api.engine().rules.policy(&self.account).start_sign_ups;
        let content_hash = self.content_hash(api, tenant);
        let start = may_start.then(|| Box::new(Starting::SignUp(StartOf { business_key, content_hash, input })));
        Need { address, what, start }
    }

    /// The machine to be. `person` is the stored snapshot.
    pub(crate) fn sign_up(&self, api: &Api, tenant: &str, person: Uuid) -> Result<New, Error> {
        let prepared = self.prepared(api, tenant, person);
        machine(api, tenant, &self.account, self.content_hash(api, tenant), &prepared)
    }

    /// Its business key is the natural one: whom, with whom, of what kind (P50).
    fn prepared(&self, api: &Api, tenant: &str, person: Uuid) -> Prepared {
        let key = api.store().fingerprint(
            tenant,
            "sign_up",
            &[self.person.id_card.expose(), self.party.as_deref().unwrap_or_default(), &self.account],
        );
        let contract = match self.kind {
            SignUpKind::SyncSign => "sync_sign",
            SignUpKind::SignUp => "sign_up",
        };
        let business_key = format!("{contract}/{key}");
        let request_id = api.store().derive_request_id(tenant, &business_key);
        let address = format!("{}/{request_id}", self.account);
        let contract = match self.kind {
            SignUpKind::SyncSign => Contract::SyncSign { request_id },
            SignUpKind::SignUp => {
                Contract::SignUp { credit_code: self.credit_code.clone(), customer_id: self.customer_id.clone() }
            }
        };
        let name_chars = self.person.name.chars();
        let input = Input { contract, person, name_chars, party: self.party.clone(), again: None };
        Prepared { business_key, address, input }
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
    if !matches!(failed.state.at, At::NotSigned { .. }) {
        return Ok(None);
    }
    let number = failed.input.again.as_ref().map_or(0, |again| again.number) + 1;
    let suffix = format!("/{}", number - 1);
    let first = failed.row.business_key.strip_suffix(&suffix).unwrap_or(&failed.row.business_key);
    let business_key = format!("{first}/{number}");
    let request_id = api.store().derive_request_id(tenant, &business_key);
    let address = format!("{}/{request_id}", failed.row.account);
    let contract = match &failed.input.contract {
        Contract::SyncSign { .. } => Contract::SyncSign { request_id },
        same @ Contract::SignUp { .. } => same.clone(),
    };
    let again = Some(Again { of: failed.row.id, number, by: by.to_owned() });
    let input = Input { contract, again, ..failed.input.clone() };
    let prepared = Prepared { business_key, address, input };
    machine(api, tenant, &failed.row.account, failed.row.content_hash.clone(), &prepared).map(Some)
}

fn machine(api: &Api, tenant: &str, account: &str, content_hash: String, prepared: &Prepared) -> Result<New, Error> {
    let Prepared { business_key, address, input } = prepared;
    Ok(New {
        workflow: WORKFLOW.into(),
        tenant: tenant.into(),
        account: account.into(),
        business_key: business_key.clone(),
        address: Some(address.clone()),
        person: Some(input.person),
        content_hash,
        input: value(input)?,
        state: value(&SignUp::begin(api.now()))?,
        ..New::default()
    })
}

fn kind(text: &str) -> Result<SignUpKind, Invalid> {
    match text.trim() {
        "sync_sign" => Ok(SignUpKind::SyncSign),
        "sign_up" => Ok(SignUpKind::SignUp),
        _ => Err(Invalid::new(
            "sign_up_kind",
            "kind is sync_sign or sign_up",
            "签约类型应为 sync_sign（商户签约）或 sign_up（签约）",
        )),
    }
}
