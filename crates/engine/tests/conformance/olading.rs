//! The rows of Olading: one good call of each of its operations, about as many different subjects as one likes.

use domain::levy::{NextStep, TaxMode};
use domain::{BankCard, Cellphone, IdCard, Money, Person, PersonName, ProviderOrderId, RequestId, Verdict, person};
use providers::Sent;
use providers::olading::lenient::{File, Int};
use providers::olading::wire::{
    AddBankVoucher, Agreement, Asked, ConfirmOrder, Contract, CreateOrder, Customer, Face, IdCardUpload, OrderLook,
    QueryIdCardImage, QueryOrder, QuerySignUpBatch, SignUp, SignUpKey, SyncSign, UploadFaceidVideoFrame,
    UploadIdCardImage, UploadTaxpayerAgreement,
};
use providers::olading::{Call, Client, Operation, Settings};

/// An account with this key, and the codes of this far side.
pub(crate) fn settings(url: &str, key: &str, secret: &str, codes: &simulator::switches::Codes) -> Settings {
    Settings {
        code_order_not_found: Some(codes.order_not_found.clone()),
        code_duplicate_request_id: Some(codes.duplicate_request_id.clone()),
        ..Settings::new(url, key, secret)
    }
}

/// A code that refuses whatever it answers (000 §3.1).
pub(crate) const REFUSAL: &str = "0002";
/// A voucher big enough to be an upload.
const VOUCHER_BYTES: usize = 300 * 1024;

/// One subject: a person, an order, its documents.
pub(crate) struct Subject {
    number: u32,
    person: Person,
    /// The order's remit, once it is there.
    remit: Option<ProviderOrderId>,
}

impl Subject {
    pub(crate) fn new(number: u32) -> Self {
        Self { number, person: payee(number), remit: None }
    }

    /// What must be there before an operation makes sense: an order to ask for, a remit to decide about.
    pub(crate) async fn prepare(&mut self, client: &Client, name: &str, call: Call<'_>) {
        if !["QUERY_ORDER_V2", "CONFIRM_ORDER_V2", "ADD_BANK_VOUCHER"].contains(&name) {
            return;
        }
        let created = client.send(&self.create(), call).await.verdict;
        assert!(matches!(created, Verdict::Done(_)), "{}", created.word());
        let Verdict::Done(OrderLook::Seen(order)) = client.send(&self.query(), call).await.verdict else {
            panic!("no order")
        };
        let remit = order.remit_order_list.first().expect("the order has its remit");
        self.remit = ProviderOrderId::try_from(remit.order_id.as_str().to_owned()).ok();
    }

    /// The operation of that name about this subject; `None` when it has no row here.
    pub(crate) async fn call(&self, client: &Client, name: &str, call: Call<'_>) -> Option<Sent<()>> {
        Some(match name {
            "SYNC_SIGN" => send(client, &self.sync_sign(), call).await,
            "SIGN_UP" => send(client, &self.sign_up(), call).await,
            "CREATE_ORDER_V2" => send(client, &self.create(), call).await,
            "CONFIRM_ORDER_V2" => send(client, &self.confirm(call), call).await,
            "QUERY_SIGN_UP_BATCH" => send(client, &self.query_sign_ups(), call).await,
            "QUERY_ORDER_V2" => send(client, &self.query(), call).await,
            "UPLOAD_TAXPAYER_AGREEMENT" => send(client, &self.agreement(), call).await,
            "ADD_BANK_VOUCHER" => send(client, &self.voucher(), call).await,
            "UPLOAD_ID_CARD_IMAGE" => send(client, &self.image(), call).await,
            "QUERY_ID_CARD_IMAGE" => send(client, &self.query_image(), call).await,
            "UPLOAD_FACEID_VIDEO_FRAME" => send(client, &self.face(), call).await,
            _ => return None,
        })
    }

    fn request_id(&self) -> RequestId {
        RequestId::try_from(format!("R{:020}", self.number)).unwrap()
    }

