//! PDFs that are refused.

use crate::samples;
use documents::{Accept, Inspected, inspect};
use lopdf::encryption::crypt_filters::{Aes128CryptFilter, CryptFilter};
use lopdf::{EncryptionState, EncryptionVersion, Object, Permissions, dictionary};
use std::collections::BTreeMap;
use std::sync::Arc;

const ACCEPT: Accept = Accept { picture: None, pdf: Some(10_000_000), video: None };

fn code(bytes: &[u8]) -> String {
    inspect(&ACCEPT, bytes).expect_err("a refusal").code
}

fn locked(user_password: &str) -> Vec<u8> {
    let mut document = samples::document(1, dictionary! {});
    let filter: Arc<dyn CryptFilter> = Arc::new(Aes128CryptFilter);
    let version = EncryptionVersion::V4 {
        document: &document,
        encrypt_metadata: true,
        crypt_filters: BTreeMap::from([(b"StdCF".to_vec(), filter)]),
        stream_filter: b"StdCF".to_vec(),
        string_filter: b"StdCF".to_vec(),
        owner_password: "owner",
        user_password,
        permissions: Permissions::PRINTABLE,
    };
    let state = EncryptionState::try_from(version).expect("a key");
    document.encrypt(&state).expect("encrypt a PDF");
    samples::written(&mut document)
}

#[test]
fn one_that_asks_for_a_password_is_refused() {
    assert_eq!(code(&locked("secret")), "pdf_encrypted");
}

#[test]
fn one_that_opens_by_itself_but_forbids_is_refused() {
    assert_eq!(code(&locked("")), "pdf_encrypted");
}

#[test]
fn one_without_pages_is_refused() {
    assert_eq!(code(&samples::pdf(0)), "pdf_without_pages");
}

#[test]
fn one_cut_off_is_refused() {
    let whole = samples::pdf(5);
    for kept in [whole.len() - 6, whole.len() / 2, 20] {
        assert_eq!(code(&whole[..kept]), "pdf_truncated", "{kept} of {}", whole.len());
    }
}

#[test]
fn one_that_is_only_called_so_is_refused() {
    assert_eq!(code(b"%PDF-1.4\nnothing of the kind\n%%EOF"), "pdf_damaged");
}

#[test]
fn one_that_runs_something_is_refused() {
    let script = dictionary! { "S" => "JavaScript", "JS" => Object::string_literal("app.alert(1)") };
    let program = dictionary! { "S" => "Launch", "F" => Object::string_literal("cmd.exe") };
    for action in [script, program] {
        let mut document = samples::document(1, dictionary! { "OpenAction" => action });
        assert_eq!(code(&samples::written(&mut document)), "pdf_has_script");
    }
    let link = dictionary! { "S" => "GoTo", "D" => Object::string_literal("chapter") };
    let mut document = samples::document(1, dictionary! { "OpenAction" => link });
    assert_eq!(inspect(&ACCEPT, &samples::written(&mut document)).unwrap(), Inspected::Pdf { pages: 1 });
}

#[test]
fn nesting_without_end_is_refused_and_not_followed() {
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let pdf = format!("%PDF-1.4\n1 0 obj\n<< /Type /Catalog /X {deep} >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF");
    assert!(inspect(&ACCEPT, pdf.as_bytes()).is_err());
}

#[test]
fn what_comes_after_the_end_does_not_matter() {
    let mut pdf = samples::pdf(1);
    pdf.extend(b"\r\n\r\n  \n");
    assert!(inspect(&ACCEPT, &pdf).is_ok());
}
