use super::*;
use crate::olading::lenient::Yes;
use crate::olading::trial::{
    agreement, create_order, face, id_card_image, person, settings, sign_up, sync_sign, voucher,
};
use crate::olading::wire::{Face, IdCardUpload, SignUpKey, TwoFactor};

fn broken_by(request: &impl Limited) -> Option<&'static str> {
    request.check(&settings()).err().map(|broken| broken.field)
}

fn long_name() -> PersonName {
    PersonName::parse("阿卜杜热合曼·买买提江").unwrap()
}

fn pdf_of(size: usize) -> File {
    let mut file = b"%PDF-".to_vec();
    file.resize(size, 0);
    File::from(file)
}

fn of(magic: &[u8], size: usize) -> File {
    let mut file = magic.to_vec();
    file.resize(size, 0);
    File::from(file)
}

#[test]
fn ordinary_requests_are_within_every_limit() {
    assert_eq!(broken_by(&sync_sign()), None);
    assert_eq!(broken_by(&sign_up()), None);
    assert_eq!(broken_by(&create_order()), None);
    assert_eq!(broken_by(&agreement()), None);
    assert_eq!(broken_by(&voucher()), None);
    assert_eq!(broken_by(&id_card_image()), None);
}

#[test]
fn p11_names_are_counted_in_characters_and_named_under_their_wire_name() {
    let ten = PersonName::parse("阿卜杜热合曼·买买提").unwrap();
    assert_eq!(ten.chars(), 10);
    assert!(ten.expose().len() > 10, "more bytes than characters");
    assert_eq!(broken_by(&CreateOrder { name: ten, ..create_order() }), None);
    assert_eq!(broken_by(&CreateOrder { name: long_name(), ..create_order() }), Some("name"));
    assert_eq!(broken_by(&SignUp { name: long_name(), ..sign_up() }), Some("name"));
    assert_eq!(broken_by(&UploadTaxpayerAgreement { name: long_name(), ..agreement() }), Some("name"));
    assert_eq!(broken_by(&SyncSign { real_name: long_name(), ..sync_sign() }), Some("real_name"));
    assert_eq!(broken_by(&UploadIdCardImage { real_name: long_name(), ..id_card_image() }), Some("realName"));
    let message = CreateOrder { name: long_name(), ..create_order() }.check(&settings()).unwrap_err().to_string();
    assert_eq!(message, "name has 11 characters; the provider takes at most 10");
}

#[test]
fn text_of_an_order() {
    let customer = |customer| CreateOrder { customer, ..create_order() };
    assert_eq!(broken_by(&customer(Customer::CreditCode("9".repeat(20)))), None);
    assert_eq!(broken_by(&customer(Customer::CreditCode("9".repeat(21)))), Some("credit_code"));
    assert_eq!(broken_by(&customer(Customer::CreditCode(String::new()))), Some("credit_code"));
    assert_eq!(broken_by(&customer(Customer::CustomerId("9".repeat(51)))), Some("customer_id"));
    assert_eq!(broken_by(&CreateOrder { remark: Some("备".repeat(100)), ..create_order() }), None);
    assert_eq!(broken_by(&CreateOrder { remark: Some("备".repeat(101)), ..create_order() }), Some("remark"));
    let task = |text| CreateOrder { task_id: Int::parse(text), ..create_order() };
    assert_eq!(broken_by(&task("1234567890")), None);
    assert_eq!(broken_by(&task("12345678901")), Some("task_id"));
}

#[test]
fn an_amount_is_above_zero() {
    let asked = |asked| CreateOrder { asked, ..create_order() };
    assert_eq!(broken_by(&asked(Asked::Profit(Money::ZERO))), Some("profit"));
    assert_eq!(broken_by(&asked(Asked::PayAmount(Money::ZERO))), Some("pay_amount"));
}

#[test]
fn text_of_a_sign_up() {
    let party = |code: &str| SignUp {
        two_factor: Some(TwoFactor::Limit2(Yes::T)),
        agreement: Agreement::Party { tax_agent_parent_id: Int::parse("1").unwrap(), credit_code: code.to_owned() },
        ..sign_up()
    };
    assert_eq!(broken_by(&party("91110000MA00000000")), None);
    assert_eq!(broken_by(&party("")), Some("credit_code"), "required with a party (000 §2.2 rule 4)");
    assert_eq!(broken_by(&party(&"9".repeat(21))), Some("credit_code"));
    assert_eq!(broken_by(&SignUp { customer_id: Some("9".repeat(51)), ..sign_up() }), Some("customer_id"));
}

