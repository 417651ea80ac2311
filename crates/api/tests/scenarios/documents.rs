//! P56, P57, P61–P66: papers on their way to the provider, and what a lost, a silent or a misleading answer means.

use crate::world::files::{jpeg, mp4, page, pdf, pdf_of};
use crate::world::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::Committer;
use providers::olading::settings::FileSizeBasis;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use simulator::switches::Judgement;
use simulator::{CallFault, Operation};

const MIB: usize = 1024 * 1024;

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The two sides of an ID card; `n` makes them others.
pub(crate) fn sides(n: u32) -> (Vec<u8>, Vec<u8>) {
    (jpeg(&page(1200 + n, 800, 40)), jpeg(&page(1200 + n, 804, 40)))
}

pub(crate) async fn p56_size_limit_base64_basis(db: Db) -> World {
    let w = World::with(db, |setup| setup.account.file_size_basis = FileSizeBasis::Base64).await;
    // Given a provider that counts the base64 text. When a photo is brought whose file alone is within 1 MB, and its text is not:
    let photo = jpeg(&page(3600, 2700, 16));
    assert!(photo.len() <= MIB && STANDARD.encode(&photo).len() > MIB, "{} bytes", photo.len());
    let submitted = w.submits_id_card(1, &photo, &sides(1).1, false).await;
    w.run(hours(1)).await;
    // Then it is made smaller, and taken.
    assert_eq!(w.submission_state(&submitted).await, "verified");
    let sent = &w.renditions(&submitted).await[0].1;
    assert!(STANDARD.encode(sent).len() <= MIB, "{} bytes", sent.len());
    // And a PDF, which nobody can make smaller, is refused before anything is sent.
    let id = w.kept(1, "agreement", &pdf_of("long", 8 * MIB)).await;
    let wanted = json!({ "document_ids": [id], "contract_id": "C-1", "tax_agent_parent_id": "1001" });
    let refused = w.try_submit(wanted).await.expect(400);
    assert_eq!(refused.faults(), ["document_ids: file_too_large"]);
    assert_eq!(w.arrivals(Operation::UploadTaxpayerAgreement).len(), 0);
    w
}

pub(crate) async fn p57_recompress_below_legibility_floor(db: Db) -> World {
    let w = World::new(db).await;
    let good = w.kept(1, "id_card_back", &sides(1).1).await;
    for (picture, code) in [(page(2400, 1600, 7), "text_too_small"), (page(900, 600, 30), "picture_too_coarse")] {
        // Given a picture that nobody could read.
        let original = jpeg(&picture);
        let person = ask("-", 1)["person"].to_string();
        let kept = w.uploads("id_card_front", ("person", &person), &original).await.expect(201).json();
        // When it is to be brought, then whoever brings it is told what to do, and nothing is sent.
        let refused = w.try_submit(json!({ "document_ids": [kept["id"], good] })).await.expect(400);
        assert_eq!(refused.faults(), [format!("document_ids: {code}")]);
        assert!(refused.text().contains("take it "), "a remedy: {}", refused.text());
        // And the original is kept as it is, for a person to look at.
        let shown = w.get(&format!("/v1/documents/{}", text(&kept["id"]))).await.expect(200).json();
        assert_eq!((&shown["sha256"], &shown["bytes"]), (&json!(sha256(&original)), &json!(original.len())));
    }
    w.run(hours(1)).await;
    assert_eq!(w.arrivals(Operation::UploadIdCardImage).len(), 0);
    // And a face is looked at, not read: one of a simple camera is good enough.
    let frame = w.kept(1, "face_frame", &jpeg(&page(800, 640, 8))).await;
    let face = w.submits(json!({ "document_ids": [frame] })).await;
    w.settle().await;
    assert_eq!(w.submission_state(&face).await, "verified");
    w
}

