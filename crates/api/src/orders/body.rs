//! An order as it is asked for, before it is checked: JSON and CSV meet here.

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// Everything about one order. Unknown names are refused; what is missing or wrong is told field by field.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OrderBody {
    /// 业务单号: yours, unique for ever; 1 to 64 printable characters.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 64)]
    pub(crate) business_key: Option<String>,
    /// May be left out when the tenant has one account that takes orders.
    pub(crate) account: Option<String>,
    #[schema(value_type = PersonBody, required = true)]
    pub(crate) person: Option<PersonBody>,
    /// 实到税后收入: what the person receives. Exactly one of net and gross.
    #[schema(example = "1234.50")]
    pub(crate) net: Option<String>,
    /// 企业应付金额: what the enterprise pays in all.
    pub(crate) gross: Option<String>,
    /// `GENERAL` (普票) or `SPECIAL` (专票).
    #[schema(value_type = String, required = true)]
    pub(crate) tax_mode: Option<String>,
    /// 资质方 ID, digits.
    #[schema(value_type = String, required = true)]
    pub(crate) tax_agent_parent_id: Option<Digits>,
    /// 资质所在地 ID, digits; left out, the provider may split the order.
    #[schema(value_type = Option<String>)]
    pub(crate) tax_agent_location_id: Option<Digits>,
    /// 统一社会信用代码. Exactly one of credit_code and customer_id.
    #[schema(max_length = 20)]
    pub(crate) credit_code: Option<String>,
    #[schema(value_type = Option<String>, max_length = 50)]
    pub(crate) customer_id: Option<Digits>,
    #[schema(value_type = Option<String>)]
    pub(crate) task_id: Option<Digits>,
    #[schema(max_length = 100)]
    pub(crate) remark: Option<String>,
}

/// Who is paid.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PersonBody {
    #[schema(value_type = String, required = true)]
    pub(crate) name: Option<String>,
    #[schema(value_type = String, required = true)]
    pub(crate) id_card: Option<String>,
    #[schema(value_type = String, required = true)]
    pub(crate) cellphone: Option<String>,
    #[schema(value_type = String, required = true)]
    pub(crate) bankcard_no: Option<String>,
}

/// An id of digits: text, or a whole number. Longer ones than a number holds must be text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Digits(pub(crate) String);

impl<'de> Deserialize<'de> for Digits {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Digits;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the digits as text in quotes")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Digits, E> {
                Ok(Digits(text.to_owned()))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Digits, E> {
                Ok(Digits(number.to_string()))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Digits, E> {
                Ok(Digits(number.to_string()))
            }
        }
        d.deserialize_any(Read)
    }
}

impl OrderBody {
    /// Takes every field that `changes` has.
    pub(crate) fn overlay(mut self, changes: OrderBody) -> Self {
        if changes.net.is_some() || changes.gross.is_some() {
            (self.net, self.gross) = (changes.net, changes.gross);
        }
        if changes.credit_code.is_some() || changes.customer_id.is_some() {
            (self.credit_code, self.customer_id) = (changes.credit_code, changes.customer_id);
        }
        let person = match (self.person, changes.person) {
            (Some(old), Some(new)) => Some(old.overlay(new)),
            (old, new) => new.or(old),
        };
        OrderBody {
            business_key: changes.business_key,
            account: changes.account.or(self.account),
            person,
            net: self.net,
            gross: self.gross,
            tax_mode: changes.tax_mode.or(self.tax_mode),
            tax_agent_parent_id: changes.tax_agent_parent_id.or(self.tax_agent_parent_id),
            tax_agent_location_id: changes.tax_agent_location_id.or(self.tax_agent_location_id),
            credit_code: self.credit_code,
            customer_id: self.customer_id,
            task_id: changes.task_id.or(self.task_id),
            remark: changes.remark.or(self.remark),
        }
    }
}

impl PersonBody {
    fn overlay(self, changes: PersonBody) -> Self {
        PersonBody {
            name: changes.name.or(self.name),
            id_card: changes.id_card.or(self.id_card),
            cellphone: changes.cellphone.or(self.cellphone),
            bankcard_no: changes.bankcard_no.or(self.bankcard_no),
        }
    }
}
