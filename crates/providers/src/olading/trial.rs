//! What the tests of this folder share: a person, an account, and a provider that answers as it is told.

use super::codec::{Codec, unform};
use super::lenient::{File, Int};
use super::wire::{Agreement, *};
use super::{Call, Client, Settings};
use crate::{Exchanging, Peer, Sent, Transport, WireAnswer, WireFault, WireRequest};
use domain::levy::{self, NextStep, TaxMode, Terms};
use domain::{BankCard, Cellphone, IdCard, Money, Person, PersonName, ProviderOrderId, Request, RequestId, Time};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

pub(super) fn vectors() -> Value {
    serde_json::from_str(include_str!("fixtures/vectors.json")).unwrap()
}

pub(super) fn text<'a>(vectors: &'a Value, pointer: &str) -> &'a str {
    vectors.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer}"))
}

/// The account of the golden vectors.
pub(super) fn settings() -> Settings {
    let vectors = vectors();
    Settings::new("http://127.0.0.1:9", text(&vectors, "/client_key"), text(&vectors, "/key"))
}

pub(super) fn codec() -> Codec {
    Codec::new(&settings())
}

pub(super) fn now() -> Time {
    Time::parse("2022-07-01T12:34:56.789+08:00").unwrap()
}

pub(super) fn person() -> Person {
    Person {
        name: PersonName::parse("张三").unwrap(),
        id_card: IdCard::parse("110101199003070011").unwrap(),
        cellphone: Cellphone::parse("13800000000").unwrap(),
        bankcard: BankCard::parse("6222000000000000004").unwrap(),
    }
}

pub(super) fn request_id() -> RequestId {
    RequestId::try_from("R202207010000000001".to_owned()).unwrap()
}

pub(super) fn order_id() -> ProviderOrderId {
    ProviderOrderId::try_from("20220701000000000001".to_owned()).unwrap()
}

pub(super) fn terms() -> Terms {
    Terms {
        asked: levy::Asked::Net(Money::parse("1234.50").unwrap()),
        tax_mode: TaxMode::General,
        tax_agent_parent_id: "1001".to_owned(),
        tax_agent_location_id: None,
        customer: levy::Customer::CreditCode("91110000MA00000000".to_owned()),
        task_id: None,
        remark: None,
    }
}

pub(super) fn create() -> Request {
    Request::CreateOrder { request_id: request_id(), person: Uuid::nil(), terms: terms() }
}

pub(super) fn find() -> Request {
    Request::FindOrder { request_id: request_id(), person: Uuid::nil() }
}

pub(super) fn decide(next_step: NextStep) -> Request {
    Request::DecideRemit { order_id: order_id(), next_step, arising_time: now() }
}

pub(super) fn sync_sign() -> SyncSign {
    let Person { name: real_name, id_card, cellphone, .. } = person();
    SyncSign { request_id: request_id(), id_card, real_name, cellphone, agent: None }
}

pub(super) fn sign_up() -> SignUp {
    let Person { name, id_card, cellphone, bankcard: bankcard_no } = person();
    let agreement = Agreement::Olading { credit_code: None };
    SignUp { id_card, name, cellphone, bankcard_no, two_factor: None, agreement, customer_id: None }
}

pub(super) fn create_order() -> CreateOrder {
    let Person { name, id_card, cellphone, bankcard: bankcard_no } = person();
    CreateOrder {
        request_id: request_id(),
        id_card,
        name,
        tax_agent_parent_id: Int::parse("1001").unwrap(),
        tax_agent_location_id: None,
        customer: Customer::CreditCode("91110000MA00000000".to_owned()),
        cellphone,
        bankcard_no,
        asked: Asked::Profit(Money::parse("1234.50").unwrap()),
        tax_mode: TaxMode::General,
        two_factor: None,
        task_id: None,
        remark: None,
    }
}

pub(super) fn agreement() -> UploadTaxpayerAgreement {
    let Person { name, id_card, cellphone, .. } = person();
    UploadTaxpayerAgreement {
        request_id: request_id(),
        id_card,
        name,
        cellphone,
        contract: Contract::Empower { tax_agent_parent_id: Int::parse("1001").unwrap() },
        contract_id: "C-1".to_owned(),
        file_data: File::from(b"%PDF-1.4".to_vec()),
    }
}

