//! Every question the documents leave open, as a switch (protocols.md §5). Each value must be survived by levee.

use serde::{Deserialize, Serialize};

/// How this Olading reads its own documents. The defaults are what levee assumes, or the crueller reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Switches {
    /// What CREATE_ORDER_V2 does with a `request_id` it has seen (P01, TR7).
    pub duplicate_request: DuplicateRequest,
    /// Which of several orders under one `request_id` QUERY_ORDER_V2 shows.
    pub duplicate_shown: DuplicateShown,
    /// QUERY_ORDER_V2 reads a copy this many virtual seconds old (P02, F57).
    pub query_lag_seconds: u64,
    /// Order results: one callback with the whole list, or one for each remit.
    pub callbacks: Per,
    /// How often an unacknowledged callback is sent again (000 §1.1.3: "up to a limit").
    pub callback_retries: u32,
    /// Virtual seconds between those.
    pub callback_spacing_seconds: u64,
    /// CLOSE_ORDER_NOTICE for each remit (that is, location), or one for the order (P41).
    pub close_notice: Per,
    /// From when the 72 hours count (P20).
    pub close_origin: CloseOrigin,
    /// CONFIRM after 72 hours, before the closing job has run (P35).
    pub late_confirm: LateConfirm,
    /// The same CONFIRM again.
    pub repeated_confirm: Repeat,
    /// CONTINUE after CANCEL, or the reverse. "Same answer" says success and does nothing.
    pub contrary_confirm: Repeat,
    /// The word that ends a levied remit (P15).
    pub levied_as: LevyWord,
    /// The word while the levy runs (P14).
    pub levying_as: LevyingWord,
    /// Which `arising_time` CONTINUE takes.
    pub arising_time: ArisingTime,
    /// A remit over its place's monthly cap: accepted and then closed with a reason, or refused at once.
    pub month_cap: OverCap,
    /// Whether CANCEL and auto-close give the monthly cap back as they give the quota back (safety.md §15.9).
    pub month_cap_restored: bool,
    /// CREATE needs a signed person (code [`Codes::not_signed`]).
    pub require_sign_up: bool,
    /// Whether QUERY_SIGN_UP_BATCH shows contracts made by SYNC_SIGN.
    pub batch_shows_sync_sign: bool,
    /// Thousandths of persons who never answer a SYNC_SIGN: no callback, `UN_SIGN` for ever (P47).
    pub sync_sign_silent_per_mille: u16,
    /// Whether SIGN_UP sends its untabled callback.
    pub sign_up_callback: bool,
    /// How papers are judged (P66).
    pub papers: Judgement,
    /// 000 §2.10 R6: an ID card's pictures with a phone number make a taxpayer of whoever has not signed (P62).
    pub taxpayer_by_phone: bool,
    /// Whether an error carries the ids it answers (TR2).
    pub errors_echo_ids: bool,
    /// Ids of type 整数 as JSON numbers instead of text (T03).
    pub ids_as_numbers: bool,
    /// 36-character UUIDs as `request_id`, as in the sample of 000 §2.10 (P10).
    pub uuid_request_ids: bool,
    /// Timestamps without milliseconds, as in the same sample (T04).
    pub seconds_timestamps: bool,
    /// The wire name of 二要素鉴权: `limit_2`, or `authentication` of revision V2.1.
    pub two_factor_field: String,
    /// The wire name of SYNC_SIGN's 资质方 ID.
    pub sync_sign_agent_field: String,
    /// Greatest distance of `timestamp` from the provider's clock, in real seconds.
    pub skew_seconds: u64,
    pub codes: Codes,
}

/// Codes that no document prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Codes {
    pub clock_refused: String,
    pub order_not_found: String,
    pub duplicate_request_id: String,
    pub not_signed: String,
    pub month_cap: String,
    /// CONFIRM of what is decided or closed.
    pub not_confirmable: String,
    pub arising_time: String,
    /// A `contract_id` used before (000 §2.8 不可重复).
    pub duplicate_contract_id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateRequest {
    /// A second order under the same id: quota is held twice.
    SecondOrder,
    /// The first answer again.
    SameAnswer,
    Error,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateShown {
    First,
    Latest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    Order,
    Remit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseOrigin {
    /// The first CREATE under that id that reached the provider, even one it then lost: the earliest reading.
    FirstSend,
    Accept,
    /// The internal orders were created.
    Ready,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LateConfirm {
    Refused,
    Accepted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    SameAnswer,
    Error,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LevyWord {
    /// 000 §2.5: after the tax is paid, CLOSE.
    Close,
    /// 000 §3.3: 出款成功.
    Remit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LevyingWord {
    Process,
    Remit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArisingTime {
    Any,
    /// Not in the future (beyond the clock tolerance).
    NotFuture,
    /// Also not before the order was accepted, nor in another Beijing month than now.
    WithinOrder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverCap {
    Close,
    Refuse,
}

/// Synchronous uploads have no later: `FALSE` is their answer either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    Good,
    BadAtOnce,
    /// By query and callback.
    BadLater,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            duplicate_request: DuplicateRequest::SecondOrder,
            duplicate_shown: DuplicateShown::First,
            query_lag_seconds: 0,
            callbacks: Per::Order,
            callback_retries: 5,
            callback_spacing_seconds: 300,
            close_notice: Per::Remit,
            close_origin: CloseOrigin::FirstSend,
            late_confirm: LateConfirm::Refused,
            repeated_confirm: Repeat::SameAnswer,
            contrary_confirm: Repeat::Error,
            levied_as: LevyWord::Close,
            levying_as: LevyingWord::Process,
            arising_time: ArisingTime::Any,
            month_cap: OverCap::Close,
            month_cap_restored: true,
            require_sign_up: false,
            batch_shows_sync_sign: false,
            sync_sign_silent_per_mille: 0,
            sign_up_callback: true,
            papers: Judgement::Good,
            taxpayer_by_phone: true,
            errors_echo_ids: true,
            ids_as_numbers: false,
            uuid_request_ids: true,
            seconds_timestamps: true,
            two_factor_field: "limit_2".into(),
            sync_sign_agent_field: "agent_parent_id".into(),
            skew_seconds: 300,
            codes: Codes::default(),
        }
    }
}

impl Default for Codes {
    fn default() -> Self {
        Self {
            clock_refused: "1001".into(),
            order_not_found: "1404".into(),
            duplicate_request_id: "1409".into(),
            not_signed: "1403".into(),
            month_cap: "1008".into(),
            not_confirmable: "1410".into(),
            arising_time: "1412".into(),
            duplicate_contract_id: "1411".into(),
        }
    }
}
