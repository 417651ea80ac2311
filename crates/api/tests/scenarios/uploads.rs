//! D04–D08: what people upload, as it comes from phones, scanners and colleagues, and what they hear.

use crate::world::files::{from_a_phone, holds, jpeg, locked_pdf, mp4, page, pdf};
use crate::world::*;
use serde_json::json;
use simulator::Operation;

const MIB: usize = 1024 * 1024;

/// 1 MB a picture (000 §2.10 R4).
const ID_CARD_PICTURE_MAX: usize = MIB;

pub(crate) async fn d04_a_photo_of_twelve_megapixels(db: Db) -> World {
    let w = World::new(db).await;
    // Given photos as a phone takes them, several times what the provider takes.
    let (front, back) = (jpeg(&page(4000, 3000, 15)), jpeg(&page(4000, 3000, 30)));
    assert!(front.len() > ID_CARD_PICTURE_MAX, "{} bytes", front.len());
    let submitted = w.submits_id_card(1, &front, &back, false).await;
    w.run(hours(1)).await;
    // Then they are taken as they are, brought within the limit with all that can be read, and recognised.
    assert_eq!(w.submission_state(&submitted).await, "verified");
    for (_, sent) in w.renditions(&submitted).await {
        let picture = image::load_from_memory(&sent).unwrap();
        assert!(sent.len() <= ID_CARD_PICTURE_MAX, "{} bytes", sent.len());
        assert!(picture.width() >= 2000 && picture.width() * 3 == picture.height() * 4, "{}", picture.width());
    }
    w
}

pub(crate) async fn d05_a_sideways_photo_stands_up(db: Db) -> World {
    let w = World::new(db).await;
    // Given a photo taken sideways: the pixels lie, and notes say how to turn them, and where that was.
    let upright = page(1600, 1200, 40);
    let photo = from_a_phone(&jpeg(&upright.rotate270()));
    assert!(holds(&photo, "Exif") && holds(&photo, "GPS-31.2304"));
    let submitted = w.submits_id_card(1, &photo, &jpeg(&page(1200, 800, 40)), false).await;
    w.run(hours(1)).await;
    assert_eq!(w.submission_state(&submitted).await, "verified");
    // Then what the provider has stands up: its band is along the top.
    let (hash, sent) = w.renditions(&submitted).await.remove(0);
    assert_eq!(w.papers_there(), [hash]);
    let picture = image::load_from_memory(&sent).unwrap().into_rgb8();
    assert_eq!(picture.dimensions(), (1600, 1200));
    let red = |x: u32, y: u32| picture.get_pixel(x, y).0[0] > 150 && picture.get_pixel(x, y).0[1] < 90;
    assert!(red(20, 20) && red(800, 20) && red(1580, 20) && !red(20, 1180) && !red(1580, 1180));
    // And nothing of where it was taken has left.
    assert!(!["Exif", "GPS", "31.2304"].iter().any(|word| holds(&sent, word)));
    w
}

pub(crate) async fn d06_a_video_up_to_its_limit(db: Db) -> World {
    let w = World::new(db).await;
    let person = ask("-", 1)["person"].to_string();
    // Given a video just within the 15 MB that the provider takes, it is taken, and arrives.
    let video = w.kept(1, "face_video", &mp4(1, 149 * MIB / 10)).await;
    let submitted = w.submits(json!({ "document_ids": [video] })).await;
    w.settle().await;
    assert_eq!(w.submission_state(&submitted).await, "verified");
    // And one just beyond is refused, with the field and what to do.
    let refused = w.uploads("face_video", ("person", &person), &mp4(1, 151 * MIB / 10)).await.expect(400);
    assert_eq!(refused.faults(), ["file: video_too_large"]);
    assert!(refused.text().contains("are taken: record a shorter one"), "{}", refused.text());
    // And so is one that no upload of any kind could be.
    let refused = w.uploads("face_video", ("person", &person), &mp4(1, 40 * MIB)).await;
    assert_eq!(refused.status, 413, "{}", refused.text());
    w
}

pub(crate) async fn d07_a_file_is_what_its_content_says(db: Db) -> World {
    let w = World::new(db).await;
    let person = ask("-", 1)["person"].to_string();
    let photo = jpeg(&page(1200, 800, 40));
    let whose = ("person", person.as_str());
    // Given a photo under the name and the type of a PDF: both languages say what it is, and what is wanted.
    let refused = w.uploads_as("协议.pdf", "application/pdf", "agreement", whose, &photo).await.expect(400);
    assert_eq!(refused.faults(), ["file: not_a_pdf"]);
    assert!(["JPEG", "PDF", "请"].iter().all(|word| refused.text().contains(word)), "{}", refused.text());
    // The other way round it is the same, and so it is of an honest name with a large file behind it.
    let refused = w.uploads_as("正面.jpg", "image/jpeg", "id_card_front", whose, &pdf("one")).await.expect(400);
    assert_eq!(refused.faults(), ["file: not_a_picture"]);
    let refused = w.uploads_as("协议.pdf", "application/pdf", "agreement", whose, &mp4(1, 14 * MIB)).await.expect(400);
    assert_eq!(refused.faults(), ["file: not_a_pdf"]);
    // A PDF that asks for a password, one that is cut off, and nothing at all.
    let cut = pdf("one")[..300].to_vec();
    for (file, code) in [(locked_pdf(), "pdf_encrypted"), (cut, "pdf_truncated"), (Vec::new(), "file_empty")] {
        let refused = w.uploads("agreement", whose, &file).await.expect(400);
        assert_eq!(refused.faults(), [format!("file: {code}")], "{}", refused.text());
    }
    let refused = w.uploads("agreement", whose, &locked_pdf()).await;
    assert!(refused.text().contains("without a password"), "{}", refused.text());
    // And nothing of any of them is kept, so that nothing could be sent.
    assert_eq!(w.arrivals(Operation::UploadTaxpayerAgreement).len(), 0);
    w.uploads("agreement", whose, &pdf("one")).await.expect(201);
    w
}