pub(super) fn voucher() -> AddBankVoucher {
    AddBankVoucher { order_id: order_id(), file_name: "voucher.pdf".to_owned(), file: File::from(b"%PDF-1.4".to_vec()) }
}

pub(super) fn id_card_image() -> UploadIdCardImage {
    let Person { name: real_name, id_card: id_card_no, cellphone, .. } = person();
    let upload = IdCardUpload::Direct { front_image: File::from(vec![0xfb, 0xff]), back_image: File::from(vec![1]) };
    UploadIdCardImage { request_id: request_id(), id_card_no, real_name, cell_phone: Some(cellphone), upload }
}

pub(super) fn face(face: Face) -> UploadFaceidVideoFrame {
    UploadFaceidVideoFrame { request_id: request_id(), id_card_no: person().id_card, face }
}

/// What to answer to one request.
type Answering = Box<dyn Fn(&WireRequest) -> Result<WireAnswer, WireFault> + Send + Sync>;

/// A provider in this process that answers as told and keeps what it was sent.
pub(super) struct Told {
    answering: Answering,
    pub(super) seen: Mutex<Vec<WireRequest>>,
}

impl Peer for Told {
    fn exchange<'a>(&'a self, request: &'a WireRequest) -> Exchanging<'a> {
        self.seen.lock().unwrap().push(request.clone());
        Box::pin(std::future::ready((self.answering)(request)))
    }
}

impl Told {
    /// The `req` of the only call, and its address.
    pub(super) fn only(&self) -> (String, String) {
        let seen = self.seen.lock().unwrap();
        assert_eq!(seen.len(), 1, "exactly one call");
        let (req, sign) = unform(&seen[0].body).unwrap();
        assert!(codec().verify(req.as_bytes(), &sign), "our own signature holds");
        (seen[0].url.clone(), req)
    }
}

pub(super) fn told(
    answering: impl Fn(&WireRequest) -> Result<WireAnswer, WireFault> + Send + Sync + 'static,
) -> Arc<Told> {
    Arc::new(Told { answering: Box::new(answering), seen: Mutex::default() })
}

pub(super) fn client(settings: Settings, peer: &Arc<Told>) -> Client {
    Client::new("main", settings, Transport::Local(peer.clone())).unwrap()
}

/// An answer with status 200 and a signature that holds.
pub(super) fn signed(body: impl Into<Vec<u8>>) -> WireAnswer {
    let body = body.into();
    let sign = codec().sign(&body);
    WireAnswer { status: 200, headers: vec![("api-sign".to_owned(), sign)], body }
}

pub(super) fn envelope(name: &str, code: &str, data: &Value) -> WireAnswer {
    signed(json!({ "name": name, "code": code, "message": "信息", "data": data }).to_string())
}

pub(super) fn open() -> bool {
    true
}

pub(super) fn call() -> Call<'static> {
    Call { now: now(), timeout: Duration::from_secs(1), gate: &open }
}

/// Asks in the engine's words and answers with these bytes.
pub(super) async fn ask_with(settings: Settings, request: &Request, answer: Result<WireAnswer, WireFault>) -> Sent {
    let peer = told(move |_| answer.clone());
    let person = person();
    let ask = crate::Ask {
        account: "main",
        request,
        people: std::slice::from_ref(&person),
        files: &[],
        attempt: uuid::Uuid::nil(),
        now: now(),
        timeout: Duration::from_secs(1),
        gate: &open,
    };
    client(settings, &peer).ask(ask).await
}

pub(super) async fn ask(request: &Request, answer: WireAnswer) -> Sent {
    ask_with(settings(), request, Ok(answer)).await
}

/// An order as QUERY_ORDER_V2 answers it.
pub(super) fn order_data() -> Value {
    json!({
        "request_id": "R202207010000000001", "id_card": "110101199003070011", "name": "张三",
        "credit_code": "91110000MA00000000", "remit_order_list": [remit_data()], "tax_mode": "GENERAL",
        "accept_time": "2022-07-01T12:34:57.001", "cellphone": "13800000000", "bankcard_no": "6222000000000000004",
        "status": "CLOSE"
    })
}

pub(super) fn remit_data() -> Value {
    json!({
        "order_id": "20220701000000000001", "tax_agent_location_id": 2001, "amount": "1234.50", "fee": "61.72",
        "actual_amount": "1300.22", "compensate_fee": "4.00", "sum_fee": "65.72", "remit_status": "ACCEPT"
    })
}