    fn remit(&self) -> ProviderOrderId {
        self.remit.clone().expect("prepared")
    }

    fn sync_sign(&self) -> SyncSign {
        let Person { name: real_name, id_card, cellphone, .. } = self.person.clone();
        SyncSign { request_id: self.request_id(), id_card, real_name, cellphone, agent: None }
    }

    fn sign_up(&self) -> SignUp {
        let Person { name, id_card, cellphone, bankcard: bankcard_no } = self.person.clone();
        let agreement = Agreement::Olading { credit_code: None };
        SignUp { id_card, name, cellphone, bankcard_no, two_factor: None, agreement, customer_id: None }
    }

    fn create(&self) -> CreateOrder {
        let Person { name, id_card, cellphone, bankcard: bankcard_no } = self.person.clone();
        CreateOrder {
            request_id: self.request_id(),
            id_card,
            name,
            tax_agent_parent_id: agent(),
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

    fn confirm(&self, call: Call<'_>) -> ConfirmOrder {
        ConfirmOrder { order_id: self.remit(), arising_time: call.now, next_step: NextStep::Continue }
    }

    fn query(&self) -> QueryOrder {
        QueryOrder { request_id: self.request_id(), id_card: Some(self.person.id_card.clone()) }
    }

    fn query_sign_ups(&self) -> QuerySignUpBatch {
        let key = SignUpKey { id_card: self.person.id_card.clone(), tax_agent_parent_id: None };
        QuerySignUpBatch { batch_no: format!("B{}", self.number), batch_details: vec![key] }
    }

    fn agreement(&self) -> UploadTaxpayerAgreement {
        let Person { name, id_card, cellphone, .. } = self.person.clone();
        UploadTaxpayerAgreement {
            request_id: self.request_id(),
            id_card,
            name,
            cellphone,
            contract: Contract::Empower { tax_agent_parent_id: agent() },
            contract_id: format!("C-{}", self.number),
            file_data: File::from(b"%PDF-1.4".to_vec()),
        }
    }

    fn voucher(&self) -> AddBankVoucher {
        let mut file = b"%PDF-1.4".to_vec();
        file.resize(VOUCHER_BYTES, b' ');
        AddBankVoucher { order_id: self.remit(), file_name: "voucher.pdf".to_owned(), file: File::from(file) }
    }

    fn image(&self) -> UploadIdCardImage {
        let Person { name: real_name, id_card: id_card_no, cellphone, .. } = self.person.clone();
        let upload =
            IdCardUpload::Direct { front_image: File::from(vec![0xfb, 0xff]), back_image: File::from(vec![1]) };
        let request_id = self.request_id();
        UploadIdCardImage { request_id, id_card_no, real_name, cell_phone: Some(cellphone), upload }
    }

    fn query_image(&self) -> QueryIdCardImage {
        QueryIdCardImage { request_id: self.request_id(), id_card_no: self.person.id_card.clone() }
    }

    fn face(&self) -> UploadFaceidVideoFrame {
        let face = Face::Frame(File::from(b"\xff\xd8\xff".to_vec()));
        UploadFaceidVideoFrame { request_id: self.request_id(), id_card_no: self.person.id_card.clone(), face }
    }
}

async fn send<O: Operation>(client: &Client, operation: &O, call: Call<'_>) -> Sent<()> {
    let sent = client.send(operation, call).await;
    Sent { verdict: sent.verdict.map(|_| ()), exchange: sent.exchange }
}

fn agent() -> Int {
    Int::parse("1001").unwrap()
}

/// Somebody who does not exist, with valid checksums.
fn payee(number: u32) -> Person {
    let body = format!("11010119900307{number:03}");
    let id_card = format!("{body}{}", char::from(person::check_character(body.as_bytes())));
    Person {
        name: PersonName::parse("张三").unwrap(),
        id_card: IdCard::parse(&id_card).unwrap(),
        cellphone: Cellphone::parse("13800000000").unwrap(),
        bankcard: BankCard::parse("6222000000000000004").unwrap(),
    }
}
