//! The settings of one Olading account. Every question the document leaves open is a setting with the default of protocols.md §5,
//! so that an answer from the provider becomes one line of configuration.

use super::lenient::{Int, Yes};
use super::wire::{SyncSignAgent, TwoFactor};
use crate::ConfigFault;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};

/// `[accounts.NAME] provider = "olading"`. The secret prints as stars and is wiped from memory when dropped.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Scheme and host, without the interface path. The test host is `https://whtax-qa-api.lanmaoly.com` (000 §2).
    pub url: String,
    /// The client's identification (000 §1.1.1).
    pub client_key: String,
    /// 密钥: the HMAC key of both directions (000 §1.2).
    pub secret: SecretString,
    /// The key before a rotation: still verifies, never signs (F65).
    pub previous_secret: Option<SecretString>,
    /// Whose account it is.
    pub tenant: String,
    /// Calls per second, all workers together.
    #[serde(deserialize_with = "number")]
    pub rate_per_second: u32,
    /// Calls at once.
    #[serde(deserialize_with = "number")]
    pub concurrency: u32,

    pub hmac_algorithm: Algorithm,
    /// How far the provider's clock may differ; the bound is not stated (000 §1.1.1).
    #[serde(deserialize_with = "number")]
    pub skew_seconds: u32,
    pub two_factor_field: TwoFactorField,
    pub sync_sign_agent_field: SyncSignAgentField,
    /// Five codes that exist but are printed nowhere (000 §3.1 lists six others).
    pub code_duplicate_request_id: Option<String>,
    pub code_order_not_found: Option<String>,
    pub code_clock_refused: Option<String>,
    pub code_not_signed: Option<String>,
    pub code_month_cap: Option<String>,
    /// Whether QUERY_SIGN_UP_BATCH also proves SYNC_SIGN; until the provider says so it does not (§15.12).
    #[serde(deserialize_with = "yes_or_no")]
    pub sign_up_query_covers_sync_sign: bool,
    /// From when the 72 hours count (P20).
    pub close_origin: CloseOrigin,
    /// The remit status that ends a levy (P15).
    pub levied_terminal_status: LeviedTerminalStatus,
    /// How 企业应付总金额 follows from the rest; stated nowhere.
    pub actual_amount_formula: ActualAmountFormula,
    /// What CANCEL sends as `arising_time` (P32).
    pub cancel_arising_time: CancelArisingTime,
    /// Seconds that `arising_time` may lie outside its bounds; unknown until the provider says.
    #[serde(deserialize_with = "some_number")]
    pub arising_time_tolerance: Option<u32>,
    /// Whether `arising_time` may lie in the previous month; unknown until the provider says.
    #[serde(deserialize_with = "some_yes_or_no")]
    pub arising_time_previous_month: Option<bool>,
    /// Longest PDF of a voucher; the document gives no size (000 §2.9).
    #[serde(deserialize_with = "number")]
    pub voucher_max_bytes: u32,
    /// What the megabytes of 000 §2.8 to §2.12 are counted over: they say of what nowhere (P56).
    pub file_size_basis: FileSizeBasis,

    /// Who pays the person: to be stated before a permit is issued against the production host (safety.md §15.0).
    pub payer: Option<String>,
    /// When a levy counts as made.
    pub levied_proof: LeviedProof,
    /// When a remit that never had a permit is cancelled (safety.md §11).
    pub cancel_never_permitted: CancelNeverPermitted,
    pub gross_sum_check: GrossSumCheck,
    /// Per remit.
    #[serde(deserialize_with = "number")]
    pub gross_sum_tolerance_fen: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileSizeBasis {
    File,
    /// Its base64 text, as it is sent.
    Base64,
}

/// 签名算法 (T06).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    HmacSHA256,
    HmacSHA384,
    HmacSHA512,
}

/// The wire name of 二要素鉴权: tables and revision list differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TwoFactorField {
    #[serde(rename = "limit_2")]
    Limit2,
    Authentication,
}