pub(crate) async fn p61_existing_image_reports_success(db: Db) -> World {
    let w = World::new(db).await;
    // Given two persons whose pictures the provider has already, from elsewhere.
    for n in [1, 2] {
        w.has_pictures_there(n).await;
    }
    w.run(hours(2)).await;
    let before = w.papers_there();
    // When pictures are brought, then success at once is told apart, and a query has shown it.
    let (front, back) = sides(1);
    let existing = w.submits_id_card(1, &front, &back, false).await;
    w.settle().await;
    let shown = w.submission(&existing).await;
    assert_eq!((&shown["state"], &shown["existing"]), (&json!("verified"), &json!(true)));
    assert_eq!(w.arrivals(Operation::QueryIdCardImage).len(), 1);
    // And where a renewal was meant it is no success: the old picture stays there.
    let renewal = w.submits_id_card(1, &front, &back, true).await;
    w.settle().await;
    assert_eq!(w.submission_state(&renewal).await, "needs_operator");
    assert!(text(&w.case("document_stuck").await["facts"]["why"]).contains("has a picture already"));
    // Looking again changes nothing, until a person has it from the provider.
    w.one_person_decides("document_stuck", "retry").await;
    w.run(hours(2)).await;
    assert_eq!(w.submission_state(&renewal).await, "needs_operator");
    w.one_person_decides("document_stuck", "verified").await;
    assert_eq!(w.submission_state(&renewal).await, "verified");
    // Nor is a renewal whose answer was lost believed because the old picture is shown.
    w.provider_will(Operation::UploadIdCardImage, CallFault::DropAfter);
    let (front, back) = sides(2);
    let lost = w.submits_id_card(2, &front, &back, true).await;
    w.run(hours(2)).await;
    assert_eq!(w.submission_state(&lost).await, "needs_operator");
    assert_eq!(w.papers_there(), before, "the provider has kept the old ones");
    w
}

pub(crate) async fn p62_image_status_null_literal(db: Db) -> World {
    let w = World::with(db, |setup| setup.far.switches.taxpayer_by_phone = false).await;
    // Given a person of whom the provider says "NULL", the word.
    let (front, back) = sides(1);
    let submitted = w.submits_id_card(1, &front, &back, false).await;
    w.settle().await;
    // Then it is neither a failure nor a silence: a person hears what comes first.
    let shown = w.submission(&submitted).await;
    assert_eq!(shown["state"], "needs_operator");
    assert!(text(&shown["waits_for"]).ends_with("a sign-up comes first"), "{shown}");
    // Going on too early comes to the same.
    w.one_person_decides("document_stuck", "retry").await;
    w.run(hours(2)).await;
    assert_eq!(w.submission_state(&submitted).await, "needs_operator");
    // And after the sign-up it goes on, with the same pictures.
    let person = ask("-", 1)["person"].clone();
    let invitation = json!({ "kind": "sign_up", "person": person, "tax_agent_parent_id": "1001", "credit_code": "91110000MA00000000" });
    w.post("/v1/sign-ups", invitation).await.expect(201);
    w.run(hours(3)).await;
    w.one_person_decides("document_stuck", "retry").await;
    w.run(hours(2)).await;
    assert_eq!(w.submission_state(&submitted).await, "verified");
    assert_eq!(w.papers_there(), [w.renditions(&submitted).await[0].0.clone()]);
    // Where a phone number makes a taxpayer of a stranger (R6), a lost upload of one goes again by itself.
    w.switch(|switches| switches.taxpayer_by_phone = true);
    w.provider_will(Operation::UploadIdCardImage, CallFault::DropBefore);
    let (front, back) = sides(2);
    let lost = w.submits_id_card(2, &front, &back, false).await;
    w.run(hours(2)).await;
    assert_eq!((w.submission_state(&lost).await.as_str(), w.cases().await.len()), ("verified", 0));
    w
}

