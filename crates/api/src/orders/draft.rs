//! From what was asked for to a machine to be: every field is parsed once, and all that is wrong is told at once.

use crate::api::{AccountFault, Api};
use crate::orders::WORKFLOW;
use crate::orders::body::{Digits, OrderBody, PersonBody};
use crate::papers::check::Check;
use crate::problem::{Error, FieldError};
use crate::sign_ups;
use domain::levy::{Asked, Customer, TaxMode, Terms};
use domain::{BankCard, Cellphone, IdCard, InstanceId, Invalid, Money, Person, PersonName, ids};
use engine::{New, NewGuard};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use workflows::levy_order::{Input, Order};
use workflows::policy::Guard;

/// A checked order.
pub(crate) struct Draft {
    pub(crate) business_key: String,
    pub(crate) account: String,
    pub(crate) person: Person,
    pub(crate) terms: Terms,
}

/// What guards a new order against being a second one for the same business.
pub(crate) enum Against {
    /// Same person, amount, task and business day (P12).
    Duplicates,
    /// A second replacement of the same order.
    SecondReplacement(InstanceId),
}

/// Collects what is wrong.
#[derive(Default)]
pub(crate) struct Faults(pub(crate) Vec<FieldError>);

impl Faults {
    fn add(&mut self, field: &str, code: &str, message: &str, message_zh: &str) {
        self.0.push(FieldError::new(field, code, message, message_zh));
    }