/// The wire name of SYNC_SIGN's 资质方 ID: printed unlike everywhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncSignAgentField {
    AgentParentId,
    TaxAgentParentId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseOrigin {
    /// The earliest reading.
    FirstSend,
    AcceptTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeviedTerminalStatus {
    Close,
    Remit,
    Either,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActualAmountFormula {
    /// Only the sum over the remits is checked.
    None,
    AmountPlusSumFee,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelArisingTime {
    DecisionTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeviedProof {
    BeforeDeadline,
    SeenRunning,
    Acknowledged,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelNeverPermitted {
    PayCutoff,
    AfterStatement,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrossSumCheck {
    Hold,
    Warn,
    Off,
}

/// The codes of 000 §3.1: no gap can be filled with one of them.
pub const PRINTED_CODES: [&str; 6] = ["0", "0001", "0002", "0003", "1009", "1010"];

const PRODUCTION_HOST: &str = "api.olading.com";
const KEY_MAX: usize = 256;

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: String::new(),
            client_key: String::new(),
            secret: SecretString::default(),
            previous_secret: None,
            tenant: "default".to_owned(),
            rate_per_second: 50,
            concurrency: 32,
            hmac_algorithm: Algorithm::HmacSHA256,
            skew_seconds: 300,
            two_factor_field: TwoFactorField::Limit2,
            sync_sign_agent_field: SyncSignAgentField::AgentParentId,
            code_duplicate_request_id: None,
            code_order_not_found: None,
            code_clock_refused: None,
            code_not_signed: None,
            code_month_cap: None,
            sign_up_query_covers_sync_sign: false,
            close_origin: CloseOrigin::FirstSend,
            levied_terminal_status: LeviedTerminalStatus::Either,
            actual_amount_formula: ActualAmountFormula::None,
            cancel_arising_time: CancelArisingTime::DecisionTime,
            arising_time_tolerance: None,
            arising_time_previous_month: None,
            voucher_max_bytes: 10 * 1024 * 1024,
            file_size_basis: FileSizeBasis::File,
            payer: None,
            levied_proof: LeviedProof::BeforeDeadline,
            cancel_never_permitted: CancelNeverPermitted::PayCutoff,
            gross_sum_check: GrossSumCheck::Hold,
            gross_sum_tolerance_fen: 0,
        }
    }
}

impl Settings {
    /// An account with every default.
    pub fn new(url: &str, client_key: &str, secret: &str) -> Self {
        Self { url: url.to_owned(), client_key: client_key.to_owned(), secret: secret.into(), ..Self::default() }
    }

    /// Whether real money and real taxes are behind this address.
    pub fn is_production(&self) -> bool {
        Url::parse(&self.url).is_ok_and(|url| url.host_str() == Some(PRODUCTION_HOST))
    }

    /// 二要素鉴权 under this account's name for it.
    pub fn two_factor(&self) -> TwoFactor {
        match self.two_factor_field {
            TwoFactorField::Limit2 => TwoFactor::Limit2(Yes::T),
            TwoFactorField::Authentication => TwoFactor::Authentication(Yes::T),
        }
    }

    /// SYNC_SIGN's 资质方 ID under this account's name for it.
    pub fn sync_sign_agent(&self, id: Int) -> SyncSignAgent {
        match self.sync_sign_agent_field {
            SyncSignAgentField::AgentParentId => SyncSignAgent::AgentParentId(id),
            SyncSignAgentField::TaxAgentParentId => SyncSignAgent::TaxAgentParentId(id),
        }
    }

    /// The first setting that cannot be used. Answers the base address without a trailing slash.
    pub(super) fn check(&self, account: &str) -> Result<String, ConfigFault> {
        let fault = |key, problem: &str, remedy: &str| ConfigFault {
            account: account.to_owned(),
            key,
            problem: problem.to_owned(),
            remedy: remedy.to_owned(),
        };
        let base = self.base().map_err(|(problem, remedy)| fault("url", problem, remedy))?;
        let usable = |text: &str| (1..=KEY_MAX).contains(&text.len()) && text.trim() == text;
        let as_given = "write it exactly as the provider gave it: 1 to 256 bytes, no space or line break around it";
        if !usable(&self.client_key) {
            return Err(fault("client_key", "is missing, too long or padded", as_given));
        }
        if !usable(self.secret.expose_secret()) {
            return Err(fault("secret", "is missing, too long or padded", as_given));
        }
        if self.previous_secret.as_ref().is_some_and(|secret| !usable(secret.expose_secret())) {
            return Err(fault("previous_secret", "is empty, too long or padded", as_given));
        }
        if self.tenant.is_empty() {
            return Err(fault("tenant", "is empty", "leave the key out for the tenant `default`"));
        }
        if self.rate_per_second == 0 {
            return Err(fault("rate_per_second", "is zero", "write at least 1"));
        }
        if self.concurrency == 0 {
            return Err(fault("concurrency", "is zero", "write at least 1"));
        }
        self.check_codes().map_err(|(key, problem)| {
            fault(key, problem, "write the code the provider uses for just this, or leave the key out")
        })?;
        Ok(base)
    }

    fn base(&self) -> Result<String, (&'static str, &'static str)> {
        const EXAMPLE: &str = "write for example https://api.olading.com";
        let url = Url::parse(&self.url).map_err(|_| ("is missing or no address", EXAMPLE))?;
        let loopback = match url.host_str() {
            Some("localhost" | "[::1]") => true,
            Some(host) => host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback()),
            None => return Err(("has no host", EXAMPLE)),
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
            return Err(("is not https", "write https://…; plain http is for loopback addresses only"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(("has more than a host", EXAMPLE));
        }
        let base = url.as_str().trim_end_matches('/');
        if base.ends_with("/api/tax/v1") || base.ends_with("/api/levy/v1") {
            return Err((
                "ends with an interface path",
                "leave /api/tax/v1 and /api/levy/v1 out: each operation has its own",
            ));
        }
        Ok(base.to_owned())
    }

    fn check_codes(&self) -> Result<(), (&'static str, &'static str)> {
        let codes = [
            ("code_duplicate_request_id", &self.code_duplicate_request_id),
            ("code_order_not_found", &self.code_order_not_found),
            ("code_clock_refused", &self.code_clock_refused),
            ("code_not_signed", &self.code_not_signed),
            ("code_month_cap", &self.code_month_cap),
        ];
        let mut seen = Vec::new();
        for (key, code) in codes {
            let Some(code) = code else { continue };
            if code.trim().is_empty() {
                return Err((key, "is empty"));
            }
            if PRINTED_CODES.contains(&code.as_str()) {
                return Err((key, "is a code of the document, which means something else"));
            }
            if seen.contains(&code) {
                return Err((key, "is also the code of another key"));
            }
            seen.push(code);
        }
        Ok(())
    }
}

/// A value from the environment arrives as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Loose<T> {
    Plain(T),
    Text(String),
}

impl<T: std::str::FromStr> Loose<T> {
    fn value<E: de::Error>(self, what: &str) -> Result<T, E> {
        match self {
            Loose::Plain(value) => Ok(value),
            Loose::Text(text) => text.trim().parse().map_err(|_| E::custom(format!("expected {what}"))),
        }
    }
}

fn number<'de, D: Deserializer<'de>>(d: D) -> Result<u32, D::Error> {
    Loose::<u32>::deserialize(d)?.value("a whole number")
}

fn some_number<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u32>, D::Error> {
    Option::<Loose<u32>>::deserialize(d)?.map(|loose| loose.value("a whole number")).transpose()
}

fn yes_or_no<'de, D: Deserializer<'de>>(d: D) -> Result<bool, D::Error> {
    Loose::<bool>::deserialize(d)?.value("true or false")
}

fn some_yes_or_no<'de, D: Deserializer<'de>>(d: D) -> Result<Option<bool>, D::Error> {
    Option::<Loose<bool>>::deserialize(d)?.map(|loose| loose.value("true or false")).transpose()
}

#[cfg(test)]
mod tests;