pub(crate) async fn p63_agreement_retry_duplicate_contract_id(db: Db) -> World {
    let w = World::new(db).await;
    // Given an agreement whose answer is lost.
    w.provider_will(Operation::UploadTaxpayerAgreement, CallFault::DropAfter);
    let uploaded = w.kept(1, "agreement", &pdf("one")).await;
    let wanted = json!({ "document_ids": [uploaded], "contract_id": "C-1", "tax_agent_parent_id": "1001" });
    let submitted = w.submits(wanted.clone()).await;
    w.settle().await;
    assert_eq!(w.submission_state(&submitted).await, "submitted", "lost, and not failed");
    // Then it goes again word for word, and the provider has one.
    w.run(hours(2)).await;
    assert_eq!(w.submission_state(&submitted).await, "verified");
    let sends = w.arrivals(Operation::UploadTaxpayerAgreement);
    assert_eq!((sends.len(), &sends[0].facts), (2, &sends[1].facts), "never a new contract_id");
    assert_eq!(w.ledger().documents.len(), 1);
    // And the same again is the same, while another file, party or person under its number is refused before anything is sent.
    let same = w.try_submit(wanted.clone()).await.expect(200).json();
    assert_eq!(same["id"], submitted["id"]);
    let other = w.kept(1, "agreement", &pdf("other")).await;
    let others = w.kept(2, "agreement", &pdf("one")).await;
    let with = |field: &str, value: Value| {
        let mut wanted = wanted.clone();
        wanted[field] = value;
        wanted
    };
    for wanted in [
        with("document_ids", json!([other])),
        with("document_ids", json!([others])),
        with("tax_agent_parent_id", json!("1002")),
    ] {
        assert_eq!(w.try_submit(wanted).await.expect(409).code(), "contract_id_used");
    }
    let renewed = w.try_submit(with("renewal", json!(true))).await.expect(200).json();
    assert_eq!(renewed["id"], submitted["id"], "nothing makes a number new");
    // And one whose callback never comes goes to a person.
    w.mute_callbacks(true);
    let silent = w.submits_agreement(1, "C-2", &pdf("other")).await;
    w.run(hours(73)).await;
    assert_eq!(w.submission_state(&silent).await, "needs_operator");
    w
}

pub(crate) async fn p64_large_upload_lane_bounded(db: Db) -> World {
    const VIDEOS: u8 = 3;
    let w = World::new(db).await;
    // Given more videos than may go at once, and a provider that takes its time for the first two.
    let mut submissions = Vec::new();
    for n in 1..=VIDEOS {
        let video = w.kept(n.into(), "face_video", &mp4(n, 10 * MIB + 1000)).await;
        submissions.push(w.submits(json!({ "document_ids": [video] })).await);
    }
    w.slow(seconds(8));
    w.provider_will(Operation::UploadFaceidVideoFrame, CallFault::Delay);
    w.provider_will(Operation::UploadFaceidVideoFrame, CallFault::Delay);
    // When two workers have taken one each,
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let engine = w.engine.clone();
            tokio::spawn(async move {
                for row in engine.claim(1).await.unwrap() {
                    engine.drive(row, &Committer::Direct).await;
                }
            })
        })
        .collect();
    let sent = || w.arrivals(Operation::UploadFaceidVideoFrame).len();
    while sent() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    // then a third finds no room for another video, and sends an order: their lane is not its lane.
    let order = w.asks("A-1").await;
    w.engine.until_idle().await.unwrap();
    assert_eq!((w.arrivals(Operation::CreateOrderV2).len(), sent()), (1, 2));
    assert!(workers.iter().all(|worker| !worker.is_finished()), "the two are still under way");
    for worker in workers {
        worker.await.unwrap();
    }
    w.slow(std::time::Duration::from_millis(10));
    // And of the last one the answer is lost: the identical bytes go again, and the provider has each once.
    w.until_order(&order, "ready").await;
    w.provider_will(Operation::UploadFaceidVideoFrame, CallFault::DropAfter);
    let video = w.kept(9, "face_video", &mp4(9, 10 * MIB)).await;
    submissions.push(w.submits(json!({ "document_ids": [video] })).await);
    let before = sent();
    w.run(hours(2)).await;
    assert_eq!(sent() - before, 2);
    let mut hashes = Vec::new();
    for submission in &submissions {
        assert_eq!(w.submission_state(submission).await, "verified");
        hashes.push(w.renditions(submission).await[0].0.clone());
    }
    let (mut there, mut ours) = (w.papers_there(), hashes.clone());
    there.sort();
    ours.sort();
    assert_eq!(there, ours, "each once, byte for byte");
    w.holds_names_in_place_of_files(&submissions, &hashes).await;
    w
}

