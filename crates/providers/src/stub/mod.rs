//! The far side of `levee bench`: two GETs under one key, as other engines are measured with. Nothing is signed, any 200 is done.

use crate::{Ask, Descriptor, Exchange, Method, Sent, Transport, WireFault, WireRequest};
use domain::effect::EffectClass;
use domain::{Answer, BareStep, Fault, Operation, Refusal, Request, Verdict};
use std::time::Duration;

/// Where it listens, without a trailing slash.
#[derive(Debug, Clone)]
pub struct Settings {
    pub url: String,
}

#[derive(Debug)]
pub struct Client {
    account: String,
    settings: Settings,
    transport: Transport,
}

const CREATE: Descriptor = Descriptor { name: "create", path: "/create", class: EffectClass::Keyed };
const CONFIRM: Descriptor = Descriptor { name: "confirm", path: "/confirm", class: EffectClass::Keyed };

/// Both of them.
pub const OPERATIONS: [Descriptor; 2] = [CREATE, CONFIRM];

/// How long to wait when nobody listens.
const ABSENT_DELAY: Duration = Duration::from_secs(1);

/// Our words for its operations; `None` for those of others.
pub(crate) const fn performs(operation: Operation) -> Option<Descriptor> {
    match operation {
        Operation::BareCreate => Some(CREATE),
        Operation::BareConfirm => Some(CONFIRM),
        Operation::CreateOrder
        | Operation::FindOrder
        | Operation::DecideRemit
        | Operation::Invite
        | Operation::SignUp
        | Operation::FindSignUps
        | Operation::SubmitAgreement
        | Operation::SubmitVoucher
        | Operation::SubmitIdCard
        | Operation::FindIdCard
        | Operation::SubmitFace => None,
    }
}

impl Client {
    pub(crate) fn new(account: &str, settings: Settings, transport: Transport) -> Self {
        Self { account: account.to_owned(), settings, transport }
    }

    pub(crate) async fn ask(&self, ask: Ask<'_>) -> Sent {
        let Request::Bare { step, key } = ask.request else {
            let message = "no such operation here".to_owned();
            return Sent::unsent(Verdict::Refused(Refusal { code: "invalid".into(), message }));
        };
        let operation = match step {
            BareStep::Create => CREATE,
            BareStep::Confirm => CONFIRM,
        };
        let request = WireRequest {
            method: Method::Get,
            account: self.account.clone(),
            url: format!("{}{}/{key}", self.settings.url, operation.path),
            content_type: "text/plain",
            body: Vec::new(),
            timeout: ask.timeout,
        };
        if !(ask.gate)() {
            return Sent::unsent(Verdict::NotNow(ABSENT_DELAY));
        }
        let (outcome, took) = self.transport.exchange(&request).await;
        let (verdict, status, answer) = match outcome {
            Ok(answer) if answer.status == 200 => (Verdict::Done(Answer::BareDone), Some(answer.status), answer.body),
            Ok(answer) => (Verdict::Unsure(Fault::Status(answer.status)), Some(answer.status), answer.body),
            Err(WireFault::NotSent) => return Sent::unsent(Verdict::NotNow(ABSENT_DELAY)),
            Err(WireFault::Timeout) => (Verdict::Unsure(Fault::Timeout), None, Vec::new()),
            Err(WireFault::Broken) => (Verdict::Unsure(Fault::Broken), None, Vec::new()),
            Err(WireFault::TooLarge) => (Verdict::Unsure(Fault::TooLarge), None, Vec::new()),
        };
        let request = request.url.into_bytes();
        Sent { verdict, exchange: Some(Exchange { operation: operation.name, request, answer, status, took }) }
    }
}