#[test]
fn p51_a_batch_has_1_to_500_entries() {
    let key = SignUpKey { id_card: person().id_card, tax_agent_parent_id: None };
    let batch = |count| QuerySignUpBatch { batch_no: "B1".to_owned(), batch_details: vec![key.clone(); count] };
    assert_eq!(broken_by(&batch(500)), None);
    assert_eq!(broken_by(&batch(501)), Some("batch_details"));
    assert_eq!(broken_by(&batch(0)), Some("batch_details"));
    assert_eq!(broken_by(&QuerySignUpBatch { batch_no: "B".repeat(33), ..batch(1) }), Some("batch_no"));
}

#[test]
fn files_are_measured_in_raw_bytes() {
    let contract = |file_data| UploadTaxpayerAgreement { file_data, ..agreement() };
    assert_eq!(broken_by(&contract(pdf_of(10 * MIB))), None);
    assert_eq!(broken_by(&contract(pdf_of(10 * MIB + 1))), Some("file_data"));
    assert_eq!(broken_by(&contract(File::from(Vec::new()))), Some("file_data"));
    assert_eq!(broken_by(&contract(File::from(b"<html>".to_vec()))), Some("file_data"));
    assert_eq!(broken_by(&UploadTaxpayerAgreement { contract_id: "C".repeat(51), ..agreement() }), Some("contract_id"));

    let picture = |front, back| UploadIdCardImage {
        upload: IdCardUpload::Direct { front_image: of(b"", front), back_image: of(b"", back) },
        ..id_card_image()
    };
    assert_eq!(broken_by(&picture(MIB, MIB)), None);
    assert_eq!(broken_by(&picture(MIB + 1, 1)), Some("frontImage"));
    assert_eq!(broken_by(&picture(1, MIB + 1)), Some("backImage"));
    assert_eq!(broken_by(&picture(1, 0)), Some("backImage"), "DIRECT needs both");

    let mp4 = b"\0\0\0\x18ftyp";
    assert_eq!(broken_by(&face(Face::Video(of(mp4, 15 * MIB)))), None);
    assert_eq!(broken_by(&face(Face::Video(of(mp4, 15 * MIB + 1)))), Some("videoBase64"));
    assert_eq!(broken_by(&face(Face::Video(of(b"RIFF\0\0\0\0AVI ", 99)))), None);
    assert_eq!(broken_by(&face(Face::Video(of(b"FLV", 99)))), None);
    assert_eq!(broken_by(&face(Face::Video(of(b"%PDF-", 99)))), Some("videoBase64"));
    assert_eq!(broken_by(&face(Face::Frame(of(b"\xff\xd8\xff", 5 * MIB)))), None);
    assert_eq!(broken_by(&face(Face::Frame(of(b"\xff\xd8\xff", 5 * MIB + 1)))), Some("frameBase64"));
    assert_eq!(broken_by(&face(Face::Frame(of(b"\x89PNG", 99)))), Some("frameBase64"));
}

#[test]
fn a_voucher_is_a_pdf_by_name_content_and_the_accounts_size() {
    let named = |name: &str| AddBankVoucher { file_name: name.to_owned(), ..voucher() };
    assert_eq!(broken_by(&named("凭证.PDF")), None);
    assert_eq!(broken_by(&named("voucher.jpg")), Some("file_name"));
    assert_eq!(broken_by(&named(&format!("{}.pdf", "凭".repeat(26)))), None);
    assert_eq!(broken_by(&named(&format!("{}.pdf", "凭".repeat(27)))), Some("file_name"));
    let small = Settings { voucher_max_bytes: 100, ..settings() };
    let sized = |size| AddBankVoucher { file: pdf_of(size), ..voucher() };
    assert!(sized(100).check(&small).is_ok());
    assert_eq!(sized(101).check(&small).unwrap_err().field, "file");
}