pub(crate) async fn p66_status_false_string(db: Db) -> World {
    let w = World::new(db).await;
    let (_, remit) = w.ready("A-1").await;
    w.pays(&remit).await;
    w.until_remit(&remit, "levied").await;
    // Given a provider that finds no paper good, and says so at once: FALSE here, FAIL there.
    w.switch(|switches| switches.papers = Judgement::BadAtOnce);
    let voucher = w.uploads("bank_voucher", ("remit", &remit.id), &pdf("paid")).await.expect(201).json();
    let frame = w.kept(1, "face_frame", &jpeg(&page(1200, 900, 40))).await;
    let at_once = [
        w.submits(json!({ "document_ids": [voucher["id"]] })).await,
        w.submits(json!({ "document_ids": [frame] })).await,
        w.submits_agreement(1, "C-1", &pdf("one")).await,
    ];
    w.settle().await;
    for submission in &at_once {
        w.is_rejected(submission, "the provider gives no reason").await;
    }
    // When it says so later, then the agreement's callback is its end, and the pictures' query tells the reason.
    w.switch(|switches| switches.papers = Judgement::BadLater);
    let agreement = w.submits_agreement(1, "C-2", &pdf("two")).await;
    let (front, back) = sides(1);
    let id_card = w.submits_id_card(1, &front, &back, false).await;
    w.run(hours(2)).await;
    w.is_rejected(&agreement, "the provider gives no reason").await;
    w.is_rejected(&id_card, "照片不清晰").await;
    // And FALSE in a callback is the same word as FAIL.
    w.mute_callbacks(true);
    let silent = w.submits_agreement(1, "C-3", &pdf("three")).await;
    w.run(hours(1)).await;
    assert_eq!(w.submission_state(&silent).await, "processing");
    let said = w.judged("UPLOAD_TAXPAYER_AGREEMENT", &silent, json!({ "contract_id": "C-3", "status": "FALSE" }));
    w.callback(said).await.expect(200);
    w.settle().await;
    w.is_rejected(&silent, "the provider gives no reason").await;
    assert_eq!(w.cases().await.len(), 0, "an answer is no question");
    w
}

pub(crate) async fn d01_muted_callbacks_are_found_by_query(db: Db) -> World {
    let w = World::new(db).await;
    // Given a provider whose callbacks never come.
    w.mute_callbacks(true);
    let (front, back) = sides(1);
    let submitted = w.submits_id_card(1, &front, &back, false).await;
    w.settle().await;
    assert_eq!(w.submission_state(&submitted).await, "processing");
    // Then queries alone find how the pictures were judged, in a handful of them.
    w.run(hours(24)).await;
    let shown = w.submission(&submitted).await;
    assert_eq!((&shown["state"], &shown["existing"]), (&json!("verified"), &json!(false)));
    assert_eq!(w.ledger().callbacks.iter().filter(|line| line.acknowledged == Some(true)).count(), 0);
    let looks = w.arrivals(Operation::QueryIdCardImage).len();
    assert!((1..=12).contains(&looks), "{looks} looks");
    w
}

pub(crate) async fn d02_copies_and_forgeries_change_nothing(db: Db) -> World {
    let w = World::new(db).await;
    w.mute_callbacks(true);
    let agreement = w.submits_agreement(1, "C-1", &pdf("one")).await;
    let (front, back) = sides(1);
    let id_card = w.submits_id_card(2, &front, &back, false).await;
    w.settle().await;
    // Given callbacks that are not signed by the provider, or speak of another submission.
    let good = json!({ "contract_id": "C-1", "status": "SUCCESS" });
    let forged = json!({ "request_id": agreement["request_id"], "contract_id": "C-1", "status": "SUCCESS" });
    let req = json!({ "name": "UPLOAD_TAXPAYER_AGREEMENT", "code": "0", "message": "", "data": forged }).to_string();
    w.callback(form(&req, &sign("something else"))).await.expect(400);
    let foreign = json!({ "request_id": "0123456789abcdef0123456789abcdef" });
    w.callback(w.judged("UPLOAD_TAXPAYER_AGREEMENT", &foreign, good.clone())).await.expect(200);
    // And one that says of the pictures what no query shows: it only makes levee ask.
    let lie = json!({ "status": "IDENTIFY_FAIL", "failReason": "forged" });
    w.callback(w.judged("UPLOAD_ID_CARD_IMAGE", &id_card, lie)).await.expect(200);
    w.settle().await;
    assert_eq!(
        (w.submission_state(&agreement).await.as_str(), w.submission_state(&id_card).await.as_str()),
        ("processing", "processing")
    );
    // When the true one comes, and comes again, and its contrary after it.
    for _ in 0..2 {
        w.callback(w.judged("UPLOAD_TAXPAYER_AGREEMENT", &agreement, good.clone())).await.expect(200);
        w.settle().await;
        assert_eq!(w.submission_state(&agreement).await, "verified");
    }
    let shown = w.submission(&agreement).await;
    let contrary = json!({ "contract_id": "C-1", "status": "FAIL" });
    w.callback(w.judged("UPLOAD_TAXPAYER_AGREEMENT", &agreement, contrary)).await.expect(200);
    w.run(hours(2)).await;
    // Then what has ended stays ended, and nothing was sent for any of it.
    assert_eq!(
        (w.submission(&agreement).await["state"].clone(), shown["state"].clone()),
        (json!("verified"), json!("verified"))
    );
    assert_eq!(w.submission_state(&id_card).await, "verified");
    assert_eq!(
        (w.arrivals(Operation::UploadTaxpayerAgreement).len(), w.arrivals(Operation::UploadIdCardImage).len()),
        (1, 1)
    );
    w
}