    pub(crate) fn take<T>(
        &mut self,
        field: &str,
        value: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Option<T> {
        let Some(text) = present(value) else {
            self.0.push(FieldError::missing(field));
            return None;
        };
        self.may(field, Some(text), parse)
    }

    pub(crate) fn may<T>(
        &mut self,
        field: &str,
        value: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Option<T> {
        match parse(present(value)?) {
            Ok(parsed) => Some(parsed),
            Err(invalid) => {
                self.0.push(FieldError::of(field, &invalid));
                None
            }
        }
    }
}

/// An empty cell, or an empty text, is nothing.
fn present(value: Option<&str>) -> Option<&str> {
    value.filter(|text| !text.trim().is_empty())
}

impl Draft {
    /// Checks every field, and tells all that is wrong.
    pub(crate) fn check(api: &Api, tenant: &str, body: &OrderBody) -> Result<Self, Vec<FieldError>> {
        let mut faults = Faults::default();
        let business_key = faults.take("business_key", body.business_key.as_deref(), |text| printable(text, 64));
        let account = account(api, tenant, body.account.as_deref(), &mut faults);
        let person = person(body.person.as_ref(), &mut faults);
        let asked = asked(body, &mut faults);
        let tax_mode = faults.take("tax_mode", body.tax_mode.as_deref(), tax_mode);
        let parent = faults.take("tax_agent_parent_id", digits_of(&body.tax_agent_parent_id), |text| digits(text, 20));
        let tax_agent_location_id =
            faults.may("tax_agent_location_id", digits_of(&body.tax_agent_location_id), |text| digits(text, 20));
        let customer = customer(body, &mut faults);
        let task_id = faults.may("task_id", digits_of(&body.task_id), |text| digits(text, 10));
        let remark = faults.may("remark", body.remark.as_deref(), |text| printable(text, 100));
        match (business_key, account, person, asked, tax_mode, parent, customer) {
            (
                Some(business_key),
                Some(account),
                Some(person),
                Some(asked),
                Some(tax_mode),
                Some(tax_agent_parent_id),
                Some(customer),
            ) if faults.0.is_empty() => {
                let terms =
                    Terms { asked, tax_mode, tax_agent_parent_id, tax_agent_location_id, customer, task_id, remark };
                Ok(Draft { business_key, account, person, terms })
            }
            _ => Err(faults.0),
        }
    }

    /// The machine to be. `person` is the stored snapshot.
    pub(crate) fn order(
        &self,
        api: &Api,
        tenant: &str,
        person: Uuid,
        replaces: Option<InstanceId>,
        over_limit: bool,
    ) -> Result<New, Error> {
        let against = replaces.map_or(Against::Duplicates, Against::SecondReplacement);
        let request_id = api.store().derive_request_id(tenant, &self.business_key);
        let address = format!("{}/{request_id}", self.account);
        let sign_up = sign_ups::draft::Draft::needed(api, &self.account, &self.person, &self.terms);
        let pictures = Check::needed(api, tenant, &self.account, person, &self.person.id_card);
        let input = Input {
            request_id,
            person,
            name_chars: self.person.name.chars(),
            terms: self.terms.clone(),
            replaces,
            needs: sign_up
                .map(|sign_up| sign_up.need(api, tenant, person))
                .into_iter()
                .chain(pictures.map(|check| check.need()))
                .collect(),
            over_limit,
        };
        let now = api.now();
        Ok(New {
            workflow: WORKFLOW.into(),
            tenant: tenant.into(),
            account: self.account.clone(),
            business_key: self.business_key.clone(),
            address: Some(address),
            person: Some(person),
            content_hash: self.content_hash(api, tenant, replaces),
            input: value(&input)?,
            state: value(&Order::new(now))?,
            guard: Some(self.guard(api, tenant, &against)?),
            ..New::default()
        })
    }

    /// Digest of the business content. The person enters as a keyed fingerprint: a plain digest of an ID number could be guessed.
    pub(crate) fn content_hash(&self, api: &Api, tenant: &str, replaces: Option<InstanceId>) -> String {
        let person = &self.person;
        let parts =
            [person.name.expose(), person.id_card.expose(), person.cellphone.expose(), person.bankcard.expose()];
        let person = api.store().fingerprint(tenant, "order_person", &parts);
        let content = json!({"account": self.account, "person": person, "terms": self.terms, "replaces": replaces});
        hex::encode(Sha256::digest(content.to_string()))
    }

    fn guard(&self, api: &Api, tenant: &str, against: &Against) -> Result<NewGuard, Error> {
        let now = api.now();
        let key = match against {
            Against::Duplicates => {
                let (amount, day) = (self.terms.asked.money().to_string(), now.beijing().day());
                let task = self.terms.task_id.as_deref().unwrap_or_default();
                api.store().fingerprint(tenant, "duplicate", &[self.person.id_card.expose(), &amount, task, &day])
            }
            Against::SecondReplacement(order) => api.store().fingerprint(tenant, "replacement", &[&order.to_string()]),
        };
        let task = Order::release_task(ids::draw(now), now, api.engine().rules.params.task_sla);
        Ok(NewGuard { key, state: value(&Order::suspected_duplicate(now))?, writes: vec![task] })
    }
}

/// What will hurt this order later, in codes and words.
pub(crate) fn warnings(api: &Api, account: &str, name_chars: usize) -> Vec<String> {
    let rules = &api.engine().rules;
    let (now, policy) = (api.now(), rules.policy(account));
    let times = Order::times_from(now, None, &rules.params, policy);
    let mut warnings = Vec::new();
    if now >= times.pay_cutoff {
        warnings.push("cannot_settle_before_deadline: sent now, its payment could not settle before the deadline; create it on the next bank day".into());
    }
    if now + rules.params.month_guard >= now.beijing().month_end() {
        let held =
            if policy.month_edge == Guard::Hold { "it will be held" } else { "its levy may fall into the next month" };
        warnings.push(format!("month_end: the tax month ends soon, {held}"));
    }
    if name_chars > policy.name_max_chars {
        warnings.push(format!(
            "name_too_long: the provider takes {} characters; a person will have to settle it",
            policy.name_max_chars
        ));
    }
    warnings
}

/// A name that this account's provider does not take (P11).
pub(crate) fn too_long(api: &Api, account: &str, person: &Person) -> Option<FieldError> {
    let most = api.engine().rules.policy(account).name_max_chars;
    let said = || {
        (
            format!("the provider takes names of at most {most} characters; a longer one is never shortened"),
            format!("姓名超长：服务商最多接受 {most} 个字符"),
        )
    };
    (person.name.chars() > most).then(said).map(|(en, zh)| FieldError::new("person.name", "name_too_long", &en, &zh))
}

pub(crate) fn value<T: serde::Serialize>(of: &T) -> Result<Value, Error> {
    serde_json::to_value(of).map_err(|_| Error::Internal)
}

pub(crate) fn account(api: &Api, tenant: &str, named: Option<&str>, faults: &mut Faults) -> Option<String> {
    match api.order_account(tenant, present(named).map(str::trim)) {
        Ok(account) => return Some(account),
        Err(AccountFault::Unknown) => {
            faults.add("account", "unknown_account", "no account of this name takes orders", "没有此名称的下单账户")
        }
        Err(AccountFault::None) => faults.add(
            "account",
            "no_account",
            "no account of this tenant takes orders: configure one",
            "本租户没有可下单的账户",
        ),
        Err(AccountFault::Several) => faults.add(
            "account",
            "account_required",
            "several accounts take orders: name one",
            "存在多个账户，请指定 account",
        ),
    }
    None
}

pub(crate) fn person(body: Option<&PersonBody>, faults: &mut Faults) -> Option<Person> {
    let Some(body) = body else {
        faults.0.push(FieldError::missing("person"));
        return None;
    };
    let name = faults.take("person.name", body.name.as_deref(), PersonName::parse);
    let id_card = faults.take("person.id_card", body.id_card.as_deref(), IdCard::parse);
    let cellphone = faults.take("person.cellphone", body.cellphone.as_deref(), Cellphone::parse);
    let bankcard = faults.take("person.bankcard_no", body.bankcard_no.as_deref(), BankCard::parse);
    Some(Person { name: name?, id_card: id_card?, cellphone: cellphone?, bankcard: bankcard? })
}

fn asked(body: &OrderBody, faults: &mut Faults) -> Option<Asked> {
    match (present(body.net.as_deref()), present(body.gross.as_deref())) {
        (Some(net), None) => faults.may("net", Some(net), amount).map(Asked::Net),
        (None, Some(gross)) => faults.may("gross", Some(gross), amount).map(Asked::Gross),
        (None, None) => {
            faults.add("net", "net_or_gross", "give net or gross", "net 与 gross 必须填写其一");
            None
        }
        (Some(_), Some(_)) => {
            faults.add("gross", "net_or_gross", "give net or gross, not both", "net 与 gross 只能填写其一");
            None
        }
    }
}

pub(crate) fn amount(text: &str) -> Result<Money, Invalid> {
    let money = Money::parse(text)?;
    if money == Money::ZERO {
        return Err(Invalid::new("amount_zero", "the amount must be more than 0.00", "金额必须大于 0.00"));
    }
    Ok(money)
}

fn customer(body: &OrderBody, faults: &mut Faults) -> Option<Customer> {
    match (present(body.credit_code.as_deref()), present(digits_of(&body.customer_id))) {
        (Some(code), None) => {
            faults.may("credit_code", Some(code), |text| printable(text, 20)).map(Customer::CreditCode)
        }
        (None, Some(id)) => faults.may("customer_id", Some(id), |text| printable(text, 50)).map(Customer::CustomerId),
        (None, None) => {
            faults.add(
                "credit_code",
                "one_customer",
                "give credit_code or customer_id",
                "credit_code 与 customer_id 必须填写其一",
            );
            None
        }
        (Some(_), Some(_)) => {
            faults.add(
                "customer_id",
                "one_customer",
                "give credit_code or customer_id, not both",
                "credit_code 与 customer_id 只能填写其一",
            );
            None
        }
    }
}

fn tax_mode(text: &str) -> Result<TaxMode, Invalid> {
    match text.trim() {
        "GENERAL" => Ok(TaxMode::General),
        "SPECIAL" => Ok(TaxMode::Special),
        _ => Err(Invalid::new(
            "tax_mode",
            "tax_mode is GENERAL or SPECIAL",
            "开票模式应为 GENERAL（普票）或 SPECIAL（专票）",
        )),
    }
}

pub(crate) fn digits_of(value: &Option<Digits>) -> Option<&str> {
    value.as_ref().map(|digits| digits.0.as_str())
}

pub(crate) fn digits(text: &str, most: usize) -> Result<String, Invalid> {
    let fits = (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let (message, zh) = (format!("1 to {most} digits"), format!("应为 1 至 {most} 位数字"));
    fits.then(|| text.to_owned()).ok_or_else(|| Invalid::new("digits", &message, &zh))
}

/// A word that is searched for: what no row can hold is refused, not looked for.
pub(crate) fn search(field: &str, text: Option<String>) -> Result<Option<String>, Error> {
    let read =
        |text: String| printable(&text, 64).map_err(|invalid| Error::Invalid(vec![FieldError::of(field, &invalid)]));
    text.map(read).transpose()
}

/// 1 to `most` characters that can be seen: no control characters, and none that turn or hide their neighbours.
pub(crate) fn printable(text: &str, most: usize) -> Result<String, Invalid> {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if text.chars().any(hidden) {
        return Err(Invalid::new("characters", "this contains characters that cannot be seen", "包含不可见字符"));
    }
    if text.trim().is_empty() || text.chars().count() > most {
        let (message, zh) = (format!("1 to {most} characters"), format!("应为 1 至 {most} 个字符"));
        return Err(Invalid::new("length", &message, &zh));
    }
    Ok(text.to_owned())
}
