use super::lenient::{File, Int};
use super::settings::{SyncSignAgentField, TwoFactorField};
use super::trial::{self, call, client, face, person, settings, told};
use super::wire::{Agreement, Asked, Contract, Customer, Face, SignUpKey};
use super::*;
use crate::WireFault;
use domain::Money;
use domain::levy::{NextStep, TaxMode};

/// Sends one operation and returns its address and the `data` it wrote.
async fn written<O: Operation>(settings: Settings, operation: &O) -> (String, String) {
    let peer = told(|_| Err(WireFault::Timeout));
    let sent = client(settings, &peer).send(operation, call()).await;
    assert!(sent.exchange.is_some(), "{:?}", sent.verdict.word());
    let (url, req) = peer.only();
    let head = format!(
        r#"{{"name":"{}","client_key":"olading-test-client","timestamp":"2022-07-01T12:34:56.789","data":"#,
        O::NAME
    );
    let data = req.strip_prefix(&head).and_then(|rest| rest.strip_suffix('}')).expect("the head of a message");
    (url.strip_prefix("http://127.0.0.1:9").unwrap().to_owned(), data.to_owned())
}

async fn golden<O: Operation>(operation: &O, path: &str, data: &str) {
    let (at, wrote) = written(settings(), operation).await;
    assert_eq!((at.as_str(), wrote.as_str()), (path, data));
    assert_eq!(at, O::PATH);
}

fn int(text: &str) -> Int {
    Int::parse(text).unwrap()
}