pub(crate) async fn d03_a_lost_worker_leaves_one_paper(db: Db) -> World {
    let w = World::new(db).await;
    // Given a worker that dies between send and answer, of a paper that a query shows.
    let (front, back) = sides(1);
    let id_card = w.submits_id_card(1, &front, &back, false).await;
    w.die_during(Operation::UploadIdCardImage).await;
    w.lease_ends().await;
    w.run(hours(2)).await;
    // Then it is found there, and not sent again.
    assert_eq!(w.submission_state(&id_card).await, "verified");
    assert_eq!(w.arrivals(Operation::UploadIdCardImage).len(), 1);
    // And of one that no query shows the identical call goes again.
    let agreement = w.submits_agreement(1, "C-1", &pdf("one")).await;
    w.die_during(Operation::UploadTaxpayerAgreement).await;
    w.lease_ends().await;
    w.run(hours(2)).await;
    assert_eq!(w.submission_state(&agreement).await, "verified");
    let sends = w.arrivals(Operation::UploadTaxpayerAgreement);
    assert_eq!((sends.len(), &sends[0].facts, &sends[0].id), (2, &sends[1].facts, &sends[1].id));
    let ours = [w.renditions(&id_card).await[0].0.clone(), w.renditions(&agreement).await[0].0.clone()];
    assert_eq!(w.papers_there(), ours, "one each");
    w
}

impl World {
    /// Somebody else with our key has brought the n-th person's pictures.
    async fn has_pictures_there(&self, n: u32) {
        let person = ask("-", n)["person"].clone();
        let data = json!({
            "requestId": format!("ELSEWHERE-{n}"), "idCardNo": person["id_card"], "realName": person["name"],
            "cellPhone": person["cellphone"], "uploadWay": "DIRECT",
            "frontImage": STANDARD.encode(b"an old front"), "backImage": STANDARD.encode(b"an old back"),
        });
        assert_eq!(self.provider_is_asked(Operation::UploadIdCardImage, data).await["status"], "ACCEPT");
    }

    async fn is_rejected(&self, submission: &Value, reason: &str) {
        let shown = self.submission(submission).await;
        assert_eq!((text(&shown["state"]), text(&shown["reason"])), ("rejected", reason), "{}", text(&shown["kind"]));
    }

    /// Rows, letters and exchanges name files by their hashes, and hold none.
    async fn holds_names_in_place_of_files(&self, submissions: &[Value], hashes: &[String]) {
        const SMALL: usize = 4096;
        for (submission, hash) in submissions.iter().zip(hashes) {
            let row = self.row_of(submission).await;
            assert!(row.input.to_string().contains(hash.as_str()) && row.input.to_string().len() < SMALL);
            assert!(row.state.to_string().len() < SMALL);
            let exchanges = self.engine.store.exchanges(row.id).await.expect("the store answers");
            assert!(!exchanges.is_empty());
            for exchange in exchanges {
                let request = &exchange.exchange.request;
                assert!(request.len() < SMALL, "an exchange of {} bytes", request.len());
            }
            let letters = self.engine.store.letters(row.id).await.expect("the store answers");
            assert!(letters.iter().all(|letter| letter.event.to_string().len() < SMALL));
        }
    }
}