#[tokio::test]
async fn p52_signing_goes_by_its_own_path_and_field_names() {
    let id = r#""id_card":"110101199003070011""#;
    let sync_sign = SyncSign { agent: Some(settings().sync_sign_agent(int("1001"))), ..trial::sync_sign() };
    golden(
        &sync_sign,
        "/api/tax/v1",
        &format!(
            r#"{{"request_id":"R202207010000000001",{id},"real_name":"张三","cellphone":"13800000000","agent_parent_id":1001}}"#
        ),
    )
    .await;
    let head = format!(r#"{id},"name":"张三","cellphone":"13800000000","bankcard_no":"6222000000000000004""#);
    golden(&trial::sign_up(), "/api/levy/v1", &format!("{{{head}}}")).await;
    let party = SignUp {
        agreement: Agreement::Party { tax_agent_parent_id: int("1001"), credit_code: "9111".to_owned() },
        customer_id: Some("K1".to_owned()),
        two_factor: Some(settings().two_factor()),
        ..trial::sign_up()
    };
    let rest = r#""limit_2":"T","tax_agent_parent_id":1001,"credit_code":"9111","customer_id":"K1""#;
    golden(&party, "/api/levy/v1", &format!("{{{head},{rest}}}")).await;
    let key = |party| SignUpKey { id_card: person().id_card, tax_agent_parent_id: party };
    let batch_details = vec![key(None), key(Some(int("99999999999999999999")))];
    golden(
        &QuerySignUpBatch { batch_no: "B1".to_owned(), batch_details },
        "/api/levy/v1",
        &format!(
            r#"{{"batch_no":"B1","batch_details":[{{{id}}},{{{id},"tax_agent_parent_id":99999999999999999999}}]}}"#
        ),
    )
    .await;
}

#[tokio::test]
async fn p52_orders_go_by_their_own_path_and_field_names() {
    let vectors = trial::vectors();
    let req = trial::text(&vectors, "/request/req").replace("6222000000000000000", "6222000000000000004");
    let (_, data) = req.split_once(r#""data":"#).unwrap();
    golden(&trial::create_order(), "/api/levy/v1", data.strip_suffix('}').unwrap()).await;
    let full = CreateOrder {
        tax_agent_location_id: Some(int("2001")),
        customer: Customer::CustomerId("K1".to_owned()),
        asked: Asked::PayAmount(Money::parse("0.10").unwrap()),
        tax_mode: TaxMode::Special,
        task_id: Some(int("7")),
        remark: Some("备注\"=+".to_owned()),
        ..trial::create_order()
    };
    let rest = r#""tax_agent_parent_id":1001,"tax_agent_location_id":2001,"customer_id":"K1","cellphone":"13800000000","bankcard_no":"6222000000000000004","pay_amount":"0.10","tax_mode":"SPECIAL","task_id":7,"remark":"备注\"=+""#;
    let data = format!(r#"{{"request_id":"R202207010000000001","id_card":"110101199003070011","name":"张三",{rest}}}"#);
    golden(&full, "/api/levy/v1", &data).await;
    let query = QueryOrder { request_id: trial::request_id(), id_card: Some(person().id_card) };
    golden(&query, "/api/levy/v1", r#"{"request_id":"R202207010000000001"}"#).await;
    for (next_step, word) in [(NextStep::Continue, "CONTINUE"), (NextStep::Cancel, "CANCEL")] {
        // P32: CANCEL carries a time as well.
        let confirm = ConfirmOrder { order_id: trial::order_id(), arising_time: trial::now(), next_step };
        let data = format!(
            r#"{{"order_id":"20220701000000000001","arising_time":"2022-07-01T12:34:56.789","next_step":"{word}"}}"#
        );
        golden(&confirm, "/api/levy/v1", &data).await;
    }
}

#[tokio::test]
async fn p52_uploads_go_by_their_own_path_and_field_names() {
    let who =
        r#""request_id":"R202207010000000001","id_card":"110101199003070011","name":"张三","cellphone":"13800000000""#;
    let file = r#""contract_id":"C-1","file_data":"JVBERi0xLjQ=""#;
    let empower = format!(r#"{{{who},"contract_type":"EMPOWER_PROTOCOL","tax_agent_parent_id":1001,{file}}}"#);
    golden(&trial::agreement(), "/api/levy/v1", &empower).await;
    let contract = Contract::Substitutes { tax_agent_location_id: int("2001") };
    let substitutes =
        format!(r#"{{{who},"contract_type":"SUBSTITUTES_PROTOCOL","tax_agent_location_id":2001,{file}}}"#);
    golden(&UploadTaxpayerAgreement { contract, ..trial::agreement() }, "/api/levy/v1", &substitutes).await;
    golden(
        &trial::voucher(),
        "/api/levy/v1",
        r#"{"order_id":"20220701000000000001","file_name":"voucher.pdf","file":"JVBERi0xLjQ="}"#,
    )
    .await;
    let who = r#""requestId":"R202207010000000001","idCardNo":"110101199003070011""#;
    let image =
        r#""realName":"张三","cellPhone":"13800000000","uploadWay":"DIRECT","frontImage":"+/8=","backImage":"AQ==""#;
    golden(&trial::id_card_image(), "/api/tax/v1", &format!("{{{who},{image}}}")).await;
    let query = QueryIdCardImage { request_id: trial::request_id(), id_card_no: person().id_card };
    golden(&query, "/api/tax/v1", &format!("{{{who}}}")).await;
    let video = face(Face::Video(File::from(b"FLV".to_vec())));
    golden(&video, "/api/levy/v1", &format!(r#"{{{who},"videoBase64":"RkxW"}}"#)).await;
    let frame = face(Face::Frame(File::from(b"\xff\xd8\xff".to_vec())));
    golden(&frame, "/api/levy/v1", &format!(r#"{{{who},"frameBase64":"/9j/"}}"#)).await;
}

#[tokio::test]
async fn p53_two_factor_is_t_or_absent_under_the_accounts_name() {
    let (_, without) = written(settings(), &trial::sign_up()).await;
    assert!(!without.contains("limit_2") && !without.contains("authentication"), "{without}");
    let other = Settings { two_factor_field: TwoFactorField::Authentication, ..settings() };
    let with = CreateOrder { two_factor: Some(other.two_factor()), ..trial::create_order() };
    let (_, data) = written(other, &with).await;
    assert!(data.contains(r#""authentication":"T""#) && !data.contains("limit_2"), "{data}");
}

#[tokio::test]
async fn the_agent_field_of_sync_sign_is_the_accounts() {
    let other = Settings { sync_sign_agent_field: SyncSignAgentField::TaxAgentParentId, ..settings() };
    let with = SyncSign { agent: Some(other.sync_sign_agent(int("5"))), ..trial::sync_sign() };
    let (_, data) = written(other, &with).await;
    assert!(data.contains(r#""tax_agent_parent_id":5"#) && !data.contains(r#""agent_parent_id""#), "{data}");
}

#[test]
fn every_operation_has_its_class() {
    use domain::effect::EffectClass::{Keyed, Query, VerifyThenRetry};
    let classes: Vec<_> = OPERATIONS.iter().map(|operation| (operation.name, operation.class)).collect();
    assert_eq!(
        classes,
        [
            ("SYNC_SIGN", VerifyThenRetry),
            ("SIGN_UP", VerifyThenRetry),
            ("CREATE_ORDER_V2", VerifyThenRetry),
            ("CONFIRM_ORDER_V2", VerifyThenRetry),
            ("QUERY_SIGN_UP_BATCH", Query),
            ("QUERY_ORDER_V2", Query),
            ("UPLOAD_TAXPAYER_AGREEMENT", Keyed),
            ("ADD_BANK_VOUCHER", Keyed),
            ("UPLOAD_ID_CARD_IMAGE", VerifyThenRetry),
            ("QUERY_ID_CARD_IMAGE", Query),
            ("UPLOAD_FACEID_VIDEO_FRAME", Keyed),
        ]
    );
}
